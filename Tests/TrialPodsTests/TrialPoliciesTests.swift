import AssayAPI
import AssayTesting
import Base
import EvalModel
import Testing

@testable import TrialPods

/// What the rendered policies allow, by the rules of Kubernetes.
@Suite("The NetworkPolicies of trials")
struct TrialPoliciesTests {
    static let cache = PolicyPeer(
        namespace: "assay-system", labels: ["app.kubernetes.io/name": "assay", "app.kubernetes.io/component": "operator"], port: 8081)
    static let egress = PolicyPeer(
        namespace: "assay-system", labels: ["app.kubernetes.io/name": "assay", "app.kubernetes.io/component": "egress"], port: 3128)
    /// A cluster with public addresses: its API server, and its pods' IPv6 network.
    static let closed = ["203.0.114.9/32", "2a00:1:2::/48"].compactMap { IPNetwork($0) }
    static let policies = TrialPolicies(cache: cache, egress: egress, closed: closed)

    static func trial(_ network: PodNetwork, _ namespace: String = "team") -> PolicyEvaluator.Peer {
        .pod(
            .init(
                namespace, [AssayNames.networkLabel: network.rawValue, AssayNames.managedByLabel: AssayNames.managedByValue],
                addresses: ["10.244.1.9"]))
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let what: String
        let to: PolicyEvaluator.Peer
        let port: Int
        var transport = "TCP"
        let isPublic: Bool
        let isProxied: Bool
        var testDescription: String { what }

        init(_ what: String, _ to: PolicyEvaluator.Peer, _ port: Int, _ transport: String = "TCP", public isPublic: Bool, proxied isProxied: Bool) {
            (self.what, self.to, self.port, self.transport, self.isPublic, self.isProxied) = (what, to, port, transport, isPublic, isProxied)
        }
    }

    private static func pod(_ namespace: String, _ labels: [String: String], _ address: String = "10.244.2.7") -> PolicyEvaluator.Peer {
        .pod(.init(namespace, labels, addresses: [address]))
    }

    static let cases: [Case] = [
        .init("DNS over UDP", pod("kube-system", ["k8s-app": "kube-dns"]), 53, "UDP", public: true, proxied: false),
        .init("DNS over TCP", pod("kube-system", ["k8s-app": "kube-dns"]), 53, public: true, proxied: false),
        .init("the DNS pods' metrics", pod("kube-system", ["k8s-app": "kube-dns"]), 9153, public: false, proxied: false),
        .init("a pod that calls itself DNS elsewhere", pod("team", ["k8s-app": "kube-dns"]), 53, "UDP", public: false, proxied: false),
        .init("the cache service", pod(cache.namespace, cache.labels), 8081, public: true, proxied: true),
        .init("the cache service's canary", pod(cache.namespace, cache.labels), 8082, public: false, proxied: false),
        .init("the operator's metrics", pod(cache.namespace, cache.labels), 8080, public: false, proxied: false),
        .init("a pod that looks like the cache service", pod("team", cache.labels), 8081, public: false, proxied: false),
        .init("the egress proxy", pod(egress.namespace, egress.labels), 3128, public: false, proxied: true),
        .init("the egress proxy's metrics", pod(egress.namespace, egress.labels), 8080, public: false, proxied: false),
        .init("another trial", trial(.public), 8000, public: false, proxied: false),
        .init("another trial with a restricted network", trial(.proxied), 8000, public: false, proxied: false),
        .init("a pod of the same namespace", pod("team", ["app": "web"]), 80, public: false, proxied: false),
        .init("a pod of another namespace", pod("shop", ["app": "web"]), 80, public: false, proxied: false),
        .init("catalogue 56: the API server by its public address", .address("203.0.114.9"), 443, public: false, proxied: false),
        .init("the address beside it", .address("203.0.114.8"), 443, public: true, proxied: false),
        .init("catalogue 56: the API server by its Service", .address("10.96.0.1"), 443, public: false, proxied: false),
        .init("catalogue 56: a kubelet", .address("192.168.5.2"), 10250, public: false, proxied: false),
        .init("catalogue 56: a kubelet by carrier-grade NAT", .address("100.64.3.1"), 10250, public: false, proxied: false),
        .init("catalogue 56: the metadata address", .address("169.254.169.254"), 80, public: false, proxied: false),
        .init("catalogue 56: the metadata address of Azure", .address("168.63.129.16"), 80, public: false, proxied: false),
        .init("catalogue 56: the metadata address by IPv6", .address("fd00:ec2::254"), 80, public: false, proxied: false),
        .init("catalogue 56: the metadata address through NAT64", .address("64:ff9b::a9fe:a9fe"), 80, public: false, proxied: false),
        .init("catalogue 56: the API server through NAT64", .address("64:ff9b::cb00:7209"), 443, public: false, proxied: false),
        .init("a private address", .address("172.16.0.1"), 443, public: false, proxied: false),
        .init("loopback of the node", .address("127.0.0.1"), 80, public: false, proxied: false),
        .init("a unique local IPv6 address", .address("fd12::1"), 443, public: false, proxied: false),
        .init("a link-local IPv6 address", .address("fe80::1"), 443, public: false, proxied: false),
        .init("an IPv6 address of the cluster", .address("2a00:1:2::7"), 443, public: false, proxied: false),
        .init("6to4 of a private address", .address("2002:a00:1::"), 443, public: false, proxied: false),
        .init("a public IPv4 address", .address("93.184.215.14"), 443, public: true, proxied: false),
        .init("a public IPv4 address over UDP", .address("93.184.215.14"), 443, "UDP", public: true, proxied: false),
        .init("a public IPv6 address", .address("2606:2800:21f::1"), 443, public: true, proxied: false),
        .init("a public IPv4 address through NAT64", .address("64:ff9b::5db8:d70e"), 443, public: true, proxied: false),
    ]

