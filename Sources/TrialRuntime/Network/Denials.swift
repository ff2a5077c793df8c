import Base
import EvalModel
import HTTPTransport

/// What the egress proxy denied a trial, as the collector reads it from the proxy and adds it to the logs.
struct Denials: Sendable, Hashable {
    /// Below `logs/`.
    static let path = ["network", "denials.json"]
    private static let maximumBytes = 1 << 20

    /// The proxy's answer.
    let report: JSONValue

    /// - Returns: nil when no phase has a token, or nothing was denied. A proxy that does not answer gives a report that says so.
    static func read(_ access: EgressAccess, seconds: Double = 10) async -> Denials? {
        guard let token = access.tokens.sorted(by: { $0.key < $1.key }).first?.value else { return nil }
        let request = HTTPRequest(
            url: "\(access.proxy)/.assay/denials", headers: ["Proxy-Authorization": "Bearer \(token)"],
            timeouts: HTTPTimeouts(connect: seconds, total: seconds, idle: seconds), proxy: .none)
        do {
            let response = try await HTTPTransport.shared.send(request)
            let body = try await response.body.collect(upTo: maximumBytes)
            guard response.status == 200 else { return .failed("the proxy answers \(response.status)") }
            let report = try JSONValue(parsing: body)
            let isEmpty = report["denials"]?.array?.isEmpty != false && report["omitted"]?.int ?? 0 == 0
            return isEmpty ? nil : Denials(report: report)
        } catch {
            return .failed("\(error)")
        }
    }

    private static func failed(_ why: String) -> Denials {
        Denials(report: ["denials": [], "error": .string("the egress proxy could not be asked what it denied: \(why)")])
    }

    /// A sentence about the phase's denials, for the error of a trial that failed in it; nil when it has none.
    func remark(on phase: TrialPhase) -> String? {
        let denied = (report["denials"]?.array ?? []).filter { $0["phase"]?.string == phase.rawValue }
        guard !denied.isEmpty else { return nil }
        let named = denied.prefix(3).map { "\($0["host"]?.string ?? "?"):\($0["port"]?.int ?? 0)" }.joined(separator: ", ")
        let more = denied.count > 3 ? " and \(denied.count - 3) more" : ""
        return "the network of this phase does not allow \(named)\(more), which it tried to reach (logs/\(Self.path.joined(separator: "/")))"
    }
}
