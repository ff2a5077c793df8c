import Base
import Glibc

/// An address and a port as the socket calls take them.
enum SocketAddress {
    /// Calls `body` with a `sockaddr` for the address.
    static func with<Result>(_ address: IPAddress, port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        if address.isIPv6 {
            var value = sockaddr_in6()
            value.sin6_family = sa_family_t(AF_INET6)
            value.sin6_port = port.bigEndian
            withUnsafeMutableBytes(of: &value.sin6_addr) { $0.copyBytes(from: address.bytes) }
            return pass(value, body)
        }
        var value = sockaddr_in()
        value.sin_family = sa_family_t(AF_INET)
        value.sin_port = port.bigEndian
        withUnsafeMutableBytes(of: &value.sin_addr) { $0.copyBytes(from: address.bytes) }
        return pass(value, body)
    }

    static func with<Result>(unixPath path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result? {
        var value = sockaddr_un()
        value.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        let fits = withUnsafeMutableBytes(of: &value.sun_path) { place in
            guard bytes.count < place.count else { return false }
            place.copyBytes(from: bytes)
            return true
        }
        return fits ? pass(value, body) : nil
    }

    /// The address and port in bytes that a system call filled; nil when the family is another one.
    static func read(_ storage: sockaddr_storage) -> (address: IPAddress, port: UInt16)? {
        withUnsafeBytes(of: storage) { bytes in
            switch Int32(storage.ss_family) {
            case AF_INET:
                let value = bytes.loadUnaligned(as: sockaddr_in.self)
                return IPAddress(bytes: withUnsafeBytes(of: value.sin_addr) { Array($0) }).map { ($0, UInt16(bigEndian: value.sin_port)) }
            case AF_INET6:
                let value = bytes.loadUnaligned(as: sockaddr_in6.self)
                return IPAddress(bytes: withUnsafeBytes(of: value.sin6_addr) { Array($0) }).map {
                    ($0.unmapped, UInt16(bigEndian: value.sin6_port))
                }
            default: return nil
            }
        }
    }

    /// The address and port that a socket has on this side.
    static func own(of descriptor: Int32) -> (address: IPAddress, port: UInt16)? {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let code = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
        }
        return code == 0 ? read(storage) : nil
    }

    private static func pass<Address, Result>(_ value: Address, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        withUnsafePointer(to: value) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<Address>.size)) }
        }
    }
}

func setSocketOption<Value>(_ socket: Int32, _ level: Int32, _ option: Int32, _ value: Value) {
    withUnsafeBytes(of: value) { _ = setsockopt(socket, level, option, $0.baseAddress, socklen_t($0.count)) }
}

enum StreamSettings {
    static func apply(to socket: Int32) {
        let tcp = Int32(IPPROTO_TCP)
        setSocketOption(socket, tcp, TCP_NODELAY, Int32(1))
        // A peer that has vanished without a word is noticed after a minute and a half.
        setSocketOption(socket, SOL_SOCKET, SO_KEEPALIVE, Int32(1))
        setSocketOption(socket, tcp, TCP_KEEPIDLE, Int32(45))
        setSocketOption(socket, tcp, TCP_KEEPINTVL, Int32(15))
        setSocketOption(socket, tcp, TCP_KEEPCNT, Int32(3))
        // The kernel takes megabytes for a peer that does not read; this bounds what it takes before it is sent.
        setSocketOption(socket, tcp, TCP_NOTSENT_LOWAT, Int32(128 << 10))
    }
}
