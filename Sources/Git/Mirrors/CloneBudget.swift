import Base

/// How many clones and fetches of repositories run in the process at the same time. One host cannot take all of the places:
/// what waits for a host that has its share does not hold back the others.
public final class CloneBudget: Sendable {
    /// The requests are hosts.
    public struct Rule: AdmissionRule {
        public static let keepsOrder = false
        let total: Int
        let perHost: Int
        private var used: [String: Int] = [:]
        private var sum = 0

        init(total: Int, perHost: Int) {
            self.total = total
            self.perHost = perHost
        }

        public mutating func admit(_ host: String) -> Bool {
            guard sum < total, used[host, default: 0] < perHost else { return false }
            used[host, default: 0] += 1
            sum += 1
            return true
        }

        public mutating func leave(_ host: String) {
            sum -= 1
            let left = used[host, default: 1] - 1
            used[host] = left > 0 ? left : nil
        }
    }

    private let admission: Admission<Rule>

    /// - Parameters:
    ///   - total: clones in the process; at least 1.
    ///   - perHost: of them, from one host; at least 1.
    public init(total: Int = 4, perHost: Int = 2) {
        let total = max(1, total)
        admission = Admission(Rule(total: total, perHost: min(max(1, perHost), total)))
    }

    /// Clones that wait now.
    public var waiting: Int { admission.waiting }

    /// Waits for a place, and keeps it until the pass is released.
    /// - Throws: `.cancelled`.
    func enter(_ url: GitURL) async throws(GitError) -> Admission<Rule>.Pass {
        do { return try await admission.enter(url.host) } catch {
            throw GitError(.cancelled, "cancelled while waiting to fetch \(url)")
        }
    }
}
