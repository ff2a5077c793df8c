import Base

/// A secret that the maker of tokens and the proxy share.
public struct SigningKey: Sendable, Hashable {
    let bytes: [UInt8]

    public static let minimumBytes = 32

    /// Nil when there are fewer than 32 bytes.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count >= Self.minimumBytes else { return nil }
        self.bytes = bytes
    }
}

/// The keys that a proxy accepts: during a rotation the new one and the one before.
public typealias SigningKeys = @Sendable () -> [SigningKey]
