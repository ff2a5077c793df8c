import Base

/// What a value looks like: enough to decode it as Go would, to merge patches into it and to track who owns which field.
///
/// Built-in kinds have theirs from `BuiltinTypes`, custom resources from their OpenAPI schema.
indirect enum Shape: Sendable {
    /// Any value; where nothing else is known it is owned and merged as a whole.
    case any
    case string, bool, int32, int64, number, intOrString, quantity
    /// A string, a number or a boolean, whichever.
    case scalar
    /// Base64 on the wire.
    case bytes
    case time, microTime
    case map(Shape)
    case list(ListShape)
    case object(ObjectShape)
    /// A built-in type, looked up when it is needed: types refer to each other.
    case named(String)

    /// The shape with a name resolved.
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

    /// What Go writes of a new value of a built-in type: parts that are no pointers are there from the start, so that nobody comes
    /// to own them. A custom resource begins with nothing.
    var blank: JSONValue {
        guard case .named = self, let object else { return [:] }
        return object.blank
    }
}

/// A list and how two of them merge.
struct ListShape: Sendable {
    enum Kind: Sendable, Equatable {
        case atomic
        case set
        /// Items are objects, told apart by these members.
        case map(keys: [String])
    }
    var element: Shape
    var kind: Kind
    /// The member by which a strategic merge patch finds an item; empty for scalars that merge as a set; nil: the list is replaced.
    var mergeKey: String?
    /// What a key member counts as where it is absent.
    var defaults: [String: String] = [:]
}

/// An object with known members.
final class ObjectShape: Sendable {
    /// The type's name in a message and, for built-in types, in OpenAPI.
    let name: String
    /// `io.k8s.api.core.v1`; empty for parts of a custom resource.
    let package: String
    let fields: [String: FieldShape]
    /// Members beyond `fields`; nil when they are unknown.
    let additional: Shape?
    /// Unknown members are kept.
    let preservesUnknown: Bool
    /// Owned and replaced as one.
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
    /// Written even when it is empty, and required in OpenAPI.
    var isRequired = false
    /// A zero is told from an absent value (a pointer in Go).
    var isPointer = false
}
