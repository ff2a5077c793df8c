import Base
import EvalModel
import Git
import Glibc

/// The folder of one run or job, before anything in it has been read.
public struct RunFolder: Sendable, Hashable {
    public let id: RunID
    /// A value that changes when anything in the folder changes.
    public let version: String
    /// The id of the folder's tree, if the results are on a branch.
    let tree: GitObjectID?

    init(id: RunID, version: String, tree: GitObjectID?) {
        self.id = id
        self.version = version
        self.tree = tree
    }
}

/// A file of a run that can be read.
public struct RunFile: Sendable, Hashable {
    /// The path below the run's folder, as plain text. It may not be a valid path on this machine.
    public let path: String
    /// Bytes; nil if the size cannot be found without fetching the file.
    public let size: Int?
    let source: Source

    enum Source: Sendable, Hashable { case object(GitObjectID), file(String) }
}

// MARK: On a branch

extension BranchReader {
    /// The folder of every run and job, sorted by id. Reads no commit and no file.
    public func folders() async throws(ArtifactError) -> [RunFolder] {
        do throws(GitError) {
            if let cache, let remote { await cache.prefetchFolders(of: tip, levels: path.components.count + 2, from: remote, in: repository) }
            let top = try await git.listTree(tip, at: path, in: repository, remote: remote)
            let shards = top.filter { $0.kind == .directory && $0.path.utf8.count == 2 }
            if let remote { try await git.fetchAbsent(shards.map(\.id), into: repository, from: remote) }
            var folders: [RunFolder] = []
            for (shard, entries) in zip(shards, try await git.readTrees(shards.map(\.id), in: repository, remote: remote)) {
                for entry in entries where entry.kind == .directory {
                    guard let id = RunID(shard.path + entry.path) else { continue }
                    folders.append(RunFolder(id: id, version: entry.id.hex, tree: entry.id))
                }
            }
            return folders
        } catch {
            if error.kind == .pathNotFound { throw ArtifactError(.notFound, "\(place): \(error.message)") }
            throw ArtifactError(error)
        }
    }

    /// The files of each folder, sorted by path. Missing files are fetched from the remote in one request, because the caller is about to
    /// read them, and only local files have a known size.
    public func files(of folders: [RunFolder]) async throws(ArtifactError) -> [[RunFile]] {
        do throws(GitError) {
            let trees = folders.compactMap(\.tree)
            guard trees.count == folders.count else { throw GitError(.failed, "a folder of another place was asked for in \(place)") }
            if let remote { try await git.fetchAbsent(trees, into: repository, from: remote) }
            let lists = try await git.readFiles(below: trees, in: repository, remote: remote)
            if let remote { try await git.fetchAbsent(lists.flatMap { $0.map(\.id) }, into: repository, from: remote) }
            let sizes = try await git.sizes(of: lists.flatMap { $0.map(\.id) }, in: repository, isPartial: remote != nil)
            var next = sizes.makeIterator()
            return lists.map { $0.map { RunFile(path: $0.path, size: next.next() ?? nil, source: .object($0.id)) } }
        } catch {
            throw ArtifactError(error)
        }
    }

    /// The first bytes of each file, at most `limit` bytes, in the order of the files.
    public func beginnings(of files: [RunFile], limit: Int) async throws(ArtifactError) -> [[UInt8]] {
        do throws(GitError) {
            let ids = try files.map { file throws(GitError) in
                guard case .object(let id) = file.source else { throw GitError(.failed, "a file of another place was asked for in \(place)") }
                return id
            }
            let read = Locked([[UInt8]](repeating: [], count: ids.count))
            try await git.readObjects(ids, in: repository, remote: remote) { (index, piece, _) throws(GitError) in
                read.withLock { read in
                    let room = limit - read[index].count
                    if room > 0 { read[index] += piece.prefix(room) }
                }
            }
            return read.withLock { $0 }
        } catch {
            throw ArtifactError(error)
        }
    }
}

// MARK: In a directory

extension DirectoryReader {
    public func folders() async throws(ArtifactError) -> [RunFolder] {
        var folders: [RunFolder] = []
        for shard in Directory.names(in: directory) ?? [] where shard.utf8.count == 2 {
            for rest in Directory.names(in: "\(directory)/\(shard)") ?? [] {
                guard let id = RunID(shard + rest), FileEntry.isDirectory("\(directory)/\(id.path)") else { continue }
                var hash = SHA256()
                for file in Self.walk("\(directory)/\(id.path)", "") { hash.update("\(file.path)\0\(file.size)\0\(file.changed)\n".utf8) }
                folders.append(RunFolder(id: id, version: hash.hexDigest(), tree: nil))
            }
        }
        return folders
    }

    public func files(of folders: [RunFolder]) async throws(ArtifactError) -> [[RunFile]] {
        folders.map { folder in
            Self.walk("\(directory)/\(folder.id.path)", "").map {
                RunFile(path: $0.path, size: $0.size, source: .file("\(folder.id.path)/\($0.path)"))
            }
        }
    }

    public func beginnings(of files: [RunFile], limit: Int) async throws(ArtifactError) -> [[UInt8]] {
        var read: [[UInt8]] = []
        for file in files {
            guard case .file(let path) = file.source else { throw ArtifactError(.failed, "a file of another place was asked for in \(place)") }
            guard let bytes = FileReading.beginning(of: "\(directory)/\(path)", limit: limit) else {
                throw ArtifactError(.storage, "cannot read \(directory)/\(path)")
            }
            read.append(bytes)
        }
        return read
    }

    /// Regular files, sorted by path. Links are neither followed nor listed.
    private static func walk(_ folder: String, _ prefix: String) -> [(path: String, size: Int, changed: String)] {
        var found: [(path: String, size: Int, changed: String)] = []
        for name in Directory.names(in: "\(folder)/\(prefix)") ?? [] {
            var info = stat()
            guard lstat("\(folder)/\(prefix)\(name)", &info) == 0 else { continue }
            if info.st_mode & S_IFMT == S_IFDIR { found += walk(folder, "\(prefix)\(name)/") }
            if info.st_mode & S_IFMT == S_IFREG {
                found.append(("\(prefix)\(name)", Int(info.st_size), "\(info.st_mtim.tv_sec).\(info.st_mtim.tv_nsec)"))
            }
        }
        return prefix.isEmpty ? found.sorted { $0.path < $1.path } : found
    }
}
