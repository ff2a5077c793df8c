import Base
import Glibc

@testable import Egress

struct SocketFailure: Error, CustomStringConvertible {
    let what: String
    let number = errno

    init(_ what: String) { self.what = what }

    var description: String { "\(what): \(String(cString: strerror(number)))" }
}

/// A blocking TCP or Unix socket of a test. Reading and writing give up after a minute. Used from one thread at a time.
final class TestSocket: Sendable {
    let descriptor: Int32
    private let isOpen = Locked(true)

    init(adopting descriptor: Int32) {
        self.descriptor = descriptor
        setSocketOption(descriptor, SOL_SOCKET, SO_RCVTIMEO, timeval(tv_sec: 60, tv_usec: 0))
        setSocketOption(descriptor, SOL_SOCKET, SO_SNDTIMEO, timeval(tv_sec: 60, tv_usec: 0))
    }

    /// - Parameter source: the address that the connection comes from.
    convenience init(to address: String = "127.0.0.1", port: UInt16, from source: String? = nil) throws {
        guard let address = IPAddress(address) else { throw SocketFailure("no address") }
        let descriptor = socket(address.isIPv6 ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        if let source = source.flatMap({ IPAddress($0) }) {
            guard SocketAddress.with(source, port: 0, { bind(descriptor, $0, $1) }) == 0 else { throw SocketFailure("bind") }
        }
        guard SocketAddress.with(address, port: port, { connect(descriptor, $0, $1) }) == 0 else {
            let failure = SocketFailure("connect")
            Glibc.close(descriptor)
            throw failure
        }
        self.init(adopting: descriptor)
    }

    convenience init(unixPath: String) throws {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard SocketAddress.with(unixPath: unixPath, { connect(descriptor, $0, $1) }) == 0 else { throw SocketFailure("connect") }
        self.init(adopting: descriptor)
    }

    deinit { close() }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress?.advanced(by: sent), $0.count - sent, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { throw SocketFailure("send") }
            sent += count
        }
    }

    /// What has arrived; empty at the end.
    func read(_ limit: Int = 1 << 16) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = recv(descriptor, &bytes, limit, 0)
        guard count >= 0 else { throw SocketFailure("recv") }
        return Array(bytes[..<count])
    }

    func readExactly(_ count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            let more = try read(count - bytes.count)
            guard !more.isEmpty else { throw SocketFailure("ended after \(bytes.count) bytes") }
            bytes += more
        }
        return bytes
    }

    /// Byte by byte up to and with the mark, so that nothing behind it is taken.
    func read(until mark: String) throws -> String {
        var bytes: [UInt8] = []
        let mark = Array(mark.utf8)
        while bytes.suffix(mark.count) != mark[...] {
            let more = try read(1)
            guard !more.isEmpty else { throw SocketFailure("ended after \"\(String(decoding: bytes, as: UTF8.self))\"") }
            bytes += more
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    func readHead() throws -> String { try read(until: "\r\n\r\n") }

    /// Everything up to the end; throws when the connection is reset.
    func readToEnd() throws -> String {
        var bytes: [UInt8] = []
        while true {
            let more = try read()
            if more.isEmpty { return String(decoding: bytes, as: UTF8.self) }
            bytes += more
        }
    }

    /// Reads to the end: whether that is a reset, neither a proper end nor the time limit of the test.
    func endsWithReset() -> Bool {
        do {
            _ = try readToEnd()
            return false
        } catch {
            return (error as? SocketFailure)?.number == ECONNRESET
        }
    }

    /// A head and a body with Content-Length.
    func readAnswer() throws -> (head: String, body: String) {
        let head = try readHead()
        guard let line = head.split(separator: "\r\n").first(where: { $0.lowercased().hasPrefix("content-length:") }),
            let count = Int(line.split(separator: ":")[1].trimmed)
        else { return (head, "") }
        return (head, String(decoding: try readExactly(count), as: UTF8.self))
    }

    func finishWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

    func close() {
        let wasOpen = isOpen.withLock { isOpen in
            defer { isOpen = false }
            return isOpen
        }
        if wasOpen { Glibc.close(descriptor) }
    }

    func reset() {
        setSocketOption(descriptor, SOL_SOCKET, SO_LINGER, linger(l_onoff: 1, l_linger: 0))
        close()
    }
}

/// Runs code that blocks on a thread of its own, so that tests that run beside it are not held up.
func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        startThread(name: "test") { continuation.resume(with: Result { try body() }) }
    }
}

/// Polls on the calling thread; false when the condition does not hold within a minute.
func soon(_ condition: () throws -> Bool) rethrows -> Bool {
    let end = SystemTime().monotonic() + 60
    while SystemTime().monotonic() < end {
        if try condition() { return true }
        usleep(5000)
    }
    return false
}
