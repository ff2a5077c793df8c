import Base
import Glibc

/// Kubernetes' named formats: `format.dns1123Label().validate(self)` is none for a valid value, otherwise the list of faults.
enum CELFormats {
    private static let names: [String: Pattern] = [
        "dns1123Label": #"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"#,
        "dns1123Subdomain": #"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"#,
        "dns1035Label": #"^[a-z]([-a-z0-9]*[a-z0-9])?$"#,
        "dns1123LabelPrefix": #"^[a-z0-9]([-a-z0-9]*[a-z0-9])?-?$"#,
        "dns1123SubdomainPrefix": #"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*-?$"#,
        "dns1035LabelPrefix": #"^[a-z]([-a-z0-9]*[a-z0-9])?-?$"#,
        "qualifiedName": #"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]$"#,
        "labelValue": #"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"#,
    ].compactMapValues { try? Pattern($0) }

    private static let limits = [
        "dns1123Label": 63, "dns1035Label": 63, "dns1123Subdomain": 253, "labelValue": 63, "dns1123LabelPrefix": 63,
        "dns1035LabelPrefix": 63, "dns1123SubdomainPrefix": 253,
    ]
    private static let others: Set<String> = ["uri", "uuid", "byte", "date", "datetime"]

    /// Calls a function by name; nil when it does not exist.
    static func call(_ name: String, _ values: [CELValue]) throws(CELError) -> CELValue? {
        if name == "format.named", values.count == 1 {
            let wanted = try CELStrings.string(values[0])
            return .optional(names[wanted] != nil || others.contains(wanted) ? .format(wanted) : nil)
        }
        guard name.hasPrefix("format."), values.isEmpty else { return nil }
        let wanted = String(name.dropFirst("format.".count))
        return names[wanted] != nil || others.contains(wanted) ? .format(wanted) : nil
    }

    static func method(_ format: String, _ name: String, _ values: [CELValue]) throws(CELError) -> CELValue? {
        guard name == "validate", values.count == 1 else { return nil }
        let text = try CELStrings.string(values[0])
        var faults: [CELValue] = []
        if let limit = limits[format], text.utf8.count > limit { faults.append(.string("must be no more than \(limit) bytes")) }
        let fits = names[format]?.matches(text) ?? Formats.matches(text, format)
        if !fits { faults.append(.string("must be a valid \(format)")) }
        return .optional(faults.isEmpty ? nil : .list(faults))
    }
}

/// `"%s has %d".format([...])`.
enum CELFormatting {
    static func format(_ template: String, _ arguments: [CELValue]) throws(CELError) -> String {
        var out = ""
        var rest = template.unicodeScalars[...]
        var next = 0
        while let scalar = rest.popFirst() {
            guard scalar == "%" else {
                out.unicodeScalars.append(scalar)
                continue
            }
            if rest.first == "%" {
                rest.removeFirst()
                out += "%"
                continue
            }
            var precision: Int?
            if rest.first == "." {
                rest.removeFirst()
                let digits = rest.prefix { ("0"..."9").contains($0) }
                rest = rest.dropFirst(digits.count)
                precision = Int(String(digits))
            }
            guard let verb = rest.popFirst() else { throw CELError("could not parse formatting clause: unexpected end of string") }
            guard next < arguments.count else { throw CELError("index \(next) out of range") }
            out += try clause(verb, arguments[next], precision)
            next += 1
        }
        return out
    }

    private static func clause(_ verb: Unicode.Scalar, _ value: CELValue, _ precision: Int?) throws(CELError) -> String {
        switch verb {
        case "s": return try text(value)
        case "d":
            switch value {
            case .int(let number): return String(number)
            case .uint(let number): return String(number)
            default: throw CELError("error during formatting: decimal clause can only be used on integers, was given \(value.typeName)")
            }
        case "f", "e":
            let number: Double
            switch value {
            case .double(let value): number = value
            case .int(let value): number = Double(value)
            case .uint(let value): number = Double(value)
            default: throw CELError("error during formatting: fixed-point clause can only be used on doubles, was given \(value.typeName)")
            }
            return verb == "f" ? fixed(number, precision ?? 6) : scientific(number, precision ?? 6)
        case "b", "o", "x", "X": return try radix(verb, value)
        default: throw CELError("could not parse formatting clause: unrecognized formatting clause \"\(Character(verb))\"")
        }
    }

    private static func radix(_ verb: Unicode.Scalar, _ value: CELValue) throws(CELError) -> String {
        let base = verb == "b" ? 2 : verb == "o" ? 8 : 16
        switch value {
        case .int(let number): return String(number, radix: base, uppercase: verb == "X")
        case .uint(let number): return String(number, radix: base, uppercase: verb == "X")
        case .bool(let flag) where verb == "b": return flag ? "1" : "0"
        case .string(let text) where base == 16: return hex(Array(text.utf8), verb == "X")
        case .bytes(let bytes) where base == 16: return hex(bytes, verb == "X")
        default: throw CELError("error during formatting: only integers can be formatted in base \(base), was given \(value.typeName)")
        }
    }

    private static func hex(_ bytes: [UInt8], _ uppercase: Bool) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: uppercase) }.joined()
    }

    private static func text(_ value: CELValue) throws(CELError) -> String {
        switch value {
        case .list, .map: return try nested(value)
        case .type(let name): return name
        case .null: return "null"
        default: return try CELConversions.string(value)
        }
    }

    /// The text of a value inside a list or map, where strings are quoted.
    private static func nested(_ value: CELValue) throws(CELError) -> String {
        switch value {
        case .string(let text): return GoFormat.quoted(text)
        case .list(let list):
            var parts: [String] = []
            for element in try list.elements() { parts.append(try nested(element)) }
            return "[" + parts.joined(separator: ", ") + "]"
        case .map(let map):
            var parts: [String] = []
            for key in map.keys() { parts.append(try nested(key) + ":" + (try nested(try map.find(key) ?? .null))) }
            return "{" + parts.joined(separator: ", ") + "}"
        default: return try text(value)
        }
    }

    /// A number with `precision` digits after the point. The exact value is rounded half to even, as in C and Go.
    private static func fixed(_ number: Double, _ precision: Int) -> String {
        guard number.isFinite else { return number.isNaN ? "NaN" : number < 0 ? "-Infinity" : "Infinity" }
        return printed("%.*f", number, precision)
    }

    /// As cel-go writes it: `1.234500×10⁰³`.
    private static func scientific(_ number: Double, _ precision: Int) -> String {
        guard number.isFinite else { return fixed(number, precision) }
        let parts = printed("%.*e", number, precision).split(separator: "e")
        let superscripts = Array("⁰¹²³⁴⁵⁶⁷⁸⁹")
        var exponent = ""
        for character in parts.count > 1 ? parts[1] : "+00" {
            if character == "-" { exponent += "⁻" }
            if let digit = character.wholeNumberValue { exponent.append(superscripts[digit]) }
        }
        return (parts.first.map(String.init) ?? "0") + "×10" + exponent
    }

    private static func printed(_ format: String, _ number: Double, _ precision: Int) -> String {
        // There are at most 309 digits before the point.
        let digits = min(precision, 1000)
        var buffer = [CChar](repeating: 0, count: 330 + digits)
        let capacity = buffer.count
        let length = withVaList([Int32(digits), number]) { vsnprintf(&buffer, capacity, format, $0) }
        return String(decoding: buffer.prefix(max(0, Int(length))).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
