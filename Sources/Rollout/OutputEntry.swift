import Base
import EvalModel

/// What is known of a job's directory of outputs, so that a later command can complete it. Written before the first trial starts.
public struct OutputEntry: Codable, Sendable, Hashable {
    /// The job's name for Rollout.
    public var name: String
    /// The EvalJob's name.
    public var object: String
    /// The job's directory of outputs, an absolute path.
    public var directory: String
    /// The hash of the job file and its place: a file without a name goes on with its job when that is not over.
    public var digest: String
    /// The EvalJob's UID; nil until it has trials.
    public var uid: String?
    public var total: Int
    public var agents: [String]
    public var startedAt: Timestamp?
    /// By commit of a snapshot: the commit of the folder's own repository; empty when it is in none.
    public var heads: [String: String]
    /// Whether every trial has its result and the outputs are complete.
    public var isComplete: Bool

    public init(
        name: String, object: String, directory: String, digest: String, agents: [String], heads: [String: String]
    ) {
        self.name = name
        self.object = object
        self.directory = directory
        self.digest = digest
        total = 0
        self.agents = agents
        self.heads = heads
        isComplete = false
    }
}

/// The entries of all jobs of a working directory, one file each.
public struct OutputRegister: Sendable {
    public let directory: String

    public init(directory: String) { self.directory = directory }

    public func entries() -> [OutputEntry] {
        (Directory.names(in: directory) ?? []).filter { $0.hasSuffix(".json") }.sorted().compactMap { read($0) }
    }

    public func entry(of object: String) -> OutputEntry? { read("\(object).json") }

    private func read(_ name: String) -> OutputEntry? {
        guard let bytes = FileReading.whole("\(directory)/\(name)", limit: 16 << 20), let value = try? JSONValue(parsing: bytes) else { return nil }
        return try? JSONValueDecoder().decode(OutputEntry.self, from: value)
    }

    public func write(_ entry: OutputEntry) throws {
        try Directory.make(directory)
        try FileWriting.replace("\(directory)/\(entry.object).json", with: try JSONValueEncoder().encode(entry).serialized(pretty: true) + [0x0A])
    }
}