    @Test("what each kind of pod reaches", arguments: cases)
    func reach(_ one: Case) {
        for coverPods in [false, true] {
            let evaluator = PolicyEvaluator(Self.policies.objects(namespace: "team"), blocksCoverPods: coverPods)
            #expect(evaluator.allows(Self.trial(.public), to: one.to, one.port, protocol: one.transport) == one.isPublic, "public, \(coverPods)")
            #expect(evaluator.allows(Self.trial(.proxied), to: one.to, one.port, protocol: one.transport) == one.isProxied, "proxied, \(coverPods)")
        }
    }

    @Test("nothing connects to a trial, not even within its namespace; pods without the label are left alone")
    func incoming() {
        let evaluator = PolicyEvaluator(Self.policies.objects(namespace: "team"), blocksCoverPods: true)
        let other = PolicyEvaluator.Peer.pod(.init("team", ["app": "web"], addresses: ["10.244.2.7"]))
        for network in PodNetwork.allCases {
            #expect(!evaluator.allows(other, to: Self.trial(network), 80))
            #expect(!evaluator.allows(.address("93.184.215.14"), to: Self.trial(network), 80))
        }
        #expect(evaluator.allows(other, to: .address("10.96.0.1"), 443))
        #expect(evaluator.allows(Self.trial(.proxied, "elsewhere"), to: .address("10.96.0.1"), 443))
    }

