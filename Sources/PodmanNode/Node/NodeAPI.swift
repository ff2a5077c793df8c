import Base
import HTTPTransport
import KubeClient
import KubeCore

/// The node's requests to the API server.
struct NodeAPI: Sendable {
    let client: KubeClient

    enum Written: Sendable {
        case written(JSONValue)
        /// The pod does not exist any more, or another pod has its name.
        case gone
    }

    // MARK: Pods

    /// Writes the status of the pod with this uid. Conditions are merged by type, so conditions that are absent from `status` are removed by
    /// name.
    func writeStatus(_ status: JSONValue, of pod: NodePod) async throws -> Written {
        var status = status
        status["conditions"] = .array(
            (status["conditions"]?.array ?? []).map { condition in
                let absent: [String: JSONValue] = ["reason": .null, "message": .null]
                return .object(absent.merging(condition.object ?? [:]) { $1 })
            })
        let change: JSONValue = ["metadata": ["uid": .string(pod.uid)], "status": status]
        do {
            return .written(try await client.patch(.pods, pod.key, .strategic(change), subresource: "status"))
        } catch {
            guard Self.isGone(error) else { throw error }
            return .gone
        }
    }

    /// Deletes the object of a pod whose containers are removed (grace period 0); finalizers may keep the object.
    func release(_ pod: NodePod) async throws -> Written {
        do {
            _ = try await client.delete(.pods, pod.key, options: KubeCore.DeleteOptions(gracePeriodSeconds: 0, uid: pod.uid))
            return .written(.null)
        } catch {
            guard Self.isGone(error) else { throw error }
            return .gone
        }
    }

    /// Binds a pod to the node.
    /// - Returns: whether the pod was bound; false when it was deleted or bound to another node.
    func bind(_ pod: NodePod, to node: String) async throws -> Bool {
        let binding: JSONValue = [
            "apiVersion": "v1", "kind": "Binding",
            "metadata": ["name": .string(pod.key.name), "namespace": .string(pod.key.namespace), "uid": .string(pod.uid)],
            "target": ["apiVersion": "v1", "kind": "Node", "name": .string(node)],
        ]
        do {
            let path = "/api/v1/namespaces/\(pod.key.namespace)/pods/\(pod.key.name)/binding"
            _ = try await client.send(
                KubeCore.KubeRequest(method: "POST", path: path, body: binding.serialized(), contentType: "application/json"))
            return true
        } catch {
            guard Self.isGone(error) else { throw error }
            return false
        }
    }

    /// Sets the condition `PodScheduled` to false, with the reason.
    func markUnschedulable(_ pod: NodePod, message: String, now: Timestamp) async throws {
        let old = (pod.status["conditions"]?.array ?? []).first { $0["type"]?.string == "PodScheduled" }
        let since = old?["status"]?.string == "False" ? old?["lastTransitionTime"] : nil
        let condition: JSONValue = [
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": .string(message),
            "lastProbeTime": .null, "lastTransitionTime": since ?? .string(now.rfc3339),
        ]
        let others = (pod.status["conditions"]?.array ?? []).filter { $0["type"]?.string != "PodScheduled" }
        _ = try await writeStatus(["conditions": .array(others + [condition])], of: pod)
    }

    // MARK: What pods refer to

    /// The data of the named objects; objects that do not exist are left out.
    func values(_ references: EnvironmentPlan.References, namespace: String, fields: PodFields) async throws -> EnvironmentPlan.Values {
        var values = EnvironmentPlan.Values(fields: fields)
        for name in references.secrets {
            if let object = try await object(.secrets, namespace, name) { values.secrets[name] = Self.data(object, plain: "stringData") }
        }
        for name in references.configMaps {
            if let object = try await object(.configMaps, namespace, name) { values.configMaps[name] = Self.mapData(object) }
        }
        return values
    }

    private func object(_ type: ResourceType, _ namespace: String, _ name: String) async throws -> JSONValue? {
        guard !name.isEmpty else { return nil }
        do {
            return try await client.get(type, ObjectKey(namespace: namespace, name: name))
        } catch {
            guard Self.isGone(error) else { throw error }
            return nil
        }
    }

    private static func data(_ secret: JSONValue, plain: String) -> [String: [UInt8]] {
        (secret["data"]?.object ?? [:]).compactMapValues { value in
            guard let text = value.string, case .success(let bytes) = Base64.decode(text) else { return nil }
            return bytes
        }
    }

    private static func mapData(_ map: JSONValue) -> [String: [UInt8]] {
        let text = (map["data"]?.object ?? [:]).compactMapValues { $0.string.map { Array($0.utf8) } }
        let binary = (map["binaryData"]?.object ?? [:]).compactMapValues { value -> [UInt8]? in
            guard let text = value.string, case .success(let bytes) = Base64.decode(text) else { return nil }
            return bytes
        }
        return text.merging(binary) { $1 }
    }

    // MARK: The node

    /// Creates the node object, or updates the one that exists.
    func register(_ node: JSONValue) async throws {
        do {
            _ = try await client.create(.nodes, node, namespace: nil)
        } catch {
            guard error.isAlreadyExists else { throw error }
            if let labels = node.at("metadata", "labels"), let annotations = node.at("metadata", "annotations"), let key = ObjectKey(of: node) {
                _ = try await client.patch(.nodes, key, .merge(["metadata": ["labels": labels, "annotations": annotations]]))
            }
        }
    }

    func writeNodeStatus(_ name: String, _ status: JSONValue) async throws {
        _ = try await client.patch(.nodes, ObjectKey(namespace: "", name: name), .merge(["status": status]), subresource: "status")
    }

    /// Whether the error means that the object is gone or that another one has its name: not found, or a conflict of the uid.
    static func isGone(_ error: any Error) -> Bool {
        guard let error = error as? KubeError else { return false }
        return error.isNotFound || error.isConflict
    }
}
