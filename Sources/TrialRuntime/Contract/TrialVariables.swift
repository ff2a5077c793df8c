/// Names of the environment variables between operator, init container, runner and collector: the only place that spells them.
/// `run.sh` repeats those that it reads or sets, and a test compares it.
public enum TrialVariables {
    /// No agent may set a variable of this prefix.
    public static let reservedPrefix = "ASSAY_"
    /// Prepended to every path; for tests.
    public static let root = "ASSAY_ROOT"

    // delivery
    /// A `DeliveryPlan` as JSON.
    public static let plan = "ASSAY_PLAN"
    public static let install = "ASSAY_INSTALL"
    public static let execute = "ASSAY_EXECUTE"

    // trial
    public static let instructionPath = "ASSAY_INSTRUCTION_PATH"
    /// Limits in milliseconds; 0 or absent for none. The collector has them for its messages.
    public static let installTimeout = "ASSAY_INSTALL_TIMEOUT_MS"
    public static let agentTimeout = "ASSAY_AGENT_TIMEOUT_MS"
    public static let verifierTimeout = "ASSAY_VERIFIER_TIMEOUT_MS"
    /// 1 or 0; read by the collector too.
    public static let verify = "ASSAY_VERIFY"
    public static let endAgentProcesses = "ASSAY_END_AGENT_PROCESSES"
    /// With a number appended: `NAME=value` for the verifier.
    public static let verifierVariable = "ASSAY_VERIFIER_ENV_"
    /// 0: scripts' output is not copied to the container's log.
    public static let mirror = "ASSAY_MIRROR"
    /// The task's text, set by the runner.
    public static let instruction = "ASSAY_TASK_INSTRUCTION"
    /// The same for agents that were written for Rollout.
    public static let rolloutInstruction = "ROLLOUT_TASK_INSTRUCTION"

    // collector
    public static let rewardRule = "ASSAY_REWARD_RULE"
    /// Seconds until the runner must have opened the gate.
    public static let gateTimeout = "ASSAY_GATE_TIMEOUT_SEC"
    public static let packLimit = "ASSAY_PACK_LIMIT_BYTES"
    /// `VARIABLE:NAME,...`: which of the collector's variables hold secrets, and what the agent calls them.
    public static let redact = "ASSAY_REDACT"
    /// With a number appended: a secret's value.
    public static let secret = "ASSAY_SECRET_"
    public static let terminationLog = "ASSAY_TERMINATION_LOG"
}
