import Base
import KubeClient
import KubeCore

/// Adds a finalizer to an object and removes it, without changing other finalizers.
struct Finalizers: Sendable {
    let client: KubeClient

    /// Returns the object's new version; nil when the object is gone.
    func add(_ name: String, to key: ObjectKey, of type: ResourceType, present: [String], version: String?) async throws(KubeError) -> String? {
        try await write(present + [name], key, type, version: version)
    }

    func remove(_ name: String, from key: ObjectKey, of type: ResourceType, present: [String], version: String?) async throws(KubeError) -> String? {
        try await write(present.filter { $0 != name }, key, type, version: version)
    }

    /// A merge patch replaces the whole list, so it includes the version at which the list was read.
    private func write(_ names: [String], _ key: ObjectKey, _ type: ResourceType, version: String?) async throws(KubeError) -> String? {
        var metadata: [String: JSONValue] = ["finalizers": names.isEmpty ? .null : .array(names.map { .string($0) })]
        if let version { metadata["resourceVersion"] = .string(version) }
        do {
            let answer = try await client.patch(type, key, .merge(["metadata": .object(metadata)]), keeping: .metadata)
            return answer.at("metadata", "resourceVersion")?.string
        } catch  where error.isNotFound {
            return nil
        }
    }
}
