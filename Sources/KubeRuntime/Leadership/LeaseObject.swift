import Base
import KubeClient
import KubeCore

/// A `LeaseLock` that is a Lease on the API server.
public struct LeaseObject: LeaseLock {
    private let client: KubeClient
    private let key: ObjectKey
    private let annotations: [String: String]

    /// - Parameter annotations: what the holder says of itself: written together with its name.
    public init(client: KubeClient, namespace: String, name: String, annotations: [String: String] = [:]) {
        self.client = client
        self.annotations = annotations
        key = ObjectKey(namespace: namespace, name: name)
    }

    public func read() async throws -> (record: LeaseRecord, version: String)? {
        let lease: JSONValue
        do { lease = try await client.get(.leases, key) } catch {
            if error.isNotFound { return nil }
            throw error
        }
        return (Self.record(lease), lease.at("metadata", "resourceVersion")?.string ?? "")
    }

    public func create(_ record: LeaseRecord) async throws {
        try await client.create(.leases, object(record, version: nil), namespace: key.namespace)
    }

    public func write(_ record: LeaseRecord, over version: String) async throws {
        try await client.update(.leases, object(record, version: version))
    }

    static func record(_ lease: JSONValue) -> LeaseRecord {
        let spec = lease["spec"]
        func time(_ field: String) -> Timestamp? { spec?[field]?.string.flatMap(Timestamp.init(rfc3339:)) }
        return LeaseRecord(
            holder: spec?["holderIdentity"]?.string ?? "", durationSeconds: spec?["leaseDurationSeconds"]?.int ?? 0,
            acquireTime: time("acquireTime"), renewTime: time("renewTime"),
            transitions: spec?["leaseTransitions"]?.int ?? 0)
    }

    func object(_ record: LeaseRecord, version: String?) -> JSONValue {
        var metadata: [String: JSONValue] = ["name": .string(key.name), "namespace": .string(key.namespace)]
        if let version { metadata["resourceVersion"] = .string(version) }
        if !annotations.isEmpty { metadata["annotations"] = .object(annotations.mapValues { .string($0) }) }
        var spec: [String: JSONValue] = [
            "holderIdentity": .string(record.holder), "leaseDurationSeconds": JSONValue(record.durationSeconds),
            "leaseTransitions": JSONValue(record.transitions),
        ]
        spec["acquireTime"] = record.acquireTime.map { .string($0.rfc3339Micro) }
        spec["renewTime"] = record.renewTime.map { .string($0.rfc3339Micro) }
        return [
            "apiVersion": .string(ResourceType.leases.apiVersion), "kind": .string(ResourceType.leases.kind),
            "metadata": .object(metadata), "spec": .object(spec),
        ]
    }
}

/// The process that holds a Lease.
public struct LeaseHolder: Sendable, Hashable {
    public let identity: String
    /// What it says of itself.
    public let annotations: [String: String]

    public init(identity: String, annotations: [String: String]) {
        self.identity = identity
        self.annotations = annotations
    }

    /// Reads the Lease. The holder may have died a moment ago.
    /// - Returns: nil when nobody holds it.
    public static func read(client: KubeClient, namespace: String, name: String) async throws(KubeError) -> LeaseHolder? {
        let lease: JSONValue
        do { lease = try await client.get(.leases, ObjectKey(namespace: namespace, name: name)) } catch {
            if error.isNotFound { return nil }
            throw error
        }
        guard let identity = lease.at("spec", "holderIdentity")?.string, !identity.isEmpty else { return nil }
        return LeaseHolder(identity: identity, annotations: lease.at("metadata", "annotations")?.object?.compactMapValues(\.string) ?? [:])
    }
}

extension LeaderElection {
    /// An election over a Lease on the API server. The Lease is read and renewed over its own connection, so that other calls cannot delay
    /// it.
    public init(
        client: KubeClient, namespace: String, name: String, identity: String, annotations: [String: String] = [:],
        timing: LeaseTiming = LeaseTiming(), time: (any TimeSource)? = nil, liveness: Liveness? = nil, log: Log = Log("leader")
    ) {
        self.init(
            lock: LeaseObject(client: client.apart(), namespace: namespace, name: name, annotations: annotations), identity: identity, timing: timing,
            time: time ?? LeaseTime(), liveness: liveness, log: log)
    }
}
