import Base
import Git

/// Where results are stored.
public enum ResultsPlace: Sendable, Hashable {
    /// A directory of `backend: local`.
    case directory(String)
    /// `remote` is a URL, a path, or the name of a remote of the repository that contains the working directory.
    case branch(remote: String, branch: GitBranch, path: GitPath)
}

/// Opens the reader for a place.
public struct RunQuery: Sendable {
    public let git: GitClient
    /// The directory for local copies of remotes.
    public let cacheDirectory: String
    /// The directory that relative paths are resolved against.
    public let workingDirectory: String
    public let credentials: GitCredentials

    /// - Parameter credentials: the credential for remotes; by default that of the user's own git.
    public init(cacheDirectory: String, workingDirectory: String, git: GitClient = GitClient(), credentials: GitCredentials = .user) {
        self.cacheDirectory = cacheDirectory
        self.workingDirectory = workingDirectory
        self.git = git
        self.credentials = credentials
    }

    /// - Throws: `.notFound` when there is no such repository, branch or directory; `.unreachable` and similar errors for a remote.
    public func open(_ place: ResultsPlace) async throws(ArtifactError) -> any RecordStore {
        switch place {
        case .directory(let directory):
            let path = absolute(directory)
            guard FileEntry.isDirectory(path) else { throw ArtifactError(.notFound, "there is no directory \(path)") }
            return DirectoryReader(directory: path)
        case .branch(let remote, let branch, let path):
            do throws(GitError) {
                return try await open(remote, branch, path)
            } catch {
                throw error.kind == .refNotFound || error.kind == .pathNotFound ? ArtifactError(.notFound, error.message) : ArtifactError(error)
            }
        }
    }

    private func open(_ text: String, _ branch: GitBranch, _ path: GitPath) async throws(GitError) -> BranchReader {
        switch try await address(text) {
        case .here(let local, let repository):
            let tip = try await LocalRepository.tip(of: branch, in: repository, git: git)
            var reader = BranchReader(
                git: git, repository: repository, remote: nil, cache: nil, tip: tip, path: path, place: "\(branch) of \(local)")
            reader.isShallow = try await LocalRepository.isShallow(repository, git: git)
            return reader
        case .elsewhere(let remote):
            return try await copy(of: remote, branch, path)
        }
    }

    /// A reader that uses a local copy of the remote's commits.
    func copy(of remote: GitClient.Remote, _ branch: GitBranch, _ path: GitPath) async throws(GitError) -> BranchReader {
        let cache = HistoryCache(directory: cacheDirectory, git: git)
        let (repository, tip) = try await cache.update(branch, from: remote)
        return BranchReader(
            git: git, repository: repository, remote: remote, cache: cache, tip: tip, path: path, place: "\(branch) of \(remote.url)")
    }

    private enum Address {
        /// A repository on this machine: the path that the user gave, and its git directory.
        case here(String, repository: String)
        case elsewhere(GitClient.Remote)
    }

    private func address(_ text: String) async throws(GitError) -> Address {
        var text = text
        if isName(text), !FileEntry.isDirectory(absolute(text)) {
            guard let address = try await LocalRepository.remoteAddress(named: text, around: workingDirectory, git: git) else {
                throw GitError(
                    .pathNotFound, "there is neither a directory nor a git remote \"\(text)\" here; write a path or the remote's URL")
            }
            text = address
        }
        guard let local = localPath(text) else {
            return .elsewhere(GitClient.Remote(try GitURL(parsing: text, allowing: [.shorthand, .loopbackHTTP]), credentials: credentials))
        }
        guard let repository = LocalRepository.gitDirectory(at: local) else {
            throw GitError(.pathNotFound, "there is no git repository at \(local)")
        }
        return .here(local, repository: repository)
    }

    /// The repository as a remote that can be pushed to, even if it is on this machine.
    func remote(_ text: String) async throws(GitError) -> GitClient.Remote {
        switch try await address(text) {
        case .here(_, let repository): GitClient.Remote(try GitURL(parsing: "file://\(repository)", allowing: .local), credentials: credentials)
        case .elsewhere(let remote): remote
        }
    }

    private func isName(_ text: String) -> Bool {
        !text.isEmpty && !text.hasPrefix("-") && !text.hasPrefix(".")
            && text.unicodeScalars.allSatisfy {
                $0.isASCII && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || "._-".unicodeScalars.contains($0))
            }
    }

    private func localPath(_ text: String) -> String? {
        if text.hasPrefix("file://") { return String(text.dropFirst("file://".count)) }
        guard !text.contains(":") else { return nil }
        if text.hasPrefix("/") || text.hasPrefix(".") || FileEntry.isDirectory(absolute(text)) { return absolute(text) }
        return nil
    }

    private func absolute(_ path: String) -> String {
        path.hasPrefix("/") ? path : "\(workingDirectory)/\(path)"
    }
}
