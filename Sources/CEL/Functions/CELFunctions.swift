import Base

/// The functions and operators of CEL and of the libraries that Kubernetes adds.
enum CELFunctions {
    /// Names of types that are used as values: `type(x) == string`.
    static let typeNames: [String: String] = [
        "bool": "bool", "int": "int", "uint": "uint", "double": "double", "string": "string", "bytes": "bytes", "list": "list",
        "map": "map", "null_type": "null_type", "type": "type", "optional_type": "optional_type",
    ]

    /// Functions whose name contains a dot and whose first part is not a value.
    static let namespaced: Set<String> = [
        "optional.of", "optional.none", "optional.ofNonZeroValue", "ip.isCanonical", "strings.quote", "sets.contains", "sets.equivalent",
        "sets.intersects", "format.named", "lists.range", "format.dns1123Label", "format.dns1123Subdomain", "format.dns1035Label",
        "format.qualifiedName", "format.labelValue", "format.dns1123LabelPrefix", "format.dns1123SubdomainPrefix",
        "format.dns1035LabelPrefix", "format.uri", "format.uuid", "format.byte", "format.date", "format.datetime",
    ]

    /// Functions that are called without a receiver.
    static let global: Set<String> = [
        "size", "int", "uint", "double", "string", "bool", "bytes", "timestamp", "duration", "type", "dyn", "matches", "url", "isURL", "ip",
        "isIP", "cidr", "isCIDR", "quantity", "isQuantity", "getFullYear", "@in",
    ]

    /// The cost of a call beyond one step: one for each 10 bytes of a string or bytes argument.
    static func cost(_ values: [CELValue]) -> Int {
        values.reduce(0) { sum, value in
            switch value {
            case .string(let text): sum + text.utf8.count / 10
            case .bytes(let bytes): sum + bytes.count / 10
            default: sum
            }
        }
    }

    /// Calls a function without a receiver, or an operator.
    static func call(_ name: String, _ values: [CELValue]) throws(CELError) -> CELValue {
        if name.hasPrefix("_") || name == "-_" || name == "@in" { return try CELOperators.apply(name, values) }
        switch (name, values.count) {
        case ("size", 1): return .int(Int64(try size(values[0])))
        case ("type", 1): return .type(values[0].typeName)
        case ("dyn", 1): return values[0]
        case ("int", 1), ("uint", 1), ("double", 1), ("string", 1), ("bool", 1), ("bytes", 1), ("timestamp", 1), ("duration", 1):
            return try CELConversions.convert(values[0], to: name)
        case ("matches", 2): return try method(values[0], "matches", [values[1]])
        case ("optional.of", 1): return .optional(values[0])
        case ("optional.none", 0): return .optional(nil)
        case ("optional.ofNonZeroValue", 1): return .optional(try isZero(values[0]) ? nil : values[0])
        case ("strings.quote", 1):
            guard case .string(let text) = values[0] else { throw .noOverload }
            return .string(GoFormat.quoted(text))
        case ("sets.contains", 2), ("sets.equivalent", 2), ("sets.intersects", 2), ("lists.range", 1):
            return try CELLists.call(name, values)
        default: break
        }
        if let result = try CELNetwork.call(name, values) { return result }
        if let result = try CELFormats.call(name, values) { return result }
        throw .noOverload
    }

    /// Calls a function on a value.
    static func method(_ target: CELValue, _ name: String, _ values: [CELValue]) throws(CELError) -> CELValue {
        if name == "size", values.isEmpty { return .int(Int64(try size(target))) }
        switch target {
        case .string(let text): if let result = try CELStrings.method(text, name, values) { return result }
        case .list(let list): if let result = try CELLists.method(list, name, values) { return result }
        case .timestamp(let moment): if let result = try CELDates.method(moment, name, values) { return result }
        case .duration(let nanoseconds): if let result = CELDates.method(duration: nanoseconds, name, values) { return result }
        case .quantity(let quantity): if let result = try quantity.method(name, values) { return result }
        case .format(let format): if let result = try CELFormats.method(format, name, values) { return result }
        case .url, .ip, .cidr: if let result = try CELNetwork.method(target, name, values) { return result }
        default: break
        }
        throw .noOverload
    }

