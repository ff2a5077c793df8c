import Base
import CEL

/// `allOf`, `anyOf`, `oneOf` and `not`.
enum Combinators {
    static func check(
        _ value: JSONValue, _ node: SchemaNode, _ path: String, _ correlation: Correlation?
    ) -> SchemaValidation.Outcome {
        var outcome = SchemaValidation.Outcome()
        if !node.anyOf.isEmpty { any(value, node, path, correlation, &outcome) }
        if !node.oneOf.isEmpty { one(value, node, path, correlation, &outcome) }
        if !node.allOf.isEmpty { all(value, node, path, correlation, &outcome) }
        if let not = node.not, branch(value, not, path, correlation).isValid {
            outcome.add(composite("\(GoFormat.quoted(path)) must not validate the schema (not)"))
        }
        outcome.matches += 1
        return outcome
    }

    /// The server reports these faults without a field.
    private static func composite(_ message: String) -> FieldError { .invalid("", .string(""), message) }

    private static func branch(
        _ value: JSONValue, _ node: SchemaNode, _ path: String, _ correlation: Correlation?
    ) -> SchemaValidation.Outcome {
        SchemaValidation.validateBranch(value, node, path, correlation)
    }

    private static func any(
        _ value: JSONValue, _ node: SchemaNode, _ path: String, _ correlation: Correlation?,
        _ outcome: inout SchemaValidation.Outcome
    ) {
        var best: SchemaValidation.Outcome?
        for schema in node.anyOf {
            let result = branch(value, schema, path, correlation)
            if result.isValid { return outcome.merge(result) }
            if best.map({ result.matches > $0.matches }) ?? true { best = result }
        }
        outcome.add(composite("\(GoFormat.quoted(path)) must validate at least one schema (anyOf)"))
        if let best { outcome.merge(best) }
    }

    private static func one(
        _ value: JSONValue, _ node: SchemaNode, _ path: String, _ correlation: Correlation?,
        _ outcome: inout SchemaValidation.Outcome
    ) {
        var best: SchemaValidation.Outcome?
        var first: SchemaValidation.Outcome?
        var valid = 0
        for schema in node.oneOf {
            let result = branch(value, schema, path, correlation)
            if result.isValid {
                valid += 1
                best = nil
                if first == nil { first = result }
            } else if valid == 0, best.map({ result.matches > $0.matches }) ?? true {
                best = result
            }
        }
        if valid == 1, let first { return outcome.merge(first) }
        let found = valid == 0 ? "Found none valid" : "Found \(valid) valid alternatives"
        outcome.add(composite("\(GoFormat.quoted(path)) must validate one and only one schema (oneOf). \(found)"))
        if let best { outcome.merge(best) }
    }

    private static func all(
        _ value: JSONValue, _ node: SchemaNode, _ path: String, _ correlation: Correlation?,
        _ outcome: inout SchemaValidation.Outcome
    ) {
        var valid = 0
        for schema in node.allOf {
            let result = branch(value, schema, path, correlation)
            if result.isValid { valid += 1 }
            outcome.merge(result)
        }
        guard valid != node.allOf.count else { return }
        let none = valid == 0 ? ". None validated" : ""
        outcome.add(composite("\(GoFormat.quoted(path)) must validate all the schemas (allOf)\(none)"))
    }
}
