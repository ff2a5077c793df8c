import Base
import CEL

/// Checks that an applied configuration fits the shape of its kind: it has no member that the shape lacks, no value of the wrong type, and no
/// item twice. A configuration that does not fit cannot be tracked, so it cannot be applied, whatever the field validation is.
///
/// Source: structured-merge-diff `typed/validate.go`, whose messages are used.
enum TypedCheck {
    /// The faults, each with its path: `.spec.colour: field not declared in schema`.
    static func faults(in value: JSONValue, shape: Shape) -> [String] {
        var faults: [String] = []
        check(value, shape.resolved, "", &faults)
        return faults
    }

    /// The faults as one text.
    static func list(_ faults: [String]) -> String {
        faults.count == 1 ? faults[0] : "errors:\n" + faults.map { "  \($0)" }.joined(separator: "\n")
    }

    private static func check(_ value: JSONValue, _ shape: Shape, _ path: String, _ faults: inout [String]) {
        if value.isNull { return }
        switch (shape, value) {
        case (.object(let object), .object(let members)):
            for (key, member) in members.sorted(by: { $0.key < $1.key }) {
                let place = "\(path).\(key)"
                if let known = object.fields[key]?.shape ?? object.additional {
                    check(member, known.resolved, place, &faults)
                } else if !object.preservesUnknown {
                    faults.append("\(place): field not declared in schema")
                }
            }
        case (.map(let element), .object(let members)):
            for (key, member) in members.sorted(by: { $0.key < $1.key }) { check(member, element.resolved, "\(path).\(key)", &faults) }
        case (.object, _), (.map, _):
            faults.append("\(path): expected map, got &{\(GoFormat.value(value))}")
        case (.list(let list), .array(let items)):
            checkItems(items, list, path, &faults)
        case (.list, _):
            faults.append("\(path): expected list, got &{\(GoFormat.value(value))}")
        case (.int32, _), (.int64, _), (.number, _):
            switch value {
            case .int, .double: break
            default: faults.append("\(path): expected numeric (int or float), got \(goType(value))")
            }
        case (.scalar, .object), (.scalar, .array), (.time, .object), (.time, .array), (.microTime, .object), (.microTime, .array):
            faults.append("\(path): expected any scalar, got &{\(GoFormat.value(value))}")
        case (.string, _), (.bytes, _):
            if value.string == nil {
                faults.append("\(path): expected string, got &value.valueUnstructured{Value:\(GoFormat.syntax(value))}")
            }
        case (.bool, _):
            if value.bool == nil { faults.append("\(path): expected boolean, got &{\(GoFormat.value(value))}") }
        default:
            break
        }
    }

    private static func checkItems(_ items: [JSONValue], _ list: ListShape, _ path: String, _ faults: inout [String]) {
        var seen: Set<String> = []
        for (index, item) in items.enumerated() {
            var place = "\(path)[\(index)]"
            switch list.kind {
            case .atomic: break
            case .set, .map:
                if case .map(let keys) = list.kind, let missing = keys.first(where: { item[$0] == nil && list.defaults[$0] == nil }) {
                    faults.append(
                        "\(path): element \(index): associative list with keys has an element that omits key field "
                            + "\(JSONValue.string(missing).text) (and doesn't have default value)")
                    continue
                }
                let element = list.element(for: item)
                let key = FieldTree.text(element)
                place = path + key
                if !seen.insert(element).inserted { faults.append("\(path): duplicate entries for key \(key)") }
            }
            check(item, list.element.resolved, place, &faults)
        }
    }

    /// What Go's `%T` prints for a decoded value.
    private static func goType(_ value: JSONValue) -> String {
        switch value {
        case .null: "<nil>"
        case .bool: "bool"
        case .int: "int64"
        case .double: "float64"
        case .string: "string"
        case .array: "[]interface {}"
        case .object: "map[string]interface {}"
        }
    }
}
