/// The types of the built-in kinds, parsed once from the tables in the files beside this one.
///
/// A table has a line `package NAME`, then types: a line with the name, then indented lines `field type attributes`. A type is a scalar, another
/// type's name, `[]T` or `map[T]`; `*T` distinguishes zero from absent; a closing `!` makes the field required. Attributes: `map=a,b` (list map
/// with keys), `set`, `merge=k` (strategic merge by k), `merge` (of scalars). A type's line may end in `atomic`.
struct BuiltinTypes: Sendable {
    static let shared = BuiltinTypes(tables: [metaTypes, podTypes, podPartTypes, coreTypes, workloadTypes, extensionTypes])

    private let types: [String: ObjectShape]

    func type(_ name: String) -> ObjectShape? { types[name] }

    var all: [ObjectShape] { types.values.sorted { $0.name < $1.name } }

    init(tables: [String]) {
        var types: [String: ObjectShape] = [:]
        for table in tables {
            var package = ""
            var name = ""
            var isAtomic = false
            var fields: [String: FieldShape] = [:]
            func finish() {
                if !name.isEmpty { types[name] = ObjectShape(name: name, package: package, fields: fields, isAtomic: isAtomic) }
                fields = [:]
            }
            for line in table.split(separator: "\n") {
                let words = line.split(separator: " ")
                guard let first = words.first else { continue }
                if first == "package" {
                    finish()
                    name = ""
                    package = String(words.last ?? "")
                } else if !line.hasPrefix(" ") {
                    finish()
                    name = String(first)
                    isAtomic = words.contains("atomic")
                } else if words.count > 1 {
                    fields[String(first)] = Self.field(words[1], attributes: words.dropFirst(2))
                }
            }
            finish()
        }
        self.types = types
    }

    private static func field(_ type: Substring, attributes: ArraySlice<Substring>) -> FieldShape {
        var text = type
        var field = FieldShape(shape: .any)
        if text.hasSuffix("!") {
            field.isRequired = true
            text = text.dropLast()
        }
        if text.hasPrefix("*") {
            field.isPointer = true
            text = text.dropFirst()
        }
        field.shape = shape(text, attributes: attributes)
        return field
    }

    private static func shape(_ text: Substring, attributes: ArraySlice<Substring>) -> Shape {
        if text.hasPrefix("[]") {
            var list = ListShape(element: shape(text.dropFirst(2), attributes: []), kind: .atomic)
            for attribute in attributes {
                let pair = attribute.split(separator: "=", maxSplits: 1)
                switch pair[0] {
                case "map" where pair.count == 2:
                    let keys = pair[1].split(separator: ",").map(String.init)
                    list.kind = .map(keys: keys)
                    if keys.contains("protocol") { list.defaults["protocol"] = "TCP" }
                case "set": list.kind = .set
                case "merge": list.mergeKey = pair.count == 2 ? String(pair[1]) : ""
                default: break
                }
            }
            return .list(list)
        }
        if text.hasPrefix("map["), text.hasSuffix("]") { return .map(shape(text.dropFirst(4).dropLast(), attributes: [])) }
        switch text {
        case "any": return .any
        case "string": return .string
        case "bool": return .bool
        case "int32": return .int32
        case "int64": return .int64
        case "number": return .number
        case "intOrString": return .intOrString
        case "quantity": return .quantity
        case "bytes": return .bytes
        case "time": return .time
        case "microTime": return .microTime
        default: return .named(String(text))
        }
    }
}
