import Base

/// A request to the API server, without the server's address and credentials. Pure data, made by the builders below.
public struct KubeRequest: Sendable, Hashable {
    public struct QueryItem: Sendable, Hashable {
        public var name: String
        public var value: String

        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// Upper case.
    public var method: String
    /// Begins with a slash; segments are percent-encoded.
    public var path: String
    public var query: [QueryItem]
    public var body: [UInt8]?
    /// The media type of the body.
    public var contentType: String?
    public var accept: String

    public init(
        method: String, path: String, query: [QueryItem] = [], body: [UInt8]? = nil, contentType: String? = nil,
        accept: String = "application/json"
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.body = body
        self.contentType = body == nil ? nil : (contentType ?? "application/json")
        self.accept = accept
    }

    /// For `accept`: only the metadata of an object. A server that cannot do that sends the whole object.
    public static let metadataOnly = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"

    /// The encoded path and query, as sent.
    public var target: String {
        guard !query.isEmpty else { return path }
        return path + "?"
            + query.map { PercentEncoding.encode($0.name) + "=" + PercentEncoding.encode($0.value) }
            .joined(separator: "&")
    }

    /// True when sending the request twice has the same effect as sending it once.
    public var isIdempotent: Bool {
        switch method {
        case "GET", "HEAD", "PUT", "DELETE", "OPTIONS": true
        // Server-side apply states the wanted fields; other patches may append to lists.
        case "PATCH": contentType == "application/apply-patch+yaml"
        default: false
        }
    }

    /// The method and the path, without the query: for error messages.
    public var summary: String { "\(method) \(path)" }
}

/// The request was refused before sending, because a name in it could change what the path means.
public struct KubeRequestError: Error, Sendable, Hashable, CustomStringConvertible {
    public let message: String

    public init(message: String) { self.message = message }

    public var description: String { message }
}

/// Percent-encoding (RFC 3986) of everything except unreserved characters.
enum PercentEncoding {
    private static let hex = Array("0123456789ABCDEF".utf8)

    static func encode(_ text: String) -> String {
        var out: [UInt8] = []
        out.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                out.append(byte)
            default:
                out.append(UInt8(ascii: "%"))
                out.append(hex[Int(byte >> 4)])
                out.append(hex[Int(byte & 15)])
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
