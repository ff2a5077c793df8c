import Base
import EvalModel
import Git

/// Fetches the commit of a task from its origin, with as little data as the remote allows.
struct TaskFetcher: Sendable {
    let delivery: TrialProgram.Delivery
    let task: TaskAtCommit
    let paths: TrialPaths
    let scratch: String
    let git: GitClient
    let time: any TimeSource

    /// Retries a temporary failure twice, because a short wait costs less than a failed pod.
    func tree() async throws -> GitTree {
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

    private func tryOnce() async throws -> GitTree {
        // The credentials belong to the source's host, so they are not sent to another host that a dataset may name.
        let credentials: GitCredentials =
            task.url.sharesOrigin(with: delivery.source.repo, allowing: TaskAtCommit.policy(delivery))
            ? try .mounted(at: paths.credentials, for: task.url, directory: "\(scratch)/credentials") : .none
        let remote = GitClient.Remote(task.url, credentials: credentials)
        if delivery.source.local, !FileEntry.isDirectory(task.url.path) {
            throw GitError(.notARepository, "\(task.url) is a path of another machine, and no cache service is configured")
        }
        let repository = "\(scratch)/fetch.git"
        Directory.removeTree(repository)
        try await git.initialise(repository)
        try await git.fetchMinimal(task.commit, from: remote, into: repository, paths: [task.path])
        return try await GitTree.load(task.commit, in: repository, git: git, remote: remote)
    }
}
