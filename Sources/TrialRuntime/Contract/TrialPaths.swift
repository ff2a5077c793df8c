/// Where things lie in a trial pod's containers: the only place that spells these paths. The runner is told them by `program.sh`.
///
/// A `root` other than the empty one exists for tests only.
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
    public var install: String { scripts + "/install.sh" }
    public var execute: String { scripts + "/execute.sh" }
    /// The runner's part of the program; beside the runner, which looks for it there.
    public var runnerProgram: String { scripts + "/program.sh" }
    /// The agent's scripts as the init container sees them, in a ConfigMap that all trials of the agent share.
    public var agentScripts: String { root + "/assay/agent" }
    /// The verifier's environment as the init container sees it, when it is too large for the pod.
    public var verifierVariables: String { root + "/assay/verifier" }
    /// The collector's part of the program; in the volume that the trial does not mount.
    public var collectorProgram: String { staged + "/.assay/program.json" }
    /// The verifier's environment until the tests are released.
    public var stagedVariables: String { staged + "/.assay/verifier-env" }
    /// The verifier's environment where the runner reads it.
    public var releasedVariables: String { gate + "/verifier-env" }

    public func instruction(_ step: TrialProgram.Step) -> String { "\(scripts)/\(step.instruction)" }
    /// The tests of a step until they are released.
    public func stagedTests(_ step: TrialProgram.Step) -> String { "\(staged)/\(step.tests)" }

    /// A folder of the logs as init container and collector see it.
    public func collected(_ folder: LogFolder) -> String { "\(collectedLogs)/\(folder.rawValue)" }
}
