/// Why a registry did not do what it was asked for.
public struct RegistryError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Kind: Sendable, Hashable {
        /// It cannot be reached, or fails for now: another attempt may help.
        case unavailable
        /// It asks for a login, or refuses the one it got.
        case denied
        case notFound
        /// It refuses what was sent, or answers something that is no registry's answer.
        case refused
    }

    public let kind: Kind
    /// What, where, and the registry's own words.
    public let description: String

    public init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}
