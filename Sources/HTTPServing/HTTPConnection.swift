import Base
import Glibc

/// The client has closed the connection, or has stopped reading.
public struct HTTPConnectionClosed: Error {
    public init() {}
}

/// One client's connection, served by one thread: reads a request, answers it, and repeats this until either side closes the
/// connection.
///
/// One thread per connection keeps the code simple: a slow reader or an endless watch does not delay other clients.
/// `HTTPServerLimits` bounds the number of threads.
struct HTTPConnection {
    let socket: Int32
    let client: String
    let limits: HTTPServerLimits
    let handler: @Sendable (ServerRequest) -> ServerResponse
    /// Makes the answer to bytes that are not a valid request.
    let refusal: @Sendable (HTTPRequestError) -> ServerResponse

    func serve() {
        var parser = HTTPRequestParser()
        var began: Double?
        while true {
            do {
                while var request = try parser.next() {
                    began = nil
                    request.client = client
                    guard try answer(request) else { return }
                }
            } catch let error as HTTPRequestError {
                refuse(error)
                return
            } catch {
                return
            }
            if parser.wantsContinue {
                parser.sentContinue()
                guard send(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)) else { return }
            }
            let now = SystemTime().monotonic()
            if parser.isMidRequest { began = began ?? now }
            let deadline = began.map { $0 + limits.requestSeconds } ?? now + limits.idleSeconds
            guard let bytes = receive(until: deadline) else { return }
            parser.append(bytes)
        }
    }

    /// Answers one request. Returns false when the connection must be closed afterwards.
    private func answer(_ request: ServerRequest) throws -> Bool {
        let response = handler(request)
        let isOld = request.isHTTP10
        let closes = isOld || request.header("connection")?.lowercased() == "close"
        var head = "HTTP/1.1 \(response.status) \(ServerResponse.phrase(response.status))\r\n"
        for (name, value) in response.headers { head += "\(name): \(value)\r\n" }
        head += "Date: \(httpDate(SystemTime().now()))\r\n"
        if closes { head += "Connection: close\r\n" }
        switch response.body {
        case .parts(let parts):
            head += "Content-Length: \(parts.reduce(0) { $0 + $1.count })\r\n\r\n"
            var first = Array(head.utf8)
            var rest = parts[...]
            if request.method == "HEAD" { rest = [] }
            // A small body is sent together with the head.
            while let part = rest.first, first.count + part.count < 64 * 1024 {
                first += part
                rest = rest.dropFirst()
            }
            guard send(first) else { return false }
            for part in rest { guard send(part) else { return false } }
            return !closes
        case .file(let file):
            head += "Content-Length: \(file.size)\r\n\r\n"
            guard send(Array(head.utf8)) else { return false }
            guard request.method != "HEAD" else { return !closes }
            var sent = 0
            while sent < file.size {
                // A file that became shorter cannot be answered for any more: the client notices the missing bytes.
                guard let piece = FileReading.piece(file.descriptor, at: sent, count: min(128 << 10, file.size - sent)), send(piece) else {
                    return false
                }
                sent += piece.count
            }
            return !closes
        case .stream(let produce):
            head += isOld ? "\r\n" : "Transfer-Encoding: chunked\r\n\r\n"
            guard send(Array(head.utf8)) else { return false }
            let writer = HTTPBodyWriter(socket: socket, isChunked: !isOld)
            try produce(writer)
            try writer.finish()
            return !closes
        }
    }

    /// Answers with an error, gives the client time to read the answer, and closes the connection.
    func refuse(_ error: HTTPRequestError) {
        let answer = refusal(error)
        var body: [UInt8] = []
        if case .parts(let parts) = answer.body { body = Array(parts.joined()) }
        var head = "HTTP/1.1 \(answer.status) \(ServerResponse.phrase(answer.status))\r\n"
        for (name, value) in answer.headers { head += "\(name): \(value)\r\n" }
        head += "Content-Length: \(body.count)\r\nConnection: close\r\n\r\n"
        guard send(Array(head.utf8) + body) else { return }
        // The client may still be sending its body: closing now would reset the connection before it reads the answer.
        shutdown(socket, Int32(SHUT_WR))
        let deadline = SystemTime().monotonic() + 2
        var taken = 0
        while taken < 16 * 1024 * 1024, let more = receive(until: deadline) { taken += more.count }
    }

    /// The bytes that have arrived; nil at the end of the stream, on an error, or at the deadline (monotonic seconds).
    private func receive(until deadline: Double) -> [UInt8]? {
        let left = max(0, deadline - SystemTime().monotonic())
        var wait = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        var ready = poll(&wait, 1, Int32(min(left * 1000, 1e9)))
        while ready < 0 && errno == EINTR { ready = poll(&wait, 1, Int32(min(left * 1000, 1e9))) }
        guard ready > 0 else { return nil }
        let count = 64 * 1024
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            initialized = max(0, recv(socket, buffer.baseAddress, count, 0))
        }
        return bytes.isEmpty ? nil : bytes
    }

    private func send(_ bytes: [UInt8]) -> Bool { sendAll(socket, bytes) }
}

/// Sends all bytes. Returns false when the peer has closed the connection or has not read for the socket's send timeout.
func sendAll(_ socket: Int32, _ bytes: [UInt8]) -> Bool {
    bytes.withUnsafeBytes { buffer in
        var sent = 0
        while sent < buffer.count {
            let n = send(socket, buffer.baseAddress?.advanced(by: sent), buffer.count - sent, Int32(MSG_NOSIGNAL))
            if n > 0 {
                sent += n
            } else if n < 0 && errno == EINTR {
                continue
            } else {
                return false
            }
        }
        return true
    }
}

/// `Sat, 21 Nov 2026 04:00:00 GMT`.
private func httpDate(_ time: Timestamp) -> String {
    let names = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    let text = Array(time.rfc3339.utf8)
    guard text.count == 20, let month = Int(String(decoding: text[5..<7], as: UTF8.self)), months.indices.contains(month - 1)
    else { return "" }
    let weekday = names[Int((time.seconds / 86400 % 7 + 7) % 7)]
    func part(_ range: Range<Int>) -> String { String(decoding: text[range], as: UTF8.self) }
    return "\(weekday), \(part(8..<10)) \(months[month - 1]) \(part(0..<4)) \(part(11..<19)) GMT"
}
