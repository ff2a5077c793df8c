/// Where things lie in a trial pod's containers. A `root` other than the empty one exists for tests only.
public struct TrialPaths: Sendable, Hashable {
    public let root: String

    public init(root: String = "") { self.root = root }

    public var scripts: String { root + "/assay/scripts" }
    public var staged: String { root + "/assay/staged" }
    public var gate: String { root + "/assay/gate" }
    public var work: String { root + "/assay/work" }
    public var credentials: String { root + "/assay/credentials" }
    public var cache: String { root + "/assay/cache" }
    /// The logs as init container and collector see them.
    public var collectedLogs: String { root + "/assay/logs" }
    /// The tests as the collector sees them.
    public var releasedTests: String { root + "/assay/tests" }
    public var deliveredSolution: String { root + "/assay/solution" }
    /// The tests, logs and solution as the trial sees them.
    public var tests: String { root + "/tests" }
    public var logs: String { root + "/logs" }
    public var oracle: String { root + "/oracle" }
    public var solution: String { root + "/solution" }
    public var terminationLog: String { root + "/dev/termination-log" }
    /// The FIFO on which the runner tells how far it is.
    public var phaseFIFO: String { gate + "/phase" }
    /// The FIFO on which the collector tells that the tests are there.
    public var releasedFIFO: String { gate + "/released" }
    public var runner: String { scripts + "/run.sh" }
}

/// Names of the environment variables between operator, init container, runner and collector.
public enum TrialVariables {
    /// No agent may set a variable of this prefix.
    public static let reservedPrefix = "ASSAY_"
    /// Prepended to every path; for tests.
    public static let root = "ASSAY_ROOT"

    // repo-cache
    /// A `DeliveryPlan` as JSON.
    public static let plan = "ASSAY_PLAN"
    public static let install = "ASSAY_INSTALL"
    public static let execute = "ASSAY_EXECUTE"
    /// The runner's text.
    public static let runner = "ASSAY_RUNNER"

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
