import Base

/// The error in an invalid request, and the answer to send before the connection is closed.
public struct HTTPRequestError: Error, Equatable {
    public var status: Int
    public var message: String
}

/// Parses the bytes of a connection into requests (RFC 9112). Pure: the connection appends bytes and asks for complete requests.
///
/// Guarantees: a request is returned only when its body is complete; the sizes of head and body are bounded; after an error no
/// more requests are returned.
struct HTTPRequestParser {
    /// The limit for a request line and its headers, in bytes.
    static let maximumHead = 64 * 1024
    /// The limit for a body, in bytes; the same as kube-apiserver's.
    static let maximumBody = 3 * 1024 * 1024

    private enum State {
        case head
        case body(ServerRequest, length: Int)
        case chunks(ServerRequest)
        case broken
    }

    private var state = State.head
    private var buffer: [UInt8] = []
    /// The offset of the unread part of the buffer.
    private var start = 0

    /// True once after a head with `Expect: 100-continue` whose body has not arrived.
    private(set) var wantsContinue = false
    /// True when a part of a request has arrived.
    var isMidRequest: Bool {
        if case .head = state { return start < buffer.count }
        return true
    }

    mutating func append(_ bytes: some Sequence<UInt8>) {
        if start > 0 {
            buffer.removeSubrange(..<start)
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    mutating func sentContinue() { wantsContinue = false }

    /// The next complete request; nil when more bytes are needed.
    mutating func next() throws(HTTPRequestError) -> ServerRequest? {
        do {
            return try advance()
        } catch {
            state = .broken
            throw error
        }
    }

    private mutating func advance() throws(HTTPRequestError) -> ServerRequest? {
        while true {
            switch state {
            case .broken:
                return nil
            case .head:
                guard let head = try takeHead() else { return nil }
                let request = try parse(head)
                if let encoding = request.header("transfer-encoding") {
                    guard encoding.lowercased() == "chunked", request.header("content-length") == nil else {
                        throw HTTPRequestError(status: 400, message: "unsupported transfer encoding")
                    }
                    state = .chunks(request)
                } else {
                    let length = try contentLength(request)
                    state = .body(request, length: length)
                }
                wantsContinue = request.header("expect")?.lowercased() == "100-continue"
            case .body(var request, let length):
                guard buffer.count - start >= length else { return nil }
                request.body = Array(buffer[start..<start + length])
                start += length
                state = .head
                wantsContinue = false
                return request
            case .chunks(var request):
                guard try takeChunk(into: &request) else {
                    state = .chunks(request)
                    return nil
                }
                state = .head
                wantsContinue = false
                return request
            }
        }
    }

    private mutating func takeHead() throws(HTTPRequestError) -> ArraySlice<UInt8>? {
        // Empty lines before a request line are skipped (RFC 9112, 2.2).
        while start < buffer.count, buffer[start] == 13 || buffer[start] == 10 { start += 1 }
        var at = start
        while at + 3 < buffer.count {
            if buffer[at] == 13, buffer[at + 1] == 10, buffer[at + 2] == 13, buffer[at + 3] == 10 {
                let head = buffer[start..<at]
                start = at + 4
                return head
            }
            at += 1
        }
        guard buffer.count - start <= Self.maximumHead else {
            throw HTTPRequestError(status: 431, message: "request header fields too large")
        }
        return nil
    }

    private func parse(_ head: ArraySlice<UInt8>) throws(HTTPRequestError) -> ServerRequest {
        let malformed = HTTPRequestError(status: 400, message: "malformed HTTP request")
        let lines = String(decoding: head, as: UTF8.self).split(separator: "\r\n", omittingEmptySubsequences: false)
        guard let line = lines.first else { throw malformed }
        let words = line.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, words[2].hasPrefix("HTTP/1."), !words[0].isEmpty, let path = Self.path(of: words[1]) else { throw malformed }
        var headers: [String: String] = [:]
        for field in lines.dropFirst() {
            guard let colon = field.firstIndex(of: ":"), colon != field.startIndex else { throw malformed }
            let name = field[..<colon].lowercased()
            guard !name.contains(" ") else { throw malformed }
            let value = field[field.index(after: colon)...].trimming { $0 == " " || $0 == "\t" }
            headers[name] = headers[name].map { $0 + ", " + value } ?? String(value)
        }
        let target = path.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        return ServerRequest(
            method: String(words[0]),
            segments: target[0].split(separator: "/").map { percentDecoded($0) },
            rawPath: String(target[0]),
            query: HTTPQuery(parsing: target.count > 1 ? target[1] : ""),
            headers: headers,
            body: [], isHTTP10: words[2] == "HTTP/1.0")
    }

    /// The target without the scheme and the host, which a client sends that takes this server for its proxy (RFC 9112, 3.2.2).
    private static func path(of target: Substring) -> Substring? {
        if target.hasPrefix("/") { return target }
        guard target.lowercased().hasPrefix("http://") else { return nil }
        let rest = target.dropFirst(7)
        return rest.firstIndex(of: "/").map { rest[$0...] } ?? "/"
    }

    private func contentLength(_ request: ServerRequest) throws(HTTPRequestError) -> Int {
        guard let text = request.header("content-length") else { return 0 }
        guard let length = Int(text), length >= 0 else { throw HTTPRequestError(status: 400, message: "bad Content-Length") }
        guard length <= Self.maximumBody else { throw Self.tooLarge }
        return length
    }

    static let tooLarge = HTTPRequestError(
        status: 413, message: "Request entity too large: limit is \(maximumBody)")

    /// Moves chunks from the buffer into the body. Returns true after the last chunk.
    private mutating func takeChunk(into request: inout ServerRequest) throws(HTTPRequestError) -> Bool {
        let malformed = HTTPRequestError(status: 400, message: "malformed chunked body")
        while true {
            guard let end = lineEnd(from: start) else {
                guard buffer.count - start <= 1024 else { throw malformed }
                return false
            }
            let size = String(decoding: buffer[start..<end], as: UTF8.self).prefix { $0 != ";" }
            guard let length = Int(size.trimming { $0 == " " }, radix: 16), length >= 0 else { throw malformed }
            guard request.body.count + length <= Self.maximumBody else { throw Self.tooLarge }
            if length == 0 {
                return try skipTrailers(from: end + 2)
            }
            let data = end + 2
            guard buffer.count >= data + length + 2 else { return false }
            guard buffer[data + length] == 13, buffer[data + length + 1] == 10 else { throw malformed }
            request.body.append(contentsOf: buffer[data..<data + length])
            start = data + length + 2
        }
    }

    private mutating func skipTrailers(from first: Int) throws(HTTPRequestError) -> Bool {
        var at = first
        while let end = lineEnd(from: at) {
            if end == at {
                start = end + 2
                return true
            }
            at = end + 2
        }
        guard buffer.count - start <= Self.maximumHead else { throw HTTPRequestError(status: 431, message: "trailers too large") }
        return false
    }

    private func lineEnd(from first: Int) -> Int? {
        var at = first
        while at + 1 < buffer.count {
            if buffer[at] == 13, buffer[at + 1] == 10 { return at }
            at += 1
        }
        return nil
    }
}
