import Base
import KubeCore
import Reconcilers

/// The options of `assay operator` that say what the NetworkPolicies of trials allow.
enum ClusterNetworkOptions {
    static let canaryPort: UInt16 = 8082

    static let options: [CommandSyntax.Option] = [
        .init(
            name: "trial-policies", value: "on|off",
            help: "Make the NetworkPolicies of trial pods in the namespaces of jobs (default: $ASSAY_TRIAL_POLICIES, else off)."),
        .init(
            name: "egress-service", value: "NAME",
            help: "The Service of the egress proxy, in the operator's namespace; without it trials with a restricted network are refused "
                + "(default: $ASSAY_EGRESS_SERVICE)."),
        .init(
            name: "cluster-cidrs", value: "CIDRS",
            help: "Networks of pods, services, nodes and the API server that are not private, with commas (default: $ASSAY_CLUSTER_CIDRS).",
            repeats: true),
    ]

    /// What the operator is told of the cluster's network; nil when it makes no policies.
    /// - Parameters:
    ///   - cacheService: the URL of the cache service, as `http://assay-cache.assay-system:8081`; nil: there is none.
    ///   - nodeCacheService: the same of the cache's instances on nodes.
    ///   - namespace: of the operator.
    static func settings(
        _ arguments: Arguments, _ environment: [String: String], cacheService: String?, nodeCacheService: String?, namespace: String
    ) throws -> ClusterNetworkSettings? {
        let makes = arguments.value("trial-policies") ?? environment["ASSAY_TRIAL_POLICIES"].flatMap { $0.isEmpty ? nil : $0 } ?? "off"
        guard makes == "on" || makes == "off" else { throw UsageError("--trial-policies takes on or off, not \"\(makes)\"") }
        let listed = arguments.all("cluster-cidrs")
        let closed = try networks("cluster-cidrs", listed.isEmpty ? [environment["ASSAY_CLUSTER_CIDRS"] ?? ""] : listed)
        guard makes == "on" else { return nil }
        let egress = arguments.value("egress-service") ?? environment["ASSAY_EGRESS_SERVICE"].flatMap { $0.isEmpty ? nil : $0 }
        return ClusterNetworkSettings(
            cache: try cacheService.map { try service($0, "cache-service") },
            nodeCache: try nodeCacheService.map { try service($0, "node-cache-service") },
            egress: egress.map { ObjectKey(namespace: namespace, name: $0) }, closed: closed)
    }

    /// The Service that a URL of the form `http://NAME.NAMESPACE[.svc...]:PORT` names.
    private static func service(_ url: String, _ option: String) throws(UsageError) -> ObjectKey {
        let host = url.dropFirst("http://".count).prefix { $0 != ":" && $0 != "/" }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard url.hasPrefix("http://"), parts.count >= 2, parts.count == 2 || parts[2] == "svc", IPAddress(String(host)) == nil else {
            throw UsageError(
                "--trial-policies on needs a --\(option) of the form http://NAME.NAMESPACE:PORT, which names a Service, not \"\(url)\"")
        }
        return ObjectKey(namespace: parts[1], name: parts[0])
    }

    /// - Parameter texts: networks or addresses, each text with commas between them.
    static func networks(_ option: String, _ texts: [String]) throws(UsageError) -> [IPNetwork] {
        var networks: [IPNetwork] = []
        for text in texts.flatMap({ $0.split(separator: ",") }).map(\.trimmed) where !text.isEmpty {
            if let network = IPNetwork(text), network.masked == network {
                networks.append(network)
            } else if let address = IPAddress(text) {
                networks.append(IPNetwork(address))
            } else {
                throw UsageError("--\(option): \"\(text)\" is no network: write an address and a prefix length, as in 10.96.0.0/12")
            }
        }
        return networks
    }
}
