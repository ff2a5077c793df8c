import Base
import CShims
import Glibc

/// The collector's ends of the two FIFOs, both opened before the runner can go on, and never again: whatever the agent
/// puts at their paths later is not looked at.
final class Gate: Sendable {
    enum Reading: Sendable, Hashable {
        case words([UInt8])
        /// Nothing to read; the runner may or may not have opened its end.
        case nothing
        /// The runner opened its end, and every such end is closed.
        case closed
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// The answers to the runner.
    static let go = "go"
    static let no = "no"

    private let phase: Int32
    private let released: Int32

    /// - Throws: `Failure` when a path is no FIFO: then the init container did not do its work.
    init(paths: TrialPaths) throws(Failure) {
        // Read-write, so that opening does not wait for the runner, and writing never fails for lack of a reader.
        released = try Self.open(paths.releasedFIFO, O_RDWR)
        do throws(Failure) {
            phase = try Self.open(paths.phaseFIFO, O_RDONLY)
        } catch {
            close(released)
            throw error
        }
    }

    deinit {
        close(phase)
        close(released)
    }

    private static func open(_ path: String, _ mode: Int32) throws(Failure) -> Int32 {
        let fd = Glibc.open(path, mode | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC)
        guard fd >= 0 else { throw Failure(description: "cannot open \(path): \(String(cString: strerror(errno)))") }
        var info = stat()
        guard fstat(fd, &info) == 0, info.st_mode & S_IFMT == S_IFIFO else {
            close(fd)
            throw Failure(description: "\(path) is no FIFO")
        }
        return fd
    }

    /// What there is to read now; never waits.
    func read() -> Reading {
        var watched = pollfd(fd: phase, events: Int16(POLLIN), revents: 0)
        guard poll(&watched, 1, 0) > 0 else { return .nothing }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(phase, &buffer, buffer.count)
        if count > 0 { return .words(Array(buffer[0..<count])) }
        // End of file is only an end when there was a writer: Linux says HUP then and not before.
        if count == 0, watched.revents & Int16(POLLHUP) != 0 { return .closed }
        return .nothing
    }

    /// Tells the runner that the tests are there, or that they will not come.
    func release(_ go: Bool) {
        let word = Array("\(go ? Self.go : Self.no)\n".utf8)
        _ = assay_write_nosigpipe(released, word, word.count)
    }
}
