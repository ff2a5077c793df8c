import Glibc

/// The answer of a handler.
public struct ServerResponse: Sendable {
    public enum Body: Sendable {
        /// Written one after the other, so that a long list need not be copied into one array.
        case parts([[UInt8]])
        /// Written piece by piece, on the thread of the connection. An error closes the connection.
        case stream(@Sendable (HTTPBodyWriter) throws -> Void)
        /// A file from its beginning, read while it is sent: only one piece of it is in memory.
        case file(ServedFile)
    }

    public var status: Int
    public var headers: [(name: String, value: String)]
    public var body: Body

    public init(status: Int, contentType: String, parts: [[UInt8]]) {
        self.status = status
        headers = [("Content-Type", contentType)]
        body = .parts(parts)
    }

    public init(status: Int, contentType: String, stream: @escaping @Sendable (HTTPBodyWriter) throws -> Void) {
        self.status = status
        headers = [("Content-Type", contentType)]
        body = .stream(stream)
    }

    public init(status: Int, contentType: String, file: ServedFile) {
        self.status = status
        headers = [("Content-Type", contentType)]
        body = .file(file)
    }

    public static func text(_ status: Int, _ text: String) -> ServerResponse {
        ServerResponse(status: status, contentType: "text/plain; charset=utf-8", parts: [Array(text.utf8)])
    }

    /// The reason phrase of a status.
    public static func phrase(_ status: Int) -> String {
        switch status {
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 304: "Not Modified"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 406: "Not Acceptable"
        case 407: "Proxy Authentication Required"
        case 409: "Conflict"
        case 410: "Gone"
        case 413: "Request Entity Too Large"
        case 421: "Misdirected Request"
        case 415: "Unsupported Media Type"
        case 422: "Unprocessable Entity"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        default: "Status"
        }
    }
}

/// An open file that is sent as a body. It stays readable after its name has been removed.
public final class ServedFile: Sendable {
    let descriptor: Int32
    /// In bytes, as it was when the file was opened.
    public let size: Int

    /// - Parameter descriptor: is closed with this object.
    public init(descriptor: Int32, size: Int) {
        self.descriptor = descriptor
        self.size = size
    }

    deinit { close(descriptor) }
}
