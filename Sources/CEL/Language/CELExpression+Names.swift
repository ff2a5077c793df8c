extension CELExpression {
    /// Whether the expression uses the name anywhere.
    package func mentions(_ name: String) -> Bool {
        var found = false
        walk { if case .identifier(name) = $0.kind { found = true } }
        return found
    }

    /// Calls `visit` for the expression and all its parts.
    private func walk(_ visit: (CELExpression) -> Void) {
        visit(self)
        switch kind {
        case .literal, .identifier: break
        case .select(let operand, _, _), .presence(let operand, _): operand.walk(visit)
        case .index(let operand, let index, _):
            operand.walk(visit)
            index.walk(visit)
        case .call(_, let arguments): for argument in arguments { argument.walk(visit) }
        case .method(let target, _, let arguments):
            target.walk(visit)
            for argument in arguments { argument.walk(visit) }
        case .list(let elements): for element in elements { element.value.walk(visit) }
        case .map(let entries):
            for entry in entries {
                entry.key.walk(visit)
                entry.value.walk(visit)
            }
        case .and(let left, let right), .or(let left, let right):
            left.walk(visit)
            right.walk(visit)
        case .conditional(let condition, let then, let otherwise):
            condition.walk(visit)
            then.walk(visit)
            otherwise.walk(visit)
        case .comprehension(let comprehension):
            comprehension.range.walk(visit)
            comprehension.predicate?.walk(visit)
            comprehension.transform?.walk(visit)
        case .optionalMap(let target, _, let body, _):
            target.walk(visit)
            body.walk(visit)
        }
    }
}
