import Base

/// The part of an API object that is built from its JSON. The rest is validated as JSON and skipped.
public struct ObjectProjection: Sendable, Hashable {
    public let json: JSONProjection

    public static let whole = ObjectProjection(json: .everything)

    /// `apiVersion`, `kind`, and the fields of `metadata` that ``ObjectMeta`` has.
    public static let metadata = metadata(and: [:])

    /// Like ``metadata``, and the given other members of the object.
    public static func metadata(and members: [String: JSONProjection]) -> ObjectProjection {
        var kept = members
        kept["apiVersion"] = .everything
        kept["kind"] = .everything
        kept["metadata"] = ObjectMeta.projection
        return ObjectProjection(json: .only(kept))
    }

    private init(json: JSONProjection) { self.json = json }
}
