import Base
import Glibc

@testable import Egress

/// A server of a test: each connection is handled on a thread of its own and closed afterwards.
final class Origin: Sendable {
    let port: UInt16
    private let listener: Int32
    let accepted = Locked(0)
    /// What handlers want to tell the test.
    let notes = Locked<[String]>([])

    init(_ address: String = "127.0.0.1", port: UInt16 = 0, _ handler: @escaping @Sendable (TestSocket, Origin) throws -> Void) throws {
        guard let ip = IPAddress(address) else { throw SocketFailure("no address") }
        let (descriptor, bound) = try EgressListener.tcp(ip, port: port).open()
        guard case .tcp(_, let chosen) = bound else { throw SocketFailure("no port") }
        _ = fcntl(descriptor, F_SETFL, 0)
        listener = descriptor
        self.port = chosen
        startThread(name: "origin") { [self] in
            while true {
                let client = Glibc.accept(descriptor, nil, nil)
                guard client >= 0 else { return }
                accepted.withLock { $0 += 1 }
                startThread(name: "origin") { [self] in
                    let socket = TestSocket(adopting: client)
                    do { try handler(socket, self) } catch { note("failed: \(error)") }
                    socket.close()
                }
            }
        }
    }

    deinit { stop() }

    func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    func note(_ text: String) { notes.withLock { $0.append(text) } }

    /// Reads one request's head and answers with a body.
    static func answering(_ body: String) throws -> Origin {
        try Origin { socket, origin in
            origin.note(try socket.readHead())
            try socket.send("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\nX-Origin: yes\r\n\r\n\(body)")
        }
    }

    /// Sends back what it gets, until the client ends.
    static func echo(_ address: String = "127.0.0.1", port: UInt16 = 0) throws -> Origin {
        try Origin(address, port: port) { socket, _ in
            while true {
                let bytes = try socket.read()
                if bytes.isEmpty { return }
                try socket.send(bytes)
            }
        }
    }
}
