import Base

/// What an address is for. Only public ones are reachable without being listed.
///
/// Sources: the IANA registries of special-purpose addresses (RFC 6890) and of IPv6 address space; the metadata addresses of the large
/// clouds.
public enum AddressClass: String, Sendable, Hashable, CaseIterable {
    case `public`
    case unspecified
    case loopback
    case linkLocal = "link-local"
    /// Where clouds hand out credentials of their machines.
    case metadata
    /// Private IPv4 (RFC 1918) and unique local IPv6 addresses (RFC 4193).
    case `private`
    /// Carrier-grade NAT (RFC 6598), which some clusters use for pods.
    case shared
    case multicast
    case documentation
    /// Addresses that carry another address: 6to4, Teredo, the NAT64 prefix for local use.
    case translated
    case reserved

    /// The class of an address, and the range that gives it that class; nil for public addresses.
    ///
    /// An IPv4-mapped address has the class of its IPv4 address, and so has one of the well-known NAT64 prefix, because networks with
    /// only IPv6 reach every public IPv4 address through it.
    static func special(_ address: IPAddress) -> (class: AddressClass, range: IPNetwork)? {
        let address = address.unmapped
        if let (range, found) = ranges.first(where: { $0.0.contains(address) }) { return (found, range) }
        if let embedded = address.embeddedInNAT64 {
            // The range is the single address: a list that opens it has to name exactly this one.
            return special(embedded).map { ($0.class, IPNetwork(address)) }
        }
        guard address.isIPv6, address.bytes[0] & 0xE0 != 0x20 else { return nil }
        // Only 2000::/3 is assigned for global unicast.
        return (.reserved, IPNetwork(address))
    }

    public init(of address: IPAddress) { self = Self.special(address)?.class ?? .public }

    /// Narrow ranges first: the first that contains an address counts.
    static let ranges: [(IPNetwork, AddressClass)] = table.compactMap { text, value in IPNetwork(text).map { ($0, value) } }

    static let table: [(String, AddressClass)] = [
        ("169.254.169.254/32", .metadata),  // most clouds
        ("169.254.170.2/32", .metadata),  // Amazon ECS
        ("169.254.170.23/32", .metadata),  // Amazon EKS
        ("168.63.129.16/32", .metadata),  // Azure; otherwise a public address
        ("100.100.100.200/32", .metadata),  // Alibaba Cloud
        ("192.0.0.192/32", .metadata),  // Oracle Cloud
        ("fd00:ec2::/32", .metadata),  // Amazon EC2 and EKS
        ("fd20:ce::254/128", .metadata),  // Google Cloud
        ("0.0.0.0/8", .unspecified),
        ("127.0.0.0/8", .loopback),
        ("169.254.0.0/16", .linkLocal),
        ("10.0.0.0/8", .private), ("172.16.0.0/12", .private), ("192.168.0.0/16", .private),
        ("100.64.0.0/10", .shared),
        ("192.0.2.0/24", .documentation), ("198.51.100.0/24", .documentation), ("203.0.113.0/24", .documentation),
        ("192.88.99.0/24", .translated),  // relays of 6to4
        ("192.0.0.0/24", .reserved), ("198.18.0.0/15", .reserved),
        ("224.0.0.0/4", .multicast),
        ("240.0.0.0/4", .reserved),
        ("::/128", .unspecified),
        ("::1/128", .loopback),
        ("fe80::/10", .linkLocal),
        ("fc00::/7", .private),
        ("fec0::/10", .private),  // site-local, deprecated
        ("ff00::/8", .multicast),
        ("64:ff9b:1::/48", .translated),  // NAT64 for local use (RFC 8215)
        ("2002::/16", .translated),  // 6to4
        ("2001::/23", .reserved),  // IETF protocols, with Teredo and ORCHID
        ("2001:db8::/32", .documentation), ("3fff::/20", .documentation),
    ]
}

extension IPAddress {
    /// The IPv4 address that an IPv4-mapped IPv6 address (`::ffff:10.0.0.1`) stands for; else the address itself.
    var unmapped: IPAddress {
        guard isIPv6, bytes[..<10].allSatisfy({ $0 == 0 }), bytes[10] == 0xFF, bytes[11] == 0xFF else { return self }
        return IPAddress(bytes: Array(bytes[12...])) ?? self
    }

    /// The IPv4 address in an address of the prefix 64:ff9b::/96 (RFC 6052).
    var embeddedInNAT64: IPAddress? {
        guard isIPv6, bytes[..<12].elementsEqual([0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0]) else { return nil }
        return IPAddress(bytes: Array(bytes[12...]))
    }
}
