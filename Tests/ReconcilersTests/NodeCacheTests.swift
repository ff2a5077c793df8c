import AssayAPI
import AssayTesting
import Base
import Egress
import Foundation
import KubeClient
import KubeCore
import SourceSync
import Testing
import TrialPods
import TrialRuntime
import YAML

@testable import Reconcilers

/// The cache on nodes: what trial pods are told of it, what their policies allow, and how it is installed.
@Suite("The cache on nodes")
struct NodeCacheTests {
    private static let keyBytes = [UInt8](repeating: 5, count: 32)
    private static let service = ObjectKey(namespace: "assay-system", name: "assay-repo-cache")
    private static let values = "{repoCache: {nodes: {enabled: true}}}"

    @Test("a pod is told of its node's instance, by name or, where it resolves none, by address; its policy allows that")
    func pods() async throws {
        try await World.run(tasks: ["a"]) { world in
            try await ClusterServices.create(world)
            let text = try String(contentsOfFile: "\(PermissionsTests.root)/manifests/repo-cache/repo-cache.yaml", encoding: .utf8)
            var service = try #require(try YAML.parse(Array(text.utf8)).first { $0["kind"] == "Service" })
            #expect(service.at("spec", "internalTrafficPolicy") == "Local")
            service.set(["spec", "clusterIP"], to: "10.96.0.9")
            _ = try await world.client.create(.services, service, namespace: Self.service.namespace)
            let helpers = HelperPods(world)
            let cache = SourceCache(
                store: TreeStore(directory: "\(world.path)/trees"), key: Self.keyBytes, endpoint: .service("http://assay-cache.assay-system:8081"),
                node: "http://assay-repo-cache.assay-system:8081", uploads: "\(world.path)/uploads")
            let running = try world.startOperator(
                cache: cache,
                network: ClusterNetworkSettings(cache: ClusterServices.cache, nodeCache: Self.service, egress: ClusterServices.egress),
                networks: TrialNetworks(.cluster, key: try #require(SigningKey(Self.keyBytes))))
            for (name, network, address) in [
                ("open", "public", "http://assay-repo-cache.assay-system:8081"), ("closed", "no-network", "http://10.96.0.9:8081"),
            ] {
                try await world.createJob(name, with: ["environment": ["network": ["mode": .string(network)], "preserveEnv": "Always"]])
                try await world.waitForEnd(name)
                let pod = try #require(world.node.present.first { ObjectMeta(of: $0).name.hasPrefix("\(name)-") })
                let env = pod.at("spec", "initContainers")?.array?.first?["env"]?.array ?? []
                #expect(env.first { $0["name"]?.string == TrialVariables.nodeCacheAddress }?["value"]?.string == address, "\(name)")
            }
            await running.stop()
            await helpers.stop()
            // The policies are gone with the last pod that is not kept; what they would be is pure.
            let peer = try ServiceAddress(service, port: "cache").peer
            #expect(peer.labels["app.kubernetes.io/component"] == "repo-cache" && peer.port == 8081)
            for policy in TrialPolicies(cache: nil, nodeCache: peer, egress: nil).objects(namespace: "default") {
                let rules = policy.at("spec", "egress")?.array ?? []
                #expect(
                    rules.contains {
                        $0["to"]?[0]?.at("podSelector", "matchLabels", "app.kubernetes.io/component") == "repo-cache"
                            && $0["ports"]?[0]?["port"] == 8081
                    }, "\(policy.text)")
            }
        }
    }

    @Test("manifests with the component repo-cache give what the chart gives, and can be applied")
    func manifests() async throws {
        try await World.run(tasks: ["a"]) { world in
            let copy = "\(world.path)/manifests"
            try FileManager.default.copyItem(atPath: "\(PermissionsTests.root)/manifests", toPath: copy)
            let file = "\(copy)/kustomization.yaml"
            try (try String(contentsOfFile: file, encoding: .utf8) + "components:\n- repo-cache\n").write(
                toFile: file, atomically: true, encoding: .utf8)
            let built = try await world.kubectl("kustomize", copy)
            try #require(built.ok, "\(built.err)")
            let rendered = try await World.helm.template([Self.values])
            /// Specs and rules, without the image's tag and the order of variables.
            func parts(_ text: String) throws -> [String: String] {
                let plain = text.replacing(/localhost\/assay:[^\s"]+/, with: "localhost/assay:tag")
                var found: [String: String] = [:]
                for object in try YAML.parse(plain) where !object.isNull {
                    let meta = ObjectMeta(of: object)
                    guard ["assay-operator", "assay-repo-cache", "assay-networks"].contains(meta.name) else { continue }
                    var value = object["spec"] ?? object["rules"] ?? .null
                    if let containers = value.at("template", "spec", "containers")?.array, let first = containers.first {
                        let env = (first["env"]?.array ?? []).sorted { $0.text < $1.text }
                        var container = first
                        container["env"] = .array(env)
                        value.set(["template", "spec", "containers"], to: [container])
                    }
                    found["\(object["kind"]?.string ?? "") \(meta.name)"] = value.text
                }
                return found
            }
            let (mine, chart) = (try parts(built.out), try parts(rendered))
            for name in [
                "DaemonSet assay-repo-cache", "Service assay-repo-cache", "NetworkPolicy assay-repo-cache", "NetworkPolicy assay-operator",
                "Deployment assay-operator", "Role assay-networks",
            ] {
                #expect(mine[name] != nil && mine[name] == chart[name], "\(name): \(mine[name] ?? "-")\n\(chart[name] ?? "-")")
            }
            let applied = try await world.kubectl("apply", "-k", copy)
            #expect(applied.ok, "\(applied.err)")
            #expect(try await world.kubectl("get", "daemonset", "assay-repo-cache", "-n", "assay-system", "-o", "name").ok)
        }
    }
}
