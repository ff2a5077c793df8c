import Base
import EvalModel
import HTTPTransport

/// The last step of delivery in a pod with a restricted network on a cluster: the trial starts only when the pod's NetworkPolicy is in force. A
/// network plugin may apply policies some time after the pod has started, or not at all.
///
/// The canary is a port that the policy does not allow; the cache service is a port of the same pods that it allows. One failed connection to the
/// canary proves nothing, because a connection may fail for other reasons. So it must fail several times in a row, and after each failure a
/// connection to the cache service must succeed.
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
    /// Throws when it is not known whether something does.
    typealias Connects = @Sendable (_ address: String, _ seconds: Double) async throws -> Bool

    init(time: any TimeSource, connects: @escaping Connects = Self.accepts) {
        self.time = time
        self.connects = connects
    }

    private enum Finding { case reachesCanary, reachesNothing, isolated }

    /// - Parameters:
    ///   - canary: `HOST:PORT`, with an address for HOST.
    ///   - allowed: `HOST:PORT` of the cache service, with an address for HOST.
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
                "this pod cannot reach the cache service at \(allowed) \(seconds), which its NetworkPolicy allows, so it is not known "
                    + "whether the policy is enforced")
        }
        return TrialError(
            .environmentStartFailed,
            "the cluster's network does not enforce NetworkPolicies for this pod: \(seconds) it still reaches \(canary), which its policy does not "
                + "allow")
    }

    /// Connects with an HTTP request. Any answer is a connection.
    static let accepts: Connects = { address, seconds in
        // A name that cannot be resolved must not look like an address that cannot be reached.
        guard isAddressAndPort(address) else { throw TrialError(.internalError, "\"\(address.replacingControls)\" is not ADDRESS:PORT") }
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

    private static func isAddressAndPort(_ text: String) -> Bool {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]), (1...65535).contains(port) else { return false }
        var host = text[..<colon]
        let hasBrackets = host.hasPrefix("[") && host.hasSuffix("]")
        if hasBrackets { host = host.dropFirst().dropLast() }
        return IPAddress(String(host)).map { $0.isIPv6 == hasBrackets } ?? false
    }
}
