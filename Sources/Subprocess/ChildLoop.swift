import Base
import CShims
import Glibc

/// Waits for all events of one child until the child has ended and its output is read. Owns the child's descriptors and closes
/// them.
struct ChildLoop: Sendable {
    /// When a grandchild keeps the output open, reading stops this many seconds after the child's end.
    private static let grace = 2.0

    var outputs: [(fd: Int32, handler: RunningCommand.OutputHandler)] = []
    /// -1: the child's input is not one of our pipes.
    var input: Int32 = -1
    var pending: ArraySlice<UInt8> = []
    var pidfd: Int32 = -1
    /// Becomes readable when input was queued.
    var wake: Int32 = -1
    /// Monotonic seconds.
    var deadline: Double?

    private var isReaped: Bool { pidfd < 0 }

    /// - Parameters:
    ///   - queued: takes the queued input, and whether the input ends after it.
    ///   - expired: called once, when the deadline has passed.
    ///   - reaped: called when the child has ended; its last output may still follow.
    mutating func run(
        queued: () -> (bytes: [UInt8], ends: Bool), expired: () -> Void, reaped: (Exit) -> Void
    ) {
        for fd in outputs.map({ $0.fd }) + [input, wake] where fd >= 0 { _ = fcntl(fd, F_SETFL, O_NONBLOCK) }
        let time = SystemTime()
        var giveUp: Double?
        while !isReaped || !outputs.isEmpty {
            let news = queued()
            pending += news.bytes
            if input >= 0 { feed(ends: news.ends) }

            var set = outputs.map { pollfd(fd: $0.fd, events: Int16(POLLIN), revents: 0) }
            set.append(pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0))
            set.append(pollfd(fd: wake, events: Int16(POLLIN), revents: 0))
            // poll(2) reports a closed reader as an error event even when nothing is to be written.
            set.append(pollfd(fd: input, events: pending.isEmpty ? 0 : Int16(POLLOUT), revents: 0))
            let until = isReaped ? giveUp : deadline
            let milliseconds = until.map { Int32(max(0, min(1e9, ($0 - time.monotonic()) * 1000 + 1))) } ?? -1
            if poll(&set, nfds_t(set.count), milliseconds) < 0, errno != EINTR {
                // poll(2) is out of memory for the moment: all descriptors are tried, which does not block.
                usleep(10_000)
                for index in set.indices { set[index].revents = Int16(POLLIN) }
            }

            if let until, time.monotonic() >= until {
                if isReaped { break }
                deadline = nil
                expired()
            }
            let readable = Set(set.prefix(outputs.count).filter { $0.revents != 0 }.map { $0.fd })
            outputs.removeAll { readable.contains($0.fd) && Self.drain($0.fd, $0.handler) }
            if set[set.count - 2].revents != 0 { Self.empty(wake) }
            if set[set.count - 1].revents & Int16(POLLERR) != 0 { abandonInput() }
            if set[set.count - 3].revents != 0, let exit = reap() {
                abandonInput()
                giveUp = time.monotonic() + Self.grace
                reaped(exit)
            }
        }
        outputs.forEach { close($0.fd) }
        abandonInput()
        close(wake)
    }

    /// For a child that was killed because no thread can follow it: reaps the child and closes everything.
    mutating func abandon() {
        outputs.forEach { close($0.fd) }
        outputs = []
        abandonInput()
        close(wake)
        var set = [pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0)]
        while !isReaped, reap() == nil { _ = poll(&set, 1, -1) }
    }

    /// Reads what is available. Returns true at the end of the stream, which is then closed.
    private static func drain(_ fd: Int32, _ handler: RunningCommand.OutputHandler) -> Bool {
        // Limited to a few reads, so that the deadline is checked even when a child writes without end.
        for _ in 0..<16 {
            let (count, bytes) = withUnsafeTemporaryAllocation(byteCount: 64 << 10, alignment: 16) { buffer in
                let count = read(fd, buffer.baseAddress, buffer.count)
                return (count, Array(buffer.prefix(max(0, count))))
            }
            if count > 0 {
                handler(bytes)
            } else if count < 0, errno == EINTR {
                continue
            } else if count < 0, errno == EAGAIN {
                return false
            } else {
                close(fd)
                return true
            }
        }
        return false
    }

    private static func empty(_ fd: Int32) {
        var scratch = [UInt8](repeating: 0, count: 256)
        while read(fd, &scratch, scratch.count) > 0 {}
    }

    private mutating func feed(ends: Bool) {
        while !pending.isEmpty {
            let count = pending.withUnsafeBytes { assay_write_nosigpipe(input, $0.baseAddress, $0.count) }
            if count > 0 {
                pending = pending.dropFirst(count)
            } else if count < 0, errno == EINTR {
                continue
            } else if count < 0, errno == EAGAIN {
                return
            } else {
                // The child has closed its input.
                return abandonInput()
            }
        }
        if ends { abandonInput() }
    }

    private mutating func abandonInput() {
        pending = []
        if input >= 0 { close(input) }
        input = -1
    }

    private mutating func reap() -> Exit? {
        var code: Int32 = 0
        var number: Int32 = 0
        let answer = assay_reap(pidfd, &code, &number)
        guard answer != -EAGAIN else { return nil }
        close(pidfd)
        pidfd = -1
        // Another part of the process has reaped the child: the exit status is lost and must not count as success.
        guard answer == 0 else { return .unknown }
        return number == 0 ? .code(code) : .signal(number)
    }
}
