import Base
import EvalModel

/// Limits of a collector, so that no trial can make it fill a memory, a disk or a log.
public struct CollectorLimits: Sendable, Hashable {
    /// Bytes of the packfile. A running container's log is rotated at 10 MiB, and base64 makes 4 bytes of 3.
    public var pack = 7 << 20
    /// Bytes read of all files together; when the files have more, the largest are cut.
    public var read = 256 << 20
    /// Bytes of each file. Git hosts refuse a push with an object of more than 100 MB, however well it compresses.
    public var file = 48 << 20
    /// How many files and directories are examined.
    public var entries = 20_000
    /// How deeply directories may be nested.
    public var depth = 64
    /// Bytes of each of the agent's outputs that are copied into a transcript made of them.
    public var transcript = 4 << 20
    /// Bytes of the largest trajectory that is parsed; a larger one is collected but not parsed.
    public var trajectory = 16 << 20
    /// Entries of each list in `collected.json`; the counts beside the lists are always complete.
    public var listed = 1000

    public init() {}
}

/// The settings of a collector: its part of the trial's program, and the secrets in its environment.
public struct CollectorConfiguration: Sendable {
    /// A value that must not leave the pod.
    public struct Secret: Sendable, Hashable {
        /// The name of its variable in the agent's environment; used in the report.
        public var name: String
        public var value: String

        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    public var paths = TrialPaths()
    public var family = TaskSchema.rollout
    public var pathSetter: PodProgram.PathSetter?
    public var verify = true
    public var rewardStrategy = MultiStepRewardStrategy.mean
    /// Whether the trial's runner is root and other users have no business with what is for it.
    public var runnerIsRoot = false
    /// Whether the trial runs on a host, and the gate's words come from `assay remote-trial`.
    public var isRemote = false
    /// How the trial is verified, as far as the containers share it.
    public var verifier = TrialProgram.Verifier()
    /// Seconds within which the runner must open the gate.
    public var gateTimeout = 3600.0
    /// Seconds within which the runner must exit, and so close the gate, after its last word.
    public var endTimeout = 30.0
    /// Never empty. The collector uses the limits of the steps in messages only; the runner enforces them.
    public var steps: [TrialProgram.Step]
    public var secrets: [Secret] = []
    /// The egress proxy, for a trial with a restricted network.
    public var egress: EgressAccess?
    public var limits = CollectorLimits()
    public var handover = HandoverLimits()
    public var terminationLog: String
    /// The most bytes of the report.
    public var reportBytes = TrialReport.maximumBytes

    /// A configuration for a task without steps or limits.
    public init(paths: TrialPaths = TrialPaths()) {
        self.paths = paths
        terminationLog = paths.terminationLog
        steps = [
            .init(name: "main", instruction: "instruction.md", tests: "tests", limits: .init(installSec: nil, executeSec: nil, verifySec: .infinity))
        ]
    }

    public init(_ program: PodProgram, paths: TrialPaths) {
        self.init(paths: paths)
        family = program.family
        pathSetter = program.pathSetter
        verify = program.verifier.enabled
        rewardStrategy = program.rewardStrategy
        isRemote = program.remote == true
        runnerIsRoot = program.environment.user != nil
        verifier = program.verifier
        handover.bytes = program.handoverLimitBytes
        reportBytes = program.reportLimitBytes
        gateTimeout = program.gateTimeoutSec
        steps = program.steps
        limits.pack = program.packLimitBytes
    }

    /// Reads the program file that delivery wrote for the collector, and the variables that the pod builder sets.
    ///
    /// - Throws: `internal_error`.
    public init(environment: [String: String]) throws(TrialError) {
        let paths = TrialPaths(root: environment[TrialVariables.root] ?? "")
        guard let bytes = FileReading.whole(paths.collectorProgram, limit: 1 << 20) else {
            throw TrialError(.internalError, "the collector finds no program at \(paths.collectorProgram)")
        }
        self.init(try PodProgram(json: bytes, from: paths.collectorProgram), paths: paths)
        if let token = FileReading.text(paths.stagedToken), !token.isEmpty {
            secrets.append(Secret(name: TrialVariables.cacheToken, value: token))
        }
        if let bytes = FileReading.whole(paths.stagedEgress, limit: 1 << 20) {
            let access = try EgressAccess(json: bytes)
            egress = access
            for (phase, token) in access.tokens.sorted(by: { $0.key < $1.key }) {
                secrets.append(Secret(name: "\(TrialVariables.egress) (\(phase))", value: token))
            }
        }
        read(environment)
    }

    /// Reads the secrets to redact and the path of the report.
    mutating func read(_ environment: [String: String]) {
        if let path = environment[TrialVariables.terminationLog] { terminationLog = path }
        for entry in (environment[TrialVariables.redact] ?? "").split(separator: ",") {
            let parts = entry.split(separator: ":", maxSplits: 1).map(String.init)
            guard let variable = parts.first, let value = environment[variable], !value.isEmpty else { continue }
            secrets.append(Secret(name: parts.last ?? variable, value: value))
        }
    }
}