    static func size(_ value: CELValue) throws(CELError) -> Int {
        switch value {
        case .string(let text): text.unicodeScalars.count
        case .bytes(let bytes): bytes.count
        case .list(let list): list.count
        case .map(let map): map.count
        default: throw .noOverload
        }
    }

    private static func isZero(_ value: CELValue) throws(CELError) -> Bool {
        switch value {
        case .null: true
        case .bool(let flag): !flag
        case .int(let number): number == 0
        case .uint(let number): number == 0
        case .double(let number): number == 0
        case .string, .bytes, .list, .map: try size(value) == 0
        case .duration(let nanoseconds): nanoseconds == 0
        default: false
        }
    }

    /// A value as messages print it, without quotes.
    static func plain(_ value: CELValue) -> String {
        switch value {
        case .string(let text): text
        case .int(let number): String(number)
        case .uint(let number): String(number)
        case .double(let number): GoFormat.double(number)
        case .bool(let flag): flag ? "true" : "false"
        case .null: "null"
        default: value.typeName
        }
    }
}

/// Arithmetic, comparison and membership.
enum CELOperators {
    static func apply(_ name: String, _ values: [CELValue]) throws(CELError) -> CELValue {
        if name == "-_" { return try negated(values[0]) }
        guard values.count == 2 else { throw .noOverload }
        let (left, right) = (values[0], values[1])
        switch name {
        case "_==_": return .bool(try CELValue.equal(left, right))
        case "_!=_": return .bool(try !CELValue.equal(left, right))
        case "_<_": return .bool(try CELValue.order(left, right) == -1)
        case "_>_": return .bool(try CELValue.order(left, right) == 1)
        case "_<=_": return .bool(try CELValue.order(left, right).map { $0 <= 0 } ?? false)
        case "_>=_": return .bool(try CELValue.order(left, right).map { $0 >= 0 } ?? false)
        case "@in":
            switch right {
            case .list(let list): return .bool(try list.contains(left))
            case .map(let map): return .bool(try map.find(left) != nil)
            default: throw .noOverload
            }
        default: return try arithmetic(name, left, right)
        }
    }

    private static func negated(_ value: CELValue) throws(CELError) -> CELValue {
        switch value {
        case .int(let number):
            if number == .min { throw .overflow }
            return .int(-number)
        case .double(let number): return .double(-number)
        default: throw .noOverload
        }
    }

    private static func arithmetic(_ name: String, _ left: CELValue, _ right: CELValue) throws(CELError) -> CELValue {
        switch (left, right) {
        case (.int(let a), .int(let b)): return .int(try integer(name, a, b, .overflow))
        case (.uint(let a), .uint(let b)): return .uint(try integer(name, a, b, CELError("unsigned integer overflow")))
        case (.double(let a), .double(let b)):
            switch name {
            case "_+_": return .double(a + b)
            case "_-_": return .double(a - b)
            case "_*_": return .double(a * b)
            case "_/_": return .double(a / b)
            default: throw .noOverload
            }
        case (.string(let a), .string(let b)) where name == "_+_": return .string(a + b)
        case (.bytes(let a), .bytes(let b)) where name == "_+_": return .bytes(a + b)
        case (.list(let a), .list(let b)) where name == "_+_": return .list(try a.adding(b))
        default: return try CELDates.arithmetic(name, left, right)
        }
    }

    private static func integer<Integer: FixedWidthInteger>(
        _ name: String, _ a: Integer, _ b: Integer, _ overflow: CELError
    ) throws(CELError) -> Integer {
        let result: (partialValue: Integer, overflow: Bool)
        switch name {
        case "_+_": result = a.addingReportingOverflow(b)
        case "_-_": result = a.subtractingReportingOverflow(b)
        case "_*_": result = a.multipliedReportingOverflow(by: b)
        case "_/_":
            if b == 0 { throw CELError("division by zero") }
            result = a.dividedReportingOverflow(by: b)
        case "_%_":
            if b == 0 { throw CELError("modulus by zero") }
            result = a.remainderReportingOverflow(dividingBy: b)
        default: throw .noOverload
        }
        if result.overflow { throw overflow }
        return result.partialValue
    }
}
