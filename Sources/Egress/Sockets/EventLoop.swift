import Base
import CShims
import Glibc
import HTTPServing

/// Something that is told when its descriptor is ready.
protocol EventHandler: AnyObject {
    func ready(_ events: Readiness)
}

/// Something with a deadline.
protocol DeadlineHolder: AnyObject {
    /// Monotonic seconds. When it moves to an earlier time, the loop has to be told with `hasten`.
    var deadline: Double { get }
    func deadlinePassed()
}

/// One thread's epoll descriptor, its handlers and its deadlines. Not thread-safe: everything happens on the thread that calls `turn`.
final class EventLoop {
    /// One turn reads through this buffer, whichever socket it serves, so that a connection without unsent bytes has no buffer of its own.
    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
    /// Monotonic seconds at the beginning of the turn.
    private(set) var now = SystemTime().monotonic()

    private let epoll: Int32
    private var handlers: [UInt64: any EventHandler] = [:]
    private var holders: [UInt64: any DeadlineHolder] = [:]
    private var lastToken: UInt64 = 0
    private var nextSweep = Double.infinity
    private var found = [assay_epoll_event](repeating: assay_epoll_event(), count: 256)

    /// - Parameter epoll: from `openDescriptor`; the loop closes it.
    init(epoll: Int32) { self.epoll = epoll }

    /// An epoll descriptor. Apart from `init`, so that whoever starts the thread of a loop gets the error.
    static func openDescriptor() throws(POSIXFailure) -> Int32 {
        let epoll = assay_epoll_create()
        guard epoll >= 0 else { throw POSIXFailure(-epoll) }
        return epoll
    }

    deinit {
        close(epoll)
        scratch.deallocate()
    }

    /// A number for a handler or holder. It is never used twice, so that an event for a descriptor that was closed reaches nobody.
    func makeToken() -> UInt64 {
        lastToken += 1
        return lastToken
    }

    func add(_ handler: any EventHandler, token: UInt64) { handlers[token] = handler }

    func remove(token: UInt64) { handlers[token] = nil }

    /// Changes what a descriptor is watched for. A descriptor that is watched for nothing is not in the epoll set, because errors and
    /// hang-ups are reported whether they are asked for or not.
    func watch(_ descriptor: Int32, token: UInt64, from before: Readiness, to after: Readiness) {
        guard before != after else { return }
        if before.isEmpty {
            _ = assay_epoll_add(epoll, descriptor, after.rawValue, token)
        } else if after.isEmpty {
            _ = assay_epoll_remove(epoll, descriptor)
        } else {
            _ = assay_epoll_change(epoll, descriptor, after.rawValue, token)
        }
    }

    func add(_ holder: any DeadlineHolder, id: UInt64) {
        holders[id] = holder
        hasten(to: holder.deadline)
    }

    func removeHolder(id: UInt64) { holders[id] = nil }

    /// Tells that there is a deadline at this time.
    func hasten(to deadline: Double) { nextSweep = min(nextSweep, deadline) }

    /// Waits for events until the next deadline, and handles them.
    func turn() {
        let wait = max(0, min(nextSweep - SystemTime().monotonic(), 60))
        let count = assay_epoll_wait(epoll, &found, Int32(found.count), Int32((wait * 1000).rounded(.up)))
        now = SystemTime().monotonic()
        if count > 0 {
            for event in found[..<Int(count)] { handlers[event.token]?.ready(Readiness(rawValue: event.events)) }
        }
        if now >= nextSweep { sweep() }
    }

    private func sweep() {
        nextSweep = .infinity
        for holder in Array(holders.values) {
            if holder.deadline <= now { holder.deadlinePassed() }
        }
        // Deadlines that moved to a later time were not announced. A sweep costs as much as there are connections, so there are at most
        // fifty a second.
        let next = holders.values.map(\.deadline).min() ?? .infinity
        nextSweep = min(nextSweep, max(next, now + 0.02))
    }
}
