import Base
import EvalModel
import Git
import Glibc

/// Gets the commit of a task: from the node's cache if the cache has it, otherwise by a minimal fetch.
struct TaskFetcher: Sendable {
    let delivery: TrialProgram.Delivery
    let task: TaskAtCommit
    let paths: TrialPaths
    let scratch: String
    let git: GitClient
    let time: any TimeSource

    /// Retries a temporary failure twice, because a short wait costs less than a failed pod.
    func tree() async throws -> (tree: GitTree, origin: String) {
        let backoff = BackoffPolicy(initialSeconds: 1, factor: 3, capSeconds: 3)
        for attempt in 1...2 {
            do {
                return try await tryOnce()
            } catch let error as GitError where error.kind == .unreachable || error.kind == .timeout {
                let delay = backoff.seconds(afterFailures: attempt)
                Log(ContainerRole.delivery.containerName).warning("\(error.message); trying again in \(Int(delay)) s")
                try await time.sleep(seconds: delay)
            }
        }
        return try await tryOnce()
    }

    private func tryOnce() async throws -> (tree: GitTree, origin: String) {
        // The credentials belong to the source's host, so they are not sent to another host that a dataset may name.
        let credentials: GitCredentials =
            task.url.sharesOrigin(with: delivery.source.repo, allowing: TaskAtCommit.policy(delivery))
            ? try .mounted(at: paths.credentials, for: task.url, directory: "\(scratch)/credentials") : .none
        let remote = GitClient.Remote(task.url, credentials: credentials)
        if let cache = FileEntry.isDirectory(paths.cache) ? paths.cache : nil {
            let mirrors = MirrorStore(directory: cache, git: git)
            if let tree = try await cached(mirrors, remote) { return (tree, "cache") }
            if delivery.source.local {
                throw GitError(
                    .refNotFound, "the cache of this machine has no commit \(task.commit.short) of \(task.url); run the job again to fill it")
            }
        } else if delivery.source.local, !FileEntry.isDirectory(task.url.path) {
            throw GitError(.notARepository, "\(task.url) is a path of another machine, and no cache is mounted here")
        }
        let repository = "\(scratch)/fetch.git"
        Directory.removeTree(repository)
        try await git.initialise(repository)
        try await git.fetchMinimal(task.commit, from: remote, into: repository, paths: [task.path])
        return (try await GitTree.load(task.commit, in: repository, git: git, remote: remote), "fetch")
    }

    /// The tree from the cache, which is first filled if it lacks the commit and is writable; nil when the cache cannot provide the tree.
    private func cached(_ mirrors: MirrorStore, _ remote: GitClient.Remote) async throws(GitError) -> GitTree? {
        if let path = try await mirrors.existing(remote, having: task.commit) {
            do {
                return try await GitTree.load(task.commit, in: path, git: git)
            } catch  where error.kind == .corrupt {
                guard !delivery.source.local, access(mirrors.directory, W_OK) == 0 else { return nil }
                try await mirrors.rebuild(remote)
            }
        }
        guard !delivery.source.local, access(mirrors.directory, W_OK) == 0 else { return nil }
        do {
            return try await GitTree.load(task.commit, in: try await mirrors.ensure(task.commit, from: remote), git: git)
        } catch  where error.kind == .storage || error.kind == .corrupt {
            return nil
        }
    }
}
