# shellcheck shell=bash
# Assay's trial runner, PID 1 of the trial container: runs install, execute and verify of each step, each under its own limit, and
# tells the collector. What it is to do stands in program.sh beside it. Needs bash 4.2 and coreutils and nothing else of the image.
# It is also PID 1 of a separate verifier's container, with a program.sh and a gate of its own.
#
# What it says on the gate, one line each: `phase NAME MS`, `done NAME MS EXIT TIMEDOUT`, `setup-failed TEXT`, `agent-end JSON`,
# `step INDEX` (a further step begins; the first one needs no word), `end JSON`. The whole script is functions, so that bash has read it
# to its end before the agent runs, and an agent that deletes or changes the file changes nothing.
#
# The container's environment belongs to the phases: image, task and agent may set any variable, also one that changes how bash works or
# one that is named like a variable of this script. So the environment is kept as a list, the shell forgets it, and each phase gets exactly
# that list (by env) and nothing of the runner.
#
# Not `set -e`: an agent may have deleted any program, and the runner still has to say how it ended.

# Keeps the environment in `__assay_environment` and empties the shell of it. The prefix keeps these variables apart from what the
# environment holds; all later ones need none.
assay_keep_environment() {
  # These change how bash itself works.
  set +o posix
  unset -v POSIXLY_CORRECT BASH_COMPAT FUNCNEST EXECIGNORE TMOUT
  # $0, because variables of the environment can take the place of BASH_SOURCE and BASH.
  __assay_place=${0%/*} __assay_start=$PWD __assay_path=$PATH
  __assay_home='' __assay_phase_path='' __assay_has_path=0
  __assay_environment=()
  while IFS= read -r -d '' __assay_entry; do
    case $__assay_entry in
    # Set anew by the runner.
    ASSAY_INSTRUCTION_PATH=* | ASSAY_TASK_INSTRUCTION=* | ROLLOUT_TASK_INSTRUCTION=*) continue ;;
    ASSAY_TOOL_DIRS=* | ASSAY_WORKFLOW_DIRS=* | ASSAY_SKILL_DIRS=* | ASSAY_PERSONA_DIRS=* | ASSAY_PROMPT_FILES=*) continue ;;
    # The PATH that the task or the agent sets. Under its own name it would decide whether the container finds bash.
    ASSAY_PATH=*) __assay_phase_path=${__assay_entry#*=}; continue ;;
    PATH=*) __assay_has_path=1 ;;
    HOME=*) __assay_home=${__assay_entry#*=} ;;
    ?*=*) ;;
    *) continue ;;
    esac
    __assay_environment+=("$__assay_entry")
  done </proc/self/environ
  for __assay_entry in "${__assay_environment[@]}"; do
    __assay_entry=${__assay_entry%%=*}
    case $__assay_entry in
    # Not names of shell variables; and unsetting BASH_XTRACEFD would close the file that it names.
    *[!A-Za-z0-9_]* | [0-9]* | __assay_* | BASH_XTRACEFD) ;;
    *) unset -v "$__assay_entry" ;;
    esac
  done 2>/dev/null # some are read-only
  IFS=$' \t\n' PATH=$__assay_path
}

assay_main() {
  # Set by program.sh.
  local gate_said='' gate_heard='' install_script='' execute_script='' logs='' tests='' instruction_target='' tool_path=''
  local verify=1 verify_failed_agent=0 test_as_file=0 end_agent_processes=0 verifier_variables=''
  local role='' separate=0 offered='' accepted=''
  local -a hooks=() hook_limits=() artifact_numbers=() artifact_sources=() artifact_excludes=()
  local -a overlay_variables=() skill_sources=()
  local -a steps=() instructions=() long_instructions=() install_limits=() execute_limits=() verify_limits=()
  # shellcheck source=/dev/null
  . "$__assay_place/program.sh" || exit 70
  # The usual directories come first: the image's PATH counts for what lies elsewhere. The scripts' bash is the one that the container found.
  local bash
  PATH=$__assay_path
  bash=$(type -P bash)
  PATH=$tool_path:$__assay_path
  [ -n "$bash" ] || bash=$(type -P bash)

  local start=$__assay_start child='' stopping=0 caught=0 ms=0 up=0 code=0 timed=0 groups='' mirrors=''
  local outcome=ok judged=0 late=0 remark='' environment_tool='' entry word step=0 muted=0
  # What the phases get beside the container's environment: from the runner, and for the verifier only.
  local -a given=() instruction_given=() verifier_given=()

  # The time in milliseconds, from whatever this bash and these coreutils have.
  now() {
    local t=${EPOCHREALTIME:-}
    t=${t//[!0-9]/}
    if [ -n "$t" ]; then ms=${t%???}; return; fi
    t=$(date +%s%3N 2>/dev/null)
    case $t in '' | *[!0-9]*) printf -v t '%(%s)T000' -1 ;; esac
    ms=$t
  }
  # A clock that never jumps, in milliseconds: limits are measured with it.
  uptime_ms() {
    local t
    if read -r t _ 2>/dev/null </proc/uptime; then t=${t/./}; up=$((10#$t * 10)); else now; up=$ms; fi
  }
  # Collect hooks run like phases, but are none: nothing is said of them.
  say() {
    if [ "$muted" = 1 ]; then case $1 in 'phase '* | 'done '*) return ;; esac; fi
    printf '%s\n' "$1" >&9
  } 2>/dev/null

  # A stop is passed on; what does not end is killed before the pod's grace period is over.
  # shellcheck disable=SC2329 # called by the trap
  on_stop() {
    stopping=1 caught=1
    if [ -z "$child" ]; then
      say 'end {"stopped":true}'
      exit 143
    fi
    kill -TERM -- "-$child" 2>/dev/null || kill -TERM "$child" 2>/dev/null
    (sleep 2; kill -KILL -- "-$child") >/dev/null 2>&1 8>&- 9>&- &
  }
  trap on_stop TERM INT
  trap : PIPE # a handler, not "ignore": children would inherit that

  # Children see neither end of the gate.
  exec 8<>"$gate_heard" || exit 70
  exec 9>"$gate_said" || exit 70

  # Copies a growing file to the container's own log, up to a bound, while the script runs.
  mirror() {
    [ "$can_mirror" = 1 ] || return 0
    (tail --pid="$child" -s 0.1 -c +1 -f "$1" | "${first_megabyte[@]}") 2>/dev/null 8>&- 9>&- &
    mirrors="$mirrors $!"
  }
  local can_mirror=0
  # A pipe's reader would keep the last 4 KiB back.
  local -a first_megabyte=(head -c 1048576)
  stdbuf -o0 true >/dev/null 2>&1 && first_megabyte=(stdbuf -o0 "${first_megabyte[@]}")
  tail --pid=$$ -n 0 /dev/null >/dev/null 2>&1 && can_mirror=1

  # run PHASE LIMIT_MS LOG_DIRECTORY COMMAND...: sets code and timed. The command is given by its path: the phase's PATH may be any.
  run() {
    local name=$1 limit=$2 dir=$3 began seconds dog='' timeout_tool
    shift 3
    [ -L "$dir" ] && rm -f "$dir"
    mkdir -p "$dir" 2>/dev/null && chmod 0777 "$dir" 2>/dev/null
    rm -f "$dir/stdout.txt" "$dir/stderr.txt" 2>/dev/null
    cd "$start" 2>/dev/null || cd /
    now
    say "phase $name $ms"
    : >"$dir/stdout.txt" && : >"$dir/stderr.txt"
    uptime_ms
    began=$up timed=0
    printf -v seconds '%d.%03d' $((limit / 1000)) $((limit % 1000))
    if [ "$limit" -gt 0 ]; then
      timeout_tool=$(type -P timeout)
      if [ -n "$timeout_tool" ] && "$timeout_tool" -k 1 5 true >/dev/null 2>&1; then
        set -- "$timeout_tool" -k 5 "$seconds" "$@"
      else
        dog=wanted
      fi
    fi
    set -m # a process group of its own
    (
      [ -n "$remark" ] && printf '%s\n' "$remark" >&2
      # By env, not by export: names may be such that no shell variable can have, like "a.b". env runs first, so that no process of the
      # phase shows the values among its arguments.
      exec "$environment_tool" -i -- "${__assay_environment[@]}" "${given[@]}" "${instruction_given[@]}" "${verifier_given[@]}" "$@"
    ) </dev/null >"$dir/stdout.txt" 2>"$dir/stderr.txt" 8>&- 9>&- &
    child=$!
    set +m
    groups="$groups $child"
    if [ -n "$dog" ]; then
      (sleep "$seconds"; kill -TERM -- "-$child"; sleep 5; kill -KILL -- "-$child") >/dev/null 2>&1 8>&- 9>&- &
      dog=$!
    fi
    mirror "$dir/stdout.txt"
    mirror "$dir/stderr.txt" >&2
    [ "$stopping" = 1 ] && kill -TERM -- "-$child" 2>/dev/null
    while :; do
      caught=0
      wait "$child" 2>/dev/null
      code=$?
      [ "$caught" = 1 ] || break
    done
    uptime_ms
    # `timeout` says 124, or 137 when it had to kill; a script may say so too, but not after that time.
    if [ "$limit" -gt 0 ] && [ $((up - began)) -ge $((limit - 10)) ]; then
      if [ -n "$dog" ] || [ "$code" = 124 ] || [ "$code" = 137 ]; then timed=1; fi
    fi
    [ -n "$dog" ] && kill "$dog" 2>/dev/null
    [ "$timed" = 1 ] && kill -KILL -- "-$child" 2>/dev/null
    child=''
    now
    say "done $name $ms $code $timed"
    if [ "$stopping" = 1 ]; then
      say 'end {"stopped":true}'
      exit 143
    fi
    [ "$code" = 0 ] && [ "$timed" = 0 ]
  }

  # What the agent left running. Only PID 1 of a container may signal every process.
  end_agent() {
    if [ $$ = 1 ]; then
      kill -KILL -1 2>/dev/null
    else
      for entry in $groups; do kill -KILL -- "-$entry" 2>/dev/null; done
    fi
    wait 2>/dev/null # so that bash says nothing about them later
  }

  # Copies the skills into the workspace, those of later sources last. A skill is a folder that replaces the whole folder of the same name,
  # so that no file of the earlier one stays. When it fails, `word` says why.
  merge_skills() {
    local target=$start/.agents/skills source name
    local -a merged=()
    for source in "${skill_sources[@]}"; do
      for entry in "$source"/*/; do
        [ -d "$entry" ] || continue
        entry=${entry%/} name=${entry%/}
        name=${name##*/}
        if ! word=$({ mkdir -p "$target" && rm -rf "${target:?}/$name" && cp -R "$entry" "$target/$name"; } 2>&1); then
          word="the skill $name cannot be copied to $target: ${word##*$'\n'}"
          return 1
        fi
        merged+=("$name")
      done
    done
    [ "${#merged[@]}" = 0 ] || hide_skills "${merged[@]}"
  }

  # Keeps the copied skills out of git's view of the workspace, because tasks are judged by it. Does nothing outside a git repository.
  hide_skills() {
    local top=${start%/} folder common name pattern git
    while [ ! -e "$top/.git" ]; do
      [ -n "$top" ] || return 0
      top=${top%/*}
    done
    # The workspace, as git writes it.
    local place=${start%/}
    place=${place#"$top"}
    folder=$top/.git
    if [ -f "$folder" ]; then
      # The .git of a worktree or a submodule is a file; the worktrees of a repository share one exclude file.
      read -r folder <"$folder"
      folder=${folder#gitdir: }
      case $folder in /*) ;; *) folder=$top/$folder ;; esac
      if [ -f "$folder/commondir" ] && read -r common <"$folder/commondir"; then
        case $common in /*) folder=$common ;; *) folder=$folder/$common ;; esac
      fi
    fi
    [ -e "$folder/HEAD" ] || return 0
    mkdir -p "$folder/info" && {
      # The file may end in the middle of a line.
      printf '\n# Skills that Assay has added.\n'
      for name; do
        pattern=${place}/.agents/skills/$name
        pattern=${pattern//\\/\\\\} pattern=${pattern//\*/\\*} pattern=${pattern//\?/\\?} pattern=${pattern//\[/\\[} pattern=${pattern// /\\ }
        printf '%s\n' "$pattern"
      done
    } >>"$folder/info/exclude"
    # The repository may have a skill of that name already; its tracked files are no change of the agent either.
    git=$(type -P git) || return 0
    local -a call=("$git" -c "safe.directory=*" -c core.fsmonitor=false --literal-pathspecs -C "$top/")
    for name; do
      name=${place#/}${place:+/}.agents/skills/$name
      "${call[@]}" ls-files -z -- "$name" | "${call[@]}" update-index -z --skip-worktree --stdin
    done
    return 0
  } >/dev/null 2>&1

  # Gives the step its instruction, and the first one the skills.
  setup() {
    local file=${instructions[step]}
    now
    say "phase setup $ms"
    if [ "${#__assay_environment[@]}" = 0 ]; then
      say "setup-failed the container's environment cannot be read from /proc/self/environ"
      return 1
    fi
    environment_tool=$(type -P env)
    if [ -z "$environment_tool" ]; then
      say "setup-failed the task's image has no env (coreutils), which the runner needs; install coreutils in the image"
      return 1
    fi
    mkdir -p "$logs/agent" "$logs/verifier" "$logs/artifacts" "$logs/setup" "$logs/command" 2>/dev/null
    if [ "$step" = 0 ] && ! merge_skills; then
      say "setup-failed $word"
      return 1
    fi
    instruction_given=()
    if [ -f "$file" ]; then
      if ! { mkdir -p "${instruction_target%/*}/" && cp "$file" "$instruction_target" && chmod a+r "$instruction_target"; }; then
        say "setup-failed cannot write the instruction to $instruction_target"
        return 1
      fi
      instruction_given=("ASSAY_INSTRUCTION_PATH=$instruction_target" "ROLLOUT_TASK_INSTRUCTION=$instruction_target")
      # The kernel refuses single variables of 128 KiB; the file has it whole.
      if [ "${long_instructions[step]}" = 0 ]; then instruction_given+=("ASSAY_TASK_INSTRUCTION=$(<"$file")"); fi 2>/dev/null
    fi
    now
    say "done setup $ms 0 0"
  }

  # Removes what lies where the tests belong: what the agent left would be in their way, or pass for one of them, and an agent sees no
  # tests of an earlier step. The directory is a mount and stays; its names are not listed here: there may be more than fit a command line.
  clear_tests() {
    chmod 0777 "$tests" 2>/dev/null
    rm -rf "${tests:?}" 2>/dev/null
    [ -d "$tests" ] || mkdir -m 0777 "$tests" 2>/dev/null
  }

  # Keeps the outputs of the step that is over, so that the next one has folders of its own.
  keep_logs() {
    local kept=$logs/steps/${steps[step]}
    [ -L "$logs/steps" ] && rm -f "$logs/steps"
    mkdir -p "$kept" && mv "$logs/setup" "$logs/command" "$logs/verifier" "$kept/"
    [ -d "$logs/collect" ] && mv "$logs/collect" "$kept/"
  } 2>/dev/null

  # Runs the task's collect hooks. One that fails or takes too long keeps nothing else from running.
  collect() {
    local index
    [ -L "$logs/collect" ] && rm -f "$logs/collect"
    muted=1
    for index in "${!hooks[@]}"; do
      run "hook" "${hook_limits[index]}" "$logs/collect/$((index + 1))" "$bash" -c "${hooks[index]}"
    done
    muted=0
  }

  # bounded COMMAND...: with a limit where the image has a usable timeout, and with no output.
  bounded() {
    if timeout -k 1 5 true >/dev/null 2>&1; then set -- timeout -k 5 600 "$@"; fi
    "$@" >/dev/null 2>&1 8>&- 9>&-
  }

  # Copies what the task declares as artifacts to where the collector takes it from. The collector applies the patterns too: here they only
  # save the copying of what is left out, where the image has tar.
  offer() {
    local index source place entry
    local -a without
    for entry in "$offered"/* "$offered"/.[!.]*; do rm -rf "$entry"; done 2>/dev/null
    for index in "${!artifact_sources[@]}"; do
      source=${artifact_sources[index]} place=$offered/${artifact_numbers[index]} without=()
      case $source in /*) ;; *) source=$start/$source ;; esac
      mkdir -p "$place" 2>/dev/null
      while IFS= read -r entry; do if [ -n "$entry" ]; then without+=("--exclude=$entry"); fi; done <<<"${artifact_excludes[index]}"
      if [ "${#without[@]}" != 0 ] && [ -d "$source" ] && [ -n "$(type -P tar)" ]; then
        mkdir -p "$place/item" 2>/dev/null
        # shellcheck disable=SC2016 # for that bash
        bounded "$bash" -c 'to=$1 from=$2; shift 2; tar -C "$from" "$@" -cf - . | tar -C "$to" -xf -' tar "$place/item" "$source" "${without[@]}"
      elif [ -e "$source" ]; then
        bounded cp -R -H -p -- "$source" "$place/item"
      fi
    done
  }

  # What follows the agent's work, whoever runs the tests.
  after_agent() {
    # An agent that goes on working while it is judged would have no time limit.
    if [ "$end_agent_processes" = 1 ] || [ "$late" = 1 ]; then end_agent; fi
    collect
    offer
  }

  # Has the tests released and runs them; fails when they did not come or did not end in time.
  judge() {
    clear_tests
    # The collector has not answered yet: what can be read now was written by the agent.
    uptime_ms
    entry=$((up + 2000))
    while uptime_ms; [ "$up" -lt "$entry" ] && read -r -t 0 -u 8; do read -r -N 4096 -t 0.1 -u 8 word; done
    word=''
    say "agent-end {\"outcome\":\"$outcome\",\"verify\":true}"
    read -r -t 300 -u 8 word
    [ "$word" = go ] || return 1
    rm -rf "$logs/verifier/reward.json" "$logs/verifier/reward.txt" 2>/dev/null
    if [ -n "$verifier_variables" ]; then
      while IFS= read -r -d '' entry; do verifier_given+=("$entry"); done <"$verifier_variables"
      rm -f "$verifier_variables"
    fi
    run_tests
    verifier_given=()
    [ "$timed" = 0 ]
  }

  run_tests() {
    if [ "$test_as_file" = 1 ]; then
      # By its #! line. bash's exec runs a script without one itself, as a shell does that is told its path.
      # shellcheck disable=SC2016 # for that bash
      run verify "${verify_limits[step]}" "$logs/verifier" "$bash" -c 'exec "$0"' "$tests/test.sh"
    else
      run verify "${verify_limits[step]}" "$logs/verifier" "$bash" "$tests/test.sh"
    fi
  }

  # In separate mode the agent costs nothing before the verifier's container has started.
  await_verifier() {
    [ "$separate" = 1 ] || return 0
    await_word
    [ "$word" = begin ]
  }

  # Waits for the collector. The gate is open for writing here too, so that it never ends.
  await_word() {
    word=''
    while :; do
      read -r -t 60 -u 8 word && return
      [ $? -gt 128 ] || return
    done
  }

  # Lays the artifacts at their paths in the verifier's container, in place of what the image has there. Sets word to a path that failed.
  lay_artifacts() {
    local index target item entry
    for index in "${!artifact_sources[@]}"; do
      item=$accepted/${artifact_numbers[index]}/item target=${artifact_sources[index]}
      case $target in /*) ;; *) target=$start/$target ;; esac
      [ -e "$item" ] || continue
      if [ -d "$item" ]; then
        if [ -e "$target" ] && ! [ -d "$target" ]; then rm -rf "$target"; fi
        mkdir -p "$target" && for entry in "$target"/* "$target"/.[!.]* "$target"/..?*; do rm -rf "$entry"; done
        chmod 0777 "$target" 2>/dev/null
        cp -R -p "$item/." "$target/" || { word=$target; return 1; }
      else
        [ -d "$target" ] && rm -rf "$target"
        if ! { mkdir -p "${target%/*}/" && cp -p "$item" "$target"; }; then word=$target; return 1; fi
      fi
    done 2>/dev/null
  }

  # The whole work of a separate verifier: tells that it has started, waits for the trial's end, and runs the tests on what was handed over.
  judge_apart() {
    now
    say "phase setup $ms"
    await_word
    [ "$word" = go ] || return
    environment_tool=$(type -P env)
    if [ -z "$environment_tool" ]; then
      say "setup-failed the verifier's image has no env (coreutils), which the runner needs; install coreutils in the image"
      return
    fi
    if ! lay_artifacts; then
      say "setup-failed the artifact $word cannot be laid at its path in the verifier's container: its user must be able to write there"
      return
    fi
    now
    say "done setup $ms 0 0"
    rm -rf "$logs/verifier/reward.json" "$logs/verifier/reward.txt" 2>/dev/null
    [ "$test_as_file" = 1 ] && chmod a+rx "$tests/test.sh" 2>/dev/null
    run_tests
  }

  # One step; succeeds when a further one may follow.
  run_step() {
    setup || return 1
    outcome=ok judged=$verify late=0
    if [ "${install_limits[step]}" != none ] && [ -f "$install_script" ]; then
      run install "${install_limits[step]}" "$logs/setup" "$bash" "$install_script" || outcome=failed judged=0
    fi
    if [ "$outcome" = ok ] && [ -f "$execute_script" ]; then
      if [ "${long_instructions[step]}" != 0 ]; then
        remark="assay: ASSAY_TASK_INSTRUCTION is not set: the instruction has ${long_instructions[step]} bytes, too many for a variable; read it from the file that ASSAY_INSTRUCTION_PATH names"
      fi
      if ! run execute "${execute_limits[step]}" "$logs/command" "$bash" "$execute_script"; then
        outcome=failed late=$timed
        [ "$verify_failed_agent" = 1 ] || judged=0
      fi
      remark=''
    fi
    after_agent
    if [ "$judged" = 1 ] && [ "$separate" = 1 ]; then
      say "agent-end {\"outcome\":\"$outcome\",\"verify\":true}"
      [ "$outcome" = ok ]
    elif [ "$judged" = 1 ]; then
      judge && [ "$outcome" = ok ]
    else
      say "agent-end {\"outcome\":\"$outcome\",\"verify\":false}"
      [ "$outcome" = ok ]
    fi
  }

  local home=${__assay_home:-/root}
  [ -d "$home" ] || mkdir -p "$home" 2>/dev/null || home=/
  given=("HOME=$home")
  if [ -n "$__assay_phase_path" ]; then
    given+=("PATH=$__assay_phase_path")
  elif [ "$__assay_has_path" = 0 ]; then
    given+=("PATH=$__assay_path")
  fi
  given+=("${overlay_variables[@]}")
  if ! [ -d /tmp ]; then mkdir -p /tmp && chmod 1777 /tmp; fi 2>/dev/null
  if [ "$role" = verifier ]; then
    judge_apart
  else
    await_verifier && while run_step && [ $((step + 1)) -lt "${#steps[@]}" ]; do
      keep_logs
      clear_tests
      step=$((step + 1))
      say "step $step"
    done
  fi

  cd / 2>/dev/null
  if timeout -k 1 5 true >/dev/null 2>&1; then
    timeout -k 1 60 chmod -R a+rX "$logs" 2>/dev/null
  else
    chmod -R a+rX "$logs" 2>/dev/null
  fi
  # An agent may have stopped them: the trial does not wait for that.
  # shellcheck disable=SC2086 # a list of process ids
  if [ -n "$mirrors" ]; then
    (sleep 10; kill -KILL $mirrors) >/dev/null 2>&1 8>&- 9>&- &
    entry=$!
    for word in $mirrors; do wait "$word" 2>/dev/null; done
    kill "$entry" 2>/dev/null
  fi
  say 'end {}'
  exit 0
}
assay_keep_environment
assay_main
