import Base
import CShims
import Dispatch
import Glibc

/// The collector's ends of the two FIFOs. Both are opened once, before the runner can continue, so files that the agent later puts at these
/// paths have no effect.
final class Gate: Sendable {
    enum Reading: Sendable, Hashable {
        case words([UInt8])
        /// There is nothing to read; the runner may or may not have opened its end.
        case nothing
        /// The runner opened its end, and all writing ends are closed now.
        case closed
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// What the collector tells a runner.
    enum Answer: String, Sendable {
        /// To the trial, in separate mode: the verifier's container has started.
        case begin
        /// The tests are in place.
        case go
        /// There is nothing more to do.
        case no
        /// The step is over, and the files of a further one are in place.
        case next
        /// The step was the last one.
        case stop
    }

    private let phase: Int32
    private let released: Int32
    /// A pipe: writing to it ends a wait early.
    private let wake: (read: Int32, write: Int32)
    private let queue = DispatchQueue(label: "gate")

    /// The trial's gate.
    ///
    /// - Throws: `Failure`.
    convenience init(paths: TrialPaths) throws(Failure) { try self.init(said: paths.phaseFIFO, heard: paths.releasedFIFO) }

    /// - Parameters:
    ///   - said: the path of the FIFO on which the runner speaks.
    ///   - heard: the path of the FIFO on which it is answered.
    /// - Throws: `Failure` when a path is not a FIFO, which means that the init container failed to make it.
    init(said: String, heard: String) throws(Failure) {
        // Opened for reading and writing, so that opening does not wait for the runner and writing never fails for lack of a reader.
        released = try Self.open(heard, O_RDWR)
        do throws(Failure) {
            phase = try Self.open(said, O_RDONLY)
        } catch {
            close(released)
            throw error
        }
        var ends: [Int32] = [-1, -1]
        guard assay_pipe(&ends) == 0 else {
            let reason = String(cString: strerror(errno))
            close(phase)
            close(released)
            throw Failure(description: "cannot make a pipe: \(reason)")
        }
        wake = (ends[0], ends[1])
    }

    deinit {
        close(phase)
        close(released)
        close(wake.read)
        close(wake.write)
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

    /// Reads what is available now; never waits.
    func read() -> Reading {
        var watched = pollfd(fd: phase, events: Int16(POLLIN), revents: 0)
        guard poll(&watched, 1, 0) > 0 else { return .nothing }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(phase, &buffer, buffer.count)
        if count > 0 { return .words(Array(buffer[0..<count])) }
        // An end of file counts only when there was a writer before; Linux sets POLLHUP only in that case.
        if count == 0, watched.revents & Int16(POLLHUP) != 0 { return .closed }
        return .nothing
    }

    /// Waits, without using the processor, until `read` can return something, the seconds have passed, or the task is cancelled.
    ///
    /// - Parameter endsWhenCancelled: when false, cancelling the task does not end the wait.
    ///
    /// Guarantees: a word from the runner ends the wait at once. Caveat: the wait blocks a thread of its own queue, because Dispatch cannot
    /// distinguish a FIFO that nobody has opened yet from one that is closed.
    func wait(seconds: Double, endsWhenCancelled: Bool = true) async {
        let milliseconds = Int32(min(max(seconds, 0) * 1000, 3_600_000).rounded(.up))
        await withTaskCancellationHandler {
            await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
                queue.async { [phase, wake] in
                    var watched = [
                        pollfd(fd: phase, events: Int16(POLLIN), revents: 0), pollfd(fd: wake.read, events: Int16(POLLIN), revents: 0),
                    ]
                    _ = poll(&watched, endsWhenCancelled ? 2 : 1, milliseconds)
                    done.resume()
                }
            }
        } onCancel: {
            if endsWhenCancelled { _ = assay_write_nosigpipe(wake.write, [1], 1) }
        }
    }

    /// Answers the runner.
    func answer(_ answer: Answer) {
        let word = Array("\(answer.rawValue)\n".utf8)
        _ = assay_write_nosigpipe(released, word, word.count)
    }
}
