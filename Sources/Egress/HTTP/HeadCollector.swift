/// Collects bytes until the head of a message is complete.
///
/// Guarantees: never holds more than `limit` bytes of a head; lines end with CR LF, and neither character stands alone.
struct HeadCollector {
    private(set) var bytes: [UInt8] = []
    private var scanned = 0
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    var isEmpty: Bool { bytes.isEmpty }

    mutating func append(_ more: some Sequence<UInt8>) { bytes.append(contentsOf: more) }

    /// The lines of the head without their ends, when the head is complete; the bytes after it stay.
    mutating func takeHead() throws(HTTPSyntaxError) -> [ArraySlice<UInt8>]? {
        // A robust server ignores empty lines before a request (RFC 9112, section 2.2).
        if scanned == 0 {
            let skipped = bytes.prefix { $0 == 13 || $0 == 10 }.count
            guard skipped <= 4 else { throw HTTPSyntaxError("empty lines in the place of a request") }
            // A CR at the end may get its LF later.
            if skipped > 0, skipped < bytes.count { bytes.removeFirst(skipped) }
            if skipped == bytes.count { return nil }
        }
        while scanned < bytes.count {
            let at = scanned
            switch bytes[at] {
            case 10:
                guard at > 0, bytes[at - 1] == 13 else { throw HTTPSyntaxError("a line that ends with LF alone") }
                if at >= 3, bytes[at - 2] == 10 {
                    let lines = Self.lines(bytes[..<(at - 3)])
                    bytes.removeFirst(at + 1)
                    scanned = 0
                    return lines
                }
            case 0: throw HTTPSyntaxError("a zero byte in the head")
            default: if at > 0, bytes[at - 1] == 13 { throw HTTPSyntaxError("a CR without LF in the head") }
            }
            scanned += 1
            guard scanned <= limit else { throw HTTPSyntaxError("the head is larger than \(limit) bytes", status: 431) }
        }
        return nil
    }

    /// What is left, which is taken out.
    mutating func takeRest() -> [UInt8] {
        defer {
            bytes = []
            scanned = 0
        }
        return bytes
    }

    /// - Parameter head: whose lines end with CR LF, except for the last one.
    private static func lines(_ head: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        head.split(separator: 10, omittingEmptySubsequences: false).map { $0.last == 13 ? $0.dropLast() : $0 }
    }
}
