import Base
import EvalModel

/// The collector's report about its trial, written as the container's termination message.
///
/// The termination message outlives the container, its log and the node's disk, so the verdict is read from it alone. The outputs are in the log
/// and are checked against `pack`. Kubernetes cuts messages at 4096 bytes, so every value of unlimited length is shortened here first, and
/// `messageTruncated` says so.
///
/// Decoding is lenient: missing fields get their empty value and unknown ones are ignored, so that an operator can read the reports of pods that
/// an older or newer version of it created.
public struct TrialReport: Codable, Sendable, Hashable {
    /// The begin and end of a phase, in milliseconds since 1970 by the node's clock. Without `end` the trial died in the phase.
    public struct Timing: Codable, Sendable, Hashable {
        public var start: Int64
        public var end: Int64?

        public init(start: Int64, end: Int64? = nil) {
            self.start = start
            self.end = end
        }
    }

    /// One step of a trial with several steps.
    public struct Step: Codable, Sendable, Hashable {
        public var name: String
        /// Timings by the name of the phase.
        public var phases: [String: Timing]
        /// Exit codes of the scripts, by the name of the phase.
        public var exitCodes: [String: Int]
        /// The step's rewards by name; nil when it has none.
        public var rewards: [String: Double]?

        public init(name: String, phases: [String: Timing] = [:], exitCodes: [String: Int] = [:], rewards: [String: Double]? = nil) {
            self.name = name
            self.phases = phases
            self.exitCodes = exitCodes
            self.rewards = rewards
        }
    }

    /// Describes the outputs: one git packfile, framed in base64 in the collector's log.
    public struct Pack: Codable, Sendable, Hashable {
        /// SHA-256 of the packfile's bytes, lower-case hex.
        public var sha256: String
        /// Length of the packfile in bytes.
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

    /// The version of this format: 1.
    public var version: Int
    /// The verdict: `reward` of the map, or the map's only value, or the mean of its values; nil when there is an error or verification is off.
    public var reward: Double?
    /// All rewards by name (a single number in `reward.txt` gets the name `reward`).
    public var rewards: [String: Double]
    /// Why there is no reward, or what went wrong beside it.
    public var error: TrialError?
    /// The phase in which the trial ended or died; nil when it never began.
    public var lastPhase: TrialPhase?
    /// Whether the trial container closed the gate without sending its last word.
    public var trialDied: Bool
    /// Whether the collector or the runner was told to stop (SIGTERM) before the trial was over; the report then holds no verdict.
    public var interrupted: Bool
    /// Timings by the name of the phase (`TrialPhase`'s raw values, without teardown, which the collector cannot see). For a trial with several
    /// steps: the phases of the last step that began, and collect.
    public var phases: [String: Timing]
    /// The steps that began; nil for a trial without steps.
    public var steps: [Step]?
    /// Exit codes of the agent's and the verifier's scripts, by phase name.
    public var exitCodes: [String: Int]
    /// Describes the outputs; nil when nothing could be packed.
    public var pack: Pack?
    /// How many files were cut or left out because of a limit (listed in `collected.json` of the pack).
    public var truncatedFiles: Int
    /// How many entries were not collected because of their type (links, FIFOs, devices, sockets).
    public var skippedFiles: Int
    /// How many files or directories could not be read.
    public var unreadableFiles: Int
    /// How many times a secret value was replaced in the outputs.
    public var redactions: Int
    /// The same count for each environment variable's name; where secrets overlapped, the longest one is counted.
    public var redacted: [String: Int]
    /// Names of environment variables whose secret was too short to redact.
    public var unredacted: [String]
    /// What the transcript was made of: `agent`, `trajectory` or `output`; nil when there is none.
    public var transcript: String?
    /// The tokens and cost in the agent's trajectory; nil when it states none.
    public var usage: AgentUsage?
    /// The length of an instruction that was too long for `ASSAY_TASK_INSTRUCTION`, so that the variable was not set; else nil.
    public var longInstructionBytes: Int?
    /// What was taken of the artifacts; nil when the trial has none but the logs.
    public var handover: ArtifactCounts?
    /// Whether something in this message (not in the pack) was cut to fit into `maximumBytes`.
    public var messageTruncated: Bool

