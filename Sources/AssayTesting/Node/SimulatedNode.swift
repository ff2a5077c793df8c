import Base
import KubeClient
import KubeCore

/// A node without containers: it takes the pods of an API server and reports that they run, and later that they succeeded.
///
/// It uses only the API, like a kubelet, and works with any API server. Pods that no scheduler has assigned are assigned to this
/// node, whatever their selectors say. Every container ends with exit code 0 and the termination message set for its name. Logs are not served here: for a real
/// API server use `KubeletLogs`.
public struct SimulatedNode: Sendable {
    /// The behaviour of the pods.
    public struct Script: Sendable {
        /// The seconds from the start of a pod's containers to their end.
        public var seconds: Double
        /// By container name; other containers leave no message.
        public var terminationMessages: [String: String]

        public init(seconds: Double = 0, terminationMessages: [String: String]) {
            self.seconds = seconds
            self.terminationMessages = terminationMessages
        }
    }

    public let name: String
    private let client: KubeClient
    private let namespace: String?
    private let script: Script
    private let time: any TimeSource

    /// Seconds between two heartbeats, as a kubelet's. The node controller of a real cluster waits for 50 s before it taints the node.
    private static let heartbeat = 10.0

    /// - Parameter namespace: only the pods of this namespace are taken; nil: those of all namespaces.
    public init(
        name: String = "simulated", client: KubeClient, namespace: String? = nil, script: Script, time: any TimeSource = SystemTime()
    ) {
        self.name = name
        self.client = client
        self.namespace = namespace
        self.script = script
        self.time = time
    }

    /// Creates the Node object, or reuses an existing one.
    /// - Parameter kubeletPort: the port on 127.0.0.1 where the API server requests logs; nil when the server gets logs
    ///   elsewhere.
    public func register(kubeletPort: Int? = nil) async throws {
        let node: JSONValue = [
            "apiVersion": "v1", "kind": "Node", "metadata": ["name": .string(name), "labels": ["kubernetes.io/hostname": .string(name)]], "spec": [:],
        ]
        do { try await client.create(.nodes, node) } catch {
            guard error.isAlreadyExists else { throw error }
        }
        var status: JSONValue = [
            "capacity": ["cpu": "1k", "memory": "1Ti", "ephemeral-storage": "10Ti", "pods": "100k"],
            "allocatable": ["cpu": "1k", "memory": "1Ti", "ephemeral-storage": "10Ti", "pods": "100k"],
            "addresses": [["type": "InternalIP", "address": "127.0.0.1"], ["type": "Hostname", "address": "127.0.0.1"]],
            "conditions": readiness(since: time.now()),
        ]
        if let kubeletPort { status["daemonEndpoints"] = ["kubeletEndpoint": ["Port": JSONValue(kubeletPort)]] }
        try await client.patch(
            .nodes, ObjectKey(namespace: "", name: name), .merge(["status": status]), subresource: "status")
    }

    private func readiness(since begun: Timestamp) -> JSONValue {
        [
            [
                "type": "Ready", "status": "True", "reason": "KubeletReady", "message": "simulated",
                "lastHeartbeatTime": .string(time.now().rfc3339), "lastTransitionTime": .string(begun.rfc3339),
            ]
        ]
    }

    /// Without it a real cluster takes the node for lost and evicts its pods.
    private func beat() async {
        let begun = time.now()
        while (try? await time.sleep(seconds: Self.heartbeat)) != nil {
            _ = try? await client.patch(
                .nodes, ObjectKey(namespace: "", name: name), .merge(["status": ["conditions": readiness(since: begun)]]), subresource: "status",
                keeping: .metadata)
        }
    }

    /// Simulates pods until the task is cancelled.
    public func run() async {
        let begun = Locked(Set<String>())
        await withDiscardingTaskGroup { group in
            group.addTask { await beat() }
            while !Task.isCancelled {
                do {
                    let list = try await client.listAll(.pods, namespace: namespace)
                    for pod in list.items { take(pod, begun, &group) }
                    let watch = try await client.watch(
                        .pods, namespace: namespace, options: WatchOptions(resourceVersion: list.resourceVersion, timeoutSeconds: 600))
                    for try await line in watch {
                        guard let event = try? JSONValue(parsing: line), let pod = event["object"] else { continue }
                        switch event["type"]?.string {
                        case "ADDED", "MODIFIED": take(pod, begun, &group)
                        case "DELETED": begun.withLock { _ = $0.remove(pod.at("metadata", "uid")?.string ?? "") }
                        default: break
                        }
                    }
                } catch {
                    try? await time.sleep(seconds: 0.1)
                }
            }
        }
    }

