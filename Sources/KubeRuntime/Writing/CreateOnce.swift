import Base
import KubeClient
import KubeCore

/// The result of creating an object under a deterministic name.
public enum CreatedOnce: Sendable, Hashable {
    /// The object was created now.
    case created(JSONValue)
    /// The object existed already: created earlier, or by an attempt whose response was lost.
    case existed(JSONValue)
    /// Another owner's object has the name.
    case taken(JSONValue)

    public var object: JSONValue {
        switch self {
        case .created(let object), .existed(let object), .taken(let object): object
        }
    }
}

extension KubeClient {
    /// Creates an object whose name is derived from its purpose, so that trying again cannot create two (catalogue 14).
    ///
    /// When a response is lost, the creation is sent again. When the name exists, `isOurs` tells whether the existing object is ours; an
    /// object under the name that is being deleted counts as existing.
    /// - Parameters:
    ///   - attempts: how often the creation is sent when responses are lost.
    ///   - projection: which parts of the stored object are kept; `isOurs` sees no more.
    ///   - isOurs: for example, compares the owner's uid.
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
                        // Deleted between the creation and the read: the next attempt creates it.
                        guard error.isNotFound, left > 0 else { throw error }
                        continue
                    }
                }
                guard case .transport(let failure) = error, failure != .cancelled, left > 0 else { throw error }
            }
        }
    }
}
