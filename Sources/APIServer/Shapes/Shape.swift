import Base

/// The structure of a value: enough to decode it as Go would, to merge patches into it and to track who owns which field.
///
/// The shapes of built-in kinds come from `BuiltinTypes`, those of custom resources from their OpenAPI schema.
indirect enum Shape: Sendable {
    /// Any value; it is owned and merged as a whole.
    case any
    case string, bool, int32, int64, number, intOrString, quantity
    /// A string, a number or a boolean.
    case scalar
    /// Bytes, encoded as base64 in JSON.
    case bytes
    case time, microTime
    case map(Shape)
    case list(ListShape)
    case object(ObjectShape)
    /// A built-in type. It is looked up when it is needed, because types can refer to each other in a cycle.
    case named(String)

    /// This shape; for `named`, the shape of the type with that name.
    var resolved: Shape {
        if case .named(let name) = self { return BuiltinTypes.shared.type(name).map { .object($0) } ?? .any }
        return self
    }

    var object: ObjectShape? {
        if case .object(let object) = resolved { return object }
        return nil
    }

    /// The shape of a member.
    func member(_ key: String) -> Shape {
        switch resolved {
        case .object(let object): return object.fields[key]?.shape ?? object.additional ?? .any
        case .map(let value): return value
        default: return .any
        }
    }

    var list: ListShape? {
        if case .list(let list) = self { return list }
        return nil
    }

    /// The value that Go writes for a new value of a built-in type. Parts that are not pointers are present in it from the start, so that no
    /// manager comes to own them. A custom resource starts empty.
    var blank: JSONValue {
        guard case .named = self, let object else { return [:] }
        return object.blank
    }
}

/// A list, and the rule by which two lists are merged.
struct ListShape: Sendable {
    enum Kind: Sendable, Equatable {
        case atomic
        case set
        /// Items are objects, identified by these members.
        case map(keys: [String])
    }
    var element: Shape
    var kind: Kind
    /// The member by which a strategic merge patch finds an item; empty for scalars that are merged as a set; nil means that the list is
    /// replaced.
    var mergeKey: String?
    /// The default values of key members that are absent.
    var defaults: [String: String] = [:]
}

/// An object with known members.
final class ObjectShape: Sendable {
    /// The type's name in messages and, for built-in types, in OpenAPI.
    let name: String
    /// `io.k8s.api.core.v1`; empty for parts of a custom resource.
    let package: String
    let fields: [String: FieldShape]
    /// The shape of members that are not in `fields`; nil when such members are unknown.
    let additional: Shape?
    /// Whether unknown members are kept.
    let preservesUnknown: Bool
    /// Whether the object is owned and replaced as a whole.
    let isAtomic: Bool

    init(
        name: String, package: String = "", fields: [String: FieldShape], additional: Shape? = nil,
        preservesUnknown: Bool = false,
        isAtomic: Bool = false
    ) {
        self.name = name
        self.package = package
        self.fields = fields
        self.additional = additional
        self.preservesUnknown = preservesUnknown
        self.isAtomic = isAtomic
    }

    fileprivate var blank: JSONValue {
        var members: [String: JSONValue] = [:]
        for (name, field) in fields where !field.isPointer {
            switch field.shape {
            case .named: if let part = field.shape.object { members[name] = part.blank }
            case .list where field.isRequired: members[name] = []
            case .any where name == "status": members[name] = [:]
            default: break
            }
        }
        return .object(members)
    }
}

/// A member of an object.
struct FieldShape: Sendable {
    var shape: Shape
    /// Whether the member is written even when it is empty, and is required in OpenAPI.
    var isRequired = false
    /// Whether a zero differs from an absent value (a pointer in Go).
    var isPointer = false
}
