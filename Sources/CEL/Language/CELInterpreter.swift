import Base

/// Evaluates an expression. Parts of the object are converted only when the expression reads them.
package struct CELInterpreter {
    /// The limit of steps for one expression (`celconfig.PerCallLimit`), counted in evaluated nodes.
    static let stepLimit = 1_000_000

    private var variables: [(name: String, value: CELValue)]
    private(set) var steps = 0

    private init(_ variables: [String: CELValue]) {
        self.variables = variables.map { ($0.key, $0.value) }
    }

    /// The value of an expression. Throws `CELError` with cel-go's message.
    package static func evaluate(_ expression: CELExpression, _ variables: [String: CELValue]) throws(CELError) -> CELValue {
        var interpreter = CELInterpreter(variables)
        return try interpreter.value(of: expression)
    }

    private mutating func spend(_ cost: Int = 1) throws(CELError) {
        steps += cost
        if steps > Self.stepLimit { throw .costExceeded }
    }

    private mutating func value(of expression: CELExpression) throws(CELError) -> CELValue {
        try spend()
        switch expression.kind {
        case .literal(let value): return value
        case .identifier(let name): return try variable(name)
        case .select(let operand, let field, let optional): return try select(try value(of: operand), field, optional: optional)
        case .presence(let operand, let field): return .bool(try isPresent(try value(of: operand), field))
        case .index(let operand, let index, let optional):
            let target = try value(of: operand)
            return try self.index(target, try value(of: index), optional: optional)
        case .call("!_", let operands):
            guard case .bool(let flag) = try value(of: operands[0]) else { throw .noOverload }
            return .bool(!flag)
        case .call(let name, let arguments):
            let values = try values(of: arguments)
            try spend(CELFunctions.cost(values))
            return try CELFunctions.call(name, values)
        case .method(let target, let name, let arguments): return try method(target, name, arguments)
        case .list(let elements): return try list(elements)
        case .map(let entries): return try map(entries)
        case .and(let left, let right): return try logical(left, right, decisive: false)
        case .or(let left, let right): return try logical(left, right, decisive: true)
        case .conditional(let condition, let then, let otherwise):
            guard case .bool(let flag) = try value(of: condition) else { throw .noOverload }
            return try value(of: flag ? then : otherwise)
        case .comprehension(let comprehension): return try comprehend(comprehension)
        case .optionalMap(let target, let name, let body, let flat):
            guard case .optional(let inner) = try value(of: target) else { throw .noOverload }
            guard let inner else { return .optional(nil) }
            let result = try with([(name, inner)], body)
            return flat ? result : .optional(result)
        }
    }

    private mutating func values(of expressions: [CELExpression]) throws(CELError) -> [CELValue] {
        var found: [CELValue] = []
        for expression in expressions { found.append(try value(of: expression)) }
        return found
    }

    private func variable(_ name: String) throws(CELError) -> CELValue {
        if let binding = variables.last(where: { $0.name == name }) { return binding.value }
        if let type = CELFunctions.typeNames[name] { return .type(type) }
        throw CELError("no such attribute(s): \(name)")
    }

    private mutating func with(_ bindings: [(String, CELValue)], _ body: CELExpression) throws(CELError) -> CELValue {
        for (name, value) in bindings { variables.append((name, value)) }
        defer { variables.removeLast(bindings.count) }
        return try value(of: body)
    }

    /// `&&` and `||`: a decisive operand determines the result even when the other operand fails.
    private mutating func logical(_ left: CELExpression, _ right: CELExpression, decisive: Bool) throws(CELError) -> CELValue {
        var fault: CELError?
        for operand in [left, right] {
            do throws(CELError) {
                guard case .bool(let flag) = try value(of: operand) else { throw .noOverload }
                if flag == decisive { return .bool(decisive) }
            } catch {
                if error == .costExceeded { throw error }
                fault = fault ?? error
            }
        }
        if let fault { throw fault }
        return .bool(!decisive)
    }

    // MARK: Parts of values

    private func select(_ target: CELValue, _ field: String, optional: Bool) throws(CELError) -> CELValue {
        switch target {
        case .map(let map):
            let found = try map.find(.string(field))
            if optional { return .optional(found) }
            guard let found else { throw CELError("no such key: \(field)") }
            return found
        case .optional(let inner):
            guard let inner else { return .optional(nil) }
            let result = try select(inner, field, optional: true)
            return result
        default: throw optional ? CELError("no such overload") : .noOverload
        }
    }

    private func isPresent(_ target: CELValue, _ field: String) throws(CELError) -> Bool {
        switch target {
        case .map(let map): return try map.find(.string(field)) != nil
        case .optional(let inner):
            guard let inner else { return false }
            return try isPresent(inner, field)
        default: throw .noOverload
        }
    }

    private func index(_ target: CELValue, _ key: CELValue, optional: Bool) throws(CELError) -> CELValue {
        switch target {
        case .list(let list):
            guard case .int(let position)? = CELKey(key) else { throw CELError("unsupported index type '\(key.typeName)' in list") }
            guard position >= 0, position < list.count else {
                if optional { return .optional(nil) }
                throw CELError("index out of bounds: \(position)")
            }
            let found = try list.element(Int(position))
            return optional ? .optional(found) : found
        case .map(let map):
            let found = try map.find(key)
            if optional { return .optional(found) }
            guard let found else { throw CELError("no such key: \(CELFunctions.plain(key))") }
            return found
        case .optional(let inner):
            guard let inner else { return .optional(nil) }
            return try index(inner, key, optional: true)
        default: throw .noOverload
        }
    }

    // MARK: Calls and literals

    /// `optional.of(x)`, `ip.isCanonical(x)` and the like: the target is part of the function's name, not a variable.
    private mutating func method(_ target: CELExpression, _ name: String, _ arguments: [CELExpression]) throws(CELError) -> CELValue {
        if case .identifier(let space) = target.kind, !variables.contains(where: { $0.name == space }),
            CELFunctions.namespaced.contains("\(space).\(name)")
        {
            return try CELFunctions.call("\(space).\(name)", try values(of: arguments))
        }
        let receiver = try value(of: target)
        if case .optional(let inner) = receiver, let result = try optionalMethod(inner, name, arguments) { return result }
        let values = try values(of: arguments)
        try spend(CELFunctions.cost([receiver] + values))
        return try CELFunctions.method(receiver, name, values)
    }

    private mutating func optionalMethod(
        _ inner: CELValue?, _ name: String, _ arguments: [CELExpression]
    ) throws(CELError) -> CELValue? {
        switch (name, arguments.count) {
        case ("hasValue", 0): return .bool(inner != nil)
        case ("value", 0):
            guard let inner else { throw CELError("optional.none() dereference") }
            return inner
        case ("orValue", 1):
            if let inner { return inner }
            return try value(of: arguments[0])
        case ("or", 1):
            if let inner { return .optional(inner) }
            return try value(of: arguments[0])
        default: return nil
        }
    }

    private mutating func list(_ elements: [CELExpression.Element]) throws(CELError) -> CELValue {
        var found: [CELValue] = []
        for element in elements {
            let value = try value(of: element.value)
            guard element.optional else {
                found.append(value)
                continue
            }
            guard case .optional(let inner) = value else { throw .noOverload }
            if let inner { found.append(inner) }
        }
        return .list(found)
    }

    private mutating func map(_ entries: [CELExpression.Entry]) throws(CELError) -> CELValue {
        var found: [CELKey: CELValue] = [:]
        for entry in entries {
            let keyValue = try value(of: entry.key)
            guard let key = CELKey(keyValue) else { throw CELError("unsupported key type: \(keyValue.typeName)") }
            let value = try value(of: entry.value)
            if found[key] != nil { throw CELError("insert failed: key \(CELFunctions.plain(keyValue)) already exists") }
            guard entry.optional else {
                found[key] = value
                continue
            }
            guard case .optional(let inner) = value else { throw .noOverload }
            if let inner { found[key] = inner }
        }
        return .map(CELMap(found))
    }

    // MARK: Comprehensions

    private mutating func comprehend(_ comprehension: CELExpression.Comprehension) throws(CELError) -> CELValue {
        let range = try value(of: comprehension.range)
        let items = try bindings(of: range, comprehension)
        switch comprehension.macro {
        case .all: return try quantify(items, comprehension, decisive: false)
        case .exists: return try quantify(items, comprehension, decisive: true)
        case .existsOne:
            var count = 0
            for item in items where try holds(comprehension.predicate, item.bindings) { count += 1 }
            return .bool(count == 1)
        case .filter:
            var kept: [(key: CELValue, value: CELValue)] = []
            for item in items where try holds(comprehension.predicate, item.bindings) { kept.append((item.key, item.value)) }
            // For a map the result contains the keys, because the variable stands for the key.
            if case .map = range { return .list(kept.map(\.key)) }
            return .list(kept.map(\.value))
        case .map, .transformList:
            var results: [CELValue] = []
            for item in items where try holds(comprehension.predicate, item.bindings) {
                results.append(try transformed(comprehension, item.bindings))
            }
            return .list(results)
        case .transformMap, .transformMapEntry: return try transformMap(items, comprehension)
        }
    }

    private struct Item {
        let key: CELValue
        let value: CELValue
        let bindings: [(String, CELValue)]
    }

    private mutating func bindings(of range: CELValue, _ comprehension: CELExpression.Comprehension) throws(CELError) -> [Item] {
        let names = comprehension.variables
        var items: [Item] = []
        switch range {
        case .list(let list):
            try spend(list.count)
            for index in 0..<list.count {
                let element = try list.element(index)
                let position = CELValue.int(Int64(index))
                items.append(
                    Item(
                        key: position, value: element,
                        bindings: names.count == 2 ? [(names[0], position), (names[1], element)] : [(names[0], element)]))
            }
        case .map(let map):
            try spend(map.count)
            for key in map.keys() {
                let value = names.count == 2 ? try map.find(key) ?? .null : .null
                items.append(
                    Item(key: key, value: value, bindings: names.count == 2 ? [(names[0], key), (names[1], value)] : [(names[0], key)]))
            }
        default: throw .noOverload
        }
        return items
    }

    private mutating func holds(_ predicate: CELExpression?, _ bindings: [(String, CELValue)]) throws(CELError) -> Bool {
        guard let predicate else { return true }
        guard case .bool(let flag) = try with(bindings, predicate) else { throw .noOverload }
        return flag
    }

    private mutating func transformed(
        _ comprehension: CELExpression.Comprehension, _ bindings: [(String, CELValue)]
    ) throws(CELError) -> CELValue {
        guard let transform = comprehension.transform else { return .null }
        return try with(bindings, transform)
    }

    /// `all` and `exists` combine their results like `&&` and `||`: a decisive element overrides failures.
    private mutating func quantify(
        _ items: [Item], _ comprehension: CELExpression.Comprehension, decisive: Bool
    ) throws(CELError) -> CELValue {
        var fault: CELError?
        for item in items {
            do throws(CELError) {
                if try holds(comprehension.predicate, item.bindings) == decisive { return .bool(decisive) }
            } catch {
                if error == .costExceeded { throw error }
                fault = fault ?? error
            }
        }
        if let fault { throw fault }
        return .bool(!decisive)
    }

    private mutating func transformMap(_ items: [Item], _ comprehension: CELExpression.Comprehension) throws(CELError) -> CELValue {
        var result: [CELKey: CELValue] = [:]
        for item in items where try holds(comprehension.predicate, item.bindings) {
            let value = try transformed(comprehension, item.bindings)
            if comprehension.macro == .transformMap {
                guard let key = CELKey(item.key) else { throw .noOverload }
                result[key] = value
                continue
            }
            guard case .map(let entries) = value else { throw .noOverload }
            for entry in entries.keys() {
                guard let key = CELKey(entry) else { throw .noOverload }
                if result[key] != nil { throw CELError("insert failed: key \(CELFunctions.plain(entry)) already exists") }
                result[key] = try entries.find(entry) ?? .null
            }
        }
        return .map(CELMap(result))
    }
}
