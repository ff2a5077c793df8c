/// A resource version that can be compared with others of the same resource.
///
/// By KEP-5504, versions are decimal numbers of any length without leading zeros. `0` is not a version: it means "any" in
/// requests.
public struct ResourceVersion: Hashable, Sendable, Comparable {
    /// As the server sent it.
    public let text: String

    /// Nil unless `text` is a decimal greater than zero without leading zeros.
    public init?(_ text: String) {
        guard let first = text.utf8.first, first != UInt8(ascii: "0") else { return nil }
        guard text.utf8.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }) else { return nil }
        self.text = text
    }

    public static func < (a: ResourceVersion, b: ResourceVersion) -> Bool {
        let (left, right) = (a.text.utf8, b.text.utf8)
        if left.count != right.count { return left.count < right.count }
        return left.lexicographicallyPrecedes(right)
    }
}

extension ResourceVersion: CustomStringConvertible {
    public var description: String { text }
}
