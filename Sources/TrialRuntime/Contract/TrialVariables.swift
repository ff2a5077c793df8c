/// Names of the environment variables between operator, init container, runner and collector: the only place that spells them.
/// `run.sh` repeats those that it sets, and a test compares it.
public enum TrialVariables {
    /// No agent may set a variable of this prefix.
    public static let reservedPrefix = "ASSAY_"
    /// Prepended to every path; for tests.
    public static let root = "ASSAY_ROOT"
    public static let terminationLog = "ASSAY_TERMINATION_LOG"

    // delivery
    /// A `PodProgram` as JSON.
    public static let program = "ASSAY_PROGRAM"
    /// The verifier's environment as a JSON object; absent when there is none, or when it is mounted.
    public static let verifierEnvironment = "ASSAY_VERIFIER_ENV"

    // trial: set by the runner, for the agent
    public static let instructionPath = "ASSAY_INSTRUCTION_PATH"
    /// The task's text.
    public static let instruction = "ASSAY_TASK_INSTRUCTION"
    /// The same for agents that were written for Rollout.
    public static let rolloutInstruction = "ROLLOUT_TASK_INSTRUCTION"

    // collector
    /// `VARIABLE:NAME,...`: which of the collector's variables hold secrets, and what the agent calls them.
    public static let redact = "ASSAY_REDACT"
    /// With a number appended: a secret's value.
    public static let secret = "ASSAY_SECRET_"
}
