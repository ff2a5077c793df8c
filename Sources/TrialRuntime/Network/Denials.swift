import Base
import EvalModel
import HTTPTransport

/// What the egress proxy denied a trial, as the collector reads it from the proxy and adds it to the logs; and whether the proxy ran all the time.
struct Denials: Sendable, Hashable {
    enum Proxy: Sendable, Hashable {
        /// - since: milliseconds since 1970, by the proxy's clock.
        case running(since: Int64)
        /// Nothing accepts connections at its address.
        case unreachable(String)
        /// It was reached, or may have been, and its answer does not say since when it runs.
        case unclear
    }

    /// Below `logs/`.
    static let path = ["network", "denials.json"]
    private static let maximumBytes = 1 << 20

    /// The proxy's answer.
    let report: JSONValue
    let proxy: Proxy

    /// - Returns: nil when no phase has a token. A proxy that does not answer gives a report that says so.
    static func read(_ access: EgressAccess, seconds: Double = 10) async -> Denials? {
        guard let token = access.tokens.sorted(by: { $0.key < $1.key }).first?.value else { return nil }
        let request = HTTPRequest(
            url: "\(access.proxy)/.assay/denials", headers: ["Proxy-Authorization": "Bearer \(token)"],
            timeouts: HTTPTimeouts(connect: seconds, total: seconds, idle: seconds), proxy: .none)
        do {
            let response = try await HTTPTransport.shared.send(request)
            let body = try await response.body.collect(upTo: maximumBytes)
            switch response.status {
            case 200:
                let report = try JSONValue(parsing: body)
                let start = report["proxyStartTime"]?.string.flatMap { Timestamp(rfc3339: $0) }
                return Denials(report: report, proxy: start.map { .running(since: $0.epochMilliseconds) } ?? .unclear)
            // The relay gives this answer when it cannot connect to the proxy. The proxy itself never answers this request with 502.
            case 502: return failed("nothing answers behind the relay", .unreachable("it does not run"))
            case let status: return failed("the proxy answers \(status)", .unclear)
            }
        } catch HTTPTransportError.couldNotConnect(let host, let detail) {
            return failed("cannot connect to \(host): \(detail)", .unreachable(detail))
        } catch HTTPTransportError.timedOut(.connect, let host, let seconds) {
            return failed("no connection to \(host) within \(seconds) s", .unreachable("no connection within \(seconds) s"))
        } catch {
            return failed("\(error)", .unclear)
        }
    }

    private static func failed(_ why: String, _ proxy: Proxy) -> Denials {
        Denials(report: ["denials": [], "error": .string("the egress proxy could not be asked what it denied: \(why)")], proxy: proxy)
    }

    /// Whether there is nothing to report.
    var isEmpty: Bool {
        report["error"] == nil && report["denials"]?.array?.isEmpty != false && report["omitted"]?.int ?? 0 == 0
    }

    /// A sentence about the phase's denials, for the error of a trial that failed in it; nil when it has none.
    func remark(on phase: TrialPhase) -> String? {
        let denied = (report["denials"]?.array ?? []).filter { $0["phase"]?.string == phase.rawValue }
        guard !denied.isEmpty else { return nil }
        let named = denied.prefix(3).map { "\($0["host"]?.string ?? "?"):\($0["port"]?.int ?? 0)" }.joined(separator: ", ")
        let more = denied.count > 3 ? " and \(denied.count - 3) more" : ""
        return "the network of this phase does not allow \(named)\(more), which it tried to reach (logs/\(Self.path.joined(separator: "/")))"
    }

    /// The error of a trial that failed in a phase with a proxy, when the proxy did not run from the beginning of the phase until now: then the
    /// failure says nothing about agent and task. Nil when it did run, or when that is not known.
    ///
    /// - Parameter begin: of the phase, in milliseconds since 1970.
    func loss(ofPhaseBegunAt begin: Int64, failedWith error: TrialError) -> TrialError? {
        let what: String
        switch proxy {
        case .running(let since) where since > begin: what = "was started again at \(Timestamp(epochMilliseconds: since).rfc3339), during this phase"
        case .unreachable(let why): what = "cannot be reached (\(why))"
        case .running, .unclear: return nil
        }
        return TrialError(.environmentNetworkFailed, "the egress proxy of the trial \(what): \(error)")
    }
}
