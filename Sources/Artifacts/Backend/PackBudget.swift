import Base

/// A limit in bytes for the packs that the process holds in memory at the same time, whatever number of trials end together.
///
/// Readers of packs reserve a pack's size before they read it and release it when the pack is on the disk, which is when
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

    /// Bytes of packs that are in memory, or about to be, until it is released.
    public typealias Reservation = Admission<Rule>.Pass

    private let admission: Admission<Rule>
    private let limit: Int

    /// - Parameter limit: in bytes; at least 1.
    public init(limit: Int) {
        self.limit = max(1, limit)
        admission = Admission(Rule(limit: self.limit))
    }

    /// Bytes that are reserved now.
    public var used: Int { admission.rule.used }
    /// Requests that wait now.
    public var waiting: Int { admission.waiting }

    /// Waits until the bytes fit. A pack larger than the whole budget fits when nothing else is reserved.
    /// - Throws: `CancellationError`.
    public func reserve(_ bytes: Int) async throws -> Reservation { try await admission.enter(min(max(0, bytes), limit)) }
}
