import Base

/// Converts an object of a built-in kind as Go's decoder and encoder together would: unknown members, nulls, and zeros of optional members are
/// removed, and a wrong type is an error.
///
/// Source: `encoding/json` as in `sigs.k8s.io/json`, whose messages are used.
struct GoDecoding {
    struct Mismatch: Error {
        var message: String
    }

    /// Paths of members that the type does not have: `spec.containers[0].imge`.
    private(set) var unknown: [String] = []

    /// - Parameter path: the path of the value, for `unknown`.
    mutating func decode(_ value: JSONValue, as shape: Shape, path: String = "") throws(Mismatch) -> JSONValue {
        try decode(value, shape.resolved, path: path, owner: "", field: "")
    }

    private mutating func decode(_ value: JSONValue, _ shape: Shape, path: String, owner: String, field: String) throws(Mismatch)
        -> JSONValue
    {
        switch (shape.resolved, value) {
        case (.any, _), (.intOrString, .int), (.intOrString, .string): return value
        case (.string, .string), (.bool, .bool), (.number, .double), (.number, .int): return value
        case (.int32, _):
            if let number = value.int, Int32(exactly: number) != nil { return .int(Int64(number)) }
        case (.int64, _):
            if let number = value.int { return .int(Int64(number)) }
        case (.quantity, .string(let text)):
            guard Quantity(text) != nil else { throw Mismatch(message: Quantity.syntaxMessage) }
            return value
        case (.quantity, .int(let number)): return .string(String(number))
        case (.quantity, .double(let number)): return .string(String(number))
        case (.bytes, .string(let text)):
            if case .failure(let error) = Base64.decode(text) {
                throw Mismatch(message: "illegal base64 data at input byte \(error.offset)")
            }
            return value
        case (.time, .string(let text)):
            guard let time = Timestamp(rfc3339: text) else { throw badTime(text, "2006-01-02T15:04:05Z07:00") }
            return .string(time.rfc3339)
        case (.microTime, .string(let text)):
            guard let time = Timestamp(rfc3339: text) else { throw badTime(text, "2006-01-02T15:04:05.000000Z07:00") }
            return .string(time.rfc3339Micro)
        case (.map(let element), .object(let members)):
            var out: [String: JSONValue] = [:]
            for (key, member) in members {
                // A null in a map becomes the zero value of its type.
                out[key] =
                    member.isNull
                    ? zero(element) : try decode(member, element, path: "\(path).\(key)", owner: owner, field: field)
            }
            return .object(out)
        case (.list(let list), .array(let items)):
            var out: [JSONValue] = []
            out.reserveCapacity(items.count)
            for (index, item) in items.enumerated() {
                out.append(
                    item.isNull
                        ? zero(list.element)
                        : try decode(item, list.element, path: "\(path)[\(index)]", owner: owner, field: field))
            }
            return .array(out)
        case (.object(let object), .object(let members)):
            return .object(try decode(members, object, path: path, owner: owner.isEmpty ? object.name : owner, field: field))
        default:
            break
        }
        throw Mismatch(
            message: "json: cannot unmarshal \(value.goKind) into Go struct field \(owner).\(field) of type \(goType(shape))")
    }

    private mutating func decode(
        _ members: [String: JSONValue], _ object: ObjectShape, path: String, owner: String, field: String
    ) throws(Mismatch) -> [String: JSONValue] {
        var out: [String: JSONValue] = [:]
        for (key, member) in members.sorted(by: { $0.key < $1.key }) {
            let place = path.isEmpty ? key : "\(path).\(key)"
            guard let known = object.fields[key] else {
                unknown.append(place)
                continue
            }
            if member.isNull { continue }
            let value = try decode(member, known.shape, path: place, owner: owner, field: field.isEmpty ? key : "\(field).\(key)")
            if known.isRequired || known.isPointer || isFree(known.shape) || !isZero(value) { out[key] = value }
        }
        return out
    }

    /// Whether values are kept as they were written, because a zero has a meaning there, as in `default: 0`.
    private func isFree(_ shape: Shape) -> Bool {
        if case .any = shape { return true }
        return false
    }

    private func isZero(_ value: JSONValue) -> Bool {
        switch value {
        case .null, .bool(false), .int(0), .string(""), .array([]): true
        case .double(let number): number == 0
        default: false
        }
    }

    private func zero(_ shape: Shape) -> JSONValue {
        switch shape.resolved {
        case .string, .bytes: ""
        case .bool: false
        case .int32, .int64, .number: 0
        case .quantity: "0"
        case .map, .object: [:]
        default: .null
        }
    }

    private func badTime(_ text: String, _ layout: String) -> Mismatch {
        Mismatch(message: "parsing time \"\(text)\" as \"\(layout)\": cannot parse \"\(text)\" as \"2006\"")
    }

    private func goType(_ shape: Shape) -> String {
        switch shape {
        case .any, .scalar: "interface {}"
        case .string: "string"
        case .bool: "bool"
        case .int32: "int32"
        case .int64: "int64"
        case .number: "float64"
        case .intOrString: "intstr.IntOrString"
        case .quantity: "resource.Quantity"
        case .bytes: "[]uint8"
        case .time: "v1.Time"
        case .microTime: "v1.MicroTime"
        case .map(let value): "map[string]\(goType(value))"
        case .list(let list): "[]\(goType(list.element))"
        case .object(let object): "v1.\(object.name)"
        case .named(let name): "v1.\(name)"
        }
    }
}

/// An amount with an optional unit: `100m`, `1.5Gi` (apimachinery `resource.Quantity`).
struct Quantity {
    static let syntaxMessage =
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"

    private static let units: [String: Double] = [
        "": 1, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
        "Ki": 1024, "Mi": 1_048_576, "Gi": 1_073_741_824, "Ti": 1_099_511_627_776, "Pi": 1_125_899_906_842_624,
        "Ei": 1_152_921_504_606_846_976,
    ]

    let value: Double

    init?(_ text: String) {
        let digits = text.prefix { $0.isNumber || $0 == "." || $0 == "+" || $0 == "-" }
        let suffix = String(text.dropFirst(digits.count))
        guard let number = Double(digits) else { return nil }
        if let unit = Self.units[suffix] {
            value = number * unit
        } else if let first = suffix.first, first == "e" || first == "E", let exponent = Double("1e" + suffix.dropFirst()) {
            value = number * exponent
        } else {
            return nil
        }
    }
}

extension JSONValue {
    /// The name of this kind of value in the messages of Go's decoder.
    var goKind: String {
        switch self {
        case .null: "null"
        case .bool: "bool"
        case .int, .double: "number"
        case .string: "string"
        case .array: "array"
        case .object: "object"
        }
    }
}
