import Base
import EvalModel
import HTTPTransport

/// Delivery's last act in a pod with a restricted network on a cluster: it goes on only when the pod's NetworkPolicy is in force. A network plugin
/// may apply policies some time after the pod has started, or not at all.
///
/// The canary is a port that the policy does not allow, and the cache service one that it allows, of the same pods. That a connection to the
/// canary fails proves nothing alone, since a connection may fail for other reasons; so it must fail several times in a row, each time with a
/// connection to the cache service that succeeds after it.
struct IsolationCheck: Sendable {
    /// Seconds within which the policy must be in force.
    var boundSeconds = 60.0
    /// Seconds after which an attempt to connect that gets no answer has failed.
    var attemptSeconds = 1.0
    /// How often in a row the canary must be out of reach.
    var rounds = 3
    let time: any TimeSource
    let connects: Connects

    /// Whether something accepts connections at `HOST:PORT` within some seconds.
    ///
    /// Throws when that was not found out.
    typealias Connects = @Sendable (_ address: String, _ seconds: Double) async throws -> Bool

    init(time: any TimeSource, connects: @escaping Connects = Self.accepts) {
        self.time = time
        self.connects = connects
    }

    private enum Finding { case reachesCanary, reachesNothing, isolated }

    /// - Parameters:
    ///   - canary: `HOST:PORT`, with an address for HOST.
    ///   - allowed: the same of the cache service.
    /// - Throws: `environment_start_failed` when the pod still reaches the canary after the bound, or does not reach the cache service;
    ///   `CancellationError`; what `connects` throws.
    func wait(canary: String, allowed: String) async throws {
        let end = time.monotonic() + boundSeconds
        var isolated = 0
        while true {
            let finding = try await look(canary, allowed)
            isolated = finding == .isolated ? isolated + 1 : 0
            if isolated == rounds { return }
            guard isolated > 0 || time.monotonic() < end else { throw failure(finding, canary, allowed) }
            try await time.sleep(seconds: isolated > 0 ? 0.1 : 1)
        }
    }

    private func look(_ canary: String, _ allowed: String) async throws -> Finding {
        if try await connects(canary, attemptSeconds) { return .reachesCanary }
        return try await connects(allowed, attemptSeconds) ? .isolated : .reachesNothing
    }

    private func failure(_ finding: Finding, _ canary: String, _ allowed: String) -> TrialError {
        let seconds = "after \(Int(boundSeconds)) s"
        guard finding == .reachesCanary else {
            return TrialError(
                .environmentStartFailed,
                "this pod cannot reach the cache service at \(allowed) \(seconds), which its NetworkPolicy allows, so that nothing can be said of "
                    + "the policy")
        }
        return TrialError(
            .environmentStartFailed,
            "the cluster's network does not enforce NetworkPolicies for this pod: \(seconds) it still reaches \(canary), which its policy does not "
                + "allow")
    }

    /// Tries it with an HTTP request. What is answered does not matter.
    static let accepts: Connects = { address, seconds in
        let request = HTTPRequest(
            url: "http://\(address)/", timeouts: HTTPTimeouts(connect: seconds, total: 3 * seconds, idle: 3 * seconds), proxy: .none)
        do {
            _ = try await HTTPTransport.shared.send(request)
            return true
        } catch let error as HTTPTransportError {
            switch error {
            case .couldNotConnect, .timedOut(.connect, _, _): return false
            case .cancelled: throw CancellationError()
            case .invalidRequest, .shutDown: throw error
            case .timedOut, .tls, .connectionLost, .protocolViolation, .bodyTooLarge: return true
            }
        }
    }
}
