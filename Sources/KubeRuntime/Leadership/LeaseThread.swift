import Base
import Glibc

/// A thread used only for renewing leases.
///
/// Swift's thread pool has as many threads as there are cores. Some calls block its threads (syncing a file, starting a process, parsing a
/// large list); while all are blocked, no other task runs. A renewal on this thread does not wait for them.
final class LeaseThread: TaskExecutor {
    /// Shared by all elections of the process; nil when no thread can be created. Renewals then run on the pool.
    static let shared = LeaseThread()

    private struct State {
        var jobs: [UnownedJob] = []
        /// Sleeping tasks by number: when to wake each one, in monotonic seconds, and its continuation.
        var sleepers: [Int: (due: Double, waiter: CheckedContinuation<Bool, Never>)] = [:]
        var cancelled: Set<Int> = []
        var next = 0
    }

    private let state = Locked(State())
    /// Writing a byte to `write` wakes the thread, which reads from `read`.
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
        let code = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                // The object lives as long as the process.
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

    /// Returns after the time has passed, however busy the pool is; throws when the task is cancelled first.
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
        // When the pipe is full, earlier bytes have already woken the thread.
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

/// The machine's clocks, with sleeps that end on time even while the pool is busy. For code that runs on ``LeaseThread``.
struct LeaseTime: TimeSource {
    func now() -> Timestamp { SystemTime().now() }

    func monotonic() -> Double { SystemTime().monotonic() }

    func sleep(seconds: Double) async throws {
        guard let thread = LeaseThread.shared else { return try await SystemTime().sleep(seconds: seconds) }
        try Task.checkCancellation()
        try await thread.sleep(seconds: seconds)
    }
}
