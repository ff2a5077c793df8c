import Base

/// What the proxy measures. Labels have a fixed few values.
struct EgressMetrics: Sendable {
    private let accepted: MetricsRegistry.Counter
    private let requests: MetricsRegistry.Counter
    private let bytes: MetricsRegistry.Counter
    private let connections: MetricsRegistry.Gauge

    init(_ registry: MetricsRegistry) {
        accepted = registry.counter(
            "assay_egress_connections_total", help: "Client connections, by whether they were accepted or refused for a limit.")
        requests = registry.counter(
            "assay_egress_requests_total", help: "Requests by kind (connect, http, own) and result: allowed, denied_* by reason, or how it failed.")
        bytes = registry.counter(
            "assay_egress_bytes_total", help: "Bytes passed on: sent to servers, received from servers. Answers of the proxy itself are not counted.")
        connections = registry.gauge("assay_egress_connections", help: "Client connections now.")
        // Present from the start, so that rates can be computed from the first one on.
        bytes.add(0, ["direction": "sent"])
        bytes.add(0, ["direction": "received"])
    }

    func follow(connections count: @escaping @Sendable () -> Int) { connections.follow([:]) { Double(count()) } }

    func connection(_ admission: ConnectionBook.Admission) {
        let result =
            switch admission {
            case .admitted: "accepted"
            case .full: "refused_full"
            case .clientFull: "refused_client_full"
            }
        accepted.add(1, ["result": result])
    }

    func request(_ kind: Kind, _ result: String) { requests.add(1, ["kind": kind.rawValue, "result": result]) }

    func moved(sent: Int, received: Int) {
        if sent > 0 { bytes.add(Double(sent), ["direction": "sent"]) }
        if received > 0 { bytes.add(Double(received), ["direction": "received"]) }
    }

    enum Kind: String {
        case connect, http, own
        /// The request could not be read.
        case unknown
    }
}
