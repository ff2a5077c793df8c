import Base
import CEL

/// The value rules of a schema (`kube-openapi/pkg/validation/validate`), with the same messages.
enum SchemaValidation {
    /// The faults of a whole resource. With `old`, faults of unchanged parts are left out ("ratcheting").
    static func faults(of value: JSONValue, old: JSONValue?, _ root: SchemaNode) -> [FieldError] {
        let correlation = old.map { Correlation(old: $0, node: root) }
        return validate(value, root, "", correlation).faults
    }

    /// The result of one schema for one value. `matches` counts the passed checks: when all branches of an `anyOf` fail, the
    /// branch with the most is reported.
    struct Outcome {
        private(set) var faults: [FieldError] = []
        var matches = 0
        var isValid: Bool { faults.isEmpty }

        mutating func add(_ fault: FieldError) {
            // The server also keeps its messages unique. Long lists are rare, and the schema bounds them.
            if !faults.contains(fault) { faults.append(fault) }
        }

        mutating func merge(_ other: Outcome) {
            other.faults.forEach { add($0) }
            matches += other.matches
        }
    }

    /// Validates, and ignores faults of parts that did not change ("ratcheting").
    static func validate(_ value: JSONValue, _ node: SchemaNode, _ path: String, _ correlation: Correlation?) -> Outcome {
        let outcome = check(value, node, path, correlation)
        if !outcome.isValid, let correlation, correlation.isUnchanged(value) { return Outcome() }
        return outcome
    }

    /// Validates a branch of a combinator. The branch's own faults count even if its value is unchanged; faults of unchanged
    /// members do not.
    static func validateBranch(_ value: JSONValue, _ node: SchemaNode, _ path: String, _ correlation: Correlation?) -> Outcome {
        check(value, node, path, correlation)
    }

    /// Runs every check that applies to the value, and adds one match for each.
    private static func check(_ value: JSONValue, _ node: SchemaNode, _ path: String, _ correlation: Correlation?) -> Outcome {
        var outcome = Outcome()
        if value.isNull {
            outcome.merge(type(of: value, node, path))
            enumeration(value, node, path, &outcome)
            return outcome
        }
        if !node.types.isEmpty || !node.format.isEmpty {
            outcome.merge(type(of: value, node, path))
            outcome.matches += 1
        }
        outcome.merge(Combinators.check(value, node, path, correlation))
        outcome.matches += 1
        switch value {
        case .string(let text):
            string(text, node, path, &outcome)
            outcome.matches += 1
            if !node.format.isEmpty, Formats.isKnown(node.format) {
                if !Formats.matches(text, node.format) {
                    outcome.add(
                        .typeInvalid(path, value, "\(path) in body must be of type \(node.format): \(GoFormat.quoted(text))"))
                }
                outcome.matches += 1
            }
        case .int, .double:
            number(value, node, path, &outcome)
            outcome.matches += 2
        case .array(let elements):
            array(elements, node, path, correlation, &outcome)
            outcome.matches += 2
        default: break
        }
        enumeration(value, node, path, &outcome)
        outcome.matches += 1
        if case .object(let members) = value {
            object(members, node, path, correlation, &outcome)
            outcome.matches += 1
        }
        outcome.matches += 1
        return outcome
    }

    // MARK: Type

    private static func type(of value: JSONValue, _ node: SchemaNode, _ path: String) -> Outcome {
        var outcome = Outcome()
        let types = node.types
        let expected = types.joined(separator: ",")
        func mismatch(_ expected: String, _ actual: String) -> FieldError {
            .typeInvalid(path, .string(actual), "\(path) in body must be of type \(expected): \(GoFormat.quoted(actual))")
        }
        if value.isNull {
            if !types.isEmpty, !node.nullable { outcome.add(mismatch(expected, "null")) } else { outcome.matches = 1 }
            return outcome
        }
        let (kind, format) = schemaType(of: value)
        let wholeNumber = if case .double(let number) = value { types.contains("integer") && isInteger(number) } else { false }
        let intAsNumber = kind == "integer" && types.contains("number")
        let fits = types.contains(kind) || wholeNumber || intAsNumber
        let textual = kind == "string" || kind == "array"
        if !textual, !node.format.isEmpty, !fits, format != node.format {
            outcome.add(mismatch(node.format, format))
        } else if textual, !node.format.isEmpty, !types.contains("number"), !types.contains("integer") {
            outcome.matches = 1
        } else if !fits {
            outcome.add(mismatch(expected, kind))
        } else {
            outcome.matches = 1
        }
        return outcome
    }

    private static func schemaType(of value: JSONValue) -> (type: String, format: String) {
        switch value {
        case .null: ("null", "")
        case .bool: ("boolean", "")
        case .int: ("integer", "int64")
        case .double: ("number", "float64")
        case .string: ("string", "")
        case .array: ("array", "")
        case .object: ("object", "")
        }
    }

    /// Whether a number that a JSON client sent as a float is an integer, with the relative tolerance of the server's library.
    static func isInteger(_ value: Double) -> Bool {
        guard value.isFinite, abs(value) <= 9_007_199_254_740_991 else { return false }
        let whole = value.rounded(.towardZero)
        if value == whole || value == 0 { return true }
        let difference = abs(value - whole)
        return whole != 0 && difference / (abs(value) + abs(whole)) < 1e-9
    }

    // MARK: Scalars

    private static func string(_ text: String, _ node: SchemaNode, _ path: String, _ outcome: inout Outcome) {
        // Only the first fault is reported, as by the server.
        if let limit = node.maxLength, text.unicodeScalars.count > limit {
            outcome.add(.tooLong(path, limit: limit))
        } else if let least = node.minLength, text.unicodeScalars.count < least {
            outcome.add(.invalid(path, .string(text), "\(path) in body should be at least \(least) chars long"))
        } else if !node.pattern.isEmpty, !(node.compiledPattern?.matches(text) ?? false) {
            outcome.add(.invalid(path, .string(text), "\(path) in body should match '\(node.pattern)'"))
        }
    }

