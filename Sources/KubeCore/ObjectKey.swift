import Base

/// The name of an object within its type. Ordered by namespace, then name.
public struct ObjectKey: Hashable, Sendable, Comparable {
    /// Empty for objects of cluster scope.
    public let namespace: String
    public let name: String

    public init(namespace: String, name: String) {
        self.namespace = namespace
        self.name = name
    }

    /// The key of an object as the API server sends it, or nil when it has no name.
    public init?(of object: JSONValue) {
        guard let name = object.at("metadata", "name")?.string, !name.isEmpty else { return nil }
        self.init(namespace: object.at("metadata", "namespace")?.string ?? "", name: name)
    }

    public static func < (a: ObjectKey, b: ObjectKey) -> Bool {
        a.namespace == b.namespace ? a.name < b.name : a.namespace < b.namespace
    }
}

extension ObjectKey: CustomStringConvertible {
    /// `namespace/name`, or the bare name at cluster scope.
    public var description: String { namespace.isEmpty ? name : "\(namespace)/\(name)" }
}
