/// Which parts of a document are built. What is left out is checked to be JSON like the rest, and passed over: that takes a fraction of
/// the time of building it, and no memory.
public indirect enum JSONProjection: Sendable, Hashable {
    case everything
    /// Of an object these members, each as its own projection says; of an array the same of each item; any other value as it is.
    case only([String: JSONProjection])

    /// Of an object these members, each of them whole.
    public static func keys(_ keys: String...) -> JSONProjection {
        .only(Dictionary(keys.map { ($0, .everything) }, uniquingKeysWith: { first, _ in first }))
    }
}

extension JSONValue {
    /// As `init(parsing:)`, with the same errors, and only the parts that `projection` names.
    public init(parsing bytes: [UInt8], keeping projection: JSONProjection) throws(JSONSyntaxError) {
        var reader = JSONReader(bytes)
        self = try reader.value(keeping: projection)
        try reader.end()
    }
}
