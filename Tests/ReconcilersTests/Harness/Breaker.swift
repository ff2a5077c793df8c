import Base
import Foundation
import Glibc

/// A relay in front of an API server that counts the requests which change something, and can lose answers or die.
///
/// It looks at requests only as far as it must to know where each ends. A thread per direction and connection: blocking calls on
/// purpose, tests only.
final class Breaker: Sendable {
    struct Request: Sendable {
        var method: String
        var path: String
        var body: [UInt8] = []
        /// Events are written beside the work and change nothing.
        var changesSomething: Bool { method != "GET" && method != "HEAD" && !path.contains("/events") }
    }

    private struct State {
        var writes = 0
        var lines: [String] = []
        var dieAfter: Int?
        var isDead = false
        var loses: (@Sendable (Request) -> Bool)?
        var answers: (@Sendable (Request) -> [UInt8]?)?
        var holds: (@Sendable (Request) -> Bool)?
        var descriptors: Set<Int32> = []
    }

    let port: Int
    private let upstream: Int
    private let listener: Int32
    private let onDeath: @Sendable () -> Void
    private let state: Locked<State>

    var url: String { "http://127.0.0.1:\(port)" }
    /// How many changing requests the server has got.
    var writes: Int { state.withLock { $0.writes } }
    var lines: [String] { state.withLock { $0.lines } }
    var isDead: Bool { state.withLock { $0.isDead } }

    /// - Parameters:
    ///   - dieAfter: after the server has done the n-th change nothing passes any more, its answer included.
    ///   - loses: whether the answer to a request is lost, with its connection; asked once for each.
    ///   - answers: the whole HTTP answer to a request that never reaches the server; nil to let it pass.
    init(
        to upstream: Int, dieAfter: Int? = nil, loses: (@Sendable (Request) -> Bool)? = nil, answers: (@Sendable (Request) -> [UInt8]?)? = nil,
        onDeath: @escaping @Sendable () -> Void = {}
    ) throws {
        self.upstream = upstream
        self.onDeath = onDeath
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = Self.loopback(0)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafePointer(to: &address) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, size) } }
        guard listener >= 0, bound == 0, listen(listener, 128) == 0 else { throw BreakerError(description: "cannot listen: \(errno)") }
        var length = size
        _ = withUnsafeMutablePointer(to: &address) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(listener, $0, &length) } }
        port = Int(UInt16(bigEndian: address.sin_port))
        self.listener = listener
        state = Locked(State(dieAfter: dieAfter, isDead: dieAfter == 0, loses: loses, answers: answers))
        if dieAfter == 0 { onDeath() }
        Thread.detachNewThread { [self] in accept() }
    }

    struct BreakerError: Error, CustomStringConvertible { let description: String }

    /// Nothing passes any more.
    func kill() {
        let open = state.withLock { state in
            state.isDead = true
            return state.descriptors
        }
        for descriptor in open { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }

    /// Requests pass again.
    func revive() { state.withLock { $0.isDead = false } }

    /// Requests that never reach the server from now on, and whose answer begins but never ends, a blank every half second; nil: none.
    func hold(_ holds: (@Sendable (Request) -> Bool)?) { state.withLock { $0.holds = holds } }

    private func trickle(to client: Int32) {
        var piece = Array("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)
        while Self.write(client, piece) {
            piece = Array("1\r\n \r\n".utf8)
            Thread.sleep(forTimeInterval: 0.5)
        }
    }

    func stop() {
        kill()
        shutdown(listener, Int32(SHUT_RDWR))
    }

    private static func loopback(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    private func accept() {
        while true {
            let client = Glibc.accept(listener, nil, nil)
            guard client >= 0 else { break }
            Thread.detachNewThread { [self] in relay(client) }
        }
        close(listener)
    }

    private func relay(_ client: Int32) {
        let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = Self.loopback(upstream)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let connected = withUnsafePointer(to: &address) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(server, $0, size) } }
        var one: Int32 = 1
        for descriptor in [client, server] { setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4) }
        let alive = state.withLock { state in
            guard !state.isDead, connected == 0 else { return false }
            state.descriptors.formUnion([client, server])
            return true
        }
        let swallow = Locked(false)
        if alive {
            let done = DispatchSemaphore(value: 0)
            Thread.detachNewThread { [self] in
                while let bytes = Self.read(server) {
                    if swallow.withLock({ $0 }) {
                        dieIfDue()
                        break
                    }
                    guard Self.write(client, bytes) else { break }
                }
                shutdown(client, Int32(SHUT_RDWR))
                shutdown(server, Int32(SHUT_RDWR))
                done.signal()
            }
            requests(from: client, to: server, swallow)
            shutdown(client, Int32(SHUT_RDWR))
            shutdown(server, Int32(SHUT_RDWR))
            done.wait()
        }
        state.withLock { $0.descriptors.subtract([client, server]) }
        close(client)
        close(server)
    }

    private func requests(from client: Int32, to server: Int32, _ swallow: Locked<Bool>) {
        var buffer: [UInt8] = []
        while true {
            while Self.headLength(buffer) == nil {
                guard let more = Self.read(client) else { return }
                buffer += more
            }
            guard let head = Self.headLength(buffer) else { return }
            let text = String(decoding: buffer[..<head], as: UTF8.self)
            let words = text.prefix { $0 != "\r\n" }.split(separator: " ")
            guard words.count >= 2 else { return }
            let length =
                text.lowercased().split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
                .flatMap { Int($0.dropFirst(15).filter { !$0.isWhitespace }) } ?? 0
            while buffer.count < head + length {
                guard let more = Self.read(client) else { return }
                buffer += more
            }
            let request = Request(method: String(words[0]), path: String(words[1]), body: Array(buffer[head..<(head + length)]))
            if let answer = state.withLock({ $0.answers })?(request) {
                guard Self.write(client, answer) else { return }
                buffer.removeFirst(head + length)
                continue
            }
            if state.withLock({ $0.holds })?(request) == true { return trickle(to: client) }
            let passes = state.withLock { state in
                guard !state.isDead else { return false }
                if request.changesSomething {
                    // Requests that are under way when the last one is let through count as never sent.
                    if let limit = state.dieAfter, state.writes >= limit { return false }
                    state.writes += 1
                    state.lines.append("\(request.method) \(request.path)")
                    if state.writes == state.dieAfter { swallow.withLock { $0 = true } }
                }
                if state.loses?(request) == true { swallow.withLock { $0 = true } }
                return true
            }
            guard passes, Self.write(server, Array(buffer[..<(head + length)])) else { return }
            buffer.removeFirst(head + length)
        }
    }

    private func dieIfDue() {
        guard state.withLock({ $0.dieAfter == $0.writes }) else { return }
        onDeath()
        kill()
    }

    private static func headLength(_ bytes: [UInt8]) -> Int? {
        guard bytes.count >= 4 else { return nil }
        for end in 4...bytes.count where bytes[(end - 4)..<end].elementsEqual([13, 10, 13, 10]) { return end }
        return nil
    }

    private static func read(_ descriptor: Int32) -> [UInt8]? {
        var chunk = [UInt8](repeating: 0, count: 65536)
        let count = recv(descriptor, &chunk, chunk.count, 0)
        return count > 0 ? Array(chunk[..<count]) : nil
    }

    private static func write(_ descriptor: Int32, _ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { send(descriptor, $0.baseAddress?.advanced(by: sent), bytes.count - sent, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }
}
