import Base

/// The public addresses of the internet as networks with exceptions, the form that firewalls and NetworkPolicies take.
///
/// It is the same set that the proxy lets a token with every public host reach (`AddressClass`).
public enum PublicAddresses {
    /// A network without some parts of it. The parts lie within it, are smaller than it, and none lies within another.
    public struct Block: Sendable, Hashable {
        public let network: IPNetwork
        public let except: [IPNetwork]
    }

    /// Networks whose exceptions are listed: all IPv4 addresses, the IPv6 addresses that are assigned, and those through which networks with
    /// only IPv6 reach IPv4 addresses.
    private static let wholes = ["0.0.0.0/0", "2000::/3", "64:ff9b::/96"].compactMap { IPNetwork($0) }

    /// - Parameter closed: networks that are not public although their addresses are.
    public static func blocks(except closed: [IPNetwork] = []) -> [Block] {
        let listed = AddressClass.ranges.map(\.0) + closed.map(\.masked)
        let all = listed + listed.compactMap(\.throughNAT64)
        return wholes.compactMap { whole in
            guard !all.contains(where: { $0.contains(whole) }) else { return nil }
            let inside = Set(all.filter { whole.contains($0) })
            let widest = inside.filter { one in !inside.contains { $0 != one && $0.contains(one) } }
            return Block(network: whole, except: widest.sorted { ($0.address.bytes, $0.prefix) < ($1.address.bytes, $1.prefix) })
        }
    }
}

extension IPNetwork {
    /// The IPv6 network through which a NAT64 gateway reaches an IPv4 network (RFC 6052); nil for IPv6.
    fileprivate var throughNAT64: IPNetwork? {
        guard !address.isIPv6 else { return nil }
        return IPNetwork("64:ff9b::\(address.text)/\(96 + prefix)")
    }
}

private func < (one: ([UInt8], Int), other: ([UInt8], Int)) -> Bool {
    one.0 == other.0 ? one.1 < other.1 : one.0.lexicographicallyPrecedes(other.0)
}
