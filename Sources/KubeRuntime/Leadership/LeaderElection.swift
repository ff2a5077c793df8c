import Base

/// Where a lease is kept. Every method may throw anything: a failure is an attempt that did not succeed.
public protocol LeaseLock: Sendable {
    /// nil when there is no Lease.
    func read() async throws -> (record: LeaseRecord, version: String)?
    /// Fails when there is one.
    func create(_ record: LeaseRecord) async throws
    /// Fails when the Lease is no longer at this version.
    func write(_ record: LeaseRecord, over version: String) async throws
}

/// Lets one of several processes work at a time.
///
/// - Guarantees: `lead` is begun only while the lease is held; it is cancelled when the lease is lost or was not renewed for
///   the renew deadline, before others may take it; the lease is given up only after `lead` has returned.
/// - The renewal runs on a thread of its own: nothing that blocks Swift's pool makes it late.
/// - Assumptions: clocks run at about the same speed. What they show does not matter.
/// - Caveat: a lease is no fence. A write sent just before the loss may arrive after it: what `lead` writes has to be
///   idempotent by itself.
public struct LeaderElection: Sendable {
    public enum Ending: Sendable, Equatable {
        /// `lead` returned by itself and the lease was given up.
        case finished
        /// The lease was lost; `lead` was cancelled and has returned.
        case lost
        /// The calling task was cancelled; `lead`, if begun, has returned and the lease was given up.
        case cancelled
    }

    private let lock: any LeaseLock
    private let identity: String
    private let timing: LeaseTiming
    private let time: any TimeSource
    private let liveness: Liveness?
    private let log: Log

    /// An attempt takes `renewDeadline` seconds at most. After a loss `lead` has this long to stop, else the process stands by for ever.
    private static let livenessBound = 300.0

    /// - Parameters:
    ///   - identity: unique for this process, such as the pod's name with something random.
    ///   - liveness: is told when the election stands still, or `lead` does not stop after a loss.
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

    /// Waits for the lease, runs `lead`, and says how it ended. To stand again after a loss, call it again.
    ///
    /// While `lead` stops, also after a cancellation, the lease is renewed further.
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

    /// False when the task was cancelled first.
    private func acquire(_ elector: Locked<LeaseElector>, _ pulse: Liveness.Pulse?) async -> Bool {
        var holder: String?
        while !Task.isCancelled {
            switch await attempt(elector, within: timing.renewDeadline) {
            case .holds: return true
            case .other(let name):
                if name != holder { log.info("stands by", ["holder": .string(name)]) }
                holder = name
            case .failed(let error): log.warning("the lease could not be had", ["error": .string(error)])
            }
            pulse?.beat()
            // As client-go: a fixed period with jitter, so that those who stand by do not all try at once.
            let pause = BackoffPolicy(initialSeconds: timing.retryPeriod, factor: 1, capSeconds: timing.retryPeriod, jitter: 1...1.2)
            try? await time.sleep(seconds: pause.seconds(afterFailures: 1))
        }
        // A write may have gone through just before the cancellation.
        await release(elector)
        return false
    }

    /// Renews until cancelled (false) or until the lease is lost (true).
    private func renew(_ elector: Locked<LeaseElector>, _ pulse: Liveness.Pulse?, whenLost: @Sendable () -> Void) async -> Bool {
        while true {
            let left = (elector.withLock { $0.mustRenewBy } ?? 0) - time.monotonic()
            do { try await time.sleep(seconds: max(0, min(timing.retryPeriod, left))) } catch { return false }
            let remaining = (elector.withLock { $0.mustRenewBy } ?? 0) - time.monotonic()
            // Half the deadline at most: a server that vanishes takes one attempt, and leaves time for another.
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
        // In a task of its own: the caller may be cancelled, and this write is still wanted.
        let releasing = Task {
            await Deadline.run(seconds: timing.renewDeadline / 2, time: time) {
                do {
                    guard let found = try await lock.read(), found.record.holder == identity,
                        let record = elector.withLock({ $0.release(wall: time.now()) })
                    else { return }
                    try await lock.write(record, over: found.version)
                    log.info("gave the lease up")
                } catch {
                    log.warning("the lease could not be given up", ["error": .string(String(describing: error))])
                }
            }
        }
        _ = await releasing.value
        elector.withLock { $0.resign() }
    }
}
