/// What the collector of a trial pod says about its trial, in the container's termination message.
///
/// The termination message outlives the container, its log and the node's disk, so the verdict rests on this alone; the
/// outputs themselves come with the log and are checked against `pack`. Kubernetes cuts messages at 4096 bytes, hence
/// everything of unbounded length is cut here first, and `messageTruncated` says so.
///
/// Decoding is lenient: missing fields get their empty value and unknown ones are ignored, so that an operator can read
/// the reports of pods that an older or newer version of it created.
public struct TrialReport: Codable, Sendable, Hashable {
    /// The timed parts of a trial, in order.
    public enum Phase: String, Codable, Sendable, Hashable, CaseIterable {
        case setup, install, execute, verify, collect
    }

    /// When a phase began and ended, in milliseconds since 1970 by the node's clock. No `end`: the trial died in it.
    public struct Timing: Codable, Sendable, Hashable {
        public var start: Int64
        public var end: Int64?

        public init(start: Int64, end: Int64? = nil) {
            self.start = start
            self.end = end
        }
    }

    /// An error as it goes into `error` of the record: a type of the design's list and a message for people.
    public struct Failure: Codable, Sendable, Hashable {
        public var type: String
        public var message: String

        public init(type: String, message: String) {
            self.type = type
            self.message = message
        }
    }

    /// The outputs, as one git packfile, framed in base64 in the collector's log.
    public struct Pack: Codable, Sendable, Hashable {
        /// SHA-256 of the packfile's bytes, lower-case hex.
        public var sha256: String
        /// Length of the packfile.
        public var bytes: Int
        /// The root tree's object id, lower-case hex.
        public var tree: String

        public init(sha256: String, bytes: Int, tree: String) {
            self.sha256 = sha256
            self.bytes = bytes
            self.tree = tree
        }
    }

    /// The largest termination message that a kubelet keeps of one container, in bytes.
    public static let maximumBytes = 4096

    /// Version of this format; 1.
    public var version: Int
    /// The verdict: `reward` of the map, or its only value, or its mean; nil when there is an error or verification is off.
    public var reward: Double?
    /// All rewards by name (one number in `reward.txt` is named `reward`).
    public var rewards: [String: Double]
    /// Why there is no reward, or an outcome that is an error.
    public var error: Failure?
    /// The phase that the trial was in when it ended or died; nil when it never began.
    public var lastPhase: Phase?
    /// The trial container closed the gate without the word that it was done.
    public var trialDied: Bool
    /// The collector or the runner was told to stop (SIGTERM) before the trial was over: this report holds no verdict.
    public var interrupted: Bool
    /// Phases by name (`Phase`'s raw values).
    public var phases: [String: Timing]
    /// Exit codes of the agent's and the verifier's scripts, by phase name.
    public var exitCodes: [String: Int]
    /// The outputs; nil when nothing could be packed.
    public var pack: Pack?
    /// How many files were cut or left out because of a cap (listed in `collected.json` of the pack).
    public var truncatedFiles: Int
    /// How many entries were not collected because of what they are (links, FIFOs, devices, sockets).
    public var skippedFiles: Int
    /// How many files or directories could not be read.
    public var unreadableFiles: Int
    /// How many times a secret value was replaced in the outputs.
    public var redactions: Int
    /// Names of environment variables whose secret was too short to redact.
    public var unredacted: [String]
    /// Something in this message (not in the pack) was cut to fit into `maximumBytes`.
    public var messageTruncated: Bool

    public init(
        version: Int = 1, reward: Double? = nil, rewards: [String: Double] = [:], error: Failure? = nil,
        lastPhase: Phase? = nil, trialDied: Bool = false, interrupted: Bool = false, phases: [String: Timing] = [:],
        exitCodes: [String: Int] = [:], pack: Pack? = nil, truncatedFiles: Int = 0, skippedFiles: Int = 0,
        unreadableFiles: Int = 0, redactions: Int = 0, unredacted: [String] = [], messageTruncated: Bool = false
    ) {
        self.version = version
        self.reward = reward
        self.rewards = rewards
        self.error = error
        self.lastPhase = lastPhase
        self.trialDied = trialDied
        self.interrupted = interrupted
        self.phases = phases
        self.exitCodes = exitCodes
        self.pack = pack
        self.truncatedFiles = truncatedFiles
        self.skippedFiles = skippedFiles
        self.unreadableFiles = unreadableFiles
        self.redactions = redactions
        self.unredacted = unredacted
        self.messageTruncated = messageTruncated
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        version = try values.decodeIfPresent(Int.self, forKey: .version) ?? 1
        reward = try values.decodeIfPresent(Double.self, forKey: .reward)
        rewards = try values.decodeIfPresent([String: Double].self, forKey: .rewards) ?? [:]
        error = try values.decodeIfPresent(Failure.self, forKey: .error)
        lastPhase = try values.decodeIfPresent(String.self, forKey: .lastPhase).flatMap(Phase.init(rawValue:))
        trialDied = try values.decodeIfPresent(Bool.self, forKey: .trialDied) ?? false
        interrupted = try values.decodeIfPresent(Bool.self, forKey: .interrupted) ?? false
        phases = try values.decodeIfPresent([String: Timing].self, forKey: .phases) ?? [:]
        exitCodes = try values.decodeIfPresent([String: Int].self, forKey: .exitCodes) ?? [:]
        pack = try values.decodeIfPresent(Pack.self, forKey: .pack)
        truncatedFiles = try values.decodeIfPresent(Int.self, forKey: .truncatedFiles) ?? 0
        skippedFiles = try values.decodeIfPresent(Int.self, forKey: .skippedFiles) ?? 0
        unreadableFiles = try values.decodeIfPresent(Int.self, forKey: .unreadableFiles) ?? 0
        redactions = try values.decodeIfPresent(Int.self, forKey: .redactions) ?? 0
        unredacted = try values.decodeIfPresent([String].self, forKey: .unredacted) ?? []
        messageTruncated = try values.decodeIfPresent(Bool.self, forKey: .messageTruncated) ?? false
    }
}

extension TrialReport {
    /// Timing of one phase.
    public subscript(_ phase: Phase) -> Timing? {
        get { phases[phase.rawValue] }
        set { phases[phase.rawValue] = newValue }
    }
}
