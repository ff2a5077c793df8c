/// An address with a prefix length: `10.0.0.0/8`.
public struct IPNetwork: Sendable, Hashable, CustomStringConvertible {
    public let address: IPAddress
    public let prefix: Int

    /// The network of one address.
    public init(_ address: IPAddress) { self.init(address: address, prefix: address.bytes.count * 8) }

    private init(address: IPAddress, prefix: Int) {
        self.address = address
        self.prefix = prefix
    }

    /// Reads `10.0.0.0/8`. The address need not be the first one of the network.
    public init?(_ text: String, sloppy: Bool = false) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let address = IPAddress(String(parts[0]), sloppy: sloppy), let prefix = Int(parts[1]),
            parts[1] == String(prefix), (0...address.bytes.count * 8).contains(prefix)
        else { return nil }
        self.address = address
        self.prefix = prefix
    }

    public var text: String { "\(address.text)/\(prefix)" }

    /// The network with its first address.
    public var masked: IPNetwork {
        var bytes = address.bytes
        for index in bytes.indices {
            let kept = min(8, max(0, prefix - index * 8))
            bytes[index] &= kept == 0 ? 0 : UInt8(truncatingIfNeeded: 0xFF << (8 - kept))
        }
        return IPNetwork(address: IPAddress(exactly: bytes), prefix: prefix)
    }

    public func contains(_ other: IPAddress) -> Bool {
        other.bytes.count == address.bytes.count && IPNetwork(address: other, prefix: prefix).masked.address == masked.address
    }

    public func contains(_ other: IPNetwork) -> Bool { other.prefix >= prefix && contains(other.address) }

    public var description: String { text }
}
