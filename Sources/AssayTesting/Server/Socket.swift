import Glibc

/// The socket calls of a scripted server, on loopback only.
enum Socket {
    /// POLLRDHUP of poll.h, which Swift does not import because a feature macro hides it.
    private static let pollRemoteHangUp: Int16 = 0x2000

    static func listen(port: Int) throws -> (descriptor: Int32, port: Int) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw ScriptedServerError(description: "socket: errno \(errno)") }
        var on: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(truncatingIfNeeded: port).bigEndian)
        address.sin_addr.s_addr = in_addr_t(UInt32(0x7F00_0001).bigEndian)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let failed = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) != 0 || Glibc.listen(descriptor, 128) != 0
                    || getsockname(descriptor, $0, &length) != 0
            }
        }
        if failed {
            let code = errno
            Glibc.close(descriptor)
            throw ScriptedServerError(description: "cannot listen on 127.0.0.1:\(port): errno \(code)")
        }
        return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
    }

    static func accept(_ listener: Int32) -> Int32 {
        let client = Glibc.accept(listener, nil, nil)
        if client >= 0 {
            _ = fcntl(client, F_SETFD, FD_CLOEXEC)
            var on: Int32 = 1
            setsockopt(client, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        }
        return client
    }

    static func receive(_ descriptor: Int32) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count < 0, errno == EINTR { continue }
            return count <= 0 ? [] : Array(buffer[..<count])
        }
    }

    static func sendAll(_ descriptor: Int32, _ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    static func peerHasGone(_ descriptor: Int32) -> Bool {
        var entry = pollfd(fd: descriptor, events: pollRemoteHangUp, revents: 0)
        return poll(&entry, 1, 0) > 0 && Int32(entry.revents) & (Int32(pollRemoteHangUp) | POLLHUP | POLLERR) != 0
    }

    static func waitForPeerToLeave(_ descriptor: Int32, seconds: Double) {
        var entry = pollfd(fd: descriptor, events: pollRemoteHangUp, revents: 0)
        _ = poll(&entry, 1, Int32(seconds * 1000) + 1)
    }

    static func shutdown(_ descriptor: Int32) { _ = Glibc.shutdown(descriptor, Int32(SHUT_RDWR)) }

    static func close(_ descriptor: Int32) { _ = Glibc.close(descriptor) }
}
