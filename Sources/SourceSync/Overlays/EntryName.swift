/// The name of a tool, workflow, skill or persona. Two names are the same when their bytes are: git and Linux compare them so, while Swift
/// treats "é" as one scalar and as two as equal.
public struct EntryName: Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
    private let bytes: [UInt8]

    public init(_ text: String) { bytes = Array(text.utf8) }

    public var text: String { String(decoding: bytes, as: UTF8.self) }
    public var description: String { text }

    /// Equal for names that differ only in case or Unicode form, which some file systems treat as the same. Swift compares strings by
    /// canonical equivalence.
    public var folded: String { text.uppercased().lowercased() }

    public static func < (a: EntryName, b: EntryName) -> Bool { a.bytes.lexicographicallyPrecedes(b.bytes) }

    public init(from decoder: any Decoder) throws { self.init(try decoder.singleValueContainer().decode(String.self)) }
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}
