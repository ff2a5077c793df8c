# shellcheck shell=bash
# Assay's trial runner, PID 1 of the trial container: runs install, execute and verify of each step, each under its own limit, and
# tells the collector. What it is to do stands in program.sh beside it. Needs bash 4.2 and coreutils and nothing else of the image.
# It is also PID 1 of a separate verifier's container, with a program.sh and a gate of its own.
#
# What it says on the gate, one line each: `phase NAME MS`, `done NAME MS EXIT TIMEDOUT`, `setup-failed TEXT`, `task-invalid TEXT`,
# `agent-end JSON`, `step-end` (may a further step begin?), `step INDEX` (it begins; the first one needs no word), `end JSON`. The whole script is functions, so that bash has read it
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
    ASSAY_TOOL_DIRS=* | ASSAY_WORKFLOW_DIRS=* | ASSAY_SKILL_DIRS=* | ASSAY_PERSONA_DIRS=* | ASSAY_PROMPT_FILES=* | ASSAY_TASK_SKILLS_DIR=* | ASSAY_MCP_CONFIG=*)
      continue ;;
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
  local gate_said='' gate_heard='' install_script='' execute_script='' logs='' tests='' instruction_target='' tool_path='' user_helper=''
  local verify=1 verify_failed_agent=0 test_as_file=0 end_agent_processes=0 install_proxy_file='' execute_proxy_file=''
  # The users of the phases; empty: the container's own. The image's is for what the task names none for.
  local image_user=''
  local -a agent_users=() verifier_users=()
  # Files with entries NAME=VALUE, each ended by a NUL: for the agent's execute, and for each step's verifier. Empty: none.
  local execute_variables=''
  local -a agent_variables=() verifier_variables=()
  local -a steps=() instructions=() long_instructions=() install_limits=() execute_limits=() verify_limits=() setup_limits=()
  # What a step lays into the working directory before its setup.sh, and into the solution's folders; empty: nothing.
  local solution='' shared_solution=''
  local -a workdirs=() solutions=()
  # The first is the environment's, then one for each step; an empty command is none.
  local -a check_commands=() check_intervals=() check_limits=() check_start_periods=() check_start_intervals=() check_retries=()
  local role='' separate=0 offered='' accepted=''
  local -a hooks=() hook_limits=() hook_users=() artifact_numbers=() artifact_sources=() artifact_excludes=()
  local -a overlay_variables=() skill_sources=()
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
  # What the phases get beside the container's environment: from the runner, for the agent, and from a file for one phase.
  local -a given=() instruction_given=() phase_given=() install_proxy=() execute_proxy=()
  # The user of the phase that runs next: how to become it, and its home.
  local -a switch=() home_given=()
  # The image's users that are named, by the text that names them: `UID:GID:GROUPS:HOME`.
  local -A users=()

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

  # attend LIMIT_MS LOG_DIRECTORY COMMAND...: runs the command as the chosen user, with its output in the directory; sets code and timed.
  # The command is given by its path: the phase's PATH may be any.
  attend() {
    local limit=$1 dir=$2 began seconds dog='' timeout_tool
    shift 2
    [ -L "$dir" ] && rm -f "$dir"
    mkdir -p "$dir" 2>/dev/null && chmod 0777 "$dir" 2>/dev/null
    rm -f "$dir/stdout.txt" "$dir/stderr.txt" 2>/dev/null
    cd "$start" 2>/dev/null || cd /
    # Open to every user: a script may open /dev/stdout again.
    : >"$dir/stdout.txt" && : >"$dir/stderr.txt" && chmod 0666 "$dir/stdout.txt" "$dir/stderr.txt" 2>/dev/null
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
      # By env, not by export: names may be such that no shell variable can have, like "a.b". env comes after the switch of the user, so that
      # no variable reaches a program that still has root's rights, and before the rest, so that no later process shows the values.
      exec "${switch[@]}" "$environment_tool" -i -- "${__assay_environment[@]}" "${given[@]}" "${home_given[@]}" "${instruction_given[@]}" \
        "${phase_given[@]}" "$@"
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
    if [ "$stopping" = 1 ]; then
      [ -n "$phase" ] && now && say "done $phase $ms $code $timed"
      say 'end {"stopped":true}'
      exit 143
    fi
    [ "$code" = 0 ] && [ "$timed" = 0 ]
  }

  # Reads the variables for the egress proxy before anything of the agent runs, and removes the files: a phase must not find another one's
  # token there.
  read_proxy() {
    read_variables "$install_proxy_file"
    install_proxy=("${phase_given[@]}")
    read_variables "$execute_proxy_file"
    execute_proxy=("${phase_given[@]}")
    phase_given=()
    for entry in "$install_proxy_file" "$execute_proxy_file"; do
      if [ -n "$entry" ] && ! rm -f "$entry"; then return 1; fi
    done
  }

  # run PHASE LIMIT_MS LOG_DIRECTORY COMMAND...: a phase that is one script; sets code and timed.
  run() {
    local phase=$1
    shift
    now
    say "phase $phase $ms"
    attend "$@"
    now
    say "done $phase $ms $code $timed"
    [ "$code" = 0 ] && [ "$timed" = 0 ]
  }

  # Waits without holding up a stop.
  pause() {
    local seconds
    [ "$1" -gt 0 ] || return 0
    printf -v seconds '%d.%03d' $(($1 / 1000)) $(($1 % 1000))
    sleep "$seconds" 8>&- 9>&- &
    wait $! 2>/dev/null
  }

  # read_variables FILE: sets phase_given.
  read_variables() {
    phase_given=()
    [ -n "$1" ] || return 0
    while IFS= read -r -d '' entry; do phase_given+=("$entry"); done <"$1"
  } 2>/dev/null

  # find_user NAME[:GROUP]: what the image's files say about the user, names or numbers, as container runtimes read them: the first line counts
  # that has the text as its name or number. Fails for a name that there is not.
  find_user() {
    local text=${1%%:*} group='' name uid gid home list='' members
    local found='' own='' text_home=''
    while IFS=: read -r name _ uid gid _ home _; do
      if [ "$name" = "$text" ] || [ "$uid" = "$text" ]; then found="$uid:$gid" own=$name text_home=$home; break; fi
    done
    if [ -z "$found" ]; then
      case $text in *[!0-9]*) return 1 ;; esac
      found=$text:0 text_home=/
    fi
    uid=${found%%:*} gid=${found#*:}
    if [[ $1 = *:* ]]; then
      group=${1#*:} gid=''
      while IFS=: read -r name _ entry _; do
        if [ "$name" = "$group" ] || [ "$entry" = "$group" ]; then gid=$entry; break; fi
      done </etc/group
      case $gid$group in *[!0-9]*) [ -n "$gid" ] || return 1 ;; *) gid=${gid:-$group} ;; esac
      users[$1]="$uid:$gid::$text_home"
      return 0
    fi
    while IFS=: read -r name _ entry members; do
      case ",$members," in *",${own:-,},"*) list=$list,$entry ;; esac
    done </etc/group
    users[$1]="$uid:$gid:${list#,}:$text_home"
  } </etc/passwd 2>/dev/null

  # become USER: the phase that runs next runs as this user; empty: as the container's own. A user that cannot be become is found in `setup`.
  become() {
    switch=() home_given=("HOME=$home")
    [ -n "$1" ] || return 0
    local uid gid list own
    IFS=: read -r uid gid list own <<<"${users[$1]:-}"
    # A HOME of the task or the agent stays; root's own comes from the container's runtime.
    case $home in /root | / | "") home_given=("HOME=${own:-/}") ;; esac
    [ "$uid" = "$EUID" ] || switch=("$user_helper" "$uid" "$gid" "$gid${list:+,$list}")
  }

  # Finds the named users before the agent can change the files that tell of them, and a way to become them.
  find_users() {
    local name list
    for name in "$image_user" "${agent_users[@]}" "${verifier_users[@]}" "${hook_users[@]}"; do
      if [ -z "$name" ] || [ -n "${users[$name]:-}" ]; then continue; fi
      if ! find_user "$name"; then
        say "task-invalid the task asks for the user \"$name\", which /etc/passwd of its image does not have"
        return 1
      fi
      become "$name"
      if [ "${#switch[@]}" = 0 ]; then continue; fi
      "${switch[@]}" "$environment_tool" >/dev/null 2>&1
      case $? in
        0) continue ;;
        126) word='the container may not change its user (CAP_SETUID and CAP_SETGID)' ;;
        *) word="this user may not run $environment_tool: look at the modes of / and of the folders below it in the image" ;;
      esac
      list=${users[$name]}
      say "setup-failed cannot run as the user $name (uid ${list%%:*}): $word"
      return 1
    done
    # The gate is the runner's and the collector's: both ends are open.
    if [ "${#users[@]}" != 0 ]; then chmod 0600 "$gate_said" "$gate_heard"; fi 2>/dev/null
    return 0
  }

  # check_health INDEX: repeats the command until it succeeds, as Docker's HEALTHCHECK: failures in the start period do not count, then so many
  # in a row are too many.
  check_health() {
    local command=${check_commands[$1]} phase='' began failures=0 early
    [ -n "$command" ] || return 0
    uptime_ms
    began=$up
    while :; do
      uptime_ms
      early=0
      [ $((up - began)) -lt "${check_start_periods[$1]}" ] && early=1
      attend "${check_limits[$1]}" "$logs/setup/healthcheck" "$bash" -c "$command" && return 0
      if [ "$early" = 1 ]; then
        pause "${check_start_intervals[$1]}"
        continue
      fi
      failures=$((failures + 1))
      if [ "$failures" -ge "${check_retries[$1]}" ]; then break; fi
      pause "${check_intervals[$1]}"
    done
    entry="exited with $code"
    [ "$timed" = 1 ] && entry='did not end in its time'
    say "setup-failed the healthcheck failed $failures times in a row and $entry the last time: ${command//[[:cntrl:]]/ }"
    return 1
  }

  # Lays out the step's folder for the working directory, and runs its setup.sh there.
  prepare_workdir() {
    local from=${workdirs[step]} phase=''
    [ -n "$from" ] && [ -d "$from" ] || return 0
    if ! cp -R -P "$from/." "${start%/}/" 2>/dev/null; then
      say "setup-failed cannot copy the step's workdir to $start"
      return 1
    fi
    [ -f "$from/setup.sh" ] || return 0
    attend "${setup_limits[step]}" "$logs/setup/workdir" "$bash" "${start%/}/setup.sh" && return 0
    entry="exited with $code"
    [ "$timed" = 1 ] && entry='did not end in its time'
    word=$(tail -c 300 "$logs/setup/workdir/stderr.txt" 2>/dev/null)
    say "setup-failed workdir/setup.sh of the step $entry${word:+; its last words: ${word//[[:cntrl:]]/ }}"
    return 1
  }

  # The oracle's solution of the step, in place of the one of the step before.
  lay_solution() {
    local from=${solutions[step]:-}
    [ -n "$from" ] || return 0
    [ -d "$from" ] || from=$shared_solution
    # The folders with the solutions of all steps begin with a dot, so that they stay.
    rm -rf "${solution:?}"/* 2>/dev/null
    cp -R -P "$from/." "$solution/"
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
  # so that no file of the earlier one stays. The copies are the agent's. When it fails, `word` says why.
  merge_skills() {
    local parent=${start%/}/.agents target source name owner=''
    target=$parent/skills
    local -a new=()
    local -A merged=()
    for name in "$parent" "$target"; do [ -e "$name" ] || new+=("$name"); done
    for source in "${skill_sources[@]}"; do
      for entry in "$source"/*/; do
        [ -d "$entry" ] || continue
        entry=${entry%/}
        name=${entry##*/}
        if ! word=$({ mkdir -p "$target" && rm -rf "${target:?}/$name" && cp -R "$entry" "$target/$name"; } 2>&1); then
          word="the skill $name cannot be copied to $target: ${word##*$'\n'}"
          return 1
        fi
        merged[$name]=$target/$name
      done
    done
    [ "${#merged[@]}" != 0 ] || return 0
    if [ -n "${agent_users[0]}" ]; then IFS=: read -r owner name _ <<<"${users[${agent_users[0]}]}"; fi
    if [ -n "$owner" ] && [ "$owner" != "$EUID" ]; then
      word=$({ [ "${#new[@]}" = 0 ] || chown "$owner:$name" "${new[@]}"; } 2>&1 && chown -R "$owner:$name" "${merged[@]}" 2>&1) || {
        word="the skills cannot be given to the user ${agent_users[0]}: ${word##*$'\n'}"
        return 1
      }
    fi
    hide_skills "${!merged[@]}"
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
    # git has made the file anew.
    chown --reference="$folder" "$folder/index"
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
    chmod 0777 "$logs/agent" "$logs/verifier" "$logs/artifacts" "$logs/setup" "$logs/command" 2>/dev/null
    instruction_given=()
    if [ "$step" = 0 ]; then
      find_users || return 1
      become "$image_user"
      check_health 0 || return 1
      if ! merge_skills; then
        say "setup-failed $word"
        return 1
      fi
    fi
    become "${agent_users[step]}"
    prepare_workdir || return 1
    check_health $((step + 1)) || return 1
    if ! lay_solution; then
      say "setup-failed cannot lay out the solution of the step"
      return 1
    fi
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
    mkdir -p "$kept" && mv "$logs/setup" "$logs/command" "$logs/verifier" "$logs/agent" "$logs/artifacts" "$kept/"
    [ -d "$logs/collect" ] && mv "$logs/collect" "$kept/"
  } 2>/dev/null

  # ask WORDS: tells the collector and reads its answer into `word`.
  ask() {
    # The collector has not answered yet: what can be read now was written by the agent.
    uptime_ms
    entry=$((up + 2000))
    while uptime_ms; [ "$up" -lt "$entry" ] && read -r -t 0 -u 8; do read -r -N 4096 -t 0.1 -u 8 word; done
    word=''
    say "$1"
    read -r -t 300 -u 8 word
  }

  # Runs the task's collect hooks. One that fails or takes too long keeps nothing else from running.
  collect() {
    local index
    [ -L "$logs/collect" ] && rm -f "$logs/collect"
    muted=1
    for index in "${!hooks[@]}"; do
      become "${hook_users[index]}"
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
    ask "agent-end {\"outcome\":\"$outcome\",\"verify\":true}"
    [ "$word" = go ] || return 1
    rm -rf "$logs/verifier/reward.json" "$logs/verifier/reward.txt" 2>/dev/null
    read_variables "${verifier_variables[step]}"
    [ -n "${verifier_variables[step]}" ] && rm -f "${verifier_variables[step]}"
    run_tests
    phase_given=()
    [ "$timed" = 0 ]
  }

  run_tests() {
    become "${verifier_users[step]}"
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
    find_users || return
    if ! lay_artifacts; then
      say "setup-failed the artifact $word cannot be laid at its path in the verifier's container: its user must be able to write there"
      return
    fi
    now
    say "done setup $ms 0 0"
    rm -rf "$logs/verifier/reward.json" "$logs/verifier/reward.txt" 2>/dev/null
    [ "$test_as_file" = 1 ] && chmod a+rx "$tests/test.sh" 2>/dev/null
    read_variables "${verifier_variables[step]}"
    [ -n "${verifier_variables[step]}" ] && rm -f "${verifier_variables[step]}"
    run_tests
  }

  # One step; succeeds when a further one may follow.
  run_step() {
    setup || return 1
    outcome=ok judged=$verify late=0
    become "${agent_users[step]}"
    phase_given=("${agent_variables[@]}" "${install_proxy[@]}")
    if [ "${install_limits[step]}" != none ] && [ -f "$install_script" ]; then
      run install "${install_limits[step]}" "$logs/setup" "$bash" "$install_script" || outcome=failed judged=0
    fi
    if [ "$outcome" = ok ] && [ -f "$execute_script" ]; then
      if [ "${long_instructions[step]}" != 0 ]; then
        remark="assay: ASSAY_TASK_INSTRUCTION is not set: the instruction has ${long_instructions[step]} bytes, too many for a variable; read it from the file that ASSAY_INSTRUCTION_PATH names"
      fi
      read_variables "$execute_variables"
      phase_given+=("${agent_variables[@]}" "${execute_proxy[@]}")
      if ! run execute "${execute_limits[step]}" "$logs/command" "$bash" "$execute_script"; then
        outcome=failed late=$timed
        [ "$verify_failed_agent" = 1 ] || judged=0
      fi
      remark=''
    fi
    phase_given=()
    after_agent
    if [ "$judged" = 1 ] && [ "$separate" = 1 ]; then
      say "agent-end {\"outcome\":\"$outcome\",\"verify\":true}"
      [ "$outcome" = ok ]
    elif [ "$judged" = 1 ]; then
      judge
    else
      say "agent-end {\"outcome\":\"$outcome\",\"verify\":false}"
      [ "$outcome" = ok ]
    fi
  }

  local home=${__assay_home:-/root}
  [ -d "$home" ] || mkdir -p "$home" 2>/dev/null || home=/
  if [ -n "$__assay_phase_path" ]; then
    given=("PATH=$__assay_phase_path")
  elif [ "$__assay_has_path" = 0 ]; then
    given=("PATH=$__assay_path")
  fi
  given+=("${overlay_variables[@]}")
  if ! [ -d /tmp ]; then mkdir -p /tmp && chmod 1777 /tmp; fi 2>/dev/null
  if ! read_proxy 2>/dev/null; then
    say "setup-failed the files with the variables of the egress proxy cannot be read and removed"
    say 'end {}'
    exit 0
  fi
  if [ "$role" = verifier ]; then
    judge_apart
  else
    await_verifier && while run_step && [ $((step + 1)) -lt "${#steps[@]}" ]; do
      # The collector reads the reward before a further step's agent could change it.
      ask 'step-end'
      [ "$word" = next ] || break
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
