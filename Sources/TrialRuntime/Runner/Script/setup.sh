# shellcheck shell=bash
# The setup of a step: everything before the agent's install script.

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
