import Base

/// A column of `additionalPrinterColumns`.
struct CustomColumn: Sendable {
    var name: String
    var type: String
    var format: String
    var description: String
    var priority: Int
    var path: JSONPathExpression

    init?(_ value: JSONValue) {
        guard let name = value["name"]?.string, let type = value["type"]?.string, let text = value["jsonPath"]?.string,
            let path = try? JSONPathExpression(text)
        else { return nil }
        self.name = name
        self.type = type
        self.path = path
        format = value["format"]?.string ?? ""
        description = value["description"]?.string ?? "Custom resource definition column (in JSONPath format): \(text)"
        priority = value["priority"]?.int ?? 0
    }

    /// The column that is shown when a definition has no columns.
    static var age: CustomColumn {
        CustomColumn([
            "name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp",
            "description": .string(TableColumn.createdDescription),
        ])
            ?? CustomColumn(fallback: ())
    }

    private init(fallback: ()) {
        name = "Age"
        type = "date"
        format = ""
        description = ""
        priority = 0
        path = JSONPathExpression()
    }

    /// The cell of a row (apiextensions `tableconvertor`); empty when the value does not have the type of the column.
    func cell(_ object: JSONValue, now: Timestamp) -> JSONValue {
        guard let value = path.values(in: object).first, !value.isNull else { return .null }
        switch type {
        case "integer":
            if let whole = value.int { return JSONValue(whole) }
            return value.double.map { .int(Int64(min(max($0.rounded(.towardZero), -9e18), 9e18))) } ?? .null
        case "number": return value.double == nil ? .null : value
        case "boolean": return value.bool.map { .bool($0) } ?? .null
        case "date":
            guard let text = value.string else { return .null }
            guard let time = Timestamp(rfc3339: text) else { return "<invalid>" }
            return .string(HumanDuration.text(seconds: now - time))
        default:
            if let text = value.string { return .string(text) }
            return .string(value.text)
        }
    }
}

extension JSONPathExpression {
    /// The path to the object itself.
    fileprivate init() {}
}
