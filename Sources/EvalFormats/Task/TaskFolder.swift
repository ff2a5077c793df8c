import Base
import Glibc

/// Access to the files of a task: in a directory, in a commit's tree, or in memory.
public protocol TaskFolder: Sendable {
    /// Whether a file or folder exists at the path. The empty path is the task's folder itself.
    func exists(_ path: String) async throws -> Bool
    /// The bytes of a file; nil when there is none.
    func read(_ path: String) async throws -> [UInt8]?
    /// The paths of git submodules in the task's folder, sorted. A directory on disk has none: their files are there.
    func submodules() async throws -> [String]
    /// The id of a folder's git tree, in hex; nil when there is no such folder, and outside of git.
    func treeID(_ path: String) async throws -> String?
}

extension TaskFolder {
    public func treeID(_ path: String) async throws -> String? { nil }

    public func submodules() async throws -> [String] { [] }
}

/// The files of a task that were already listed and read, for example with `git ls-tree` and `git cat-file`.
public struct ListedTaskFolder: TaskFolder {
    /// Every path, folders without a trailing slash.
    public var paths: Set<String>
    public var files: [String: [UInt8]]

    /// - Parameters:
    ///   - paths: relative to the task's folder. Parent folders are added.
    ///   - files: the contents that will be read (`task.toml`). Their paths are added too.
    public init(paths: some Sequence<String>, files: [String: [UInt8]]) {
        var all = Set(files.keys)
        all.formUnion(paths)
        for path in all {
            var rest = path[...]
            while let slash = rest.lastIndex(of: "/") {
                rest = rest[..<slash]
                if !all.insert(String(rest)).inserted { break }
            }
        }
        if !all.isEmpty { all.insert("") }
        self.paths = all
        self.files = files
    }

    public func exists(_ path: String) -> Bool { paths.contains(path) }

    public func read(_ path: String) -> [UInt8]? { files[path] }
}

/// A task's files in a directory.
public struct DirectoryTaskFolder: TaskFolder {
    /// The largest file that is read.
    public static let maximumBytes = 1 << 20

    private let root: String
    private let boundary: String

    /// - Parameters:
    ///   - root: the task's folder.
    ///   - boundary: symbolic links that lead out of this folder are not followed; `root` when omitted. With the repository
    ///     as boundary, tasks may share files with links.
    public init(_ root: String, boundary: String? = nil) {
        self.root = root
        self.boundary = boundary ?? root
    }

    public func exists(_ path: String) -> Bool { resolved(path) != nil }

    /// - Throws: `FileError` when the file cannot be read, `TaskFolderError` when it is too large.
    public func read(_ path: String) throws -> [UInt8]? {
        guard let place = resolved(path) else { return nil }
        var info = stat()
        guard stat(place, &info) == 0 else { throw FileError("read", place) }
        guard info.st_mode & S_IFMT == S_IFREG else { return nil }
        guard info.st_size <= Self.maximumBytes else { throw TaskFolderError(path: path, size: Int(info.st_size)) }
        return try FileReading.bytes(place, limit: Self.maximumBytes)
    }

    /// The real path, with links followed; nil when it does not exist or is outside the boundary.
    private func resolved(_ path: String) -> String? {
        guard let limit = realPath(boundary), let place = realPath(path.isEmpty ? root : "\(root)/\(path)") else { return nil }
        return place == limit || place.hasPrefix(limit == "/" ? limit : limit + "/") ? place : nil
    }

    private func realPath(_ path: String) -> String? {
        guard let pointer = realpath(path, nil) else { return nil }
        defer { free(pointer) }
        return String(cString: pointer)
    }
}

/// A file of a task is too large to read.
public struct TaskFolderError: Error, Sendable, Hashable, CustomStringConvertible {
    public var path: String
    public var size: Int

    public var description: String {
        "\(path) has \(size) bytes, more than \(DirectoryTaskFolder.maximumBytes)"
    }
}
