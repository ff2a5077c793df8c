import Base

/// One request that the scripted server has received.
public struct ScriptedRequest: Sendable, Hashable {
    public var method: String
    /// The path and query as sent.
    public var target: String
    /// Names in lower case; of a repeated header the last value is kept.
    public var headers: [String: String]
    public var body: [UInt8]
    /// The number of the connection, counted from 1. It distinguishes a reused connection from a new one.
    public var connection: Int

    /// The target before the question mark, percent-decoded.
    public var path: String { Self.decode(target.split(separator: "?", maxSplits: 1).first.map(String.init) ?? "") }

    /// The query, percent-decoded; a name without a value has an empty value.
    public var query: [String: String] {
        guard let mark = target.firstIndex(of: "?") else { return [:] }
        var result: [String: String] = [:]
        for pair in target[target.index(after: mark)...].split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            result[Self.decode(String(parts[0]))] = parts.count > 1 ? Self.decode(String(parts[1])) : ""
        }
        return result
    }

    /// The body as JSON; nil when it is not JSON.
    public var json: JSONValue? { try? JSONValue(parsing: body) }

    private static func decode(_ text: String) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else if byte == UInt8(ascii: "+") {
                bytes.append(UInt8(ascii: " "))
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// An answer of the scripted server.
///
/// A body that consists only of bytes is sent with its length. A body with any other piece is sent in chunks, one per piece.
public struct ScriptedResponse: Sendable {
    /// One step of a body.
    public enum Piece: Sendable {
        case bytes([UInt8])
        /// Real seconds without data; ends early when the server stops or the peer closes the connection.
        case delay(Double)
        /// The connection is closed without the end of the body.
        case cut
        /// Nothing more is sent, and the connection stays open.
        case hang
        /// Runs the closure on the connection's thread. The body continues when it returns.
        case live(@Sendable (LiveBody) -> Void)

        public static func text(_ text: String) -> Piece { .bytes(Array(text.utf8)) }
        /// A line of JSON with a newline, as in watch streams.
        public static func line(_ value: JSONValue) -> Piece { .bytes(value.serialized() + [10]) }
    }

    enum Opening: Sendable { case normal, dropConnection, silence }

    public var status: Int
    public var headers: [(name: String, value: String)]
    public var pieces: [Piece]
    /// Send in chunks even if the body consists only of bytes.
    public var chunked = false
    /// Close the connection after the answer, and announce that in a header.
    public var closes = false
    var opening = Opening.normal

    public init(status: Int = 200, headers: [(name: String, value: String)] = [], pieces: [Piece] = []) {
        self.status = status
        self.headers = headers
        self.pieces = pieces
    }

    public static func json(_ value: JSONValue, status: Int = 200) -> ScriptedResponse {
        ScriptedResponse(
            status: status, headers: [("Content-Type", "application/json")], pieces: [.bytes(value.serialized())])
    }

    public static func text(_ text: String, status: Int = 200) -> ScriptedResponse {
        ScriptedResponse(status: status, headers: [("Content-Type", "text/plain")], pieces: [.text(text)])
    }

    /// An answer with a Kubernetes `Status` of type Failure.
    public static func failure(
        _ code: Int, reason: String, message: String = "scripted", retryAfterSeconds: Int? = nil
    ) -> ScriptedResponse {
        var response = json(
            [
                "kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Failure",
                "message": .string(message), "reason": .string(reason), "code": .int(Int64(code)),
            ], status: code)
        if let retryAfterSeconds { response.headers.append(("Retry-After", String(retryAfterSeconds))) }
        return response
    }

    /// A watch stream made of these pieces.
    public static func stream(_ pieces: [Piece]) -> ScriptedResponse {
        var response = ScriptedResponse(headers: [("Content-Type", "application/json")], pieces: pieces)
        response.chunked = true
        return response
    }

    /// Closes the connection without an answer: a lost response.
    public static var dropConnection: ScriptedResponse {
        var response = ScriptedResponse()
        response.opening = .dropConnection
        return response
    }

    /// Keeps the connection open and never answers.
    public static var silence: ScriptedResponse {
        var response = ScriptedResponse()
        response.opening = .silence
        return response
    }
}
