import Base

/// How many calls may be under way at once; the others wait for their turn, in order.
///
/// One budget is meant for everything that a process asks of one API server: 1,000 pods that end together then use as many
/// connections as ten do, and none of their calls waits so long for an answer that it is taken for lost.
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

/// What one process may have under way at one API server. Watches and followed logs count for nothing: they last, and are few.
public struct CallBudgets: Sendable {
    /// Everything but logs. The server takes 100 requests at once on an HTTP/2 connection, of which some are left for others.
    public let calls: CallBudget
    /// Reading logs to their end: each has a connection of its own, which the next one uses again.
    public let logs: CallBudget

    public init(calls: Int = 64, logs: Int = 16) {
        self.calls = CallBudget(calls)
        self.logs = CallBudget(logs)
    }
}
