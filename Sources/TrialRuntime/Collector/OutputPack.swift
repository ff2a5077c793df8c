import Base
import EvalModel
import Glibc

/// Makes one pack of a trial's outputs: lists the files, copies them without secrets, cuts them to the limit, and writes them as blobs, trees
/// and a packfile.
struct OutputPack: Sendable {
    struct Made: Sendable {
        var bytes: [UInt8]
        var description: TrialReport.Pack
    }

    /// One file that goes into the pack.
    struct Entry: Sendable {
        /// The path in the pack, from its root on.
        var path: [String]
        var original: [[UInt8]]
        var copy: String
        var size: Int
        var kept: Int
        var redactions: [String: Int] = [:]
        var id = ""
        /// The collector made this file; it is not one of the outputs.
        var isDerived = false

        /// Whether the file is JSON lines, which are cut between two lines only.
        var isLines: Bool { path.last?.hasSuffix(".jsonl") == true }
    }

    let paths: TrialPaths
    let limits: CollectorLimits
    let filter: SecretFilter
    let store: PackStore
    /// What is collected, and from where.
    let roots: [LogTree.Root]
    let handover: ArtifactHandover?

    private(set) var entries: [Entry] = []
    private(set) var tree = LogTree()
    /// What the transcript was made of; nil when there is no transcript.
    private(set) var transcript: Transcript.Source?
    /// The tokens and cost in the agent's trajectory; nil when there is no readable trajectory.
    private(set) var usage: AgentUsage?

    /// - Parameters:
    ///   - begun: how many steps have begun.
    ///   - handover: what was taken of the artifacts, for the list and the record; nil when nothing was.
    init(_ configuration: CollectorConfiguration, filter: SecretFilter, begun: Int = 1, handover: ArtifactHandover? = nil) {
        paths = configuration.paths
        roots = configuration.roots(begun: begun, handed: handover?.taken ?? [])
        self.handover = handover
        limits = configuration.limits
        self.filter = filter
        store = PackStore(directory: configuration.paths.work)
    }

    /// Copies the logs, redacted. After this the trial's files are not read again.
    mutating func gather() throws {
        tree = LogTree.walk(roots, limits: limits)
        let copies = paths.work + "/copies"
        guard mkdir(copies, 0o700) == 0 || errno == EEXIST else {
            throw PackStore.Failure(description: "cannot make \(copies): \(String(cString: strerror(errno)))")
        }
        let height = min(limits.file, Allowance.height(tree.files.map(\.size), budget: limits.read) ?? .max)
        let copier = RedactedCopy(filter: filter)
        var names = PackNames(filter: filter)
        for file in tree.files {
            guard let source = LogTree.open(file.names, below: file.directory) else {
                tree.unreadable.append(.init(components: file.components, what: String(cString: strerror(errno))))
                continue
            }
            defer { close(source) }
            let target = "\(copies)/\(entries.count)"
            do throws(RedactedCopy.Failure) {
                var entry = Entry(
                    path: ["logs"] + names.path(file.components), original: file.components, copy: target, size: 0, kept: 0)
                // A file may have grown since it was listed; its allowance is still that of the listed size.
                let result = try copier.copy(
                    from: source, to: target, allowance: min(height, max(file.size, 1 << 16)), inLines: entry.isLines)
                (entry.size, entry.kept, entry.redactions) = (result.size, result.kept, result.redactions)
                entries.append(entry)
            } catch {
                if error.isOurs { throw error }
                tree.unreadable.append(.init(components: file.components, what: error.description))
            }
        }
    }

    /// Adds a file that the collector made, below `logs/`. What the trial wrote under that name is left out. Call it after `gather`.
    mutating func add(_ bytes: [UInt8], as path: [String]) throws {
        let target = "\(paths.work)/copies/made-\(entries.count)"
        let clean = filter.redactor.redact(bytes).bytes
        try FileWriting.write(clean, to: target, mode: 0o600)
        entries.removeAll { $0.path.starts(with: ["logs"] + path) || (["logs"] + path).starts(with: $0.path) }
        entries.append(Entry(path: ["logs"] + path, original: [], copy: target, size: clean.count, kept: clean.count, isDerived: true))
    }

    /// How many files were cut or left out, counting directories that were not read to their end.
    var truncated: Int { entries.count { $0.kept < $0.size } + tree.unfinished.count }

    /// How often each secret was replaced in the outputs, keyed by the secret's name.
    var redactions: [String: Int] {
        entries.reduce(into: [:]) { all, entry in all.merge(entry.redactions, uniquingKeysWith: +) }
    }

