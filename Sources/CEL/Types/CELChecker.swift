/// Finds errors that do not depend on the object: unknown names, fields missing in the schema, operands with incompatible types.
/// Reports the first fault, with the message of cel-go.
package struct CELChecker {
    private let source: String
    private var variables: [(name: String, type: CELType)]
    /// The first literal with mixed element types. Its type is `dyn`. It is refused at the end, unless it is an argument of
    /// `format`.
    private var mixed: CELCompileError?

    /// The type of an expression. Throws when it has none.
    package static func type(
        of expression: CELExpression, source: String, variables: [String: CELType]
    ) throws(CELCompileError) -> CELType {
        var checker = CELChecker(source: source, variables: variables.map { ($0.key, $0.value) })
        let type = try checker.type(of: expression)
        if let mixed = checker.mixed { throw mixed }
        return type
    }

    private init(source: String, variables: [(name: String, type: CELType)]) {
        self.source = source
        self.variables = variables
    }

    private func fault(_ message: String, _ expression: CELExpression) -> CELCompileError {
        CELCompileError(message, at: expression.offset, in: source)
    }

    private func noOverload(_ name: String, _ types: [CELType], _ expression: CELExpression) -> CELCompileError {
        fault("found no matching overload for '\(name)' applied to '(\(types.map(\.name).joined(separator: ", ")))'", expression)
    }

    private func undeclared(_ name: String, _ expression: CELExpression) -> CELCompileError {
        fault("undeclared reference to '\(name)' (in container '')", expression)
    }

    private mutating func expect(_ wanted: CELType, _ expression: CELExpression) throws(CELCompileError) {
        let found = try type(of: expression)
        if !CELType.fits(found, wanted) { throw fault("expected type '\(wanted.name)' but found '\(found.name)'", expression) }
    }

    private mutating func types(of expressions: [CELExpression]) throws(CELCompileError) -> [CELType] {
        var found: [CELType] = []
        for expression in expressions { found.append(try type(of: expression)) }
        return found
    }

    private mutating func with(_ bindings: [(String, CELType)], _ body: CELExpression) throws(CELCompileError) -> CELType {
        for (name, type) in bindings { variables.append((name, type)) }
        defer { variables.removeLast(bindings.count) }
        return try type(of: body)
    }

    private mutating func type(of expression: CELExpression) throws(CELCompileError) -> CELType {
        switch expression.kind {
        case .literal(let value): return Self.type(of: value)
        case .identifier(let name):
            if let binding = variables.last(where: { $0.name == name }) { return binding.type }
            if CELFunctions.typeNames[name] != nil { return .type }
            throw undeclared(name, expression)
        case .select(let operand, let field, let optional):
            let result = try select(try type(of: operand), field, expression)
            if optional, case .optional = result { return result }
            return optional ? .optional(result) : result
        case .presence(let operand, let field):
            _ = try select(try type(of: operand), field, expression)
            return .bool
        case .index(let operand, let index, let optional): return try self.index(operand, index, optional, expression)
        case .and(let left, let right), .or(let left, let right):
            try expect(.bool, left)
            try expect(.bool, right)
            return .bool
        case .conditional(let condition, let then, let otherwise):
            let found = try types(of: [condition, then, otherwise])
            guard CELType.fits(found[0], .bool), CELType.fits(found[1], found[2]) else { throw noOverload("_?_:_", found, expression) }
            return found[1].isDyn ? found[2] : found[1]
        case .list(let elements): return .list(try common(elements.map { ($0.value, $0.optional) }))
        case .map(let entries):
            return .map(try common(entries.map { ($0.key, false) }), try common(entries.map { ($0.value, $0.optional) }))
        case .call(let name, let arguments):
            let found = try types(of: arguments)
            if name.hasPrefix("_") || name == "!_" || name == "-_" || name == "@in" {
                guard let result = CELOperatorTypes.result(name, found) else { throw noOverload(name, found, expression) }
                return result
            }
            try literals(name, arguments)
            return try call(name, nil, found, expression)
        case .method(let target, let name, let arguments):
            if case .identifier(let space) = target.kind, !variables.contains(where: { $0.name == space }),
                CELFunctions.namespaced.contains("\(space).\(name)")
            {
                return try call("\(space).\(name)", nil, try types(of: arguments), expression)
            }
            let receiver = try type(of: target)
            let before = mixed
            let found = try types(of: arguments)
            if name == "format" { mixed = before }
            try literals(name, arguments)
            return try call(name, receiver, found, expression)
        case .comprehension(let comprehension): return try self.comprehension(comprehension)
        case .optionalMap(let target, let variable, let body, let flat):
            let outer = try type(of: target)
            let inner: CELType = if case .optional(let inner) = outer { inner } else { .dyn }
            let result = try with([(variable, inner)], body)
            return flat ? result : .optional(result)
        }
    }

    private static func type(of value: CELValue) -> CELType {
        switch value {
        case .null: .null
        case .bool: .bool
        case .int: .int
        case .uint: .uint
        case .double: .double
        case .string: .string
        case .bytes: .bytes
        default: .dyn
        }
    }

    private func select(_ target: CELType, _ field: String, _ expression: CELExpression) throws(CELCompileError) -> CELType {
        switch target {
        case .dyn: return .dyn
        case .optional(let inner):
            let result = try select(inner, field, expression)
            if case .optional = result { return result }
            return .optional(result)
        case .map, .object:
            guard let type = target.field(field) else { throw fault("undefined field '\(field)'", expression) }
            return type
        default: throw fault("type '\(target.name)' does not support field selection", expression)
        }
    }

    private mutating func index(
        _ operand: CELExpression, _ index: CELExpression, _ optional: Bool, _ expression: CELExpression
    ) throws(CELCompileError) -> CELType {
        let target = try type(of: operand)
        let key = try type(of: index)
        func wrapped(_ type: CELType) -> CELType { optional ? .optional(type) : type }
        switch target {
        case .dyn: return wrapped(.dyn)
        case .list(let element) where CELType.fits(key, .int): return wrapped(element)
        case .map(let wanted, let value) where CELType.fits(key, wanted): return wrapped(value)
        case .optional(.list(let element)) where CELType.fits(key, .int): return .optional(element)
        case .optional(.map(let wanted, let value)) where CELType.fits(key, wanted): return .optional(value)
        case .optional(.dyn): return .optional(.dyn)
        default: throw noOverload(optional ? "_[?_]" : "_[_]", [target, key], expression)
        }
    }

    /// One type for all elements: in Kubernetes the elements of a literal must have the same type.
    private mutating func common(_ expressions: [(CELExpression, optional: Bool)]) throws(CELCompileError) -> CELType {
        var result = CELType.dyn
        for (expression, optional) in expressions {
            var found = try type(of: expression)
            if optional, case .optional(let inner) = found { found = inner }
            if !CELType.fits(found, result) {
                mixed = mixed ?? fault("expected type '\(result.name)' but found '\(found.name)'", expression)
                return .dyn
            }
            if result.isDyn { result = found }
        }
        return result
    }

    private func call(
        _ name: String, _ receiver: CELType?, _ arguments: [CELType], _ expression: CELExpression
    ) throws(CELCompileError) -> CELType {
        let overloads = CELSignatures.table[name] ?? []
        if overloads.isEmpty, !CELSignatures.generics.contains(name) { throw undeclared(name, expression) }
        if let result = CELSignatures.generic(name, receiver, arguments) { return result }
        let matching = overloads.filter { overload in
            guard (overload.receiver == nil) == (receiver == nil), overload.arguments.count == arguments.count else { return false }
            if let wanted = overload.receiver, let receiver, !CELType.fits(receiver, wanted) { return false }
            return zip(arguments, overload.arguments).allSatisfy { CELType.fits($0, $1) }
        }
        if let first = matching.first { return matching.count == 1 ? first.result : Self.shared(matching.map(\.result)) }
        if receiver?.isDyn ?? false { return .dyn }
        if let receiver {
            throw fault(
                "found no matching overload for '\(name)' applied to '\(receiver.name).(\(arguments.map(\.name).joined(separator: ", ")))'",
                expression)
        }
        throw noOverload(name, arguments, expression)
    }

    /// The type of a call whose overload is known only at evaluation: the common result type, or `dyn`.
    private static func shared(_ types: [CELType]) -> CELType {
        Set(types.map(\.name)).count == 1 ? types[0] : .dyn
    }

    /// Checks arguments that are literals.
    private func literals(_ name: String, _ arguments: [CELExpression]) throws(CELCompileError) {
        guard let last = arguments.last, case .literal(.string(let text)) = last.kind else { return }
        let valid: Bool
        switch name {
        case "matches", "find", "findAll": valid = (try? Pattern(text)) != nil
        case "timestamp", "duration": valid = (try? CELConversions.convert(.string(text), to: name)) != nil
        default: return
        }
        if !valid { throw fault("invalid \(name) argument", last) }
    }

    private mutating func comprehension(_ comprehension: CELExpression.Comprehension) throws(CELCompileError) -> CELType {
        let range = try type(of: comprehension.range)
        let key: CELType
        let value: CELType
        let single: CELType
        switch range {
        case .dyn: (key, value, single) = (.dyn, .dyn, .dyn)
        case .list(let element): (key, value, single) = (.int, element, element)
        case .map(let mapKey, let mapValue): (key, value, single) = (mapKey, mapValue, mapKey)
        default:
            throw fault(
                "expression of type '\(range.name)' cannot be range of a comprehension (must be list, map, or dynamic)",
                comprehension.range)
        }
        let names = comprehension.variables
        let bindings = names.count == 2 ? [(names[0], key), (names[1], value)] : [(names[0], single)]
        if let predicate = comprehension.predicate {
            let found = try with(bindings, predicate)
            if !CELType.fits(found, .bool) { throw fault("expected type 'bool' but found '\(found.name)'", predicate) }
        }
        let transformed = try comprehension.transform.map { body throws(CELCompileError) in try with(bindings, body) } ?? .dyn
        switch comprehension.macro {
        case .all, .exists, .existsOne: return .bool
        case .filter: return .list(single)
        case .map, .transformList: return .list(transformed)
        case .transformMap: return .map(key, transformed)
        case .transformMapEntry: return transformed
        }
    }
}

