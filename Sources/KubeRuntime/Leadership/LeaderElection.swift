import Base

/// Where a lease is stored. Every method may throw any error; an error means that the attempt failed.
public protocol LeaseLock: Sendable {
    /// Returns nil when there is no Lease.
    func read() async throws -> (record: LeaseRecord, version: String)?
    /// Fails when a Lease already exists.
    func create(_ record: LeaseRecord) async throws
    /// Fails when the Lease no longer has this version.
    func write(_ record: LeaseRecord, over version: String) async throws
}

/// Ensures that only one of several processes works at a time.
///
/// - Guarantees: `lead` starts only while the lease is held. It is cancelled when the lease is lost or was not renewed within the renew
///   deadline, before another process may take the lease. The lease is released only after `lead` has returned.
/// - The renewal runs on its own thread, so calls that block Swift's thread pool do not delay it.
/// - Assumptions: all clocks run at about the same speed. They need not show the same time.
/// - Caveat: a lease does not block writes. A write sent just before the lease was lost may arrive after another process has it, so
///   everything that `lead` writes must be idempotent.
public struct LeaderElection: Sendable {
    public enum Ending: Sendable, Equatable {
        /// `lead` returned by itself, and the lease was released.
        case finished
        /// The lease was lost; `lead` was cancelled and has returned.
        case lost
        /// The calling task was cancelled. `lead`, if it had started, has returned, and the lease was released.
        case cancelled
    }

    private let lock: any LeaseLock
    private let identity: String
    private let timing: LeaseTiming
    private let time: any TimeSource
    private let liveness: Liveness?
    private let log: Log

    /// Seconds without progress after which `liveness` reports a stall. An attempt takes at most `renewDeadline` seconds. After a loss,
    /// `lead` has this long to stop; without this bound the process would wait for `lead` for ever.
    private static let livenessBound = 300.0

    /// - Parameters:
    ///   - identity: unique for this process, such as the pod's name with a random suffix.
    ///   - liveness: notified when the election makes no progress, or when `lead` does not stop after a loss.
    public init(
        lock: any LeaseLock, identity: String, timing: LeaseTiming = LeaseTiming(),
        time: any TimeSource = SystemTime(), liveness: Liveness? = nil, log: Log = Log("leader")
    ) {
        self.lock = lock
        self.identity = identity
        self.timing = timing
        self.time = time
        self.liveness = liveness
        self.log = log.with(["identity": .string(identity)])
    }

    /// Waits for the lease, runs `lead`, and returns how it ended. To take part in the election again after a loss, call `run` again.
    ///
    /// The lease is still renewed while `lead` stops, also after a cancellation.
    public func run(lead: @escaping @Sendable () async -> Void) async -> Ending {
        let elector = Locked(LeaseElector(identity: identity, timing: timing))
        let pulse = liveness?.begin("leader election", within: Self.livenessBound)
        defer { pulse?.end() }
        guard await acquire(elector, pulse) else { return .cancelled }
        log.info("leads")
        let leading = Task { await lead() }
        let renewing = Task(executorPreference: LeaseThread.shared) { await renew(elector, pulse, whenLost: { leading.cancel() }) }
        await withTaskCancellationHandler {
            await leading.value
        } onCancel: {
            leading.cancel()
        }
        renewing.cancel()
        if await renewing.value {
            log.error("lost the lease")
            return .lost
        }
        await release(elector)
        return Task.isCancelled ? .cancelled : .finished
    }

    /// Returns false when the task was cancelled before the lease was acquired.
    private func acquire(_ elector: Locked<LeaseElector>, _ pulse: Liveness.Pulse?) async -> Bool {
        var holder: String?
        while !Task.isCancelled {
            switch await attempt(elector, within: timing.renewDeadline) {
            case .holds: return true
            case .other(let name):
                if name != holder { log.info("stands by", ["holder": .string(name)]) }
                holder = name
            case .failed(let error): log.warning("the lease could not be acquired", ["error": .string(error)])
            }
            pulse?.beat()
            // As client-go: a fixed period with jitter, so that waiting processes do not all try at the same moment.
            let pause = BackoffPolicy(initialSeconds: timing.retryPeriod, factor: 1, capSeconds: timing.retryPeriod, jitter: 1...1.2)
            try? await time.sleep(seconds: pause.seconds(afterFailures: 1))
        }
        // A write may have succeeded just before the cancellation.
        await release(elector)
        return false
    }

    /// Renews the lease until the task is cancelled (returns false) or the lease is lost (returns true).
    private func renew(_ elector: Locked<LeaseElector>, _ pulse: Liveness.Pulse?, whenLost: @Sendable () -> Void) async -> Bool {
        while true {
            let left = (elector.withLock { $0.mustRenewBy } ?? 0) - time.monotonic()
            do { try await time.sleep(seconds: max(0, min(timing.retryPeriod, left))) } catch { return false }
            let remaining = (elector.withLock { $0.mustRenewBy } ?? 0) - time.monotonic()
            // At most half the deadline: when a server stops answering, that costs one attempt, and there is time for another.
            if remaining > 0, case .failed(let error) = await attempt(elector, within: min(remaining, timing.renewDeadline / 2)),
                !Task.isCancelled
            {
                log.warning("the lease could not be renewed", ["error": .string(error)])
            }
            if elector.withLock({ $0.hasLost(now: time.monotonic()) }) {
                elector.withLock { $0.resign() }
                whenLost()
                return true
            }
            if Task.isCancelled { return false }
            pulse?.beat()
        }
    }

    private enum Attempt: Sendable {
        case holds
        case other(String)
        case failed(String)
    }

    private func attempt(_ elector: Locked<LeaseElector>, within seconds: Double) async -> Attempt {
        await Deadline.run(seconds: seconds, time: time, on: LeaseThread.shared) {
            do { return try await attempt(elector) } catch { return .failed(String(describing: error)) }
        } ?? .failed("no answer in time")
    }

    private func attempt(_ elector: Locked<LeaseElector>) async throws -> Attempt {
        let begun = time.monotonic()
        let found = try await lock.read()
        let decision = elector.withLock { $0.decide(found?.record, now: time.monotonic(), wall: time.now()) }
        switch decision {
        case .stand(let holder): return .other(holder)
        case .create(let record):
            try await lock.create(record)
            elector.withLock { $0.wrote(record, begunAt: begun) }
        case .write(let record):
            try await lock.write(record, over: found?.version ?? "")
            elector.withLock { $0.wrote(record, begunAt: begun) }
        }
        return .holds
    }

    private func release(_ elector: Locked<LeaseElector>) async {
        // Runs in its own task, because the lease must be released even if the caller is cancelled.
        let releasing = Task {
            await Deadline.run(seconds: timing.renewDeadline / 2, time: time) {
                do {
                    guard let found = try await lock.read(), found.record.holder == identity,
                        let record = elector.withLock({ $0.release(wall: time.now()) })
                    else { return }
                    try await lock.write(record, over: found.version)
                    log.info("released the lease")
                } catch {
                    log.warning("the lease could not be released", ["error": .string(String(describing: error))])
                }
            }
        }
        _ = await releasing.value
        elector.withLock { $0.resign() }
    }
}
