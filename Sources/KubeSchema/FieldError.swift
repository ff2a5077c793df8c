import Base
import CEL

/// One reason why an object is refused, with the API server's message (`k8s.io/apimachinery/pkg/util/validation/field`).
public struct FieldError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The class of the fault. The raw value is the `reason` of a cause in a `Status`.
    public enum Kind: String, Sendable, Hashable {
        case notFound = "FieldValueNotFound"
        case required = "FieldValueRequired"
        case duplicate = "FieldValueDuplicate"
        case invalid = "FieldValueInvalid"
        case notSupported = "FieldValueNotSupported"
        case forbidden = "FieldValueForbidden"
        case tooLong = "FieldValueTooLong"
        case tooMany = "FieldValueTooMany"
        case tooFew = "FieldValueTooFew"
        case internalError = "InternalError"
        case typeInvalid = "FieldValueTypeInvalid"

        /// The beginning of messages of this kind.
        var title: String {
            switch self {
            case .notFound: "Not found"
            case .required: "Required value"
            case .duplicate: "Duplicate value"
            case .invalid, .typeInvalid: "Invalid value"
            case .notSupported: "Unsupported value"
            case .forbidden: "Forbidden"
            case .tooLong: "Too long"
            case .tooMany: "Too many"
            case .tooFew: "Too few"
            case .internalError: "Internal error"
            }
        }
    }

    public let kind: Kind
    /// The path of the field, `spec.parts[1].id`; `<nil>` when the fault is not at a single field.
    public let field: String
    /// The message without the path: `Invalid value: 99: spec.size in body should be less than or equal to 10`.
    public let message: String

    /// Creates a fault from its final parts. An empty `field` means that the fault is not at a single field.
    public init(_ kind: Kind, _ field: String, message: String) {
        self.kind = kind
        self.field = field.isEmpty ? "<nil>" : field
        self.message = message
    }

    /// `Required value`, optionally with a detail.
    public static func required(_ field: String, _ detail: String = "") -> FieldError {
        FieldError(.required, field, message: compose(.required, nil, detail))
    }

    /// `Invalid value: <value>: <detail>`; without a value, that part is omitted.
    public static func invalid(_ field: String, _ value: JSONValue?, _ detail: String) -> FieldError {
        FieldError(.invalid, field, message: compose(.invalid, value, detail))
    }

    /// A value of the wrong type.
    public static func typeInvalid(_ field: String, _ value: JSONValue, _ detail: String) -> FieldError {
        FieldError(.typeInvalid, field, message: compose(.typeInvalid, value, detail))
    }

    /// A repeated value that must be unique.
    public static func duplicate(_ field: String, _ value: JSONValue?) -> FieldError {
        FieldError(.duplicate, field, message: compose(.duplicate, value, ""))
    }

    /// A value that is not one of the supported ones.
    public static func notSupported(_ field: String, _ value: JSONValue, supported: [String]) -> FieldError {
        let detail = supported.isEmpty ? "" : "supported values: " + supported.map(GoFormat.quoted).joined(separator: ", ")
        return FieldError(.notSupported, field, message: compose(.notSupported, value, detail))
    }

    /// A field that must not be set or changed.
    public static func forbidden(_ field: String, _ detail: String) -> FieldError {
        FieldError(.forbidden, field, message: compose(.forbidden, nil, detail))
    }

    /// A string longer than `limit` (the server counts characters, but its message says bytes).
    public static func tooLong(_ field: String, limit: Int) -> FieldError {
        FieldError(.tooLong, field, message: compose(.tooLong, nil, "may not be more than \(limit) \(limit == 1 ? "byte" : "bytes")"))
    }

    /// A list or map with more than `limit` entries.
    public static func tooMany(_ field: String, actual: Int, limit: Int) -> FieldError {
        let detail = "must have at most \(limit) \(limit == 1 ? "item" : "items")"
        return FieldError(.tooMany, field, message: compose(.tooMany, .int(Int64(actual)), detail))
    }

    /// The message that a real server adds when schema faults prevented it from running the rules.
    public static let rulesNotChecked = FieldError.invalid(
        "", .null,
        "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation")

    /// Whether a fault prevents the rules from running, because the object may have the wrong shape.
    public var blocksRules: Bool {
        switch kind {
        case .notSupported, .required, .tooLong, .tooMany, .typeInvalid: true
        default: false
        }
    }

    /// The entry for `details.causes` of a `Status`.
    public var cause: JSONValue {
        .object(["reason": .string(kind.rawValue), "message": .string(message), "field": .string(field)])
    }

    public var description: String { "\(field): \(message)" }

    private static func compose(_ kind: Kind, _ value: JSONValue?, _ detail: String) -> String {
        var text = kind.title
        if let value { text += ": " + GoFormat.errorValue(value) }
        if !detail.isEmpty { text += ": " + detail }
        return text
    }
}
