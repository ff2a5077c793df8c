import Base
import Glibc

/// Mirrors that do not have the whole repository.
extension MirrorStore {
    /// Gets a commit into a mirror that is not full. Call only while holding the mirror's lock.
    ///
    /// - Throws: `.refNotFound` when the remote does not have the commit; `.corrupt` when objects of it are missing afterwards.
    func fetchPart(_ commit: GitObjectID, _ remote: GitClient.Remote, _ path: String) async throws(GitError) {
        if !FileEntry.isDirectory(path) { try await replace(remote, path) }
        removeStaleLocks(path)
        switch remote.extent {
        case .full: return
        case .linked: try await link(remote.url, path)
        case .shallow, .sparse:
            let place = try await budget?.enter(remote.url)
            defer { place?.release() }
            let paths: [GitPath]? = if case .sparse(let parts) = remote.extent { parts } else { nil }
            try await counted(.fetch) { () throws(GitError) in
                try await git.fetchMinimal(commit, from: remote, into: path, paths: paths)
            }
            noteAdmitted(remote, path)
        }
        guard try await git.contains(commit, in: path) else {
            throw GitError(.refNotFound, "\(remote.url) has no commit \(commit.short)")
        }
        guard try await hasPart(commit, remote, path) else {
            throw GitError(.corrupt, "\(remote.url) does not have all files of commit \(commit.short)")
        }
    }

    /// Whether the mirror has every object that its extent says it has.
    private func hasPart(_ commit: GitObjectID, _ remote: GitClient.Remote, _ path: String) async throws(GitError) -> Bool {
        let missing = try await git.missing(of: commit, in: path)
        guard !missing.isEmpty else { return true }
        guard case .sparse = remote.extent else { return false }
        return try await !git.listTree(commit, recursive: true, in: path).contains { entry in
            missing.contains(entry.id) && (entry.kind == .link || entry.isBlob && remote.extent.has(file: entry.path))
        }
    }

    /// Makes the mirror read the objects of a repository on this machine.
    private func link(_ url: GitURL, _ path: String) async throws(GitError) {
        guard url.isLocal, let tree = try await WorkingTree.containing(url.path) else {
            throw GitError(.notARepository, "\(url) is no git repository on this machine")
        }
        let objects = try await tree.objects()
        do throws(FileError) {
            try Directory.make("\(path)/objects/info")
            try FileWriting.replace("\(path)/objects/info/alternates", with: Array("\(objects)\n".utf8), durable: false)
        } catch {
            throw GitError(.storage, "cannot link the mirror to \(objects): \(error)")
        }
    }
}
