# shellcheck shell=bash
# Runs the commands of the phases, each in a process group of its own and under its limit, and ends what is left of them.

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

# Copies a growing file to the container's own log, up to a bound, while the script runs.
mirror() {
  [ "$can_mirror" = 1 ] || return 0
  (tail --pid="$child" -s 0.1 -c +1 -f "$1" | "${first_megabyte[@]}") 2>/dev/null 8>&- 9>&- &
  mirrors="$mirrors $!"
}

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

# bounded COMMAND...: with a limit where the image has a usable timeout, and with no output.
bounded() {
  if timeout -k 1 5 true >/dev/null 2>&1; then set -- timeout -k 5 600 "$@"; fi
  "$@" >/dev/null 2>&1 8>&- 9>&-
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
