# shellcheck shell=bash
# The course of a trial. The variables of `assay_main` are those of the whole runner: bash gives the functions that it calls its local variables.

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
    # The collector has its verifier run the tests when the runner asks for a further step, or ends.
    say "agent-end {\"outcome\":\"$outcome\",\"verify\":true}"
  elif [ "$judged" = 1 ]; then
    judge
  else
    say "agent-end {\"outcome\":\"$outcome\",\"verify\":false}"
    [ "$outcome" = ok ]
  fi
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
  local -a hook_steps=() hook_numbers=() hooks=() hook_limits=() hook_users=() artifact_steps=() artifact_numbers=() artifact_sources=() artifact_excludes=()
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

  trap on_stop TERM INT
  trap : PIPE # a handler, not "ignore": children would inherit that

  # Children see neither end of the gate.
  exec 8<>"$gate_heard" || exit 70
  exec 9>"$gate_said" || exit 70

  local can_mirror=0
  # A pipe's reader would keep the last 4 KiB back.
  local -a first_megabyte=(head -c 1048576)
  stdbuf -o0 true >/dev/null 2>&1 && first_megabyte=(stdbuf -o0 "${first_megabyte[@]}")
  tail --pid=$$ -n 0 /dev/null >/dev/null 2>&1 && can_mirror=1

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
      ask 'step-end' "$(judging_seconds)"
      [ "$word" = next ] || break
      keep_logs
      # A separate verifier's tests are never here, and what lies there is the image's own.
      [ "$separate" = 1 ] || clear_tests
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
