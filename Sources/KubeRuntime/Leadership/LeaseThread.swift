import Base
import Glibc

/// A thread for the renewal of a lease alone.
///
/// Swift's pool has as many threads as there are cores. Some calls block there (a file is synced, a process is started, a large list is
/// parsed), and while they do nothing else in the process goes on. A renewal that runs on this thread does not wait for them.
final class LeaseThread: TaskExecutor {
    /// For every election of the process; nil when no thread can be had: then it runs on the pool, like everything.
    static let shared = LeaseThread()

    private struct State {
        var jobs: [UnownedJob] = []
        /// By number: when to wake, in monotonic seconds, and whom.
        var sleepers: [Int: (due: Double, waiter: CheckedContinuation<Bool, Never>)] = [:]
        var cancelled: Set<Int> = []
        var next = 0
    }

    private let state = Locked(State())
    /// A byte is written to the second to wake the thread, which reads the first.
    private let pipes: (read: Int32, write: Int32)

    private init?() {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return nil }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        pipes = (ends[0], ends[1])
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self)
        let code = pthread_create(&thread, nil, { context in
            guard let context else { return nil }
            // It lives as long as the process.
            Unmanaged<LeaseThread>.fromOpaque(context).takeUnretainedValue().run()
        }, context.toOpaque())
        guard code == 0 else {
            context.release()
            ends.forEach { close($0) }
            return nil
        }
        pthread_detach(thread)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        state.withLock { $0.jobs.append(job) }
        wake()
    }

    /// Returns after the time has passed, whatever the pool does; throws when the task is cancelled first.
    func sleep(seconds: Double) async throws {
        let due = SystemTime().monotonic() + seconds
        let number = state.withLock { state in
            state.next += 1
            return state.next
        }
        let passed = await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                let isCancelled = state.withLock { state in
                    if state.cancelled.remove(number) != nil { return true }
                    state.sleepers[number] = (due, waiter)
                    return false
                }
                if isCancelled { waiter.resume(returning: false) } else { wake() }
            }
        } onCancel: {
            state.withLock { state -> CheckedContinuation<Bool, Never>? in
                if let sleeper = state.sleepers.removeValue(forKey: number) { return sleeper.waiter }
                state.cancelled.insert(number)
                return nil
            }?.resume(returning: false)
        }
        state.withLock { _ = $0.cancelled.remove(number) }
        if !passed { throw CancellationError() }
    }

    private func wake() {
        var byte: UInt8 = 1
        // A full pipe has woken the thread already.
        _ = write(pipes.write, &byte, 1)
    }

    private func run() -> Never {
        var all = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, nil)
        var scratch = [UInt8](repeating: 0, count: 256)
        while true {
            let now = SystemTime().monotonic()
            let (jobs, due, next) = state.withLock { state in
                let jobs = state.jobs
                state.jobs = []
                let due = state.sleepers.filter { $0.value.due <= now }
                for number in due.keys { state.sleepers.removeValue(forKey: number) }
                return (jobs, due.values.map(\.waiter), state.sleepers.values.map(\.due).min())
            }
            for waiter in due { waiter.resume(returning: true) }
            for job in jobs { job.runSynchronously(on: asUnownedTaskExecutor()) }
            guard jobs.isEmpty, due.isEmpty else { continue }
            var entry = pollfd(fd: pipes.read, events: Int16(POLLIN), revents: 0)
            _ = poll(&entry, 1, next.map { Int32(min(60_000, max(0, ($0 - now) * 1000)) + 1) } ?? -1)
            while read(pipes.read, &scratch, scratch.count) > 0 {}
        }
    }
}

/// The machine's clocks, with sleeps that end in time also while the pool is busy. For who runs on ``LeaseThread``.
struct LeaseTime: TimeSource {
    func now() -> Timestamp { SystemTime().now() }

    func monotonic() -> Double { SystemTime().monotonic() }

    func sleep(seconds: Double) async throws {
        guard let thread = LeaseThread.shared else { return try await SystemTime().sleep(seconds: seconds) }
        try Task.checkCancellation()
        try await thread.sleep(seconds: seconds)
    }
}