    private func take(_ pod: JSONValue, _ begun: Locked<Set<String>>, _ group: inout DiscardingTaskGroup) {
        guard let key = ObjectKey(of: pod), let uid = pod.at("metadata", "uid")?.string else { return }
        let place = pod.at("spec", "nodeName")?.string ?? ""
        let phase = pod.at("status", "phase")?.string ?? "Pending"
        guard place.isEmpty || place == name, phase != "Succeeded", phase != "Failed" else { return }
        if pod.at("metadata", "deletionTimestamp") != nil {
            group.addTask { _ = try? await client.delete(.pods, key, options: DeleteOptions(gracePeriodSeconds: 0, uid: uid)) }
        } else if begun.withLock({ $0.insert(uid).inserted }) {
            group.addTask { await play(pod, key, isPlaced: !place.isEmpty) }
        }
    }

    /// A failed call is repeated, because the owner of the pod waits for the pod's end.
    private func play(_ pod: JSONValue, _ key: ObjectKey, isPlaced: Bool) async {
        if !isPlaced { await persist { try await bind(key) } }
        let begun = time.now()
        await persist { try await write(status(of: pod, begun: begun, ended: nil), key) }
        if script.seconds > 0 { try? await time.sleep(seconds: script.seconds) }
        let ended = time.now()
        await persist { try await write(status(of: pod, begun: begun, ended: ended), key) }
    }

    private func persist(_ call: () async throws -> Void) async {
        while !Task.isCancelled {
            do {
                try await call()
                return
            } catch {
                if let error = error as? KubeError, error.isNotFound || error.isConflict { return }
                try? await time.sleep(seconds: 0.2)
            }
        }
    }

    private func bind(_ key: ObjectKey) async throws {
        let binding: JSONValue = [
            "apiVersion": "v1", "kind": "Binding", "metadata": ["name": .string(key.name), "namespace": .string(key.namespace)],
            "target": ["apiVersion": "v1", "kind": "Node", "name": .string(name)],
        ]
        _ = try await client.send(
            KubeRequest(
                method: "POST", path: "/api/v1/namespaces/\(key.namespace)/pods/\(key.name)/binding", body: binding.serialized(),
                contentType: "application/json"))
    }

    private func write(_ status: JSONValue, _ key: ObjectKey) async throws {
        try await client.patch(.pods, key, .merge(["status": status]), subresource: "status", keeping: .metadata)
    }

    private func status(of pod: JSONValue, begun: Timestamp, ended: Timestamp?) -> JSONValue {
        let since = JSONValue.string(begun.rfc3339)
        func condition(_ type: String, _ holds: Bool) -> JSONValue {
            ["type": .string(type), "status": holds ? "True" : "False", "lastTransitionTime": .string((ended ?? begun).rfc3339)]
        }
        func containers(_ list: String, areOver: Bool) -> JSONValue {
            .array(
                (pod.at("spec", list)?.array ?? []).map { container in
                    let name = container["name"]?.string ?? ""
                    var terminated: JSONValue = [
                        "exitCode": 0, "reason": "Completed", "startedAt": since, "finishedAt": .string((ended ?? begun).rfc3339),
                    ]
                    if let message = script.terminationMessages[name] { terminated["message"] = .string(message) }
                    return [
                        "name": .string(name), "image": container["image"] ?? "", "imageID": "", "restartCount": 0,
                        "containerID": .string("simulated://\(name)"), "ready": .bool(!areOver), "started": .bool(!areOver),
                        "state": areOver ? ["terminated": terminated] : ["running": ["startedAt": since]],
                    ]
                })
        }
        return [
            "phase": ended == nil ? "Running" : "Succeeded", "startTime": since, "hostIP": "127.0.0.1", "podIP": "127.0.0.1",
            "conditions": [
                condition("PodScheduled", true), condition("Initialized", true), condition("ContainersReady", ended == nil),
                condition("Ready", ended == nil),
            ],
            "initContainerStatuses": containers("initContainers", areOver: true),
            "containerStatuses": containers("containers", areOver: ended != nil),
        ]
    }
}
