import Base

/// A probe of a container. This node runs startup probes only.
struct NodeProbe: Sendable, Hashable {
    enum Check: Sendable, Hashable {
        /// Runs in the container; 0 is a success.
        case exec([String])
        /// Succeeds when the port of the pod accepts a connection.
        case tcp(port: Int)
        /// Succeeds when the answer's status is at least 200 and below 400.
        case http(port: Int, path: String, headers: [Header])
        /// A kind of probe that this node cannot run. It always fails.
        case unsupported(String)
    }

    struct Header: Sendable, Hashable {
        var name: String
        var value: String
    }

    var check: Check
    var initialDelaySeconds: Int
    var periodSeconds: Int
    var timeoutSeconds: Int
    /// Failures in a row after which the container is ended.
    var failureThreshold: Int

    /// - Parameter ports: the container's `ports`, by whose names a probe may name its port.
    init?(_ spec: JSONValue, ports: [JSONValue]) {
        guard !spec.isNull else { return nil }
        initialDelaySeconds = max(0, spec["initialDelaySeconds"]?.int ?? 0)
        periodSeconds = max(1, spec["periodSeconds"]?.int ?? 10)
        timeoutSeconds = max(1, spec["timeoutSeconds"]?.int ?? 1)
        failureThreshold = max(1, spec["failureThreshold"]?.int ?? 3)
        check = Self.check(spec, ports)
    }

    private static func check(_ spec: JSONValue, _ ports: [JSONValue]) -> Check {
        if let exec = spec["exec"] { return .exec((exec["command"]?.array ?? []).compactMap(\.string)) }
        for kind in ["tcpSocket", "httpGet"] {
            guard let action = spec[kind] else { continue }
            guard action["host"]?.string ?? "" == "" else { return .unsupported("a probe of another host") }
            guard let port = port(action["port"], ports) else { return .unsupported("the port \(action["port"]?.text ?? "")") }
            if kind == "tcpSocket" { return .tcp(port: port) }
            guard action["scheme"]?.string ?? "HTTP" == "HTTP" else { return .unsupported("HTTPS") }
            let headers = (action["httpHeaders"]?.array ?? []).map { Header(name: $0["name"]?.string ?? "", value: $0["value"]?.string ?? "") }
            return .http(port: port, path: action["path"]?.string ?? "/", headers: headers)
        }
        return .unsupported((spec.object ?? [:]).keys.sorted().joined(separator: ", "))
    }

    private static func port(_ value: JSONValue?, _ ports: [JSONValue]) -> Int? {
        if let number = value?.int { return number }
        guard let name = value?.string else { return nil }
        return Int(name) ?? ports.first { $0["name"]?.string == name }?["containerPort"]?.int
    }
}
