/// An IPv4 or IPv6 address.
package struct IPAddress: Sendable, Hashable {
    /// 4 or 16 bytes.
    let bytes: [UInt8]

    var isIPv6: Bool { bytes.count == 16 }

    init(bytes: [UInt8]) { self.bytes = bytes }

    /// `sloppy` allows leading zeros in the octets of IPv4, as older clients wrote them. Zones and IPv4-mapped IPv6 addresses are
    /// refused, as in CEL's `ip()`.
    init?(_ text: String, sloppy: Bool = false) {
        guard let bytes = text.contains(":") ? Self.version6(text) : Self.version4(text, sloppy: sloppy) else { return nil }
        self.bytes = bytes
    }

    private static func version4(_ text: String, sloppy: Bool) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            guard !part.isEmpty, part.utf8.allSatisfy({ (0x30...0x39).contains($0) }), sloppy || part == "0" || !part.hasPrefix("0"),
                let byte = UInt8(part)
            else { return nil }
            bytes.append(byte)
        }
        return bytes
    }

    private static func version6(_ text: String) -> [UInt8]? {
        let halves = text.split(separator: "::", maxSplits: 2, omittingEmptySubsequences: false)
        guard halves.count <= 2 else { return nil }
        func groups(_ text: Substring) -> [UInt8]? {
            if text.isEmpty { return [] }
            var bytes: [UInt8] = []
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            for (index, part) in parts.enumerated() {
                if part.contains("."), index == parts.count - 1 {
                    guard let tail = version4(String(part), sloppy: false) else { return nil }
                    bytes += tail
                    continue
                }
                guard (1...4).contains(part.utf8.count), let group = UInt16(part, radix: 16), !part.hasPrefix("+") else { return nil }
                bytes += [UInt8(group >> 8), UInt8(group & 0xFF)]
            }
            return bytes
        }
        guard let head = groups(halves[0]) else { return nil }
        guard halves.count == 2 else { return head.count == 16 ? head : nil }
        guard let tail = groups(halves[1]), head.count + tail.count <= 14 else { return nil }
        return head + Array(repeating: 0, count: 16 - head.count - tail.count) + tail
    }

    /// In IPv6 the form of RFC 5952: lower case, with the longest run of zeros shortened.
    var text: String {
        guard isIPv6 else { return bytes.map(String.init).joined(separator: ".") }
        let groups = (0..<8).map { UInt16(bytes[$0 * 2]) << 8 | UInt16(bytes[$0 * 2 + 1]) }
        var best = 0..<0
        var index = 0
        while index < 8 {
            var end = index
            while end < 8, groups[end] == 0 { end += 1 }
            if end - index > best.count, end - index > 1 { best = index..<end }
            index = max(end, index + 1)
        }
        let hex = groups.map { String($0, radix: 16) }
        if best.isEmpty { return hex.joined(separator: ":") }
        return hex[..<best.lowerBound].joined(separator: ":") + "::" + hex[best.upperBound...].joined(separator: ":")
    }

    var isUnspecified: Bool { bytes.allSatisfy { $0 == 0 } }
    var isLoopback: Bool { isIPv6 ? bytes.dropLast().allSatisfy { $0 == 0 } && bytes[15] == 1 : bytes[0] == 127 }
    var isLinkLocalUnicast: Bool { isIPv6 ? bytes[0] == 0xFE && bytes[1] & 0xC0 == 0x80 : bytes[0] == 169 && bytes[1] == 254 }
    var isLinkLocalMulticast: Bool {
        isIPv6 ? bytes[0] == 0xFF && bytes[1] & 0x0F == 2 : bytes[0] == 224 && bytes[1] == 0 && bytes[2] == 0
    }
    private var isMulticast: Bool { isIPv6 ? bytes[0] == 0xFF : bytes[0] & 0xF0 == 224 }
    var isGlobalUnicast: Bool {
        !isUnspecified && !isLoopback && !isMulticast && !isLinkLocalUnicast && bytes != [255, 255, 255, 255]
    }
}

