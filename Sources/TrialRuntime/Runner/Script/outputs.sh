# shellcheck shell=bash
# What is kept of a step after the agent's work: collect hooks, artifacts, and the log folders.

# Runs the task's collect hooks. One that fails or takes too long keeps nothing else from running.
collect() {
  local index
  [ -L "$logs/collect" ] && rm -f "$logs/collect"
  muted=1
  for index in "${!hooks[@]}"; do
    [ "${hook_steps[index]}" = "$step" ] || continue
    become "${hook_users[index]}"
    run "hook" "${hook_limits[index]}" "$logs/collect/${hook_numbers[index]}" "$bash" -c "${hooks[index]}"
  done
  muted=0
}

# Copies what the task declares as artifacts to where the collector takes it from. The collector applies the patterns too: here they only
# save the copying of what is left out, where the image has tar.
offer() {
  local index source place entry
  local -a without
  for entry in "$offered"/* "$offered"/.[!.]*; do rm -rf "$entry"; done 2>/dev/null
  for index in "${!artifact_sources[@]}"; do
    [ "${artifact_steps[index]}" = "$step" ] || continue
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

# Keeps the outputs of the step that is over, so that the next one has folders of its own.
keep_logs() {
  local kept=$logs/steps/${steps[step]}
  [ -L "$logs/steps" ] && rm -f "$logs/steps"
  mkdir -p "$kept" && mv "$logs/setup" "$logs/command" "$logs/verifier" "$logs/agent" "$logs/artifacts" "$kept/"
  [ -d "$logs/collect" ] && mv "$logs/collect" "$kept/"
} 2>/dev/null
