import EvalModel
import SourceSync

/// The paths in a trial pod's containers. No other Swift code contains them; the runner reads them from `program.sh`.
///
/// A `root` that is not empty is for tests only.
public struct TrialPaths: Sendable, Hashable {
    public let root: String

    public init(root: String = "") { self.root = root }

    public var scripts: String { root + "/assay/scripts" }
    public var staged: String { root + "/assay/staged" }
    public var gate: String { root + "/assay/gate" }
    public var work: String { root + "/assay/work" }
    /// The content of overlays, in delivery and, read-only, in the trial.
    public var overlays: String { root + "/assay/overlays" }
    /// Copies of files below `environment/`, in delivery.
    public var environment: String { root + "/assay/environment" }
    /// The named volumes of services whose artifacts are collected, in the collector: a folder each.
    public var serviceVolumes: String { root + "/assay/volumes" }
    public var credentials: String { root + "/assay/credentials" }
    /// The ssh key of a vm target's host, and the keys of hosts that are trusted; in a container that runs no code of a task.
    public var hostKey: String { root + "/assay/host-key" }
    public var knownHosts: String { root + "/assay/known-hosts" }
    /// The directory with the socket of the cache service, on the laptop.
    public var cache: String { root + "/assay/cache" }
    public var cacheSocket: String { "\(cache)/\(Self.cacheSocketName)" }
    public static let cacheSocketName = "cache.sock"
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
    /// The agent's own files, in the agent's image and in the trial container.
    public var agentImage: String { root + "/opt/agent" }
    /// Where the agent's init container copies them to.
    public var agentFiles: String { root + "/assay/agent-files" }
    public var terminationLog: String { root + "/dev/termination-log" }
    /// The FIFO on which the runner reports its progress.
    public var phaseFIFO: String { gate + "/phase" }
    /// The FIFO on which the collector reports that the tests are in place.
    public var releasedFIFO: String { gate + "/released" }
    /// The same two FIFOs of a separate verifier, in a volume that the trial does not mount. Each verifier mounts the folder of its step in this
    /// volume and in the following ones, at the path of the volume.
    public var verifierGate: String { root + "/assay/verifier-gate" }
    public var verifierPhaseFIFO: String { verifierGate + "/phase" }
    public var verifierReleasedFIFO: String { verifierGate + "/released" }
    /// The outputs of separate verifiers, in the init container and the collector; a verifier sees its own as `/logs/verifier`.
    public var verifierLogs: String { root + "/assay/verifier-logs" }
    /// Where the trial's runner puts what the task declares as artifacts.
    public var offered: String { root + "/assay/offered" }
    /// The collector's copies of what it took, which separate verifiers read.
    public var accepted: String { root + "/assay/accepted" }
    /// The folder of a step in a volume of verifiers, as the init container and the collector see it.
    public static func folder(ofStep step: Int) -> String { String(step) }
    public func verifierGate(ofStep step: Int) -> String { "\(verifierGate)/\(Self.folder(ofStep: step))" }
    public func verifierPhaseFIFO(ofStep step: Int) -> String { verifierGate(ofStep: step) + "/phase" }
    public func verifierReleasedFIFO(ofStep step: Int) -> String { verifierGate(ofStep: step) + "/released" }
    public func verifierLogs(ofStep step: Int) -> String { "\(verifierLogs)/\(Self.folder(ofStep: step))" }
    public func accepted(ofStep step: Int) -> String { "\(accepted)/\(Self.folder(ofStep: step))" }
    public func releasedTests(ofStep step: Int) -> String { "\(releasedTests)/\(Self.folder(ofStep: step))" }
    /// `/logs/verifier` in the container that runs the tests.
    public var verifierOutputs: String { logs + "/" + LogFolder.verifier.rawValue }
    /// The runner of a step's separate verifier, and its part of the program beside it.
    public func verifierRunner(ofStep step: Int) -> String { "\(scripts)/verifier/\(Self.folder(ofStep: step))/run.sh" }
    public func verifierRunnerProgram(ofStep step: Int) -> String { "\(scripts)/verifier/\(Self.folder(ofStep: step))/program.sh" }
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
    /// The token that delivery used, for the collector's redaction.
    public var stagedToken: String { staged + "/.assay/cache-token" }
    /// The egress proxy and its tokens, for the collector: to redact them, and to ask what was denied.
    public var stagedEgress: String { staged + "/.assay/egress.json" }
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
    /// The solutions of a task with steps, in the volume of solutions: a step's own, and the one that steps without have. The runner lays the
    /// step's out. The names begin with a dot, so that they are not a part of it.
    public func deliveredSolution(of folder: String) -> String { "\(deliveredSolution)/.\(folder)" }
    public var deliveredSharedSolution: String { "\(deliveredSolution)/.shared" }
    /// The same as the trial sees them.
    public func stepSolution(_ folder: String) -> String { "\(solution)/.\(folder)" }
    public var sharedSolution: String { "\(solution)/.shared" }
    /// The environment of the oracle's solution.
    public var solutionVariables: String { scripts + "/solution-env" }
    /// The task's MCP servers, in the format that agents read.
    public var mcpServers: String { scripts + "/mcp.json" }
    /// The file from which the runner reads the verifier's environment.
    public var releasedVariables: String { gate + "/verifier-env" }

    /// The file from which a runner reads the variables of the egress proxy for a phase; `verify` is that of a separate verifier. The runner
    /// removes the file before anything of the phase runs.
    public func phaseVariables(_ phase: TrialPhase) -> String { "\(phase == .verify ? verifierGate : gate)/\(phase.rawValue)-env" }

    /// That of a step's separate verifier, as the init container sees it.
    public func verifierPhaseVariables(ofStep step: Int) -> String { "\(verifierGate(ofStep: step))/\(TrialPhase.verify.rawValue)-env" }

    public func instruction(_ step: TrialProgram.Step) -> String { "\(scripts)/\(step.instruction)" }
    /// The directory that holds the tests of a step until they are released.
    public func stagedTests(_ step: TrialProgram.Step) -> String { "\(staged)/\(step.tests)" }

    /// The tests that all steps of a task share; a step's own are laid over them.
    public var stagedSharedTests: String { "\(staged)/\(TrialProgram.Step.sharedTests)" }
    /// Where an overlay's surface lies: a folder, or the file of a prompt.
    public func overlay(_ name: String, _ surface: OverlaySurface) -> String {
        "\(overlays)/\(name)/\(surface == .prompt ? "prompt.md" : surface.rawValue)"
    }

    /// A folder of the logs in the init container and the collector.
    public func collected(_ folder: LogFolder) -> String { "\(collectedLogs)/\(folder.rawValue)" }
}
