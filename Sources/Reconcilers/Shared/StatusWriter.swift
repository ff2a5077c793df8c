import AssayAPI
import Base
import KubeClient
import KubeCore
import KubeRuntime

/// Writes the status of one of our objects and remembers the write, so that no decision is based on an older cache.
struct StatusWriter<Object: AssayObject>: Sendable {
    let client: KubeClient
    let gate: WriteGate<ObjectKey>

    /// - Parameter compute: the new status of the object. It is called again after each conflict, with the object as it is then. When it
    ///   returns nil or the present status, nothing is written.
    /// - Returns: the object as stored; nil when the object is gone or another one has its name now.
    func write(
        _ object: Object, compute: @escaping @Sendable (Object) throws -> Object.Status?
    ) async throws -> Object? {
        let before = object.metadata.resourceVersion
        do {
            let answer = try await client.updateStatus(
                retryingConflicts: Object.resource, object.key, cached: object.json(), uid: object.metadata.uid
            ) { json in
                let current = try Object(json: json)
                let status = try compute(current)
                guard let status, status != current.status else { return nil }
                return try JSONValueEncoder().encode(status)
            }
            let written = try Object(json: answer)
            if let version = written.metadata.resourceVersion, version != before { gate.record(written.key, resourceVersion: version) }
            return written
        } catch StatusWriteError.gone {
            gate.forget(object.key)
            return nil
        }
    }
}
