import AssayAPI
import Base
import Egress

/// The pods behind a Service, as a NetworkPolicy names them. Policies hold for the pods' own ports, not for those of the Service.
public struct PolicyPeer: Sendable, Hashable {
    public var namespace: String
    public var labels: [String: String]
    public var port: Int

    public init(namespace: String, labels: [String: String], port: Int) {
        self.namespace = namespace
        self.labels = labels
        self.port = port
    }
}

/// The two NetworkPolicies of trials, of which each pod has one by its label `assay.dev/network`. They add up with other policies, and a pod has the same ones
/// for its whole life.
///
/// - `public` pods reach the cluster's DNS, the cache service with its instances on nodes, and all addresses but `closed` ones.
/// - `proxied` pods reach the cache service with its instances on nodes, and the egress proxy.
/// - No pod accepts connections.
public struct TrialPolicies: Sendable, Hashable {
    /// Pods that answer DNS queries. Kubernetes' own installers and all large clouds give them this label.
    static let dns = PolicyPeer(namespace: "kube-system", labels: ["k8s-app": "kube-dns"], port: 53)

    /// The cache service; nil: there is none.
    public var cache: PolicyPeer?
    /// The cache service's instances on nodes; nil: there are none.
    public var nodeCache: PolicyPeer?
    /// The egress proxy; nil: there is none.
    public var egress: PolicyPeer?
    /// Addresses of the cluster that are not private by themselves: those of its API server, and what the operator was told.
    public var closed: [IPNetwork]

    public init(cache: PolicyPeer?, nodeCache: PolicyPeer? = nil, egress: PolicyPeer?, closed: [IPNetwork] = []) {
        self.cache = cache
        self.nodeCache = nodeCache
        self.egress = egress
        self.closed = closed
    }

    public static func name(of network: PodNetwork) -> String { "assay-trials-\(network.rawValue)" }

    /// The policies' names.
    public static let names = Set(PodNetwork.allCases.map(name))

    /// The policies for one namespace, without owners. Equal inputs give equal objects, and a server adds no defaults to their specs.
    public func objects(namespace: String) -> [JSONValue] {
        PodNetwork.allCases.map { network in
            [
                "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                "metadata": [
                    "name": .string(Self.name(of: network)), "namespace": .string(namespace),
                    "labels": .object([AssayNames.managedByLabel: .string(AssayNames.managedByValue)]),
                ],
                "spec": spec(network),
            ]
        }
    }

    private func spec(_ network: PodNetwork) -> JSONValue {
        var spec: JSONValue = [
            "podSelector": ["matchLabels": .object([AssayNames.networkLabel: .string(network.rawValue)])],
            "policyTypes": ["Ingress", "Egress"],
        ]
        let rules: [JSONValue] =
            switch network {
            case .public:
                [Self.rule(Self.dns, protocols: ["UDP", "TCP"])] + [cache, nodeCache].compactMap { $0.map { Self.rule($0) } } + publicAddresses
            case .proxied: [cache, nodeCache, egress].compactMap { $0.map { Self.rule($0) } }
            }
        // Without the list nothing is allowed. An empty one is not what a server returns, so it would look like a change.
        if !rules.isEmpty { spec["egress"] = .array(rules) }
        return spec
    }

    private static func rule(_ peer: PolicyPeer, protocols: [String] = ["TCP"]) -> JSONValue {
        [
            "to": [
                [
                    "namespaceSelector": ["matchLabels": ["kubernetes.io/metadata.name": .string(peer.namespace)]],
                    "podSelector": ["matchLabels": .object(peer.labels.mapValues { .string($0) })],
                ]
            ],
            "ports": .array(protocols.map { ["protocol": .string($0), "port": JSONValue(peer.port)] }),
        ]
    }

    /// No rule when there are none: a rule without peers would allow everything.
    private var publicAddresses: [JSONValue] {
        let blocks = PublicAddresses.blocks(except: closed).map { block -> JSONValue in
            var rule: JSONValue = ["cidr": .string(block.network.text)]
            if !block.except.isEmpty { rule["except"] = .array(block.except.map { .string($0.text) }) }
            return ["ipBlock": rule]
        }
        return blocks.isEmpty ? [] : [["to": .array(blocks)]]
    }
}
