import SourceSync

/// Names of the environment variables that operator, init container, runner and collector exchange; no other Swift code spells them. `run.sh`
/// repeats the names that it sets, and a test compares them.
public enum TrialVariables {
    /// An agent may not set a variable with this prefix.
    public static let reservedPrefix = "ASSAY_"
    /// A path that is prepended to every path; for tests only.
    public static let root = "ASSAY_ROOT"
    public static let terminationLog = "ASSAY_TERMINATION_LOG"

    // delivery
    /// A `PodProgram` as JSON.
    public static let program = "ASSAY_PROGRAM"
    /// The verifier's environment as a JSON object; absent when it is empty or mounted as a file.
    public static let verifierEnvironment = "ASSAY_VERIFIER_ENV"
    /// The address of the cache service, as `CacheAddress` reads it; absent when the task is fetched from its origin.
    public static let cacheAddress = "ASSAY_CACHE"
    /// The address of the cache service on the pod's own node, as `CacheAddress` reads it; absent when there is none.
    public static let nodeCacheAddress = "ASSAY_NODE_CACHE"
    /// The token for the cache service. Its value is a secret for the redaction.
    public static let cacheToken = "ASSAY_CACHE_TOKEN"
    /// An `EgressAccess` as JSON; absent when no phase is restricted. Its tokens are secrets for the redaction.
    public static let egress = "ASSAY_EGRESS"

    /// The environment of the oracle's solution, in the same form; absent for any other agent.
    public static let solutionEnvironment = "ASSAY_SOLUTION_ENV"
    /// Prefix of the variables that hold the job's secrets for the verifier and the solution; a number is appended.
    public static let value = "ASSAY_VALUE_"

    // trial: set by the runner, for the agent
    /// The path of the file with the task's MCP servers; not set for a task without.
    public static let mcpConfiguration = "ASSAY_MCP_CONFIG"
    /// The folder with the task's skills; not set for a task without.
    public static let skills = "ASSAY_TASK_SKILLS_DIR"
    public static let instructionPath = "ASSAY_INSTRUCTION_PATH"
    /// The text of the instruction, if it is not too long (`TrialProgram.Step.instructionVariableLimit`).
    public static let instruction = "ASSAY_TASK_INSTRUCTION"
    /// The path again, under the name that agents written for Rollout read.
    public static let rolloutInstruction = "ROLLOUT_TASK_INSTRUCTION"

    /// Lists of paths, separated by colons, in the order of the overlays. Not set for a surface that no overlay has.
    public static let toolDirs = "ASSAY_TOOL_DIRS"
    public static let workflowDirs = "ASSAY_WORKFLOW_DIRS"
    public static let skillDirs = "ASSAY_SKILL_DIRS"
    public static let personaDirs = "ASSAY_PERSONA_DIRS"
    public static let promptFiles = "ASSAY_PROMPT_FILES"

    /// The variable that lists the paths of a surface.
    static func overlays(_ surface: OverlaySurface) -> String {
        switch surface {
        case .tools: toolDirs
        case .workflows: workflowDirs
        case .skills: skillDirs
        case .personas: personaDirs
        case .prompt: promptFiles
        }
    }

    // trial: set by the pod builder, for the runner
    /// The variable that a task or an agent may set and that decides where programs are found.
    public static let path = "PATH"
    /// The container has the task's or the agent's PATH under this name, so that it does not decide whether the container finds bash. The
    /// runner sets it as PATH for the phases.
    public static let phasePath = "ASSAY_PATH"

    // remote-trial
    /// A `RemoteHost` as JSON.
    public static let remoteHost = "ASSAY_REMOTE_HOST"
    /// Prefix of the trial's own variables: none of them may change the programs of this container, which has the key of the host.
    public static let given = "ASSAY_GIVEN_"

    // collector
    /// `VARIABLE:NAME,...`: each of the collector's variables that holds a secret, and its name in the agent's environment.
    public static let redact = "ASSAY_REDACT"
    /// Prefix of the variables that hold secrets; a number is appended.
    public static let secret = "ASSAY_SECRET_"
}
