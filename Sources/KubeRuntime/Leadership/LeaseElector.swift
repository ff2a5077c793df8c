import Base

/// The times of a leader election, in seconds. The defaults are client-go's.
public struct LeaseTiming: Sendable, Equatable {
    /// How long other processes wait after the last renewal that they saw.
    public var leaseDuration: Double
    /// How long a leader continues without a renewal. It is less than `leaseDuration`; the difference allows for stopping and for clocks
    /// that run at different speeds.
    public var renewDeadline: Double
    public var retryPeriod: Double

    public init(leaseDuration: Double = 15, renewDeadline: Double = 10, retryPeriod: Double = 2) {
        self.leaseDuration = leaseDuration
        self.renewDeadline = renewDeadline
        self.retryPeriod = retryPeriod
    }
}

/// The content of a Lease, without its metadata.
public struct LeaseRecord: Sendable, Equatable {
    /// Empty when no process holds the lease.
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
/// Another process's lease counts as expired when its record has not changed for the lease duration by this process's monotonic clock. The
/// times written in the record are not used: clocks may differ by hours (catalogue 39).
public struct LeaseElector: Sendable {
    public enum Decision: Sendable, Equatable {
        /// There is no Lease: create it with this record.
        case create(LeaseRecord)
        /// Write this record over the version that was read.
        case write(LeaseRecord)
        /// Another process holds the lease.
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

    /// True from a successful write until another process is seen to hold the lease, or `renewDeadline` passes.
    public var isLeader: Bool { renewedAt != nil }

    /// The monotonic second at which leading must end if the lease is not renewed; nil while not leading.
    public var mustRenewBy: Double? { renewedAt.map { $0 + timing.renewDeadline } }

    /// Decides what to do, given the Lease that was read; nil when there is no Lease.
    /// - Parameters:
    ///   - now: monotonic seconds.
    ///   - wall: the wall-clock time written into the record, for people to read.
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

    /// Reports that the decided write succeeded.
    /// - Parameter begunAt: the monotonic second before the write was sent. Other processes count from when the server accepted the write,
    ///   which is later.
    public mutating func wrote(_ record: LeaseRecord, begunAt: Double) {
        observed = record
        observedAt = begunAt
        renewedAt = begunAt
    }

    /// True when leading must end now.
    public func hasLost(now: Double) -> Bool {
        guard let mustRenewBy else { return true }
        return now >= mustRenewBy
    }

    /// The record that releases the lease, so that another process need not wait for it to expire; nil when this process does not hold it.
    public func release(wall: Timestamp) -> LeaseRecord? {
        guard isLeader, let observed, observed.holder == identity else { return nil }
        return LeaseRecord(
            holder: "", durationSeconds: 1, acquireTime: wall, renewTime: wall, transitions: observed.transitions)
    }

    /// Stops leading.
    public mutating func resign() { renewedAt = nil }

    private func mine(acquired: Timestamp, renewed: Timestamp, transitions: Int) -> LeaseRecord {
        LeaseRecord(
            holder: identity, durationSeconds: max(1, Int(timing.leaseDuration.rounded(.up))), acquireTime: acquired,
            renewTime: renewed, transitions: transitions)
    }
}
