import Base

/// One request as it came in, with its body read whole.
public struct ServerRequest: Sendable {
    public var method: String
    /// HTTP/1.0: the connection ends with the answer, which cannot be chunked.
    public var isHTTP10: Bool
    /// The path, percent-decoded segment by segment, so that an encoded slash stays inside its segment.
    public var segments: [String]
    /// The path as it was sent, for messages.
    public var rawPath: String
    public var query: HTTPQuery
    /// Names in lower case; of a repeated header the values are joined by a comma.
    public var headers: [String: String]
    public var body: [UInt8]

    public init(method: String, segments: [String], rawPath: String, query: HTTPQuery, headers: [String: String], body: [UInt8], isHTTP10: Bool = false) {
        self.method = method
        self.isHTTP10 = isHTTP10
        self.segments = segments
        self.rawPath = rawPath
        self.query = query
        self.headers = headers
        self.body = body
    }

    public func header(_ name: String) -> String? { headers[name] }
}

/// The query of a request, in order of appearance.
public struct HTTPQuery: Sendable, Equatable {
    public private(set) var items: [(name: String, value: String)]

    public init(_ items: [(name: String, value: String)] = []) { self.items = items }

    public init(parsing text: some StringProtocol) {
        items = text.split(separator: "&").map { part in
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (percentDecoded(pair[0], plusIsSpace: true), pair.count > 1 ? percentDecoded(pair[1], plusIsSpace: true) : "")
        }
    }

    /// The first value, as Go's `url.Values.Get` has it; nil when the name is absent.
    public subscript(name: String) -> String? { items.first { $0.name == name }?.value }

    public func all(_ name: String) -> [String] { items.filter { $0.name == name }.map(\.value) }

    /// Go's `strconv.ParseBool` on the value; an empty value counts as true, as for the flags of the Kubernetes API.
    public func flag(_ name: String) -> Bool {
        guard let value = self[name] else { return false }
        return ["", "1", "t", "T", "true", "TRUE", "True"].contains(value)
    }

    public static func == (a: HTTPQuery, b: HTTPQuery) -> Bool {
        a.items.elementsEqual(b.items) { $0.name == $1.name && $0.value == $1.value }
    }
}

/// Decodes `%XX`; a broken escape is kept as it is.
func percentDecoded(_ text: some StringProtocol, plusIsSpace: Bool = false) -> String {
    let bytes = Array(text.utf8)
    var out: [UInt8] = []
    out.reserveCapacity(bytes.count)
    var at = 0
    while at < bytes.count {
        let byte = bytes[at]
        if byte == UInt8(ascii: "%"), at + 2 < bytes.count, let high = hexDigit(bytes[at + 1]), let low = hexDigit(bytes[at + 2])
        {
            out.append(high << 4 | low)
            at += 3
        } else {
            out.append(plusIsSpace && byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            at += 1
        }
    }
    return String(decoding: out, as: UTF8.self)
}

private func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): return byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): return byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): return byte - UInt8(ascii: "A") + 10
    default: return nil
    }
}
