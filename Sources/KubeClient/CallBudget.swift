import Base

/// Limits how many calls are in progress at once. Further calls wait and start in order.
///
/// All calls of a process to one API server share a budget. So 1,000 pods that end together use no more connections than ten do, and no call waits so
/// long for an answer that it times out.
public final class CallBudget: Sendable {
    /// Counts the calls.
    struct Rule: AdmissionRule {
        struct Call: Sendable {}

        static let keepsOrder = true
        let limit: Int
        private(set) var underWay = 0

        init(limit: Int) { self.limit = limit }

        mutating func admit(_ call: Call) -> Bool {
            guard underWay < limit else { return false }
            underWay += 1
            return true
        }

        mutating func leave(_ call: Call) { underWay -= 1 }
    }

    /// A place among the calls that are under way. It is given back with its last reference.
    typealias Place = Admission<Rule>.Pass

    private let admission: Admission<Rule>

    /// - Parameter limit: calls at once, at least 1.
    public init(_ limit: Int) { admission = Admission(Rule(limit: max(1, limit))) }

    /// Waits for a place.
    /// - Throws: `CancellationError`.
    func enter() async throws -> Place { try await admission.enter(Rule.Call()) }

    /// Calls that are under way; for tests.
    var underWay: Int { admission.rule.underWay }
    /// Calls that wait; for tests.
    var waiting: Int { admission.waiting }
}

/// The limits of one process for calls to one API server. Watches and followed logs are not limited: they are few and stay open for a long time.
public struct CallBudgets: Sendable {
    /// For everything but logs. The server allows 100 concurrent requests on an HTTP/2 connection; some of them are left for other users.
    public let calls: CallBudget
    /// For reading complete logs. Each read has its own connection, which is reused.
    public let logs: CallBudget

    public init(calls: Int = 64, logs: Int = 16) {
        self.calls = CallBudget(calls)
        self.logs = CallBudget(logs)
    }
}
