/// A DNS name in the form in which names are compared: ASCII, lower case, without the dot at the end.
public struct HostName: Sendable, Hashable, CustomStringConvertible {
    public let text: String

    /// - Throws: what is wrong with the name, and what to write instead.
    public init(_ text: some StringProtocol) throws(HostSyntaxError) {
        var bytes = Array(text.utf8)
        if bytes.last == UInt8(ascii: "."), bytes.count > 1 { bytes.removeLast() }
        guard !bytes.isEmpty else { throw HostSyntaxError("is empty: write a host name, for example example.com") }
        guard bytes.allSatisfy({ $0 < 0x80 }) else {
            throw HostSyntaxError("has letters outside ASCII: write its ASCII form, which has labels that begin with xn--")
        }
        guard bytes.count <= 253 else { throw HostSyntaxError("is longer than the 253 letters of a host name: shorten it") }
        bytes = bytes.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
        let labels = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        for label in labels {
            guard !label.isEmpty else { throw HostSyntaxError("has two dots in a row or begins with one: remove it") }
            guard label.count <= 63 else { throw HostSyntaxError("has a label of more than 63 letters: shorten it") }
            guard label.allSatisfy(Self.isLetter), label.first != UInt8(ascii: "-"), label.last != UInt8(ascii: "-") else {
                throw HostSyntaxError(
                    "is no host name: use letters, digits, hyphens (not at the ends of a label), underscores and dots")
            }
        }
        // The C library reads `127.1`, `0x7f.1` and `2130706433` as addresses.
        if let last = labels.last, last.allSatisfy({ (0x30...0x39).contains($0) }) || last.starts(with: "0x".utf8) {
            throw HostSyntaxError("looks like an IPv4 address, but is none: write four numbers from 0 to 255 without leading zeros, as in 192.0.2.1")
        }
        self.text = String(decoding: bytes, as: UTF8.self)
    }

    /// True for `a.example.com` and `b.a.example.com` below `example.com`, not for `example.com` itself.
    public func isSubdomain(of parent: HostName) -> Bool { text.hasSuffix("." + parent.text) }

    public var description: String { text }

    private static func isLetter(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x61...0x7A, 0x30...0x39, UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
    }
}

/// What is wrong with the text of a host, a pattern or an address, and what to write instead. The text begins with a verb: `is empty: ...`.
public struct HostSyntaxError: Error, Sendable, Hashable, CustomStringConvertible {
    public let description: String
    init(_ description: String) { self.description = description }
}
