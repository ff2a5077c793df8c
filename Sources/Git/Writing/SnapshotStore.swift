import Base
import Glibc

/// Commits of folders as they are on the disk, for folders that are in no repository or have changes that are not committed.
///
/// One bare repository for each folder. The same content gives the same commit id, so that an unchanged folder counts as unchanged.
public struct SnapshotStore: Sendable {
    public let directory: String
    private let git: GitClient

    public struct Snapshot: Sendable, Hashable {
        public let repository: String
        public let commit: GitObjectID

        public init(repository: String, commit: GitObjectID) {
            self.repository = repository
            self.commit = commit
        }
    }

    /// - Parameter directory: where the repositories are kept.
    public init(directory: String, git: GitClient = GitClient()) {
        self.directory = directory
        self.git = git
    }

    /// Where the snapshots of a folder are, whether or not there is one.
    public func repository(of folder: String) -> String { "\(directory)/\(SHA256.hex(of: Array(folder.utf8)).prefix(16)).git" }

    /// - Parameters:
    ///   - folder: an absolute path.
    ///   - files: the files to commit, relative to the folder; those that are gone are left out. nil: everything in `paths`.
    ///   - paths: what of the folder to commit, relative to it, when `files` is nil; what is not there is left out. Empty: everything in the
    ///     folder, except the directory in it that this store is in.
    ///   - except: with `paths` empty, names in the folder itself that are left out.
    public func snapshot(
        of folder: String, files: [String]? = nil, paths: [String] = [], except: Set<String> = []
    ) async throws(GitError) -> Snapshot {
        let repository = repository(of: folder)
        do throws(FileError) { try Directory.make(directory, mode: 0o700) } catch { throw GitError(.storage, "cannot keep a snapshot: \(error)") }
        let lock = try await FileLock.acquire("\(repository).lock", deadline: 300)
        defer { lock.release() }
        if !FileEntry.isDirectory("\(repository)/objects") {
            try await git.run(
                .init(arguments: ["init", "--quiet", "--bare", "--end-of-options", repository], doing: "make the repository", place: repository))
        }
        do throws(FileError) {
            try Directory.make("\(repository)/info")
            // Bytes stay as they are, whatever the folder's own .gitattributes ask for.
            try FileWriting.replace(
                "\(repository)/info/attributes", with: "* -text -ident -filter -working-tree-encoding\n".utf8, durable: false)
        } catch {
            throw GitError(.storage, "cannot keep a snapshot: \(error)")
        }
        let doing = "take a snapshot of"
        func run(_ arguments: [String], input: [UInt8]? = nil, environment: [String: String] = [:]) async throws(GitError) -> String {
            // The store may be in the folder: git must not take its own repository for the place that paths are relative to.
            let output = try await git.run(
                .init(
                    arguments: ["--git-dir=\(repository)", "--work-tree=\(folder)", "-C", folder] + arguments, repository: repository,
                    input: input.map { .bytes($0) } ?? .none,
                    configuration: [("core.bare", "false")], environment: environment, doing: doing, place: folder))
            return String(decoding: output, as: UTF8.self).trimmed
        }
        _ = try await run(["read-tree", "--empty"])
        if let files {
            let paths = Array(files.map { $0 + "\0" }.joined().utf8)
            _ = try await run(["update-index", "--add", "--remove", "-z", "--stdin"], input: paths)
        } else if paths.isEmpty {
            let left = ownPlace(in: folder) + except.sorted()
            // `GitClient` takes paths literally otherwise.
            _ = try await run(["--no-literal-pathspecs", "add", "--all", "--force", "--", "."] + left.map { ":(exclude,top,literal)\($0)" })
        } else {
            let present = paths.filter { FileEntry.exists("\(folder)/\($0)") }
            if !present.isEmpty {
                _ = try await run(
                    ["--literal-pathspecs", "add", "--all", "--force", "--pathspec-from-file=-", "--pathspec-file-nul"],
                    input: Array(present.map { $0 + "\0" }.joined().utf8))
            }
        }
        let tree = try await run(["write-tree"])
        let moment = "2000-01-01T00:00:00Z"
        let hex = try await run(
            ["commit-tree", tree, "-m", "Snapshot of \(folder)"],
            environment: [
                "GIT_AUTHOR_NAME": "assay", "GIT_AUTHOR_EMAIL": "assay@localhost", "GIT_AUTHOR_DATE": moment, "GIT_COMMITTER_NAME": "assay",
                "GIT_COMMITTER_EMAIL": "assay@localhost", "GIT_COMMITTER_DATE": moment,
            ])
        guard let commit = GitObjectID(hex) else { throw GitError(.failed, "git named no commit for the snapshot of \(folder)") }
        // Jobs that have begun still read their own snapshot.
        _ = try await run(["update-ref", "refs/snapshots/\(hex)", hex])
        return Snapshot(repository: repository, commit: commit)
    }

