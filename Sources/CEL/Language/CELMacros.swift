/// Macros: calls that bind variables, so their arguments are not evaluated before the call.
enum CELMacros {
    /// The expression for `target.name(arguments)`: the expansion of a macro, or a plain call.
    static func expand(
        _ target: CELExpression, _ name: String, _ arguments: [CELExpression], at offset: Int, in source: String
    ) throws(CELCompileError) -> CELExpression {
        func make(_ kind: CELExpression.Kind) -> CELExpression { CELExpression(kind: kind, offset: offset) }
        func variables(_ count: Int) throws(CELCompileError) -> [String] {
            var names: [String] = []
            for argument in arguments.prefix(count) {
                guard case .identifier(let name) = argument.kind else {
                    throw CELCompileError("argument must be a simple name", at: argument.offset, in: source)
                }
                if names.contains(name) {
                    throw CELCompileError("duplicate variable name: \(name)", at: argument.offset, in: source)
                }
                names.append(name)
            }
            return names
        }
        func comprehension(
            _ macro: CELExpression.Comprehension.Macro, _ count: Int, predicate: Int?, transform: Int?
        ) throws(CELCompileError) -> CELExpression {
            make(
                .comprehension(
                    .init(
                        macro: macro, range: target, variables: try variables(count), predicate: predicate.map { arguments[$0] },
                        transform: transform.map { arguments[$0] })))
        }
        switch (name, arguments.count) {
        case ("all", 2): return try comprehension(.all, 1, predicate: 1, transform: nil)
        case ("all", 3): return try comprehension(.all, 2, predicate: 2, transform: nil)
        case ("exists", 2): return try comprehension(.exists, 1, predicate: 1, transform: nil)
        case ("exists", 3): return try comprehension(.exists, 2, predicate: 2, transform: nil)
        case ("exists_one", 2): return try comprehension(.existsOne, 1, predicate: 1, transform: nil)
        case ("existsOne", 3): return try comprehension(.existsOne, 2, predicate: 2, transform: nil)
        case ("map", 2): return try comprehension(.map, 1, predicate: nil, transform: 1)
        case ("map", 3): return try comprehension(.map, 1, predicate: 1, transform: 2)
        case ("filter", 2): return try comprehension(.filter, 1, predicate: 1, transform: nil)
        case ("transformList", 3): return try comprehension(.transformList, 2, predicate: nil, transform: 2)
        case ("transformList", 4): return try comprehension(.transformList, 2, predicate: 2, transform: 3)
        case ("transformMap", 3): return try comprehension(.transformMap, 2, predicate: nil, transform: 2)
        case ("transformMap", 4): return try comprehension(.transformMap, 2, predicate: 2, transform: 3)
        case ("transformMapEntry", 3): return try comprehension(.transformMapEntry, 2, predicate: nil, transform: 2)
        case ("transformMapEntry", 4): return try comprehension(.transformMapEntry, 2, predicate: 2, transform: 3)
        case ("sortBy", 2):
            // Pairs of key and element, which the list library sorts.
            let keys = try comprehension(.map, 1, predicate: nil, transform: 1)
            return make(.method(target, "@sortByAssociatedKeys", [keys]))
        case ("optMap", 2), ("optFlatMap", 2):
            return make(.optionalMap(target, variable: try variables(1)[0], body: arguments[1], flat: name == "optFlatMap"))
        default: return make(.method(target, name, arguments))
        }
    }
}
