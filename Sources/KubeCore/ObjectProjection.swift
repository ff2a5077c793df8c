import Base

/// The part of an API object that is built from its JSON. The rest is validated as JSON and skipped.
public struct ObjectProjection: Sendable, Hashable {
    public let json: JSONProjection
    /// The server need not send more than the metadata (`PartialObjectMetadata`).
    public let isMetadataOnly: Bool

    public static let whole = ObjectProjection(json: .everything)

    /// The fields of `metadata` that ``ObjectMeta`` has. `apiVersion` and `kind` may be those of `PartialObjectMetadata`.
    public static let metadata = metadata(and: [:])

    /// Like ``metadata``, and the given other members of the object.
    public static func metadata(and members: [String: JSONProjection]) -> ObjectProjection {
        var kept = members
        kept["apiVersion"] = .everything
        kept["kind"] = .everything
        kept["metadata"] = ObjectMeta.projection
        return ObjectProjection(json: .only(kept), isMetadataOnly: members.isEmpty)
    }

    private init(json: JSONProjection, isMetadataOnly: Bool = false) {
        self.json = json
        self.isMetadataOnly = isMetadataOnly
    }
}
