import Base

/// The times of a leader election, in seconds. The defaults are client-go's.
public struct LeaseTiming: Sendable, Equatable {
    /// How long others wait after the last renewal they saw.
    public var leaseDuration: Double
    /// How long a leader goes on without a renewal. Less than `leaseDuration`: the difference is the room for clocks that
    /// run at different speeds and for stopping.
    public var renewDeadline: Double
    public var retryPeriod: Double

    public init(leaseDuration: Double = 15, renewDeadline: Double = 10, retryPeriod: Double = 2) {
        self.leaseDuration = leaseDuration
        self.renewDeadline = renewDeadline
        self.retryPeriod = retryPeriod
    }
}

/// What a Lease says, apart from its metadata.
public struct LeaseRecord: Sendable, Equatable {
    /// Empty when nobody holds it.
    public var holder: String
    public var durationSeconds: Int
    public var acquireTime: Timestamp?
    public var renewTime: Timestamp?
    public var transitions: Int

    public init(
        holder: String = "", durationSeconds: Int = 15, acquireTime: Timestamp? = nil, renewTime: Timestamp? = nil,
        transitions: Int = 0
    ) {
        self.holder = holder
        self.durationSeconds = durationSeconds
        self.acquireTime = acquireTime
        self.renewTime = renewTime
        self.transitions = transitions
    }
}

/// The decisions of a leader election (client-go `tools/leaderelection`), without I/O.
///
/// Whether another's lease has run out is judged by how long its record has not changed on our monotonic clock, never by
/// the times written in it: clocks may differ by hours (catalogue 39).
public struct LeaseElector: Sendable {
    public enum Decision: Sendable, Equatable {
        /// There is no Lease: create it with this record.
        case create(LeaseRecord)
        /// Write this record over the version that was read.
        case write(LeaseRecord)
        /// Another holds it.
        case stand(holder: String)
    }

    public let identity: String
    public let timing: LeaseTiming
    private var observed: LeaseRecord?
    private var observedAt = 0.0
    private var renewedAt: Double?

    public init(identity: String, timing: LeaseTiming = LeaseTiming()) {
        self.identity = identity
        self.timing = timing
    }

    /// True from a successful write until the lease is seen with another or `renewDeadline` passes.
    public var isLeader: Bool { renewedAt != nil }

    /// The monotonic second at which leading has to end unless it is renewed; nil while not leading.
    public var mustRenewBy: Double? { renewedAt.map { $0 + timing.renewDeadline } }

    /// Decides from what was read; nil when there is no Lease.
    /// - Parameters:
    ///   - now: monotonic seconds.
    ///   - wall: what is written into the record, for people to read.
    public mutating func decide(_ record: LeaseRecord?, now: Double, wall: Timestamp) -> Decision {
        guard let record else {
            observed = nil
            return .create(mine(acquired: wall, renewed: wall, transitions: 0))
        }
        if record != observed {
            observed = record
            observedAt = now
        }
        if record.holder == identity {
            return .write(mine(acquired: record.acquireTime ?? wall, renewed: wall, transitions: record.transitions))
        }
        if !record.holder.isEmpty, now < observedAt + Double(record.durationSeconds) {
            renewedAt = nil
            return .stand(holder: record.holder)
        }
        renewedAt = nil
        return .write(mine(acquired: wall, renewed: wall, transitions: record.transitions + 1))
    }

    /// The write that was decided succeeded.
    /// - Parameter begunAt: the monotonic second before the write was sent: others count from when the server took it,
    ///   which is later.
    public mutating func wrote(_ record: LeaseRecord, begunAt: Double) {
        observed = record
        observedAt = begunAt
        renewedAt = begunAt
    }

    /// True when leading has to end now.
    public func hasLost(now: Double) -> Bool {
        guard let mustRenewBy else { return true }
        return now >= mustRenewBy
    }

    /// The record that gives the lease up, so that another need not wait; nil when it is not ours to give.
    public func release(wall: Timestamp) -> LeaseRecord? {
        guard isLeader, let observed, observed.holder == identity else { return nil }
        return LeaseRecord(
            holder: "", durationSeconds: 1, acquireTime: wall, renewTime: wall, transitions: observed.transitions)
    }

    /// We lead no more.
    public mutating func resign() { renewedAt = nil }

    private func mine(acquired: Timestamp, renewed: Timestamp, transitions: Int) -> LeaseRecord {
        LeaseRecord(
            holder: identity, durationSeconds: max(1, Int(timing.leaseDuration.rounded(.up))), acquireTime: acquired,
            renewTime: renewed, transitions: transitions)
    }
}