/// The operand types and result types of operators.
enum CELOperatorTypes {
    /// The result type; nil when the operands are incompatible.
    static func result(_ name: String, _ types: [CELType]) -> CELType? {
        if types.count == 1 {
            switch (name, types[0]) {
            case ("!_", .bool), ("!_", .dyn): return .bool
            case ("-_", .int), ("-_", .double), ("-_", .dyn): return types[0]
            default: return nil
            }
        }
        guard types.count == 2 else { return nil }
        let (left, right) = (types[0], types[1])
        switch name {
        case "_==_", "_!=_": return CELType.fits(left, right) ? .bool : nil
        case "_<_", "_<=_", "_>_", "_>=_": return comparable(left, right) ? .bool : nil
        case "@in":
            switch right {
            case .dyn: return .bool
            case .list(let element): return CELType.fits(left, element) ? .bool : nil
            case .map(let key, _): return CELType.fits(left, key) ? .bool : nil
            default: return nil
            }
        default: return arithmetic(name, left, right)
        }
    }

    private static func comparable(_ left: CELType, _ right: CELType) -> Bool {
        switch (left, right) {
        case (.dyn, _), (_, .dyn): true
        case (.bool, .bool), (.string, .string), (.bytes, .bytes), (.timestamp, .timestamp), (.duration, .duration): true
        default: left.isNumber && right.isNumber
        }
    }

    private static func arithmetic(_ name: String, _ left: CELType, _ right: CELType) -> CELType? {
        switch (name, left, right) {
        case (_, .dyn, .dyn): return .dyn
        case (_, .dyn, let other), (_, let other, .dyn): return arithmetic(name, other, other) ?? .dyn
        case ("_%_", .int, .int), ("_%_", .uint, .uint): return left
        case ("_%_", _, _): return nil
        case (_, .int, .int), (_, .uint, .uint), (_, .double, .double): return left
        case ("_+_", .string, .string), ("_+_", .bytes, .bytes), ("_+_", .duration, .duration), ("_-_", .duration, .duration): return left
        case ("_+_", .list(let a), .list(let b)): return CELType.fits(a, b) ? (a.isDyn ? right : left) : nil
        case ("_+_", .timestamp, .duration), ("_-_", .timestamp, .duration): return .timestamp
        case ("_+_", .duration, .timestamp): return .timestamp
        case ("_-_", .timestamp, .timestamp): return .duration
        default: return nil
        }
    }
}