    private static func number(_ value: JSONValue, _ node: SchemaNode, _ path: String, _ outcome: inout Outcome) {
        if node.types == ["integer"], !fits(value, node.format) {
            let format = node.format.isEmpty ? "(default format)" : "with format \(node.format)"
            outcome.add(.invalid("", .string(""), "Checked value must be of type integer \(format) in \(path)"))
        }
        let actual = value.double ?? 0
        if let factor = node.multipleOf { multiple(of: factor, value, path, &outcome) }
        // An integer is compared with an integer bound: the server truncates the bounds.
        let isInteger = if case .int = value { true } else { false }
        let maximum = isInteger ? node.maximum?.rounded(.towardZero) : node.maximum
        let minimum = isInteger ? node.minimum?.rounded(.towardZero) : node.minimum
        if let limit = maximum, node.exclusiveMaximum ? actual >= limit : actual > limit {
            let words = node.exclusiveMaximum ? "less than" : "less than or equal to"
            outcome.add(.invalid(path, value, "\(path) in body should be \(words) \(bound(limit, value))"))
        }
        if let limit = minimum, node.exclusiveMinimum ? actual <= limit : actual < limit {
            let words = node.exclusiveMinimum ? "greater than" : "greater than or equal to"
            outcome.add(.invalid(path, value, "\(path) in body should be \(words) \(bound(limit, value))"))
        }
        outcome.matches += 1
    }

    /// Whether a number is in the range of an integer format.
    private static func fits(_ value: JSONValue, _ format: String) -> Bool {
        guard let whole = value.int else { return false }
        return format != "int32" || Int32(exactly: whole) != nil
    }

    private static func multiple(of factor: Double, _ value: JSONValue, _ path: String, _ outcome: inout Outcome) {
        let fits: Bool
        if case .int(let number) = value {
            let whole = Int64(exactly: factor.rounded(.towardZero)) ?? 0
            if whole <= 0 {
                outcome.add(
                    .invalid(path, .int(whole), "factor MultipleOf declared for \(path) must be positive: \(whole)"))
                return
            }
            fits = number % whole == 0
        } else {
            let actual = value.double ?? 0
            fits = isInteger(factor < 1 ? 1 / factor * actual : actual / factor)
        }
        if !fits { outcome.add(.invalid(path, value, "\(path) in body should be a multiple of \(GoFormat.double(factor))")) }
    }

    /// A bound, printed in the type of the value.
    private static func bound(_ limit: Double, _ value: JSONValue) -> String {
        if case .int = value, let whole = Int64(exactly: limit.rounded(.towardZero)) { return String(whole) }
        return GoFormat.double(limit)
    }

    private static func enumeration(_ value: JSONValue, _ node: SchemaNode, _ path: String, _ outcome: inout Outcome) {
        guard !node.enumeration.isEmpty, !node.enumeration.contains(where: { equal($0, value) }) else { return }
        let supported = node.enumeration.map { $0.string ?? $0.text }
        outcome.add(.notSupported(path, value, supported: supported))
    }

    private static func equal(_ first: JSONValue, _ second: JSONValue) -> Bool {
        switch (first, second) {
        case (.int, .double), (.double, .int): first.double == second.double
        default: first == second
        }
    }

    // MARK: Containers

    private static func array(
        _ elements: [JSONValue], _ node: SchemaNode, _ path: String, _ correlation: Correlation?, _ outcome: inout Outcome
    ) {
        if let items = node.items {
            let partners = correlation?.elements()
            for (index, element) in elements.enumerated() {
                outcome.merge(validate(element, items, "\(path)[\(index)]", partners?.partner(of: element)))
            }
        }
        if let least = node.minItems, elements.count < least {
            outcome.add(.invalid(path, .int(Int64(elements.count)), "\(path) in body should have at least \(least) items"))
        }
        if let limit = node.maxItems, elements.count > limit {
            outcome.add(.tooMany(path, actual: elements.count, limit: limit))
        }
        if node.uniqueItems, Set(elements).count != elements.count {
            outcome.add(.invalid(path, .string(""), "\(path) in body shouldn't contain duplicates"))
        }
    }

    private static func object(
        _ members: [String: JSONValue], _ node: SchemaNode, _ path: String, _ correlation: Correlation?, _ outcome: inout Outcome
    ) {
        func place(_ key: String) -> String { path.isEmpty ? key : path + "." + key }
        if let least = node.minProperties, members.count < least {
            outcome.add(.invalid(path, .int(Int64(members.count)), "\(path) in body should have at least \(least) properties"))
        }
        if let limit = node.maxProperties, members.count > limit {
            outcome.add(.tooMany(path, actual: members.count, limit: limit))
        }
        for (key, member) in members {
            if let property = node.properties[key] {
                // The server has converted `kind` and `apiVersion`, so they never count as unchanged.
                let isTypeMeta = path.isEmpty && (key == "kind" || key == "apiVersion")
                outcome.merge(validate(member, property, place(key), isTypeMeta ? nil : correlation?.member(key)))
                continue
            }
            switch node.additional {
            case .matching(let schema): outcome.merge(validate(member, schema, place(key), correlation?.member(key)))
            case SchemaNode.Additional.none?:
                outcome.add(.invalid(path, .string(key), "\(path).\(key) in body is a forbidden property"))
            default: break
            }
        }
        for key in node.required where members[key] == nil { outcome.add(.required(place(key))) }
    }
}
