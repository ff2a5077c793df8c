import Base
import Glibc

/// `.assay/` in the working directory: the state of runs on the laptop, so that a repeated run continues.
///
/// Only one process at a time can hold it; a second one is refused, with the pid of the first.
struct StateDirectory: Sendable {
    let path: String

    /// The embedded API server's objects.
    var apiServer: String { "\(path)/apiserver" }
    /// podman's storage, volumes and logs.
    var node: String { "\(path)/node" }
    /// Mirrors of benchmark repositories, and the cache service that trials read their tasks from.
    var cache: String { "\(path)/cache" }
    /// Logs and contexts of image builds.
    var builds: String { "\(path)/builds" }
    /// Runs that are not pushed to the artifact remote yet, and the ledger's private repositories.
    var artifacts: String { "\(path)/artifacts" }
    /// Results of `backend: local`.
    var results: String { "\(path)/results" }

    /// Commits of folders that are in no repository, or have changes that are not committed.
    var snapshots: String { "\(path)/snapshots" }
    /// Which directories of outputs belong to which jobs of Rollout.
    var outputs: String { "\(path)/outputs" }

    init(workingDirectory: String) { path = "\(workingDirectory)/.assay" }

    /// Creates the directory, readable only by its owner: it holds Secrets.
    func create() throws {
        for directory in [path, apiServer, node, cache, builds, artifacts, results] {
            try Directory.make(directory, mode: 0o700)
        }
        // Where the working directory is a git repository, the state is no change of it.
        let ignored = "\(path)/.gitignore"
        if !FileEntry.exists(ignored) { try FileWriting.replace(ignored, with: Array("*\n".utf8), durable: false) }
    }

    /// Takes the lock until the process ends. Throws when another process holds it.
    func acquireLock() throws -> StateLock {
        let fd = open("\(path)/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard fd >= 0 else { throw UsageError("cannot open \(path)/lock: \(String(cString: strerror(errno)))") }
        guard flock(fd, LOCK_EX | LOCK_NB) == 0 else {
            let written = (try? FileReading.upTo(32, from: fd, "\(path)/lock")) ?? []
            close(fd)
            let pid = String(decoding: written, as: UTF8.self).split(separator: "\n").first.map(String.init) ?? "unknown"
            throw UsageError(
                "another assay (pid \(pid)) is running in this directory; wait for it, stop it, or run in another directory")
        }
        ftruncate(fd, 0)
        try FileWriting.write("\(getpid())\n".utf8, to: fd, path: "\(path)/lock")
        return StateLock(fd: fd)
    }
}

/// Holds the lock while the value exists; the kernel releases it when the process dies.
final class StateLock: Sendable {
    private let fd: Int32
    init(fd: Int32) { self.fd = fd }
    deinit { close(fd) }
}
