import Base
import CShims
import Glibc
import HTTPServing

/// Where the proxy accepts connections.
public enum EgressListener: Sendable, Hashable, CustomStringConvertible {
    /// Port 0 selects a free one. `::` accepts IPv4 as well.
    case tcp(IPAddress, port: UInt16)
    /// A Unix socket at an absolute path, for a relay on the same machine. Tokens are bound to the process that connects.
    case unix(path: String)

    /// Reads `0.0.0.0:3128`, `[::]:3128` or `unix:/run/assay/egress.sock`.
    public init(parsing text: String) throws(HostSyntaxError) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            guard path.hasPrefix("/"), path.utf8.count <= 107 else {
                throw HostSyntaxError("is no socket path: write an absolute path of at most 107 bytes, as in unix:/run/assay/egress.sock")
            }
            self = .unix(path: path)
            return
        }
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            throw HostSyntaxError("has no port: write an address and a port, as in 0.0.0.0:3128 or [::]:3128")
        }
        guard case .address(let address) = try EgressHost(text[..<colon]) else {
            throw HostSyntaxError("has a name: write an address of this machine, as in 0.0.0.0:3128 or [::]:3128")
        }
        self = .tcp(address, port: port)
    }

    public var description: String {
        switch self {
        case .tcp(let address, let port): "\(EgressHost.address(address)):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }

    /// A listening, non-blocking socket, and the listener with the port that was selected.
    func open() throws(HTTPBindFailure) -> (descriptor: Int32, bound: EgressListener) {
        let domain: Int32
        switch self {
        case .tcp(let address, _): domain = address.isIPv6 ? AF_INET6 : AF_INET
        case .unix(let path):
            domain = AF_UNIX
            // Left by a process that did not end by itself.
            unlink(path)
        }
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(domain, kind, 0)
        guard descriptor >= 0 else { throw HTTPBindFailure(place: description, errno: errno) }
        do throws(HTTPBindFailure) {
            func attempt(_ address: UnsafePointer<sockaddr>, _ size: socklen_t) -> Int32 {
                bind(descriptor, address, size) == 0 && listen(descriptor, 1024) == 0 ? 0 : errno
            }
            switch self {
            case .unix(let path):
                // An address has room for 107 bytes, and the directory's own path may be longer.
                let folder = Glibc.open(Path.parent(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                guard folder >= 0 else { throw HTTPBindFailure(place: description, errno: errno) }
                defer { close(folder) }
                let code = SocketAddress.with(unixPath: "/proc/self/fd/\(folder)/\(path.split(separator: "/").last ?? "")", attempt) ?? ENAMETOOLONG
                guard code == 0 else { throw HTTPBindFailure(place: description, errno: code) }
                return (descriptor, self)
            case .tcp(let address, let port):
                setSocketOption(descriptor, SOL_SOCKET, SO_REUSEADDR, Int32(1))
                if address.isIPv6 { setSocketOption(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, Int32(0)) }
                let code = SocketAddress.with(address, port: port, attempt)
                guard code == 0 else { throw HTTPBindFailure(place: description, errno: code) }
                guard let bound = SocketAddress.own(of: descriptor) else { throw HTTPBindFailure(place: description, errno: errno) }
                return (descriptor, .tcp(address, port: bound.port))
            }
        } catch {
            close(descriptor)
            throw error
        }
    }

    /// The next connection of a listening socket.
    static func accept(_ descriptor: Int32) -> Accepted {
        var storage = sockaddr_storage()
        var size = UInt32(MemoryLayout<sockaddr_storage>.size)
        let client = assay_accept(descriptor, &storage, &size)
        guard client >= 0 else { return -client == EAGAIN ? .none : .failed(-client) }
        if let address = SocketAddress.read(storage)?.address { return .connection(client, .address(address)) }
        return .connection(client, .process(max(0, assay_peer_process(client))))
    }

    enum Accepted {
        case connection(Int32, EgressClient)
        case none
        /// `errno`.
        case failed(Int32)
    }
}
