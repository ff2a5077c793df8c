import Base
import Glibc

/// A signal that a thread can wait for together with a socket: a pipe that becomes readable when `signal` is called.
public final class Wakeup: Sendable {
    /// Readable while a signal is pending; for poll and epoll.
    public let readEnd: Int32
    private let writeEnd: Int32

    /// - Throws: the errno of `pipe`, when the process has no free descriptors.
    public init() throws(POSIXFailure) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw POSIXFailure(errno) }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        readEnd = ends[0]
        writeEnd = ends[1]
    }

    deinit {
        close(readEnd)
        close(writeEnd)
    }

    /// May be called from any thread, any number of times. When the pipe is full, a signal is already pending.
    public func signal() {
        var byte: UInt8 = 1
        _ = write(writeEnd, &byte, 1)
    }

    /// Blocks until a signal. Returns false when the deadline (monotonic seconds) passes first.
    public func wait(until deadline: Double) -> Bool {
        var set = pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0)
        while true {
            let left = deadline - SystemTime().monotonic()
            guard left > 0 else { return false }
            if poll(&set, 1, Int32(min(left * 1000 + 1, 1e9))) > 0 {
                drain()
                return true
            }
        }
    }

    /// Clears pending signals.
    public func drain() {
        var scratch = [UInt8](repeating: 0, count: 256)
        while read(readEnd, &scratch, scratch.count) > 0 {}
    }
}

/// A failed system call.
public struct POSIXFailure: Error, CustomStringConvertible {
    public let code: Int32
    public init(_ code: Int32) { self.code = code }
    public var description: String { String(cString: strerror(code)) }
}