    public init(
        version: Int = 1, reward: Double? = nil, rewards: [String: Double] = [:], error: TrialError? = nil,
        lastPhase: TrialPhase? = nil, trialDied: Bool = false, interrupted: Bool = false, phases: [String: Timing] = [:],
        exitCodes: [String: Int] = [:], pack: Pack? = nil, truncatedFiles: Int = 0, skippedFiles: Int = 0,
        unreadableFiles: Int = 0, redactions: Int = 0, redacted: [String: Int] = [:], unredacted: [String] = [], transcript: String? = nil,
        usage: AgentUsage? = nil, messageTruncated: Bool = false
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
        self.redacted = redacted
        self.unredacted = unredacted
        self.transcript = transcript
        self.usage = usage
        self.messageTruncated = messageTruncated
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        version = try values.decodeIfPresent(Int.self, forKey: .version) ?? 1
        reward = try values.decodeIfPresent(Double.self, forKey: .reward)
        rewards = try values.decodeIfPresent([String: Double].self, forKey: .rewards) ?? [:]
        error = try values.decodeIfPresent(LenientError.self, forKey: .error)?.error
        lastPhase = try values.decodeIfPresent(String.self, forKey: .lastPhase).flatMap(TrialPhase.init(rawValue:))
        trialDied = try values.decodeIfPresent(Bool.self, forKey: .trialDied) ?? false
        interrupted = try values.decodeIfPresent(Bool.self, forKey: .interrupted) ?? false
        phases = try values.decodeIfPresent([String: Timing].self, forKey: .phases) ?? [:]
        exitCodes = try values.decodeIfPresent([String: Int].self, forKey: .exitCodes) ?? [:]
        steps = try values.decodeIfPresent([Step].self, forKey: .steps)
        pack = try values.decodeIfPresent(Pack.self, forKey: .pack)
        truncatedFiles = try values.decodeIfPresent(Int.self, forKey: .truncatedFiles) ?? 0
        skippedFiles = try values.decodeIfPresent(Int.self, forKey: .skippedFiles) ?? 0
        unreadableFiles = try values.decodeIfPresent(Int.self, forKey: .unreadableFiles) ?? 0
        redactions = try values.decodeIfPresent(Int.self, forKey: .redactions) ?? 0
        redacted = try values.decodeIfPresent([String: Int].self, forKey: .redacted) ?? [:]
        unredacted = try values.decodeIfPresent([String].self, forKey: .unredacted) ?? []
        transcript = try values.decodeIfPresent(String.self, forKey: .transcript)
        usage = try values.decodeIfPresent(AgentUsage.self, forKey: .usage)
        longInstructionBytes = try values.decodeIfPresent(Int.self, forKey: .longInstructionBytes)
        handover = try values.decodeIfPresent(ArtifactCounts.self, forKey: .handover)
        messageTruncated = try values.decodeIfPresent(Bool.self, forKey: .messageTruncated) ?? false
    }
}

/// An error whose type may come from a newer version and be unknown here.
private struct LenientError: Decodable {
    var error: TrialError

    private enum CodingKeys: String, CodingKey { case type, message }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        let type = try values.decodeIfPresent(String.self, forKey: .type) ?? ""
        let message = try values.decodeIfPresent(String.self, forKey: .message) ?? ""
        if let known = TrialErrorType(rawValue: type) {
            error = TrialError(known, message)
        } else {
            error = TrialError(.internalError, "\(type): \(message)")
        }
    }
}

extension TrialReport {
    public subscript(_ phase: TrialPhase) -> Timing? {
        get { phases[phase.rawValue] }
        set { phases[phase.rawValue] = newValue }
    }

    /// Whether the report tells how the trial ended. If not, the caller must conclude it from the state of the pod.
    public var isFinal: Bool { !interrupted && !trialDied }

    /// Reads a termination message; nil when it is not such a report (empty, cut, or another program's).
    public init?(terminationMessage: String?) {
        guard let terminationMessage, let value = try? JSONValue(parsing: terminationMessage),
            value["version"]?.int != nil, let report = try? JSONValueDecoder().decode(TrialReport.self, from: value)
        else { return nil }
        self = report
    }

    /// The most bytes of one message in a pod with this many containers, init containers included: they share 12 KiB. Source of the rule:
    /// kubelet `MaxPodTerminationMessageLogLength`.
    public static func maximumBytes(containers: Int) -> Int { min(maximumBytes, (12 << 10) / max(containers, 1)) }

    /// The report as JSON of at most `limit` bytes.
    ///
    /// When it is too long, these are shortened or left out in this order, and `messageTruncated` is set: the error's message, the names of
    /// secrets that were redacted or could not be, the rewards other than the main one, the steps.
    public func terminationMessage(limit: Int = Self.maximumBytes) -> [UInt8] {
        var report = self
        var bytes = report.json()
        guard bytes.count > limit else { return bytes }
        report.messageTruncated = true
        if let error = report.error, error.message.utf8.count > 512 {
            // JSON escapes can make six bytes of one. The end of a message usually tells the cause, and its beginning tells what failed, so both
            // are kept.
            report.error?.message = String(error.message.prefix(200)) + " [...] " + String(error.message.suffix(200))
            bytes = report.json()
        }
        if bytes.count > limit {
            report.unredacted = []
            report.redacted = [:]
            bytes = report.json()
        }
        if bytes.count > limit {
            report.rewards = report.rewards.filter { $0.key == Reward.primaryName }
            bytes = report.json()
        }
        if bytes.count > limit {
            report.steps = nil
            bytes = report.json()
        }
        if bytes.count > limit {
            report.error?.message = ""
            bytes = report.json()
        }
        return bytes
    }

    private func json() -> [UInt8] {
        // Encoding a report cannot fail. If it did, an empty message would be read as "no report", hence the empty object.
        (try? JSONValueEncoder().encode(self).serialized()) ?? Array("{}".utf8)
    }

    /// The durations of the phases that ended.
    public static func timings(_ phases: [String: Timing]) -> PhaseTimings {
        var timings = PhaseTimings()
        for phase in TrialPhase.allCases {
            guard let timing = phases[phase.rawValue], let end = timing.end else { continue }
            timings[phase] = PhaseSpan(
                startedAt: Timestamp(epochMilliseconds: timing.start), seconds: max(0, Double(end - timing.start) / 1000))
        }
        return timings
    }

    /// The outcome that the report describes: reward, error and timings. The operator adds the cost.
    public var outcome: TrialOutcome {
        let spans = steps.map { $0.map(\.phases) + [phases.filter { $0.key == TrialPhase.collect.rawValue }] } ?? [phases]
        let timings = PhaseTimings(summing: spans.map(Self.timings))
        var verdict = Reward(named: rewards)
        if let reward {
            var whole = verdict ?? Reward(reward)
            whole.value = reward
            verdict = whole
        }
        return TrialOutcome(reward: verdict, error: error, timings: timings, tokens: usage?.tokens)
    }
}
