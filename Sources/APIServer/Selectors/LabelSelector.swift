/// A label selector (apimachinery `labels`): `tier in (gold,silver),!old,app=web`.
struct LabelSelector: Sendable {
    private enum Operator: Sendable { case isIn, notIn, exists, missing, greater, less }
    private struct Requirement: Sendable {
        var key: String
        var comparison: Operator
        var values: Set<String>
    }

    private var requirements: [Requirement] = []

    var isEmpty: Bool { requirements.isEmpty }

    init() {}

    /// - Throws: a bad request with the message of the real parser.
    init(parsing text: String) throws(APIFailure) {
        var tokens = Tokens(text)
        while true {
            switch tokens.peek() {
            case .end:
                if requirements.isEmpty || !tokens.lastWasComma { return }
                throw .badRequest("found '', expected: identifier after ','")
            case .comma where tokens.lastWasComma:
                throw .badRequest("found ',', expected: identifier after ','")
            case .word, .bang:
                do {
                    requirements.append(try Self.requirement(&tokens))
                } catch {
                    throw .badRequest("unable to parse requirement: \(error.message)")
                }
            case let other:
                throw .badRequest("found '\(other.text)', expected: !, identifier, or 'end of string'")
            }
            switch tokens.next() {
            case .end: return
            case .comma: tokens.lastWasComma = true
            case let other: throw .badRequest("found '\(other.text)', expected: ',' or 'end of string'")
            }
        }
    }

    func matches(_ labels: [String: String]) -> Bool {
        requirements.allSatisfy { requirement in
            let value = labels[requirement.key]
            switch requirement.comparison {
            case .isIn: return value.map(requirement.values.contains) ?? false
            case .notIn: return value.map { !requirement.values.contains($0) } ?? true
            case .exists: return value != nil
            case .missing: return value == nil
            case .greater, .less:
                guard let number = value.flatMap({ Int64($0) }), let bound = requirement.values.first.flatMap({ Int64($0) })
                else { return false }
                return requirement.comparison == .greater ? number > bound : number < bound
            }
        }
    }

    private static func requirement(_ tokens: inout Tokens) throws(APIFailure) -> Requirement {
        if tokens.peek() == .bang {
            _ = tokens.next()
            return Requirement(key: try key(&tokens), comparison: .missing, values: [])
        }
        let key = try key(&tokens)
        switch tokens.peek() {
        case .end, .comma:
            return Requirement(key: key, comparison: .exists, values: [])
        case .equals:
            _ = tokens.next()
            return Requirement(key: key, comparison: .isIn, values: [try value(of: key, &tokens)])
        case .notEquals:
            _ = tokens.next()
            return Requirement(key: key, comparison: .notIn, values: [try value(of: key, &tokens)])
        case .greater, .less:
            let isGreater = tokens.next() == .greater
            let bound = try value(of: key, &tokens)
            guard Int64(bound) != nil else {
                throw .badRequest("values[0]: Invalid value: \"\(bound)\": for 'Gt', 'Lt' operators, the value must be an integer")
            }
            return Requirement(key: key, comparison: isGreater ? .greater : .less, values: [bound])
        case .word("in"):
            _ = tokens.next()
            return Requirement(key: key, comparison: .isIn, values: try values(of: key, &tokens))
        case .word("notin"):
            _ = tokens.next()
            return Requirement(key: key, comparison: .notIn, values: try values(of: key, &tokens))
        case let other:
            throw .badRequest("found '\(other.text)', expected: in, notin, =, ==, !=, gt, lt")
        }
    }

    private static func key(_ tokens: inout Tokens) throws(APIFailure) -> String {
        guard case .word(let key) = tokens.next() else { throw .badRequest("found '', expected: identifier") }
        if let fault = NameRules.qualified(key) { throw .badRequest("<nil>: Invalid value: \"\(key)\": \(fault)") }
        return key
    }

    /// The value may be empty: `tier=`.
    private static func value(of key: String, _ tokens: inout Tokens) throws(APIFailure) -> String {
        guard case .word(let value) = tokens.peek() else { return "" }
        _ = tokens.next()
        if let fault = NameRules.labelValue(value) { throw .badRequest("values[0][\(key)]: Invalid value: \"\(value)\": \(fault)") }
        return value
    }

    private static func values(of key: String, _ tokens: inout Tokens) throws(APIFailure) -> Set<String> {
        let first = tokens.next()
        guard first == .open else { throw .badRequest("found '\(first.text)' expected: '('") }
        if tokens.peek() == .end { throw .badRequest("found '', expected: ',', ')' or identifier") }
        var values: Set<String> = []
        while true {
            values.insert(try value(of: key, &tokens))
            switch tokens.next() {
            case .comma: continue
            case .close: return values
            case let other: throw .badRequest("found '\(other.text)', expected: ',' or ')'")
            }
        }
    }

    private enum Token: Equatable {
        case end, comma, open, close, bang, equals, notEquals, greater, less
        case word(String)
        /// `==`; it differs from `=` in messages only.
        case doubled

        var text: String {
            switch self {
            case .end: ""
            case .comma: ","
            case .open: "("
            case .close: ")"
            case .bang: "!"
            case .equals: "="
            case .doubled: "=="
            case .notEquals: "!="
            case .greater: ">"
            case .less: "<"
            case .word(let word): word
            }
        }
    }

    private struct Tokens {
        private var tokens: [Token] = []
        private var at = 0
        var lastWasComma = false

        init(_ text: String) {
            var rest = Substring(text)
            while let first = rest.first {
                rest = rest.dropFirst()
                switch first {
                case " ", "\t", "\n", "\r": continue
                case ",": tokens.append(.comma)
                case "(": tokens.append(.open)
                case ")": tokens.append(.close)
                case ">": tokens.append(.greater)
                case "<": tokens.append(.less)
                case "!":
                    if rest.first == "=" {
                        rest = rest.dropFirst()
                        tokens.append(.notEquals)
                    } else {
                        tokens.append(.bang)
                    }
                case "=":
                    if rest.first == "=" {
                        rest = rest.dropFirst()
                        tokens.append(.doubled)
                    } else {
                        tokens.append(.equals)
                    }
                default:
                    var word = String(first)
                    while let next = rest.first, !" \t\n\r,()!=<>".contains(next) {
                        word.append(next)
                        rest = rest.dropFirst()
                    }
                    tokens.append(.word(word))
                }
            }
        }

        /// The operator `==` is returned as `=`; in front of a key it is an error and is returned unchanged, for the message.
        func peek() -> Token {
            guard at < tokens.count else { return .end }
            if tokens[at] == .doubled, at > 0, case .word = tokens[at - 1] { return .equals }
            return tokens[at]
        }

        mutating func next() -> Token {
            defer { at += 1 }
            lastWasComma = false
            return peek()
        }
    }
}
