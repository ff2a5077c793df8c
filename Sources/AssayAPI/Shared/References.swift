/// Another object of the same namespace.
public struct LocalReference: Codable, Sendable, Hashable {
    public var name: String

    public init(name: String) { self.name = name }
}

/// One key of a Secret of the same namespace.
public struct SecretKeyReference: Codable, Sendable, Hashable {
    public var name: String
    public var key: String
    /// When true, a missing Secret or key is not an error: the variable is not set.
    public var optional: Bool?

    public init(name: String, key: String, optional: Bool? = nil) {
        self.name = name
        self.key = key
        self.optional = optional
    }
}
