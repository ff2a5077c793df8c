import Base
import Glibc

/// Finds the addresses of a name. The call may block; the proxy makes it on threads of its own.
public protocol HostResolver: Sendable {
    /// In the order in which they are to be tried; empty when the name has none.
    func addresses(of name: HostName) throws(HostResolutionError) -> [IPAddress]
}

/// A name that could not be resolved.
public struct HostResolutionError: Error, Sendable, Hashable, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// The C library's resolver: /etc/hosts and the DNS servers of /etc/resolv.conf.
public struct SystemResolver: HostResolver {
    public init() {}

    public func addresses(of name: HostName) throws(HostResolutionError) -> [IPAddress] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(name.text, nil, &hints, &list)
        defer { if let list { freeaddrinfo(list) } }
        guard code == 0 else { throw HostResolutionError(String(cString: gai_strerror(code))) }
        var found: [IPAddress] = []
        var next = list
        while let entry = next {
            if let address = entry.pointee.ai_addr {
                var storage = sockaddr_storage()
                withUnsafeMutableBytes(of: &storage) { place in
                    place.copyMemory(from: UnsafeRawBufferPointer(start: address, count: min(place.count, Int(entry.pointee.ai_addrlen))))
                }
                if let read = SocketAddress.read(storage)?.address, !found.contains(read) { found.append(read) }
            }
            next = entry.pointee.ai_next
        }
        return found
    }
}
