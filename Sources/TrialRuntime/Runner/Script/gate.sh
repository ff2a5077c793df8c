# shellcheck shell=bash
# The gate: two pipes between the runner and the collector. environment.sh lists what the runner says.

# Collect hooks run like phases, but are none: nothing is said of them.
say() {
  if [ "$muted" = 1 ]; then case $1 in 'phase '* | 'done '*) return ;; esac; fi
  printf '%s\n' "$1" >&9
} 2>/dev/null

# ask WORDS [SECONDS]: tells the collector and reads its answer into `word`.
ask() {
  # The collector has not answered yet: what can be read now was written by the agent.
  uptime_ms
  entry=$((up + 2000))
  while uptime_ms; [ "$up" -lt "$entry" ] && read -r -t 0 -u 8; do read -r -N 4096 -t 0.1 -u 8 word; done
  word=''
  say "$1"
  read -r -t "${2:-300}" -u 8 word
}

# How long the collector may need to answer at the end of a step: a separate verifier runs the tests meanwhile.
judging_seconds() {
  local limit=${verify_limits[step]}
  if [ "$separate" = 0 ]; then
    printf 300
  elif [ "$limit" = 0 ]; then
    printf 1000000000
  else
    printf %s $((limit / 1000 + 900))
  fi
}

# Waits for the collector. The gate is open for writing here too, so that it never ends.
await_word() {
  word=''
  while :; do
    read -r -t 60 -u 8 word && return
    [ $? -gt 128 ] || return
  done
}

# In separate mode the agent costs nothing before the verifier's container has started.
await_verifier() {
  [ "$separate" = 1 ] || return 0
  await_word
  [ "$word" = begin ]
}
