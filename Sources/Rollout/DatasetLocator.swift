import Base
import EvalFormats
import EvalModel
import Git
import HTTPTransport
import SourceSync

/// Where the tasks of one dataset of a job file are.
public enum LocatedDataset: Sendable, Hashable {
    case folder(DatasetPlace)
    /// A list of tasks, each with its own repository.
    case tasks(name: String, tasks: [TaskReference])
}

/// A folder of tasks on this machine, as a folder of a repository at a commit.
public struct DatasetPlace: Sendable, Hashable {
    public var name: String
    /// A `file://` address.
    public var repo: String
    public var commit: String
    /// Relative to the repository's root; empty for the root.
    public var path: String
    /// The folder on this machine.
    public var folder: String
    /// The names of the folders in it that are tasks, in the order of a dataset.
    public var tasks: [String]
    /// Whether the commit was made from the folder, because the folder is in no repository or has changes that are not committed.
    public var isSnapshot: Bool
    /// The commit that is checked out in the folder's own repository; nil when there is none.
    public var head: String?
    /// The address of the folder's remote `origin`, if it has one.
    public var origin: String?

    public init(
        name: String, repo: String, commit: String, path: String, folder: String, tasks: [String], isSnapshot: Bool = false,
        head: String? = nil, origin: String? = nil
    ) {
        self.name = name
        self.repo = repo
        self.commit = commit
        self.path = path
        self.folder = folder
        self.tasks = tasks
        self.isSnapshot = isSnapshot
        self.head = head
        self.origin = origin
    }
}

/// A dataset that cannot be found or used.
public struct DatasetError: Error, Sendable, Hashable, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// Finds the datasets of a job file, and what they were at this moment.
public struct DatasetLocator: Sendable {
    /// Relative paths in the job file are relative to this directory.
    public let directory: String
    public let snapshots: SnapshotStore
    private let transport: HTTPTransport

    public init(directory: String, snapshots: SnapshotStore, transport: HTTPTransport = .shared) {
        self.directory = directory
        self.snapshots = snapshots
        self.transport = transport
    }

    /// - Throws: `DatasetError` that names the entry, `GitError`.
    public func locate(_ entries: [JobFile.DatasetEntry]) async throws -> [LocatedDataset] {
        var found: [LocatedDataset] = []
        for (position, entry) in entries.enumerated() {
            let field = "datasets[\(position)]"
            switch entry {
            case .folder(let path):
                found.append(.folder(try await place(of: path, field: "\(field).path")))
            case .registry(.path(let path), let name, let version):
                found.append(try await tasks(inFile: path, name: name, version: version, field: "\(field).registry.path"))
            case .registry(.url(let url), let name, let version):
                let bytes = try await download(url, field: "\(field).registry.url")
                let chosen = try Self.entry(bytes, from: url, name: name, version: version, field: "\(field).registry")
                found.append(try Self.tasks(of: chosen, from: url, own: nil, field: "\(field).registry"))
            }
        }
        return found
    }

    /// A folder of tasks as a folder of a commit.
    public func place(of path: String, field: String) async throws -> DatasetPlace {
        let folder = Path.absolute(path, in: directory)
        guard FileEntry.isDirectory(folder) else { throw DatasetError("\(field): there is no directory \(folder)") }
        let name = folder.split(separator: "/").last.map(String.init) ?? "dataset"
        let tasks = (Directory.names(in: folder) ?? []).filter { FileEntry.exists("\(folder)/\($0)/task.toml", followingLinks: true) }
            .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        // Only the tasks count: what else is in the folder, such as the outputs of an earlier run, is no change of them.
        return try await place(of: folder, name: name, tasks: tasks, paths: tasks)
    }

    private func place(of folder: String, name: String, tasks: [String], paths: [String]) async throws -> DatasetPlace {
        let tree = try await WorkingTree.containing(folder)
        let origin = try await tree?.address(ofRemote: "origin")
        if let tree, let head = tree.head, try await tree.isCommitted(paths: paths) {
            return DatasetPlace(
                name: name, repo: "file://" + tree.root, commit: head.hex, path: tree.path, folder: folder, tasks: tasks, head: head.hex,
                origin: origin)
        }
        let snapshot = try await snapshots.snapshot(of: folder, files: try await tree?.files(paths: paths), paths: paths)
        return DatasetPlace(
            name: name, repo: "file://" + snapshot.repository, commit: snapshot.commit.hex, path: "", folder: folder, tasks: tasks, isSnapshot: true,
            head: tree?.head?.hex, origin: origin)
    }

    // MARK: Registries

    private func tasks(inFile path: String, name: String, version: String?, field: String) async throws -> LocatedDataset {
        let file = Path.absolute(path, in: directory)
        let bytes: [UInt8]
        do throws(FileError) { bytes = try FileReading.bytes(file, limit: RegistryDownload.limit) } catch { throw DatasetError("\(field): \(error)") }
        let entry = try Self.entry(bytes, from: file, name: name, version: version, field: field)
        // A task without an address lies in the registry's own repository, or beside the registry when that is in none.
        let paths = entry.tasks.filter { $0.repo == nil }.map(\.path)
        guard !paths.isEmpty else { return try Self.tasks(of: entry, from: file, own: nil, field: field) }
        let folder = Path.parent(of: file)
        let root = try await WorkingTree.containing(folder)?.root ?? folder
        let own = try await place(of: root, name: entry.name, tasks: [], paths: paths.contains("") ? [] : paths)
        return try Self.tasks(of: entry, from: file, own: own, field: field)
    }

    private static func entry(
        _ bytes: [UInt8], from file: String, name: String, version: String?, field: String
    ) throws(DatasetError) -> RegistryEntry {
        do { return try RegistryFile.parse(bytes, file: file).select(name: name, version: version) } catch {
            throw DatasetError("\(field): \(error)")
        }
    }

    /// - Parameter own: the registry's own repository; nil for one that was downloaded.
    private static func tasks(of entry: RegistryEntry, from file: String, own: DatasetPlace?, field: String) throws(DatasetError) -> LocatedDataset {
        var tasks: [TaskReference] = []
        for task in entry.tasks {
            var task = task
            if task.repo == nil {
                guard let own else {
                    throw DatasetError(
                        "\(field): task \"\(task.name)\" of dataset \"\(entry.name)\" has no git_url, so it is in the registry's own repository, which "
                            + "\(file) does not name")
                }
                (task.repo, task.ref) = (own.repo, own.commit)
            }
            tasks.append(task)
        }
        guard !tasks.isEmpty else { throw DatasetError("\(field): dataset \"\(entry.name)\" has no tasks") }
        return .tasks(name: entry.name, tasks: tasks)
    }

    private func download(_ url: String, field: String) async throws -> [UInt8] {
        do { return try await RegistryDownload(transport: transport, addresses: .all).bytes(url) } catch { throw DatasetError("\(field): \(error)") }
    }
}
