import Base

/// The target of a `live` piece of a scripted body.
public struct LiveBody: Sendable {
    let writer: ResponseWriter

    /// Sends one chunk. False when the peer has gone or the server stops; the closure should then return.
    @discardableResult
    public func send(_ bytes: [UInt8]) -> Bool { writer.sendChunk(bytes) }

    /// Sends a line of JSON with a newline.
    @discardableResult
    public func send(line: JSONValue) -> Bool { send(line.serialized() + [10]) }

    /// True while the peer is connected and the server runs.
    public var isOpen: Bool { writer.wait(seconds: 0) }

    /// Waits; false when the peer has gone or the server stops.
    @discardableResult
    public func wait(seconds: Double) -> Bool { writer.wait(seconds: seconds) }

    /// Closes the connection in the middle of the body. Nothing can be sent afterwards.
    public func cut() { Socket.shutdown(writer.descriptor) }
}

/// Writes scripted answers to one connection.
struct ResponseWriter: Sendable {
    let descriptor: Int32
    let isStopped: @Sendable () -> Bool

    /// Writes an answer. Returns true when the connection can be used for another request.
    func write(_ response: ScriptedResponse, toHead: Bool) -> Bool {
        switch response.opening {
        case .normal: break
        case .dropConnection: return false
        case .silence:
            while wait(seconds: 3600) {}
            return false
        }
        var plain: [UInt8]? = []
        for piece in response.pieces {
            if case .bytes(let bytes) = piece { plain?.append(contentsOf: bytes) } else { plain = nil }
        }
        if response.chunked { plain = nil }

        var head = "HTTP/1.1 \(response.status) Scripted\r\n"
        for header in response.headers { head += "\(header.name): \(header.value)\r\n" }
        if response.closes { head += "Connection: close\r\n" }
        if let plain, response.status != 204, response.status != 304 {
            head += "Content-Length: \(plain.count)\r\n"
        } else if plain == nil {
            head += "Transfer-Encoding: chunked\r\n"
        }
        head += "\r\n"
        guard Socket.sendAll(descriptor, Array(head.utf8)) else { return false }
        if toHead { return !response.closes }
        if let plain {
            return Socket.sendAll(descriptor, plain) && !response.closes
        }
        for piece in response.pieces {
            switch piece {
            case .bytes(let bytes): guard sendChunk(bytes) else { return false }
            case .delay(let seconds): guard wait(seconds: seconds) else { return false }
            case .cut: return false
            case .hang:
                while wait(seconds: 3600) {}
                return false
            case .live(let body):
                body(LiveBody(writer: self))
            }
        }
        return Socket.sendAll(descriptor, Array("0\r\n\r\n".utf8)) && !response.closes
    }

    func sendChunk(_ bytes: [UInt8]) -> Bool {
        guard !bytes.isEmpty, !isStopped() else { return !isStopped() }
        return Socket.sendAll(
            descriptor, Array((String(bytes.count, radix: 16) + "\r\n").utf8) + bytes + Array("\r\n".utf8))
    }

    /// Returns false when the peer has gone or the server stops before the time has passed.
    func wait(seconds: Double) -> Bool {
        let time = SystemTime()
        let end = time.monotonic() + seconds
        while true {
            if isStopped() || Socket.peerHasGone(descriptor) { return false }
            let left = end - time.monotonic()
            if left <= 0 { return true }
            Socket.waitForPeerToLeave(descriptor, seconds: min(left, 0.02))
        }
    }
}

/// Reads requests from one connection.
struct RequestReader {
    let descriptor: Int32
    let connection: Int
    private var buffer: [UInt8] = []

    init(descriptor: Int32, connection: Int) {
        self.descriptor = descriptor
        self.connection = connection
    }

    /// The next request; nil at the end of the connection, and for bytes that are not HTTP.
    mutating func next() -> ScriptedRequest? {
        guard let head = readHead() else { return nil }
        let lines = String(decoding: head, as: UTF8.self).split(separator: "\r\n")
        guard let first = lines.first else { return nil }
        let words = first.split(separator: " ")
        guard words.count == 3 else { return nil }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { return nil }
            headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmed
        }
        if headers["expect"]?.lowercased() == "100-continue" {
            guard Socket.sendAll(descriptor, Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)) else { return nil }
        }
        guard let body = readBody(headers) else { return nil }
        return ScriptedRequest(
            method: String(words[0]), target: String(words[1]), headers: headers, body: body, connection: connection)
    }

    private mutating func readBody(_ headers: [String: String]) -> [UInt8]? {
        if let length = headers["content-length"].flatMap(Int.init) { return take(length) }
        guard headers["transfer-encoding"]?.lowercased() == "chunked" else { return [] }
        var body: [UInt8] = []
        while let line = readLine() {
            guard let size = Int(String(decoding: line, as: UTF8.self), radix: 16) else { return nil }
            guard let chunk = take(size), readLine() != nil else { return nil }
            if size == 0 { return body }
            body += chunk
        }
        return nil
    }

    private mutating func readHead() -> [UInt8]? {
        while true {
            if let end = Self.position(of: [13, 10, 13, 10], in: buffer) { return take(end + 4) }
            guard fill() else { return nil }
        }
    }

    private mutating func readLine() -> [UInt8]? {
        while true {
            if let end = Self.position(of: [13, 10], in: buffer) { return take(end + 2).map { $0.dropLast(2) } }
            guard fill() else { return nil }
        }
    }

    private mutating func take(_ count: Int) -> [UInt8]? {
        while buffer.count < count { guard fill() else { return nil } }
        let result = Array(buffer[..<count])
        buffer.removeFirst(count)
        return result
    }

    private mutating func fill() -> Bool {
        let bytes = Socket.receive(descriptor)
        buffer += bytes
        return !bytes.isEmpty
    }

    private static func position(of pattern: [UInt8], in bytes: [UInt8]) -> Int? {
        guard bytes.count >= pattern.count else { return nil }
        return (0...(bytes.count - pattern.count)).first { bytes[$0..<($0 + pattern.count)].elementsEqual(pattern) }
    }
}
