import AssayAPI
import Base
import KubeClient
import KubeCore
import KubeRuntime

/// Writes an object's status as one PUT with its version, and computes it again from a fresh read when somebody else
/// was first: an update is never lost, and never written over another's.
struct StatusWriter<Object: AssayObject>: Sendable {
    let client: KubeClient
    let gate: WriteGate<ObjectKey>

    enum Outcome: Sendable {
        case written(Object)
        case unchanged(Object)
        /// The object is gone, or another one has its name now.
        case gone
    }

    /// - Parameter compute: the status that the object is to have; called once more after each conflict, with what is there by then.
    func write(
        _ object: Object, compute: @Sendable (Object) throws -> Object.Status?
    ) async throws -> Outcome {
        var current = object
        for attempt in 0..<30 {
            let status = try compute(current)
            guard status != current.status else { return .unchanged(current) }
            var changed = current
            changed.status = status
            do {
                let answer = try await client.updateStatus(Object.resource, changed.json())
                let written = try Object(json: answer)
                if let version = written.metadata.resourceVersion { gate.record(written.key, resourceVersion: version) }
                return .written(written)
            } catch let error as KubeError where error.isConflict {
                // Somebody writes at the same time: a short, uneven wait keeps two writers from meeting again and again.
                try await Task.sleep(for: .milliseconds(Int.random(in: 1...(10 * (attempt + 1)))))
                guard let fresh = try await read(object) else { return .gone }
                current = fresh
            } catch let error as KubeError where error.isNotFound {
                return .gone
            }
        }
        throw StatusConflict(key: object.key)
    }

    private func read(_ object: Object) async throws -> Object? {
        do {
            let fresh = try Object(json: try await client.get(Object.resource, object.key))
            return fresh.metadata.uid == object.metadata.uid ? fresh : nil
        } catch let error as KubeError where error.isNotFound {
            return nil
        }
    }
}

struct StatusConflict: Error, CustomStringConvertible {
    let key: ObjectKey
    var description: String { "the status of \(key) was changed by others thirty times in a row; it is tried again" }
}
