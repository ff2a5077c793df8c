import EvalModel

/// What bounds a collector, so that no trial can make it fill a memory, a disk or a log.
public struct CollectorLimits: Sendable, Hashable {
    /// Bytes of the packfile. A running container's log rotates at 10 MiB; base64 makes 4 of 3 bytes.
    public var pack = 7 << 20
    /// Bytes read of all files together; when there is more, the largest files are cut.
    public var read = 256 << 20
    /// Bytes of each file: hosts refuse a push with an object of more than 100 MB, however well it compresses.
    public var file = 48 << 20
    /// Files and directories that are looked at.
    public var entries = 20_000
    /// Directories within each other.
    public var depth = 64
    /// Bytes of each of the agent's outputs that go into a transcript made of them.
    public var transcript = 4 << 20
    /// Bytes of a trajectory that is read; a larger one is kept and not looked into.
    public var trajectory = 16 << 20
    /// Entries of each list in `collected.json`; the counts are always whole.
    public var listed = 1000

    public init() {}
}

/// What the collector is told by its environment.
public struct CollectorConfiguration: Sendable {
    /// A value that must not leave the pod.
    public struct Secret: Sendable, Hashable {
        /// What the agent's environment calls it; for the report.
        public var name: String
        public var value: String

        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    public var paths = TrialPaths()
    public var rule = RewardRule.rollout
    public var verify = true
    /// Seconds until the runner must have opened the gate.
    public var gateTimeout = 3600.0
    /// Seconds from the runner's last word until its end must have closed the gate.
    public var endTimeout = 30.0
    /// What the phases may take, in seconds; for the messages of those that took longer. The runner enforces it.
    public var timeouts: [TrialPhase: Double] = [:]
    public var secrets: [Secret] = []
    public var limits = CollectorLimits()
    public var terminationLog: String

    public init(paths: TrialPaths = TrialPaths()) {
        self.paths = paths
        terminationLog = paths.terminationLog
    }

    /// Reads the variables that the pod builder sets; what is absent or unreadable keeps its default.
    public init(environment: [String: String]) {
        self.init(paths: TrialPaths(root: environment[TrialVariables.root] ?? ""))
        if let rule = environment[TrialVariables.rewardRule].flatMap(RewardRule.init(rawValue:)) { self.rule = rule }
        verify = environment[TrialVariables.verify] != "0"
        if let seconds = environment[TrialVariables.gateTimeout].flatMap(Double.init), seconds > 0 { gateTimeout = seconds }
        let bounds = [(TrialPhase.install, TrialVariables.installTimeout), (.execute, TrialVariables.agentTimeout), (.verify, TrialVariables.verifierTimeout)]
        for (phase, name) in bounds {
            if let milliseconds = environment[name].flatMap(Double.init), milliseconds > 0 { timeouts[phase] = milliseconds / 1000 }
        }
        if let bytes = environment[TrialVariables.packLimit].flatMap(Int.init), bytes > 0 { limits.pack = bytes }
        if let path = environment[TrialVariables.terminationLog] { terminationLog = path }
        for entry in (environment[TrialVariables.redact] ?? "").split(separator: ",") {
            let parts = entry.split(separator: ":", maxSplits: 1).map(String.init)
            guard let variable = parts.first, let value = environment[variable], !value.isEmpty else { continue }
            secrets.append(Secret(name: parts.last ?? variable, value: value))
        }
    }
}
