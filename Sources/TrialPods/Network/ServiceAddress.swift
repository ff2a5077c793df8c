import Base
import KubeCore

/// A port of a Service, as pods that resolve no names reach it.
public struct ServiceAddress: Sendable, Hashable {
    /// The Service's own address.
    public let address: IPAddress
    /// The Service's port.
    public let port: Int
    /// The pods behind it.
    public let peer: PolicyPeer

    /// Reads a Service of the API server.
    /// - Parameter name: of the port.
    public init(_ service: JSONValue, port name: String) throws(ServiceAddressFailure) {
        let key = ObjectMeta(of: service).key
        func unfit(_ why: String) -> ServiceAddressFailure { ServiceAddressFailure(service: key, why: why) }
        guard let text = service.at("spec", "clusterIP")?.string, let address = IPAddress(text) else { throw unfit("it has no address of its own") }
        let labels = service.at("spec", "selector")?.object?.compactMapValues(\.string) ?? [:]
        guard !labels.isEmpty else { throw unfit("it selects no pods") }
        guard let entry = service.at("spec", "ports")?.array?.first(where: { $0["name"]?.string == name }), let port = entry["port"]?.int else {
            throw unfit("it has no port \"\(name)\"")
        }
        guard let target = entry["targetPort"].map(\.int) ?? port else {
            throw unfit("the targetPort of its port \"\(name)\" is a name; NetworkPolicies need the number")
        }
        self.address = address
        self.port = port
        peer = PolicyPeer(namespace: key.namespace, labels: labels, port: target)
    }

    /// `10.96.0.7:8081` or `[fd00::7]:8081`.
    public var hostAndPort: String { address.isIPv6 ? "[\(address)]:\(port)" : "\(address):\(port)" }
    public var url: String { "http://\(hostAndPort)" }
}

/// A Service cannot be given to trial pods by its address.
public struct ServiceAddressFailure: Error, Sendable, Hashable, CustomStringConvertible {
    public let service: ObjectKey
    public let why: String
    public var description: String { "trial pods cannot reach the Service \(service) by its address: \(why)" }
}

/// The addresses of the cluster's API server.
public enum APIServerAddresses {
    /// The EndpointSlice that every API server keeps up to date with its own addresses.
    public static let slice = ObjectKey(namespace: "default", name: "kubernetes")

    public static func networks(of slice: JSONValue) -> [IPNetwork] {
        (slice["endpoints"]?.array ?? []).flatMap { $0["addresses"]?.array ?? [] }.compactMap { $0.string.flatMap { IPAddress($0) } }
            .map { IPNetwork($0) }
    }
}
