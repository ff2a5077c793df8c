import Base
import Glibc

/// The addresses of this machine, among them public ones: services that listen on every address are reachable through each.
enum LocalAddress {
    /// Whether the kernel delivers packets for the address to this machine. Sends nothing.
    static func isOwn(_ address: IPAddress) -> Bool {
        let descriptor = socket(address.isIPv6 ? AF_INET6 : AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        // Connecting a datagram socket only selects the source address: for an own address, that address.
        guard SocketAddress.with(address, port: 9, { connect(descriptor, $0, $1) }) == 0 else { return false }
        return SocketAddress.own(of: descriptor)?.address == address
    }
}
