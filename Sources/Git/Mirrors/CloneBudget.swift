import Base

/// Limits how many clones and fetches of repositories run in the process at the same time. One host cannot use all of the places, and
/// requests that wait for a host at its limit do not delay requests for other hosts.
public final class CloneBudget: Sendable {
    /// Each request is the name of a host.
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
    ///   - total: the maximum number of clones in the process; at least 1.
    ///   - perHost: the maximum number of clones from one host; at least 1.
    public init(total: Int = 4, perHost: Int = 2) {
        let total = max(1, total)
        admission = Admission(Rule(total: total, perHost: min(max(1, perHost), total)))
    }

    /// The number of clones that are waiting.
    public var waiting: Int { admission.waiting }

    /// Waits for a place. The place is occupied until the pass is released.
    /// - Throws: `.cancelled`.
    func enter(_ url: GitURL) async throws(GitError) -> Admission<Rule>.Pass {
        do { return try await admission.enter(url.host) } catch {
            throw GitError(.cancelled, "cancelled while waiting to fetch \(url)")
        }
    }
}
