import Base

/// What the proxy measures. Labels have a fixed few values.
struct EgressMetrics: Sendable {
    private let accepted: MetricsRegistry.Counter
    private let requests: MetricsRegistry.Counter
    private let bytes: MetricsRegistry.Counter
    private let connections: MetricsRegistry.Gauge

    init(_ registry: MetricsRegistry) {
        accepted = registry.counter(.egressConnections)
        requests = registry.counter(.egressRequests)
        bytes = registry.counter(.egressBytes)
        connections = registry.gauge(.egressConnections)
    }

    func follow(connections count: @escaping @Sendable () -> Int) { connections.follow { Double(count()) } }

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
