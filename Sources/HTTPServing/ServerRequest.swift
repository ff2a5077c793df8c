import Base

/// One request with its complete body.
public struct ServerRequest: Sendable {
    public var method: String
    /// HTTP/1.0: the answer cannot be chunked, and the connection is closed after it.
    public var isHTTP10: Bool
    /// The path, percent-decoded segment by segment, so that an encoded slash stays inside its segment.
    public var segments: [String]
    /// The path as it was sent; for messages.
    public var rawPath: String
    public var query: HTTPQuery
    /// Names in lower case; the values of a repeated header are joined by a comma.
    public var headers: [String: String]
    public var body: [UInt8]
    /// The client's IPv4 address without its port; `unix` for a client on a Unix socket.
    public var client: String

    public init(
        method: String, segments: [String], rawPath: String, query: HTTPQuery, headers: [String: String], body: [UInt8], isHTTP10: Bool = false,
        client: String = ""
    ) {
        self.method = method
        self.isHTTP10 = isHTTP10
        self.segments = segments
        self.rawPath = rawPath
        self.query = query
        self.headers = headers
        self.body = body
        self.client = client
    }

    public func header(_ name: String) -> String? { headers[name] }
}

/// The query of a request, in its original order.
public struct HTTPQuery: Sendable, Equatable {
    public private(set) var items: [(name: String, value: String)]

    public init(_ items: [(name: String, value: String)] = []) { self.items = items }

    public init(parsing text: some StringProtocol) {
        items = text.split(separator: "&").map { part in
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (percentDecoded(pair[0], plusIsSpace: true), pair.count > 1 ? percentDecoded(pair[1], plusIsSpace: true) : "")
        }
    }

    /// The first value, as Go's `url.Values.Get` returns it; nil when the name is absent.
    public subscript(name: String) -> String? { items.first { $0.name == name }?.value }

    public func all(_ name: String) -> [String] { items.filter { $0.name == name }.map(\.value) }

    /// The value as Go's `strconv.ParseBool` reads it. An empty value is true, as for the flags of the Kubernetes API.
    public func flag(_ name: String) -> Bool {
        guard let value = self[name] else { return false }
        return ["", "1", "t", "T", "true", "TRUE", "True"].contains(value)
    }

    public static func == (a: HTTPQuery, b: HTTPQuery) -> Bool {
        a.items.elementsEqual(b.items) { $0.name == $1.name && $0.value == $1.value }
    }
}
