import Base

/// How much of an object of the API is built from its JSON. What is left out is checked to be JSON and passed over.
public struct ObjectProjection: Sendable, Hashable {
    public let json: JSONProjection

    public static let whole = ObjectProjection(json: .everything)

    /// Which object it is, and what ``ObjectMeta`` holds of it.
    public static let metadata = metadata(and: [:])

    /// The same, and of its other members those that are named.
    public static func metadata(and members: [String: JSONProjection]) -> ObjectProjection {
        var kept = members
        kept["apiVersion"] = .everything
        kept["kind"] = .everything
        kept["metadata"] = ObjectMeta.projection
        return ObjectProjection(json: .only(kept))
    }

    private init(json: JSONProjection) { self.json = json }
}