    /// Keeps a commit that was made elsewhere, such as in a pod that has the folder.
    ///
    /// - Parameters:
    ///   - pack: the file with the commit, its trees and its files.
    ///   - folder: a name for the folder, as for `repository(of:)`.
    /// - Throws: `.corrupt` when the pack lacks something of the commit.
    public func keep(_ pack: String, commit: GitObjectID, of folder: String) async throws(GitError) -> Snapshot {
        let repository = repository(of: folder)
        do throws(FileError) { try Directory.make(directory, mode: 0o700) } catch { throw GitError(.storage, "cannot keep a snapshot: \(error)") }
        let lock = try await FileLock.acquire("\(repository).lock", deadline: 300)
        defer { lock.release() }
        if !FileEntry.isDirectory("\(repository)/objects") { try await git.initialise(repository) }
        try await git.run(
            .init(arguments: ["index-pack", "--stdin"], repository: repository, input: .file(path: pack), doing: "keep the files of", place: folder))
        guard try await git.missing(of: commit, in: repository).isEmpty else {
            throw GitError(.corrupt, "the pack of \(folder) lacks files of commit \(commit.short)")
        }
        // Its parents are not here.
        do throws(FileError) {
            let known = FileReading.text("\(repository)/shallow") ?? ""
            if !known.contains(commit.hex) {
                try FileWriting.replace("\(repository)/shallow", with: Array((known + commit.hex + "\n").utf8), durable: false)
            }
        } catch {
            throw GitError(.storage, "cannot keep a snapshot: \(error)")
        }
        try await git.run(
            .init(
                arguments: ["update-ref", "refs/snapshots/\(commit.hex)", commit.hex], repository: repository, doing: "keep the files of",
                place: folder))
        utimes("\(repository)/refs", nil)
        return Snapshot(repository: repository, commit: commit)
    }

    /// Removes the repositories that were used least recently, until all together have at most `limit` bytes. For a store whose users can make their
    /// snapshots again.
    ///
    /// - Parameter kept: a repository that stays.
    public func evict(above limit: Int, except kept: String) {
        var all: [(path: String, size: Int, used: Int)] = []
        for name in Directory.names(in: directory) ?? [] where name.hasSuffix(".git") {
            let path = "\(directory)/\(name)"
            var info = stat()
            guard stat("\(path)/refs", &info) == 0 else { continue }
            all.append((path, Directory.usage(of: path, upTo: .max), info.st_mtim.tv_sec))
        }
        var total = all.reduce(0) { $0 + $1.size }
        for repository in all.sorted(by: { $0.used < $1.used }) where total > limit && repository.path != kept {
            Directory.removeTree(repository.path)
            total -= repository.size
        }
    }

    /// The name in the folder under which the store is, if it is in the folder.
    private func ownPlace(in folder: String) -> [String] {
        guard directory.hasPrefix(folder + "/") else { return [] }
        return directory.dropFirst(folder.utf8.count + 1).split(separator: "/").prefix(1).map(String.init)
    }
}
