import Base
import CShims
import Glibc

/// Waits on everything that one child does, until it has ended and said all. Owns its descriptors and closes them.
struct ChildLoop: Sendable {
    /// How long after the child's end its output is read, when a grandchild keeps it open.
    private static let grace = 2.0

    var outputs: [(fd: Int32, handler: RunningCommand.OutputHandler)] = []
    /// -1: the child has none of ours.
    var input: Int32 = -1
    var pending: ArraySlice<UInt8> = []
    var pidfd: Int32 = -1
    /// Readable when something was queued for the input.
    var wake: Int32 = -1
    /// Monotonic seconds.
    var deadline: Double?

    private var isReaped: Bool { pidfd < 0 }

    /// - Parameters:
    ///   - queued: takes what was queued for the input, and whether it ends there.
    ///   - expired: the deadline has passed; called once.
    ///   - reaped: the child has ended; what it wrote may still follow.
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
            // A closed reader is seen as an error event, also when there is nothing to write.
            set.append(pollfd(fd: input, events: pending.isEmpty ? 0 : Int16(POLLOUT), revents: 0))
            let until = isReaped ? giveUp : deadline
            let milliseconds = until.map { Int32(max(0, min(1e9, ($0 - time.monotonic()) * 1000 + 1))) } ?? -1
            if poll(&set, nfds_t(set.count), milliseconds) < 0, errno != EINTR {
                // No memory for it, for the moment: everything is looked at, and nothing of that waits.
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

    /// For a child that has been killed and that nobody will follow: reaps it and closes everything.
    mutating func abandon() {
        outputs.forEach { close($0.fd) }
        outputs = []
        abandonInput()
        close(wake)
        var set = [pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0)]
        while !isReaped, reap() == nil { _ = poll(&set, 1, -1) }
    }

    /// True at the end of the stream, which is then closed.
    private static func drain(_ fd: Int32, _ handler: RunningCommand.OutputHandler) -> Bool {
        // A few reads at a time: a child that writes without end must not starve its deadline.
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
                // The child closed its end: it wants no more.
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
        // Somebody else has reaped it: what it ended with is lost, and nobody may take that for success.
        guard answer == 0 else { return .unknown }
        return number == 0 ? .code(code) : .signal(number)
    }
}
