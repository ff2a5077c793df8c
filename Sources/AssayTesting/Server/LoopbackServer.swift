import Base
import Glibc

/// A web server of one thread on loopback, as much of one as git needs: one request a connection, answered by a closure.
public final class LoopbackServer: Sendable {
    public enum Answer: Sendable {
        case reply(status: String, headers: [String] = [], body: [UInt8] = [])
        /// The head of an answer, and then nothing, until the server is stopped.
        case stall
    }

    public let port: Int
    private let listener: Int32
    private let seen = Locked([String]())
    private let held = Locked([Int32]())

    /// `answer` gets the request's head as it came.
    public init(_ answer: @escaping @Sendable (_ head: String) -> Answer) throws {
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(fd, $0, length) == 0 && listen(fd, 16) == 0 && getsockname(fd, $0, &length) == 0
            }
        }
        guard fd >= 0, bound else { throw CommandFailure("cannot listen on loopback") }
        listener = fd
        port = Int(UInt16(bigEndian: address.sin_port))
        let (seen, held) = (seen, held)
        startThread(name: "loopback") {
            while true {
                let client = accept(fd, nil, nil)
                guard client >= 0 else { return }
                var head = ""
                var buffer = [UInt8](repeating: 0, count: 4096)
                while !head.contains("\r\n\r\n") {
                    let count = read(client, &buffer, buffer.count)
                    guard count > 0 else { break }
                    head += String(decoding: buffer[..<count], as: UTF8.self)
                }
                seen.withLock { $0.append(head) }
                switch answer(head) {
                case .reply(let status, let headers, let body):
                    let lines = ["HTTP/1.1 \(status)", "Content-Length: \(body.count)", "Connection: close"] + headers
                    let bytes = Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body
                    _ = bytes.withUnsafeBytes { send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
                    close(client)
                case .stall:
                    let bytes = Array("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\nx".utf8)
                    _ = bytes.withUnsafeBytes { send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
                    held.withLock { $0.append(client) }
                }
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
        held.withLock { $0.forEach { close($0) } }
    }

    /// The heads of the requests so far.
    public var requests: [String] { seen.withLock { $0 } }
    public var url: String { "http://127.0.0.1:\(port)/r.git" }
}
