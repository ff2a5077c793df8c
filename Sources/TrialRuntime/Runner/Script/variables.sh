# shellcheck shell=bash
# Variables that one phase gets beside the container's environment, read from files.

# read_variables FILE: sets phase_given.
read_variables() {
  phase_given=()
  [ -n "$1" ] || return 0
  while IFS= read -r -d '' entry; do phase_given+=("$entry"); done <"$1"
} 2>/dev/null

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