/// An address with a prefix length: `10.0.0.0/8`.
package struct IPNetwork: Sendable, Hashable {
    let address: IPAddress
    let prefix: Int

    init(address: IPAddress, prefix: Int) {
        self.address = address
        self.prefix = prefix
    }

    init?(_ text: String, sloppy: Bool = false) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let address = IPAddress(String(parts[0]), sloppy: sloppy), let prefix = Int(parts[1]),
            parts[1] == String(prefix), (0...address.bytes.count * 8).contains(prefix)
        else { return nil }
        self.address = address
        self.prefix = prefix
    }

    var text: String { "\(address.text)/\(prefix)" }

    /// The network with its first address.
    var masked: IPNetwork {
        var bytes = address.bytes
        for index in bytes.indices {
            let kept = min(8, max(0, prefix - index * 8))
            bytes[index] &= kept == 0 ? 0 : UInt8(truncatingIfNeeded: 0xFF << (8 - kept))
        }
        return IPNetwork(address: IPAddress(bytes: bytes), prefix: prefix)
    }

    func contains(_ other: IPAddress) -> Bool {
        other.bytes.count == address.bytes.count && IPNetwork(address: other, prefix: prefix).masked.address == masked.address
    }

    func contains(_ other: IPNetwork) -> Bool { other.prefix >= prefix && contains(other.address) }
}

/// The parts of a URL as Go's `net/url.ParseRequestURI` splits it: an absolute URL, or a path from the root.
package struct URLParts: Sendable, Hashable {
    let text: String
    let scheme: String
    let host: String
    let hostname: String
    let port: String
    let path: String
    let query: [String: [String]]

    init?(requestURI text: String) {
        guard !text.isEmpty, text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F }) else { return nil }
        self.text = text
        var rest = Substring(text)
        var scheme = ""
        if let colon = rest.firstIndex(of: ":"), Self.isScheme(rest[..<colon]) {
            scheme = rest[..<colon].lowercased()
            rest = rest[rest.index(after: colon)...]
        }
        guard rest.hasPrefix("/") else { return nil }
        self.scheme = scheme
        var authority = Substring()
        if rest.hasPrefix("//"), !scheme.isEmpty {
            rest = rest.dropFirst(2)
            let end = rest.firstIndex { "/?".contains($0) } ?? rest.endIndex
            authority = rest[..<end]
            rest = rest[end...]
        }
        if let at = authority.lastIndex(of: "@") { authority = authority[authority.index(after: at)...] }
        guard !authority.contains(" "), let (hostname, port) = Self.split(authority) else { return nil }
        host = String(authority)
        self.hostname = hostname
        self.port = port
        let parts = rest.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        guard let path = Self.unescape(parts.first ?? "", plus: false) else { return nil }
        self.path = path
        var query: [String: [String]] = [:]
        for pair in (parts.count > 1 ? parts[1] : "").split(separator: "&") {
            let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let key = Self.unescape(halves[0], plus: true), let value = Self.unescape(halves.count > 1 ? halves[1] : "", plus: true)
            else { continue }
            query[key, default: []].append(value)
        }
        self.query = query
    }

    private static func isScheme(_ text: Substring) -> Bool {
        guard let first = text.first, first.isASCII, first.isLetter else { return false }
        return text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "+-.".contains($0)) }
    }

    private static func split(_ authority: Substring) -> (host: String, port: String)? {
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            let rest = authority[authority.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":"), rest.dropFirst().allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
            return (String(authority[authority.index(after: authority.startIndex)..<end]), String(rest.dropFirst()))
        }
        guard let colon = authority.lastIndex(of: ":") else { return (String(authority), "") }
        let port = authority[authority.index(after: colon)...]
        guard port.allSatisfy({ $0.isASCII && $0.isNumber }), !authority[..<colon].contains(":") else { return nil }
        return (String(authority[..<colon]), String(port))
    }

    private static func unescape(_ text: Substring, plus: Bool) -> String? {
        var bytes: [UInt8] = []
        var input = Array(text.utf8)[...]
        while let byte = input.popFirst() {
            if byte == UInt8(ascii: "%") {
                guard input.count >= 2, let value = UInt8(String(decoding: input.prefix(2), as: UTF8.self), radix: 16) else { return nil }
                bytes.append(value)
                input = input.dropFirst(2)
            } else {
                bytes.append(plus && byte == UInt8(ascii: "+") ? 0x20 : byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
