# shellcheck shell=bash
# Reading the time, and waiting.

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

# Waits without holding up a stop.
pause() {
  local seconds
  [ "$1" -gt 0 ] || return 0
  printf -v seconds '%d.%03d' $(($1 / 1000)) $(($1 % 1000))
  sleep "$seconds" 8>&- 9>&- &
  wait $! 2>/dev/null
}
