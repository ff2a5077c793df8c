import Base
import KubeClient
import KubeCore

/// What became of a creation under a deterministic name.
public enum CreatedOnce: Sendable, Hashable {
    /// It was made now.
    case created(JSONValue)
    /// It was there: made earlier, or by an attempt whose answer was lost.
    case existed(JSONValue)
    /// Something else has the name.
    case taken(JSONValue)

    public var object: JSONValue {
        switch self {
        case .created(let object), .existed(let object), .taken(let object): object
        }
    }
}

extension KubeClient {
    /// Creates an object whose name is derived from what it is for, so that trying again cannot make two (catalogue 14).
    ///
    /// An answer that is lost is asked for again. When the name exists, `isOurs` tells our own object from a stranger's; an
    /// object that is being deleted under the name counts as there.
    /// - Parameters:
    ///   - attempts: of creations whose answer is lost.
    ///   - projection: what is kept of the object as it is stored; `isOurs` sees no more.
    ///   - isOurs: such as a comparison of the owner's uid.
    public func createOnce(
        _ type: ResourceType, _ object: JSONValue, namespace: String, attempts: Int = 3, keeping projection: ObjectProjection = .whole,
        isOurs: @Sendable (JSONValue) -> Bool
    ) async throws(KubeError) -> CreatedOnce {
        var left = max(1, attempts)
        while true {
            left -= 1
            do {
                return .created(try await create(type, object, namespace: namespace, keeping: projection))
            } catch {
                if error.isAlreadyExists, let key = ObjectKey(of: object) {
                    do {
                        let found = try await get(type, ObjectKey(namespace: namespace, name: key.name), keeping: projection)
                        return isOurs(found) ? .existed(found) : .taken(found)
                    } catch {
                        // Gone between the two: the next attempt makes it.
                        guard error.isNotFound, left > 0 else { throw error }
                        continue
                    }
                }
                guard case .transport(let failure) = error, failure != .cancelled, left > 0 else { throw error }
            }
        }
    }
}