    @Test("without a cache service and a proxy, proxied pods reach nothing")
    func nothing() {
        let objects = TrialPolicies(cache: nil, egress: nil).objects(namespace: "team")
        let evaluator = PolicyEvaluator(objects, blocksCoverPods: true)
        for one in Self.cases { #expect(!evaluator.allows(Self.trial(.proxied), to: one.to, one.port, protocol: one.transport), "\(one.what)") }
        // An empty list is not what a server returns, and would be written again and again.
        #expect(objects.allSatisfy { $0.at("spec", "egress")?.array?.isEmpty != true })
    }

    @Test("an exception lies within its network, and none within another")
    func exceptions() throws {
        for block in (Self.policies.objects(namespace: "team").flatMap { $0.at("spec", "egress")?.array ?? [] }).flatMap({ $0["to"]?.array ?? [] }) {
            guard let block = block["ipBlock"] else { continue }
            let cidr = try #require(block["cidr"]?.string.flatMap { IPNetwork($0) })
            let except = try (block["except"]?.array ?? []).map { try #require($0.string.flatMap { IPNetwork($0) }) }
            #expect(!except.isEmpty && except.allSatisfy { cidr.contains($0) && $0.prefix > cidr.prefix && $0 == $0.masked })
            for one in except { #expect(except.filter { $0.contains(one) } == [one]) }
        }
    }

    @Test("a network that holds everything leaves nothing public")
    func everythingClosed() {
        let objects = TrialPolicies(cache: nil, egress: nil, closed: ["0.0.0.0/0", "::/0"].compactMap { IPNetwork($0) }).objects(namespace: "team")
        let evaluator = PolicyEvaluator(objects, blocksCoverPods: true)
        #expect(!evaluator.allows(Self.trial(.public), to: .address("93.184.215.14"), 443))
        #expect(!evaluator.allows(Self.trial(.public), to: .address("2606:2800:21f::1"), 443))
    }

    // MARK: Policies of others

    struct Other: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let spec: JSONValue
        let opens: Bool
    }

    static let anything: JSONValue = [["to": [["ipBlock": ["cidr": "0.0.0.0/0"]]]]]

    static let others: [Other] = [
        .init(
            testDescription: "for all pods, DNS only", spec: ["podSelector": [:], "policyTypes": ["Egress"], "egress": [["ports": [["port": 53]]]]],
            opens: true),
        .init(testDescription: "for all pods, nothing", spec: ["podSelector": [:], "policyTypes": ["Ingress", "Egress"]], opens: false),
        .init(testDescription: "an empty rule", spec: ["podSelector": [:], "egress": [[:]]], opens: true),
        .init(testDescription: "without types, with rules", spec: ["podSelector": [:], "egress": anything], opens: true),
        .init(testDescription: "for ingress only", spec: ["podSelector": [:], "policyTypes": ["Ingress"], "egress": anything], opens: false),
        .init(testDescription: "for other pods", spec: ["podSelector": ["matchLabels": ["app": "web"]], "egress": anything], opens: false),
        .init(
            testDescription: "as manifests/trial-namespace was",
            spec: ["podSelector": ["matchLabels": ["app.kubernetes.io/managed-by": "assay"]], "egress": anything],
            opens: true),
        .init(
            testDescription: "for public trials", spec: ["podSelector": ["matchLabels": ["assay.dev/network": "public"]], "egress": anything],
            opens: false),
        .init(
            testDescription: "for one trial of the job", spec: ["podSelector": ["matchLabels": ["assay.dev/index": "7"]], "egress": anything],
            opens: true),
        .init(
            testDescription: "for pods that are not public",
            spec: [
                "podSelector": ["matchExpressions": [["key": "assay.dev/network", "operator": "NotIn", "values": ["public"]]]], "egress": anything,
            ],
            opens: true),
        .init(
            testDescription: "for pods without the label",
            spec: ["podSelector": ["matchExpressions": [["key": "assay.dev/network", "operator": "DoesNotExist"]]], "egress": anything], opens: false),
        .init(
            testDescription: "for a label of the pod template",
            spec: ["podSelector": ["matchExpressions": [["key": "cost", "operator": "Exists"]]], "egress": anything], opens: true),
        .init(
            testDescription: "an operator that nobody knows",
            spec: ["podSelector": ["matchExpressions": [["key": "app", "operator": "Like", "values": ["x"]]]], "egress": anything], opens: true),
    ]

    @Test("a policy that gives proxied pods egress is found, by name", arguments: others)
    func opening(_ other: Other) {
        let labels = TrialPodNames.labels(
            job: "job", jobUID: "uid",
            coordinate: TrialCoordinate(index: 0, agent: "a", agentIndex: 0, dataset: "d", task: "t", taskIndex: 0, attempt: 0), retry: 0
        ).merging([AssayNames.networkLabel: "proxied", "cost": "x"]) { $1 }
        let policy: JSONValue = ["metadata": ["name": "other", "namespace": "team"], "spec": other.spec]
        let ours = Self.policies.objects(namespace: "team")
        #expect(OpeningPolicy.first(in: ours + [policy], labels: labels) == (other.opens ? "other" : nil))
    }
}
