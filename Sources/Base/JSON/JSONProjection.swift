/// Names the parts of a document that are built as a tree. The other parts are validated as JSON and skipped, which takes a fraction of the
/// time of building them and no memory.
public indirect enum JSONProjection: Sendable, Hashable {
    case everything
    /// Keeps these members of an object, each according to its own projection. Applies to each item of an array. Other values are kept.
    case only([String: JSONProjection])

    /// Keeps these members of an object completely.
    public static func keys(_ keys: String...) -> JSONProjection {
        .only(Dictionary(keys.map { ($0, .everything) }, uniquingKeysWith: { first, _ in first }))
    }
}

extension JSONValue {
    /// Like `init(parsing:)`, with the same errors, but builds only the parts that `projection` names.
    public init(parsing bytes: [UInt8], keeping projection: JSONProjection) throws(JSONSyntaxError) {
        var reader = JSONReader(bytes)
        self = try reader.value(keeping: projection)
        try reader.end()
    }
}
