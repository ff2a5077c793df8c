import AssayTesting
import Base
import Foundation
import KubeClient
import KubeCore
import Reconcilers
import Testing
import TrialPods
import YAML

/// The Services of the manifests with addresses, as a cluster gives them, and the object with the API server's own addresses.
enum ClusterServices {
    static let cache = ObjectKey(namespace: "assay-system", name: "assay-cache")
    static let egress = ObjectKey(namespace: "assay-system", name: "assay-egress")
    static let settings = ClusterNetworkSettings(cache: cache, egress: egress)
    static let apiServer = "203.0.114.9"

    static func create(_ world: World) async throws {
        _ = try? await world.client.create(.namespaces, ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(cache.namespace)]])
        for (file, address) in [("cache", "10.96.0.7"), ("egress", "10.96.0.8")] {
            let text = try String(contentsOfFile: "\(PermissionsTests.root)/manifests/operator/\(file).yaml", encoding: .utf8)
            var service = try #require(try YAML.parse(Array(text.utf8)).first { $0["kind"] == "Service" })
            service.set(["spec", "clusterIP"], to: .string(address))
            // Some tests have applied the manifests, which have no addresses.
            do { _ = try await world.client.create(.services, service, namespace: cache.namespace) } catch {
                guard error.isAlreadyExists else { throw error }
                _ = try await world.client.patch(
                    .services, ObjectKey(namespace: cache.namespace, name: "assay-\(file)"), .merge(["spec": ["clusterIP": .string(address)]]))
            }
        }
        let slice: JSONValue = [
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": ["name": "kubernetes"], "addressType": "IPv4",
            "endpoints": [["addresses": [.string(apiServer)]]], "ports": [["name": "https", "port": 6443, "protocol": "TCP"]],
        ]
        _ = try await world.client.create(.endpointSlices, slice, namespace: "default")
    }

    /// Assay's own policies in the namespace, by name.
    static func policies(_ world: World, _ namespace: String = "default") async throws -> [String: JSONValue] {
        let found = try await world.client.list(.networkPolicies, namespace: namespace).items
        return Dictionary(uniqueKeysWithValues: found.map { (ObjectMeta(of: $0).name, $0) }).filter { TrialPolicies.names.contains($0.key) }
    }

    /// The names of the jobs that keep the policies; nil when the two differ, or one is missing.
    static func owners(_ world: World) async throws -> [String]? {
        let lists = try await policies(world).values.map { (ObjectMeta(of: $0).ownerReferences ?? []).map(\.name).sorted() }
        guard lists.count == 2, Set(lists).count == 1 else { return lists.isEmpty ? [] : nil }
        return lists[0]
    }
}
