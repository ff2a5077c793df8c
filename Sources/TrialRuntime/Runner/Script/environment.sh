# shellcheck shell=bash
# Assay's trial runner, PID 1 of the trial container. For each step it runs install, execute and verify, each under its own limit, and
# tells the collector about them. program.sh, in the same folder, says what to run. The runner needs bash 4.2 and coreutils and nothing
# else of the image. It is also PID 1 of a separate verifier's container, with a program.sh and a gate of its own.
#
# The files of this folder are joined to one script, run.sh, in the order of scripts/embedded-files: this one is the first, main.sh the last.
#
# What the runner says on the gate, one line each: `phase NAME MS`, `done NAME MS EXIT TIMEDOUT`, `setup-failed TEXT`, `task-invalid TEXT`,
# `agent-end JSON`, `step-end` (may a further step begin?), `step INDEX` (it begins; the first step is not announced), `end JSON`.
#
# The whole script is functions, so that bash has read it to its end before the agent runs: an agent that deletes or changes the file
# changes nothing.
#
# The container's environment belongs to the phases: image, task and agent may set any variable, also one that changes how bash works or
# one with the name of a variable of this script. So the runner keeps the environment as a list and unsets all of it in its own shell;
# each phase is started with exactly that list (by env) and with no variable of the runner.
#
# Not `set -e`: an agent may have deleted any program, and the runner must still report how the trial ended.

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
