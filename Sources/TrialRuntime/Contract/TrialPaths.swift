/// The paths in a trial pod's containers; no other place spells them. The runner gets them from `program.sh`.
///
/// A `root` that is not empty is for tests only.
public struct TrialPaths: Sendable, Hashable {
    public let root: String

    public init(root: String = "") { self.root = root }

    public var scripts: String { root + "/assay/scripts" }
    public var staged: String { root + "/assay/staged" }
    public var gate: String { root + "/assay/gate" }
    public var work: String { root + "/assay/work" }
    public var credentials: String { root + "/assay/credentials" }
    public var cache: String { root + "/assay/cache" }
    /// The logs directory in the init container and the collector.
    public var collectedLogs: String { root + "/assay/logs" }
    /// The directory, in the collector, into which tests are released.
    public var releasedTests: String { root + "/assay/tests" }
    public var deliveredSolution: String { root + "/assay/solution" }
    /// The tests in the trial container; the paths of the logs and the solution in that container follow.
    public var tests: String { root + "/tests" }
    public var logs: String { root + "/logs" }
    public var oracle: String { root + "/oracle" }
    public var solution: String { root + "/solution" }
    public var terminationLog: String { root + "/dev/termination-log" }
    /// The FIFO on which the runner reports its progress.
    public var phaseFIFO: String { gate + "/phase" }
    /// The FIFO on which the collector reports that the tests are in place.
    public var releasedFIFO: String { gate + "/released" }
    public var runner: String { scripts + "/run.sh" }
    public var install: String { scripts + "/install.sh" }
    public var execute: String { scripts + "/execute.sh" }
    /// The runner's part of the program. The runner looks for it in its own directory.
    public var runnerProgram: String { scripts + "/program.sh" }
    /// The agent's scripts in the init container, from a ConfigMap that all trials of the agent share.
    public var agentScripts: String { root + "/assay/agent" }
    /// The file in the init container with the verifier's environment, when that is too large for the pod's own variables.
    public var verifierVariables: String { root + "/assay/verifier" }
    /// The collector's part of the program, in a volume that the trial container does not mount.
    public var collectorProgram: String { staged + "/.assay/program.json" }
    /// The file that holds the verifier's environment until the tests are released.
    public var stagedVariables: String { staged + "/.assay/verifier-env" }
    /// The program with which the runner becomes the user of a phase.
    public var userHelper: String { scripts + "/as-user" }
    /// The same for one step of several.
    public func stagedVariables(step: Int) -> String { "\(stagedVariables)-\(step)" }
    /// The folders of later steps, which the collector releases when the step before is over: no agent sees what is to come.
    public var stagedSteps: String { staged + "/.assay/later" }
    /// What a step lays into the working directory. The folder is one of the task.
    public func stepWorkdir(_ folder: String) -> String { "\(scripts)/\(folder)/workdir" }
    /// The solution of a step, in the volume of solutions as the trial sees it.
    public func stepSolution(_ folder: String) -> String { "\(solution)/.steps/\(folder)" }
    /// The environment of the oracle's solution.
    public var solutionVariables: String { scripts + "/solution-env" }
    /// The task's MCP servers, in the format that agents read.
    public var mcpServers: String { scripts + "/mcp.json" }
    /// The file from which the runner reads the verifier's environment.
    public var releasedVariables: String { gate + "/verifier-env" }

    public func instruction(_ step: TrialProgram.Step) -> String { "\(scripts)/\(step.instruction)" }
    /// The directory that holds the tests of a step until they are released.
    public func stagedTests(_ step: TrialProgram.Step) -> String { "\(staged)/\(step.tests)" }

    /// The tests that all steps of a task share; a step's own are laid over them.
    public var stagedSharedTests: String { "\(staged)/\(TrialProgram.Step.sharedTests)" }

    /// A folder of the logs in the init container and the collector.
    public func collected(_ folder: LogFolder) -> String { "\(collectedLogs)/\(folder.rawValue)" }
}
