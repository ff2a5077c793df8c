import Artifacts
import Base
import EvalModel

/// Writes a job's directory of outputs as Rollout has it: `config.json`, `result.json`, and a folder for each trial.
///
/// Guarantees: a trial's folder is complete when it has `result.json`; files are replaced whole. Trials are written as they end, `result.json`
/// of the job at its end or when it is stopped. Recovery: what a killed process has not written is found again in the results, which are
/// complete, so that a later process writes the rest.
public final class JobOutputs: Sendable {
    private struct State {
        var entry: OutputEntry
        var trials: [RunID: TrialResult] = [:]
        /// Records of other jobs.
        var others: Set<RunID> = []
    }

    private let state: Locked<State>
    private let register: OutputRegister
    /// The directory of `backend: local`.
    private let results: String

    public init(_ entry: OutputEntry, register: OutputRegister, results: String) {
        state = Locked(State(entry: entry))
        self.register = register
        self.results = results
    }

    public var entry: OutputEntry { state.withLock { $0.entry } }
    public var directory: String { entry.directory }

    // MARK: Steps

    /// Called once the job has trials.
    ///
    /// - Parameter configuration: the content of config.json.
    public func begin(uid: String, total: Int, startedAt: Timestamp, configuration: JSONValue) throws {
        let entry = state.withLock { state in
            (state.entry.uid, state.entry.total, state.entry.startedAt, state.entry.isComplete) = (uid, total, startedAt, false)
            return state.entry
        }
        try Directory.make(entry.directory)
        try register.write(entry)
        try Self.write(configuration, to: "\(entry.directory)/config.json")
    }

    /// Writes the folders of trials whose record is new.
    public func writeNew() throws {
        let (entry, known) = state.withLock { ($0.entry, Set($0.trials.keys).union($0.others)) }
        guard let uid = entry.uid else { return }
        for id in Self.runs(in: results) where !known.contains(id) {
            let folder = "\(results)/\(id.path)"
            guard let bytes = FileReading.whole("\(folder)/metadata.json", limit: 16 << 20), let value = try? JSONValue(parsing: bytes) else {
                continue
            }
            guard value["jobUid"]?.string == uid, value["kind"]?.string == "run",
                let record = try? JSONValueDecoder().decode(RunRecord.self, from: value)
            else {
                state.withLock { _ = $0.others.insert(id) }
                continue
            }
            let trial = TrialResult(record, commit: Self.commit(of: record, entry))
            if !trial.isSkipped { try Self.write(trial, from: folder, to: "\(entry.directory)/\(Self.folder(of: record))") }
            state.withLock { $0.trials[id] = trial }
        }
    }

    /// Writes what is missing and the job's result.
    ///
    /// - Parameters:
    ///   - isOver: every trial has its result, or the job was cancelled for good; nothing more will come.
    ///   - cancelled: the job ended, or was stopped, before all trials had their result.
    public func finish(isOver: Bool, cancelled: Bool, endedAt: Timestamp?) throws {
        try writeNew()
        let (entry, trials) = state.withLock { ($0.entry, Array($0.trials.values)) }
        guard let start = entry.startedAt else { return }
        let end = endedAt ?? trials.map(\.record.timestamp).max() ?? start
        let result = JobResult(
            name: entry.name, cancelled: cancelled, total: entry.total, agents: entry.agents, trials: trials, startedAt: start, endedAt: end)
        try Self.write(result.json, to: "\(entry.directory)/result.json")
        let known = state.withLock { state in
            state.entry.isComplete = isOver
            return state.entry
        }
        try register.write(known)
    }

    /// Completes the outputs of jobs that no process works on any more: those of commands that were killed. Only the holder of the state
    /// directory's lock may call it.
    ///
    /// - Returns: the directories that were completed.
    public static func completeInterrupted(_ register: OutputRegister, results: String) throws -> [String] {
        var done: [String] = []
        for entry in register.entries() where !entry.isComplete && entry.uid != nil {
            let outputs = JobOutputs(entry, register: register, results: results)
            try outputs.writeNew()
            let recorded = outputs.state.withLock { $0.trials.count }
            let before = FileReading.whole("\(entry.directory)/result.json").flatMap { try? JSONValue(parsing: $0) }
            if before != nil, before?["results"]?.array?.count == recorded { continue }
            let isOver = entry.total > 0 && recorded >= entry.total
            try outputs.finish(isOver: isOver, cancelled: !isOver, endedAt: nil)
            done.append(entry.directory)
        }
        return done
    }

    // MARK: Parts

    private static func commit(of record: RunRecord, _ entry: OutputEntry) -> String? {
        guard let head = entry.heads[record.sourceCommit] else { return record.sourceCommit }
        return head.isEmpty ? nil : head
    }

    /// `<agent>/<dataset>/<task>__<attempt>`, within the job's directory whatever the names are.
    static func folder(of record: RunRecord) -> String {
        [record.agent, record.dataset, "\(record.task)__\(record.attempt)"].map(safe).joined(separator: "/")
    }

    private static func safe(_ name: String) -> String {
        name.split(separator: "/", omittingEmptySubsequences: false).map {
            ["", ".", ".."].contains($0) ? "_" : String($0).replacing("\0", with: "_")
        }
        .joined(separator: "/")
    }

    private static func write(_ trial: TrialResult, from run: String, to folder: String) throws {
        try Directory.make(folder)
        try copy("\(run)/logs", to: folder, isTop: true)
        if let error = trial.error { try FileWriting.replace("\(folder)/error.txt", with: Array((error.message + "\n").utf8), durable: false) }
        try write(trial.json, to: "\(folder)/result.json")
    }

    /// Copies the record's logs. What Rollout captures itself (`setup`, `command`) stands beside `logs`.
    private static func copy(_ source: String, to folder: String, isTop: Bool = false) throws {
        for name in Directory.names(in: source) ?? [] {
            let place = isTop && name != "setup" && name != "command" ? "\(folder)/logs/\(name)" : "\(folder)/\(name)"
            switch FileEntry.kind("\(source)/\(name)") {
            case .directory?:
                try Directory.make(place)
                try copy("\(source)/\(name)", to: place)
            case .file?:
                try Directory.make(Path.parent(of: place))
                try FileWriting.replace(place, withCopyOf: "\(source)/\(name)")
            case .link?, .other?, nil: break
            }
        }
    }

    private static func write(_ value: JSONValue, to path: String) throws {
        try FileWriting.replace(path, with: value.serialized(pretty: true) + [0x0A], durable: false)
    }

    /// The runs that have a record.
    private static func runs(in results: String) -> [RunID] {
        (Directory.names(in: results) ?? []).filter { $0.utf8.count == 2 }.sorted().flatMap { shard in
            (Directory.names(in: "\(results)/\(shard)") ?? []).compactMap { RunID(shard + $0) }
        }
    }
}