    /// The redacted copy of a collected file; nil when there is no such file.
    func entry(_ path: String...) -> Entry? {
        let path = ["logs"] + path
        return entries.first { $0.path == path }
    }

    /// The end of a collected file's redacted copy, as text; nil when there is no such file.
    func ending(of directory: String, _ name: String, bytes: Int) -> String? {
        guard let entry = entry(directory, name) else { return nil }
        return FileReading.end(of: entry.copy, bytes: bytes).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Adds the transcript of the session: the agent's own, or one made from its other outputs. Call it after `gather`.
    mutating func addTranscript() throws {
        let target = "\(paths.work)/copies/\(entries.count)"
        let trajectory = entry("agent", Trajectory.name).flatMap { Trajectory($0, limits: limits) }
        usage = trajectory?.usage
        let made = try Transcript(limits: limits).derive(
            own: entry("agent", Transcript.name), trajectory: trajectory, stdout: entry("command", "stdout.txt"),
            stderr: entry("command", "stderr.txt"), to: target)
        transcript = made?.source
        guard let size = made?.bytes else { return }
        entries.append(Entry(path: [Transcript.name], original: [], copy: target, size: size, kept: size, isDerived: true))
    }

    /// Packs the copies and a `collected.json`, to which `summary` is added.
    mutating func make(summary: [String: JSONValue]) async throws -> Made {
        try await store.create()
        let ids = try await store.blobs(entries.map(\.copy))
        for index in entries.indices { entries[index].id = ids[index] }
        // Trees and headers also take space in the pack; if the pack is still too large, the files are cut further.
        var budget = limits.pack - 4096 - entries.count * 48
        for _ in 0..<8 {
            try await cut(to: budget)
            let (root, objects) = try await write(summary: summary)
            if let bytes = try await store.pack(objects, limit: limits.pack) {
                return Made(
                    bytes: bytes,
                    description: TrialReport.Pack(sha256: SHA256.hex(of: bytes), bytes: bytes.count, tree: root))
            }
            budget = budget * 3 / 4
        }
        throw PackStore.Failure(description: "the outputs could not be cut to \(limits.pack) bytes")
    }

    /// Cuts the largest files, measured as git compresses them, until all files fit the budget.
    private mutating func cut(to budget: Int) async throws {
        var fitting = budget
        for _ in 0..<6 {
            let sizes = try await store.sizes(entries.map(\.id))
            guard let height = Allowance.height(sizes, budget: fitting) else { return }
            var changed: [Int] = []
            for index in entries.indices where sizes[index] > max(height, 64) {
                let length = Self.size(of: entries[index].copy)
                let keep = height < 64 ? 0 : Int(Double(length) * Double(height) / Double(sizes[index]) * 0.95)
                let kept = try PlainCut.apply(to: entries[index].copy, keep: keep, of: entries[index].size, inLines: entries[index].isLines)
                entries[index].kept = min(kept, entries[index].kept)
                if entries[index].kept == entries[index].size { entries[index].kept = max(0, entries[index].size - 1) }
                changed.append(index)
            }
            guard !changed.isEmpty else { return }
            let ids = try await store.blobs(changed.map { entries[$0].copy })
            for (index, id) in zip(changed, ids) { entries[index].id = id }
            // The parts that remain after a cut may compress worse than the whole file did.
            fitting = fitting * 9 / 10
        }
    }

    private static func size(of path: String) -> Int {
        var info = stat()
        return stat(path, &info) == 0 ? Int(info.st_size) : 0
    }

    /// Writes `collected.json` and all trees; returns the id of the root tree and every object of the pack.
    private func write(summary: [String: JSONValue]) async throws -> (root: String, objects: [String]) {
        let list = paths.work + "/collected.json"
        let json = CollectedList(self).json(adding: summary).serialized(pretty: true) + [0x0A]
        do throws(FileError) { try FileWriting.write(json, to: list, mode: 0o600) } catch { throw PackStore.Failure(description: error.description) }
        let root = PackTree()
        let id = try await store.blobs([list])
        root.insert(["collected.json"], id: id[0])
        for entry in entries {
            root.insert(entry.path, id: entry.id)
            // The session's own files are also placed at the root, where readers look first. A trajectory that was cut is not: half a JSON
            // document is unreadable.
            switch entry.path {
            case ["logs", "agent", Transcript.name] where transcript == .agent: root.insert([Transcript.name], id: entry.id)
            case ["logs", "agent", Trajectory.name] where entry.kept == entry.size: root.insert([Trajectory.name], id: entry.id)
            default: break
            }
        }
        let trees = try await root.write(to: store)
        return (trees[trees.count - 1], Set(entries.map(\.id) + id + trees).sorted())
    }
}
