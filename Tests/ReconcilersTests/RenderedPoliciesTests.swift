import AssayAPI
import AssayTesting
import Base
import Foundation
import KubeCore
import Testing
import TrialPods
import YAML

@testable import Reconcilers

/// The policies of manifests/ together with those that the operator makes, with the pods as the manifests have them.
@Suite("What trial pods reach of an installation")
struct RenderedPoliciesTests {
    private static func objects(_ file: String) throws -> [JSONValue] {
        try YAML.parse(Array(try String(contentsOfFile: "\(PermissionsTests.root)/manifests/operator/\(file).yaml", encoding: .utf8).utf8))
    }

    /// A pod of a Deployment, with the ports that its container names.
    private static func pod(_ file: String, _ address: String) throws -> PolicyEvaluator.Pod {
        let deployment = try #require(try objects(file).first { $0["kind"] == "Deployment" })
        let labels = deployment.at("spec", "template", "metadata", "labels")?.object?.compactMapValues(\.string) ?? [:]
        let ports = deployment.at("spec", "template", "spec", "containers")?.array?.first?["ports"]?.array ?? []
        let named = ports.compactMap { port in port["name"]?.string.flatMap { name in port["containerPort"]?.int.map { (name, $0) } } }
        return .init("assay-system", labels, addresses: [address], namedPorts: Dictionary(uniqueKeysWithValues: named))
    }

    private static func service(_ file: String, port: String) throws -> ServiceAddress {
        var service = try #require(try objects(file).first { $0["kind"] == "Service" })
        service.set(["spec", "clusterIP"], to: "10.96.0.7")
        return try ServiceAddress(service, port: port)
    }

    @Test("catalogue 56, 68: the cache service, the proxy and the canary, from each kind of pod, with the policies and without them")
    func table() throws {
        let (cache, canary) = (try Self.service("cache", port: ClusterPeers.Port.cache), try Self.service("cache", port: ClusterPeers.Port.canary))
        let egress = try Self.service("egress", port: ClusterPeers.Port.egress)
        let installed = try Self.objects("networkpolicy") + Self.objects("egress")
        let trials = TrialPolicies(cache: cache.peer, egress: egress.peer).objects(namespace: "team")
        let (operatorPod, proxyPod) = (try Self.pod("deployment", "10.244.0.5"), try Self.pod("egress", "10.244.0.6"))
        #expect(operatorPod.namedPorts["cache"] == cache.peer.port && operatorPod.namedPorts["canary"] == canary.peer.port)
        #expect(proxyPod.namedPorts["proxy"] == egress.peer.port)

        func trial(_ network: PodNetwork) -> PolicyEvaluator.Peer {
            .pod(
                .init(
                    "team", [AssayNames.managedByLabel: AssayNames.managedByValue, AssayNames.networkLabel: network.rawValue],
                    addresses: ["10.244.1.9"]))
        }
        // From a trial pod to a port of the operator or of the proxy: without the trials' policies, with them for public and for proxied pods.
        let table: [(pod: PolicyEvaluator.Pod, port: Int, open: Bool, public: Bool, proxied: Bool)] = [
            (operatorPod, cache.peer.port, true, true, true),
            // Open without the trials' own policy: that is what the check shows.
            (operatorPod, canary.peer.port, true, false, false),
            (operatorPod, 8080, true, false, false),
            (operatorPod, 22, false, false, false),
            (proxyPod, egress.peer.port, true, false, true),
            (proxyPod, 8080, true, false, false),
            (proxyPod, 22, false, false, false),
        ]
        for coverPods in [false, true] {
            let (without, with) = (
                PolicyEvaluator(installed, blocksCoverPods: coverPods), PolicyEvaluator(installed + trials, blocksCoverPods: coverPods)
            )
            for row in table {
                let to = PolicyEvaluator.Peer.pod(row.pod)
                #expect(without.allows(trial(.proxied), to: to, row.port) == row.open, "no policies: \(row)")
                #expect(with.allows(trial(.public), to: to, row.port) == row.public, "public: \(row)")
                #expect(with.allows(trial(.proxied), to: to, row.port) == row.proxied, "proxied: \(row)")
            }
            // A public trial has no use for the proxy, and a pod that is none of Assay's none for the cache.
            #expect(!without.allows(trial(.public), to: .pod(proxyPod), egress.peer.port))
            #expect(!with.allows(.pod(.init("shop", ["app": "web"])), to: .pod(operatorPod), cache.peer.port))
            // Other replicas.
            #expect(with.allows(.pod(operatorPod), to: .pod(operatorPod), cache.peer.port))
        }
    }
}
