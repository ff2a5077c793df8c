import Base

/// Converts objects to CEL values according to their schema (`apiserver/pkg/cel/common.UnstructuredToVal`).
package enum CELData {
    /// The value of `data`. Throws when it does not have the type of its schema.
    /// - Parameter isResource: whether it is a whole API object, which has a kind and metadata even when its schema does not name
    ///   them.
    package static func value(of data: JSONValue, _ node: any CELSchema, isResource: Bool = false) throws(CELError) -> CELValue {
        if isResource, case .object(let members) = data { return .map(CELMap(members, node, isResource: true)) }
        if data.isNull {
            if node.nullable { return .null }
            throw CELError("invalid data, got null for schema with nullable=false")
        }
        if node.intOrString {
            switch data {
            case .string(let text): return .string(text)
            case .int(let number): return .int(number)
            default: throw CELError("invalid data, expected XIntOrString value to be either a string or integer")
            }
        }
        switch (node.type, data) {
        case ("object", .object(let members)): return .map(CELMap(members, node, isResource: node.embedded))
        case ("array", .array(let elements)):
            guard let items = node.elementSchema else { throw CELError("invalid array type, expected Items with a non-empty Schema") }
            let identity: CELList.Identity =
                switch node.listType {
                case "set": .value
                case "map": .keys(node.listMapKeys.map(CELIdentifier.escape))
                default: .position
                }
            return .list(CELList(elements, items: items, identity: identity))
        case ("string", .string(let text)): return try string(text, node.format)
        case ("number", .int(let number)): return .double(Double(number))
        case ("number", .double(let number)): return .double(number)
        case ("integer", .int(let number)): return .int(number)
        case ("integer", .double(let number)):
            guard let whole = Int64(exactly: number) else { throw CELError("invalid data, expected int, got float64") }
            return .int(whole)
        case ("boolean", .bool(let flag)): return .bool(flag)
        case ("", _) where node.preservesUnknown: return .unknown(data)
        default: throw CELError("invalid data, expected \(node.type.isEmpty ? "a typed value" : node.type)")
        }
    }

    private static func string(_ text: String, _ format: String) throws(CELError) -> CELValue {
        switch format {
        case "duration":
            guard let nanoseconds = CELTime.duration(loose: text) else { throw CELError("Invalid duration \(text)") }
            return .duration(nanoseconds)
        case "date":
            guard let day = CELTime.timestamp(date: text) else { throw CELError("Invalid date formatted string \(text)") }
            return .timestamp(day)
        case "date-time":
            guard let moment = CELTime.timestamp(dateTime: text) else { throw CELError("Invalid date-time formatted string \(text)") }
            return .timestamp(moment)
        case "byte":
            guard case .success(let bytes) = Base64.decode(text) else { throw CELError("Invalid byte formatted string \(text)") }
            return .bytes(bytes)
        default: return .string(text)
        }
    }
}
