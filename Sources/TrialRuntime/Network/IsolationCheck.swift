import Base
import EvalModel
import HTTPTransport

/// Delivery's last act in a pod with a restricted network on a cluster: it connects to a port that the pod's NetworkPolicy does not allow, and
/// goes on only when that fails. A network plugin may apply policies some time after the pod has started, or not at all.
struct IsolationCheck: Sendable {
    /// Seconds within which the policies must be in force.
    var boundSeconds = 30.0
    /// Seconds after which an attempt to connect that gets no answer has failed.
    var attemptSeconds = 3.0
    let time: any TimeSource
    let connects: @Sendable (_ address: String, _ seconds: Double) async -> Bool

    init(time: any TimeSource, connects: @escaping @Sendable (String, Double) async -> Bool = Self.accepts) {
        self.time = time
        self.connects = connects
    }

    /// - Parameter canary: `HOST:PORT`, with an address for HOST.
    /// - Throws: `environment_start_failed` when the pod still reaches the canary after the bound; `CancellationError`.
    func wait(_ canary: String) async throws {
        let end = time.monotonic() + boundSeconds
        while await connects(canary, attemptSeconds) {
            guard time.monotonic() < end else {
                throw TrialError(
                    .environmentStartFailed,
                    "the cluster's network does not enforce NetworkPolicies for this pod: after \(Int(boundSeconds)) s it still reaches "
                        + "\(canary), which its policy does not allow")
            }
            try await time.sleep(seconds: 1)
        }
    }

    /// Whether something accepts connections at the address. What it says then does not matter.
    static let accepts: @Sendable (String, Double) async -> Bool = { address, seconds in
        let request = HTTPRequest(
            url: "http://\(address)/", timeouts: HTTPTimeouts(connect: seconds, total: 3 * seconds, idle: 3 * seconds), proxy: .none)
        do {
            _ = try await HTTPTransport.shared.send(request)
            return true
        } catch {
            return switch error as? HTTPTransportError {
            case .couldNotConnect, .timedOut(.connect, _, _), .invalidRequest, .cancelled, .shutDown: false
            default: true
            }
        }
    }
}
