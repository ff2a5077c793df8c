import Base
import KubeCore

/// Decides connections as the NetworkPolicies of a cluster do, over the objects themselves.
///
/// The rules are those of networking.k8s.io/v1: policies add up; a pod that no policy of a direction selects is open in that direction; a connection needs
/// the sender's egress and the receiver's ingress. Plugins differ in whether an `ipBlock` covers the addresses of pods, so a caller says which.
public struct PolicyEvaluator: Sendable {
    public struct Pod: Sendable, Hashable {
        public var namespace: String
        public var labels: [String: String]
        public var addresses: [String]
        public var namedPorts: [String: Int]
        /// Policies do not hold for such a pod.
        public var isOnHostNetwork: Bool

        public init(
            _ namespace: String, _ labels: [String: String], addresses: [String] = [], namedPorts: [String: Int] = [:], isOnHostNetwork: Bool = false
        ) {
            self.namespace = namespace
            self.labels = labels
            self.addresses = addresses
            self.namedPorts = namedPorts
            self.isOnHostNetwork = isOnHostNetwork
        }
    }

    public enum Peer: Sendable, Hashable {
        case pod(Pod)
        /// Of something that is no pod: a node, a host of the internet.
        case address(String)
    }

    private enum Direction: String {
        case ingress = "Ingress"
        case egress = "Egress"

        var rules: String { rawValue.lowercased() }
        var peers: String { self == .ingress ? "from" : "to" }
    }

    private let policies: [JSONValue]
    private let namespaces: [String: [String: String]]
    private let blocksCoverPods: Bool

    /// - Parameters:
    ///   - namespaces: labels by name, besides `kubernetes.io/metadata.name`, which every namespace has.
    ///   - blocksCoverPods: whether an `ipBlock` also selects pods by their addresses.
    public init(_ policies: [JSONValue], namespaces: [String: [String: String]] = [:], blocksCoverPods: Bool) {
        self.policies = policies.filter { $0["kind"]?.string == "NetworkPolicy" }
        self.namespaces = namespaces
        self.blocksCoverPods = blocksCoverPods
    }

    public func allows(_ source: Peer, to destination: Peer, _ port: Int, protocol: String = "TCP") -> Bool {
        allows(.egress, of: source, peer: destination, receiver: destination, port, `protocol`)
            && allows(.ingress, of: destination, peer: source, receiver: destination, port, `protocol`)
    }

    private func allows(_ direction: Direction, of subject: Peer, peer: Peer, receiver: Peer, _ port: Int, _ transport: String) -> Bool {
        guard case .pod(let pod) = subject, !pod.isOnHostNetwork else { return true }
        let selecting = policies.filter { policy in
            policy.at("metadata", "namespace")?.string == pod.namespace && types(of: policy).contains(direction.rawValue)
                && matches(policy.at("spec", "podSelector"), pod.labels)
        }
        guard !selecting.isEmpty else { return true }
        return selecting.contains { policy in
            (policy.at("spec", direction.rules)?.array ?? []).contains { rule in
                let peers = rule[direction.peers]?.array ?? []
                let ports = rule["ports"]?.array ?? []
                return (peers.isEmpty || peers.contains { selects($0, peer, from: pod.namespace) })
                    && (ports.isEmpty || ports.contains { covers($0, port, transport, receiver) })
            }
        }
    }

    private func types(of policy: JSONValue) -> [String] {
        if let types = policy.at("spec", "policyTypes")?.array, !types.isEmpty { return types.compactMap(\.string) }
        return policy.at("spec", "egress") == nil ? ["Ingress"] : ["Ingress", "Egress"]
    }

    private func selects(_ rule: JSONValue, _ peer: Peer, from namespace: String) -> Bool {
        if let block = rule["ipBlock"] {
            switch peer {
            case .address(let address): return contains(block, address)
            case .pod(let pod): return (blocksCoverPods || pod.isOnHostNetwork) && pod.addresses.contains { contains(block, $0) }
            }
        }
        // A pod in its node's network has the node's address; selectors do not find it.
        guard case .pod(let pod) = peer, !pod.isOnHostNetwork else { return false }
        if let selector = rule["namespaceSelector"] {
            var labels = namespaces[pod.namespace] ?? [:]
            labels["kubernetes.io/metadata.name"] = pod.namespace
            guard matches(selector, labels) else { return false }
        } else {
            guard pod.namespace == namespace else { return false }
        }
        return rule["podSelector"].map { matches($0, pod.labels) } ?? true
    }

    private func contains(_ block: JSONValue, _ text: String) -> Bool {
        func within(_ network: JSONValue?, _ address: IPAddress) -> Bool {
            network?.string.flatMap { IPNetwork($0) }?.contains(address) ?? false
        }
        guard let address = IPAddress(text) else { return false }
        return within(block["cidr"], address) && !(block["except"]?.array ?? []).contains { within($0, address) }
    }

    private func covers(_ rule: JSONValue, _ port: Int, _ transport: String, _ receiver: Peer) -> Bool {
        guard rule["protocol"]?.string ?? "TCP" == transport else { return false }
        guard let wanted = rule["port"] else { return true }
        if let name = wanted.string {
            guard case .pod(let pod) = receiver else { return false }
            return pod.namedPorts[name] == port
        }
        guard let first = wanted.int else { return false }
        return (first...max(first, rule["endPort"]?.int ?? first)).contains(port)
    }

    /// A selector that is missing or empty selects everything.
    private func matches(_ selector: JSONValue?, _ labels: [String: String]) -> Bool {
        LabelSelector(json: selector ?? [:])?.matches(labels) ?? false
    }
}
