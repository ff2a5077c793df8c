import Base

/// One request as the scripted server received it.
public struct ScriptedRequest: Sendable, Hashable {
    public var method: String
    /// The request target as sent, path and query.
    public var target: String
    /// Names in lower case; a repeated header keeps its last value.
    public var headers: [String: String]
    public var body: [UInt8]
    /// Which connection carried it, counted from 1: tells a reused connection from a new one.
    public var connection: Int

    /// The target before the question mark, percent-decoded.
    public var path: String { Self.decode(target.split(separator: "?", maxSplits: 1).first.map(String.init) ?? "") }

    /// The query, percent-decoded; a name without a value has an empty one.
    public var query: [String: String] {
        guard let mark = target.firstIndex(of: "?") else { return [:] }
        var result: [String: String] = [:]
        for pair in target[target.index(after: mark)...].split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            result[Self.decode(String(parts[0]))] = parts.count > 1 ? Self.decode(String(parts[1])) : ""
        }
        return result
    }

    /// The body as JSON, nil when it is none.
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

/// What the scripted server answers.
///
/// A body of plain bytes is sent with its length; as soon as it has any other piece it is sent in chunks, one per piece.
public struct ScriptedResponse: Sendable {
    /// One step of a body.
    public enum Piece: Sendable {
        case bytes([UInt8])
        /// Real seconds of silence; ends early when the server stops or the peer leaves.
        case delay(Double)
        /// The connection is closed without the end of the body.
        case cut
        /// Nothing more is ever sent, and the connection stays open.
        case hang
        /// Runs the closure on the connection's thread; the body goes on when it returns.
        case live(@Sendable (LiveBody) -> Void)

        public static func text(_ text: String) -> Piece { .bytes(Array(text.utf8)) }
        /// A line of JSON and its newline, as watch streams have them.
        public static func line(_ value: JSONValue) -> Piece { .bytes(value.serialized() + [10]) }
    }

    enum Opening: Sendable { case normal, dropConnection, silence }

    public var status: Int
    public var headers: [(name: String, value: String)]
    public var pieces: [Piece]
    /// Send in chunks even if the body is plain.
    public var chunked = false
    /// Close the connection after the answer (and say so).
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

    /// A Kubernetes `Status` failure.
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

    /// The connection is closed before a byte is answered: a response that was lost.
    public static var dropConnection: ScriptedResponse {
        var response = ScriptedResponse()
        response.opening = .dropConnection
        return response
    }

    /// The connection stays open and nothing is ever answered.
    public static var silence: ScriptedResponse {
        var response = ScriptedResponse()
        response.opening = .silence
        return response
    }
}
