import Base

/// Limits how many bytes of packs the process holds in memory at the same time, however many trials end together.
///
/// A reader reserves a pack's size before it reads the pack, and releases it when the pack is on the disk, which is when
/// `RunRecorder.submit` returns. Reservations are granted in the order of the requests.
public final class PackBudget: Sendable {
    /// The requests are in bytes.
    public struct Rule: AdmissionRule {
        public static let keepsOrder = true
        public let limit: Int
        public private(set) var used = 0

        init(limit: Int) { self.limit = limit }

        public mutating func admit(_ bytes: Int) -> Bool {
            guard used + bytes <= limit else { return false }
            used += bytes
            return true
        }

        public mutating func leave(_ bytes: Int) { used -= bytes }
    }

    /// A number of bytes reserved for a pack in memory, until it is released.
    public typealias Reservation = Admission<Rule>.Pass

    private let admission: Admission<Rule>
    private let limit: Int

    /// - Parameter limit: bytes; at least 1.
    public init(limit: Int) {
        self.limit = max(1, limit)
        admission = Admission(Rule(limit: self.limit))
    }

    /// Bytes that are currently reserved.
    public var used: Int { admission.rule.used }
    /// The number of requests that are waiting.
    public var waiting: Int { admission.waiting }

    /// Waits until the budget has room for the bytes. A pack larger than the whole budget is admitted when nothing else is reserved.
    /// - Throws: `CancellationError`.
    public func reserve(_ bytes: Int) async throws -> Reservation { try await admission.enter(min(max(0, bytes), limit)) }
}
