import Base

/// A value of the Common Expression Language.
package indirect enum CELValue: Sendable {
    case null
    case bool(Bool)
    case int(Int64)
    case uint(UInt64)
    case double(Double)
    case string(String)
    case bytes([UInt8])
    case list(CELList)
    case map(CELMap)
    case timestamp(Timestamp)
    /// In nanoseconds.
    case duration(Int64)
    case type(String)
    case optional(CELValue?)
    case url(URLParts)
    case ip(IPAddress)
    case cidr(IPNetwork)
    case quantity(CELQuantity)
    /// A named format of `format.named()`.
    case format(String)
    /// Data that a schema preserves without declaring its type: it can only be compared.
    case unknown(JSONValue)

    var typeName: String {
        switch self {
        case .null: "null_type"
        case .bool: "bool"
        case .int: "int"
        case .uint: "uint"
        case .double: "double"
        case .string: "string"
        case .bytes: "bytes"
        case .list: "list"
        case .map(let map): map.isObject ? "object" : "map"
        case .timestamp: "google.protobuf.Timestamp"
        case .duration: "google.protobuf.Duration"
        case .type: "type"
        case .optional: "optional_type"
        case .url: "kubernetes.URL"
        case .ip: "net.IP"
        case .cidr: "net.CIDR"
        case .quantity: "kubernetes.Quantity"
        case .format: "kubernetes.NamedFormat"
        case .unknown: "unknown"
        }
    }

    static func list(_ elements: [CELValue]) -> CELValue { .list(CELList(elements)) }
}

/// The key of a map. Equal whole numbers of different types are the same key, as in CEL.
enum CELKey: Hashable, Sendable {
    case bool(Bool)
    case int(Int64)
    case uint(UInt64)
    case string(String)

    /// Nil for a value that is not allowed as a key.
    init?(_ value: CELValue) {
        switch value {
        case .bool(let flag): self = .bool(flag)
        case .int(let number): self = .int(number)
        case .uint(let number): self = Int64(exactly: number).map(CELKey.int) ?? .uint(number)
        case .double(let number):
            guard let whole = Int64(exactly: number) else { return nil }
            self = .int(whole)
        case .string(let text): self = .string(text)
        default: return nil
        }
    }

    var value: CELValue {
        switch self {
        case .bool(let flag): .bool(flag)
        case .int(let number): .int(number)
        case .uint(let number): .uint(number)
        case .string(let text): .string(text)
        }
    }
}

// MARK: Equality and order

extension CELValue {
    /// `==`: numbers are compared across their types, lists of type set and map in any order; values of other different types are
    /// unequal.
    static func equal(_ first: CELValue, _ second: CELValue) throws(CELError) -> Bool {
        switch (first, second) {
        case (.null, .null): return true
        case (.bool(let a), .bool(let b)): return a == b
        case (.string(let a), .string(let b)): return a.unicodeScalars.elementsEqual(b.unicodeScalars)
        case (.bytes(let a), .bytes(let b)): return a == b
        case (.timestamp(let a), .timestamp(let b)): return a == b
        case (.duration(let a), .duration(let b)): return a == b
        case (.type(let a), .type(let b)): return a == b
        case (.url(let a), .url(let b)): return a.text == b.text
        case (.ip(let a), .ip(let b)): return a == b
        case (.cidr(let a), .cidr(let b)): return a == b
        case (.quantity(let a), .quantity(let b)): return a.compared(to: b) == 0
        case (.format(let a), .format(let b)): return a == b
        case (.unknown(let a), .unknown(let b)): return a == b
        case (.optional(let a), .optional(let b)):
            guard let a, let b else { return a == nil && b == nil }
            return try equal(a, b)
        case (.list(let a), .list(let b)): return try a.isEqual(to: b)
        case (.map(let a), .map(let b)): return try a.isEqual(to: b)
        default: return numericOrder(first, second) == 0
        }
    }

    /// For `<`, `<=`, `>` and `>=`: -1, 0 or 1; nil for NaN, for which every comparison is false.
    static func order(_ first: CELValue, _ second: CELValue) throws(CELError) -> Int? {
        switch (first, second) {
        case (.bool(let a), .bool(let b)): return a == b ? 0 : a ? 1 : -1
        case (.string(let a), .string(let b)): return sign(a.utf8.lexicographicallyPrecedes(b.utf8), b.utf8.lexicographicallyPrecedes(a.utf8))
        case (.bytes(let a), .bytes(let b)): return sign(a.lexicographicallyPrecedes(b), b.lexicographicallyPrecedes(a))
        case (.timestamp(let a), .timestamp(let b)): return sign(a < b, b < a)
        case (.duration(let a), .duration(let b)): return sign(a < b, b < a)
        case (.int, _), (.uint, _), (.double, _):
            guard second.isNumber else { throw .noOverload }
            return numericOrder(first, second)
        default: throw .noOverload
        }
    }

    private static func sign(_ less: Bool, _ greater: Bool) -> Int { less ? -1 : greater ? 1 : 0 }

    var isNumber: Bool {
        switch self {
        case .int, .uint, .double: true
        default: false
        }
    }

    private static func numericOrder(_ first: CELValue, _ second: CELValue) -> Int? {
        switch (first, second) {
        case (.int(let a), .int(let b)): return sign(a < b, b < a)
        case (.uint(let a), .uint(let b)): return sign(a < b, b < a)
        case (.double(let a), .double(let b)): return a.isNaN || b.isNaN ? nil : sign(a < b, b < a)
        case (.int(let a), .uint(let b)): return sign(a < b, b < a)
        case (.uint(let a), .int(let b)): return sign(a < b, b < a)
        case (.int(let a), .double(let b)): return compare(b, to: a).map { -$0 }
        case (.uint(let a), .double(let b)): return compare(b, to: a).map { -$0 }
        case (.double(let a), .int(let b)): return compare(a, to: b)
        case (.double(let a), .uint(let b)): return compare(a, to: b)
        default: return nil
        }
    }

    /// Compares exactly, because a double cannot represent every 64-bit integer.
    private static func compare<Integer: FixedWidthInteger>(_ value: Double, to other: Integer) -> Int? {
        if value.isNaN { return nil }
        if value >= Double(Integer.max) { return 1 }
        if value < Double(Integer.min) { return -1 }
        let whole = value.rounded(.down)
        let floor = Integer(whole)
        if floor != other { return floor < other ? -1 : 1 }
        return value > whole ? 1 : 0
    }
}
