import Base
import Glibc

/// An advisory lock on a file or a folder (`flock`), between processes and between tasks of this process. The kernel releases it when
/// the process dies.
public final class FileLock: Sendable {
    private let fd: Locked<Int32>

    private init(_ fd: Int32) { self.fd = Locked(fd) }
    deinit { release() }

    /// Waits for the lock without blocking a thread. If the file does not exist it is created; it is never deleted.
    ///
    /// - Parameters:
    ///   - deadline: seconds to wait; 0 tries once.
    ///   - shared: the lock may be held together with other shared locks, but not with an exclusive one.
    /// - Throws: `.timeout` when another holder keeps it for longer, `.storage` when the file cannot be opened.
    public static func acquire(_ path: String, deadline: Double, shared: Bool = false) async throws(GitError) -> FileLock {
        var fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        if fd < 0, errno == EISDIR { fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard fd >= 0 else { throw GitError(.storage, "cannot open the lock \(path): \(String(cString: strerror(errno)))") }
        let lock = FileLock(fd)
        let time = SystemTime()
        let end = time.monotonic() + deadline
        while flock(fd, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK || errno == EINTR else {
                throw GitError(.storage, "cannot lock \(path): \(String(cString: strerror(errno)))")
            }
            guard time.monotonic() < end else {
                throw GitError(.timeout, "another process has held \(path) for more than \(Int(deadline)) s")
            }
            do {
                try await time.sleep(seconds: Double.random(in: 0.01...0.05))
            } catch {
                throw GitError(.cancelled, "cancelled while waiting for \(path)")
            }
        }
        return lock
    }

    public func release() {
        fd.withLock { fd in
            // Unlocked explicitly, because a child that is being started may have a copy of the descriptor until it runs its program.
            if fd >= 0 {
                flock(fd, LOCK_UN)
                close(fd)
            }
            fd = -1
        }
    }
}
