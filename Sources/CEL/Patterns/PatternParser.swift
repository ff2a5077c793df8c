/// Why a regular expression is refused, with the message of Go's `regexp/syntax`.
package struct PatternError: Error, Sendable, CustomStringConvertible {
    package let description: String
    init(_ code: String, _ fragment: String) { description = "error parsing regexp: \(code): `\(fragment)`" }
}

/// Parses the syntax of RE2 (https://github.com/google/re2/wiki/Syntax), except names of scripts.
struct PatternParser {
    struct Flags {
        var foldsCase = false
        var multiline = false
        var dotMatchesNewline = false
        var ungreedy = false
    }

    let text: [Unicode.Scalar]
    private let source: String
    var position = 0
    var flags = Flags()
    private var depth = 0

    private init(_ source: String) {
        self.source = source
        text = Array(source.unicodeScalars)
    }

    static func parse(_ source: String) throws(PatternError) -> PatternNode {
        var parser = PatternParser(source)
        let node = try parser.alternatives()
        if parser.position < parser.text.count { throw PatternError("unexpected )", source) }
        return node
    }

    var next: Unicode.Scalar? { position < text.count ? text[position] : nil }

    func ahead(_ literal: String) -> Bool {
        let scalars = Array(literal.unicodeScalars)
        return position + scalars.count <= text.count && text[position..<position + scalars.count].elementsEqual(scalars)
    }

    func fragment(from start: Int, to end: Int? = nil) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: text[start..<min(end ?? text.count, text.count)])
        return String(view)
    }

    private mutating func alternatives() throws(PatternError) -> PatternNode {
        var branches = [try sequence()]
        while next == "|" {
            position += 1
            branches.append(try sequence())
        }
        return branches.count == 1 ? branches[0] : .alternatives(branches)
    }

    private mutating func sequence() throws(PatternError) -> PatternNode {
        var parts: [PatternNode] = []
        while let scalar = next, scalar != "|", scalar != ")" {
            let start = position
            if scalar == "*" || scalar == "+" || scalar == "?" {
                throw PatternError("missing argument to repetition operator", String(Character(scalar)))
            }
            if ahead("\\Q") {
                parts += quotedLiteral()
                if let last = parts.popLast() { parts.append(try repetitions(of: last, from: start)) }
                continue
            }
            guard let part = try atom() else { continue }
            parts.append(try repetitions(of: part, from: start))
        }
        return parts.count == 1 ? parts[0] : parts.isEmpty ? .empty : .sequence(parts)
    }

    private mutating func quotedLiteral() -> [PatternNode] {
        position += 2
        var parts: [PatternNode] = []
        while let scalar = next {
            if ahead("\\E") {
                position += 2
                break
            }
            parts.append(literal(scalar))
            position += 1
        }
        return parts
    }

    private mutating func repetitions(of part: PatternNode, from start: Int) throws(PatternError) -> PatternNode {
        var node = part
        var operators = 0
        while let bounds = try repetition() {
            operators += 1
            var greedy = true
            if next == "?" {
                position += 1
                greedy = false
            }
            if operators > 1 { throw PatternError("invalid nested repetition operator", fragment(from: start, to: position)) }
            node = .repeat(node, least: bounds.least, most: bounds.most, greedy: greedy != flags.ungreedy)
        }
        return node
    }

    private mutating func repetition() throws(PatternError) -> (least: Int, most: Int?)? {
        switch next {
        case "*":
            position += 1
            return (0, nil)
        case "+":
            position += 1
            return (1, nil)
        case "?":
            position += 1
            return (0, 1)
        case "{":
            return try counted()
        default: return nil
        }
    }

    /// `{n}`, `{n,}`, `{n,m}`; other text that begins with a brace is literal.
    private mutating func counted() throws(PatternError) -> (least: Int, most: Int?)? {
        let start = position
        position += 1
        guard let least = number() else {
            position = start
            return nil
        }
        var most: Int? = least
        if next == "," {
            position += 1
            most = number()
        }
        guard next == "}" else {
            position = start
            return nil
        }
        position += 1
        if least > 1000 || (most ?? 0) > 1000 || (most ?? least) < least {
            throw PatternError("invalid repeat count", fragment(from: start, to: position))
        }
        return (least, most)
    }

    private mutating func number() -> Int? {
        let start = position
        while let scalar = next, (0x30...0x39).contains(scalar.value) { position += 1 }
        guard position > start else { return nil }
        return Int(fragment(from: start, to: position)) ?? 1001
    }

    /// Parses one element; nil for a group that only sets flags.
    private mutating func atom() throws(PatternError) -> PatternNode? {
        guard let scalar = next else { return .empty }
        switch scalar {
        case "(": return try group()
        case "[": return .scalar(try characterClass())
        case ".":
            position += 1
            return .scalar(flags.dotMatchesNewline ? .range(0, 0x10FFFF) : PatternClass(items: [.range(10, 10)], negated: true))
        case "^":
            position += 1
            return .assertion(flags.multiline ? .lineStart : .textStart)
        case "$":
            position += 1
            return .assertion(flags.multiline ? .lineEnd : .textEnd)
        case "\\": return try escape()
        default:
            position += 1
            return literal(scalar)
        }
    }

    private func literal(_ scalar: Unicode.Scalar) -> PatternNode {
        var set = PatternClass.range(scalar.value, scalar.value)
        set.foldsCase = flags.foldsCase
        return .scalar(set)
    }

    private mutating func group() throws(PatternError) -> PatternNode? {
        let start = position
        depth += 1
        defer { depth -= 1 }
        if depth > 500 { throw PatternError("expression nests too deeply", source) }
        position += 1
        let outer = flags
        if ahead("?") {
            if ahead("?P<") || ahead("?<") {
                try groupName(start)
            } else if try !groupFlags(start) {
                return nil
            }
        }
        let node = try alternatives()
        guard next == ")" else { throw PatternError("missing closing )", source) }
        position += 1
        flags = outer
        return node
    }

    private mutating func groupName(_ start: Int) throws(PatternError) {
        if ahead("?<=") || ahead("?<!") { throw PatternError("invalid or unsupported Perl syntax", fragment(from: start, to: start + 4)) }
        while let scalar = next, scalar != ">" {
            position += 1
            if scalar == ")" { break }
        }
        guard next == ">" else { throw PatternError("invalid named capture", fragment(from: start)) }
        position += 1
    }

    /// Parses `?flags:` or `?flags)`. Returns true when a group follows.
    private mutating func groupFlags(_ start: Int) throws(PatternError) -> Bool {
        position += 1
        var negative = false
        while let scalar = next {
            position += 1
            switch scalar {
            case "i": flags.foldsCase = !negative
            case "m": flags.multiline = !negative
            case "s": flags.dotMatchesNewline = !negative
            case "U": flags.ungreedy = !negative
            case "-" where !negative: negative = true
            case ":": return true
            case ")": return false
            default: throw PatternError("invalid or unsupported Perl syntax", fragment(from: start, to: position))
            }
        }
        throw PatternError("missing closing )", source)
    }

    // MARK: Escapes

    private mutating func escape() throws(PatternError) -> PatternNode {
        let start = position
        position += 1
        guard let scalar = next else { throw PatternError("trailing backslash at end of expression", "") }
        switch scalar {
        case "A":
            position += 1
            return .assertion(.textStart)
        case "z":
            position += 1
            return .assertion(.textEnd)
        case "b":
            position += 1
            return .assertion(.wordBoundary)
        case "B":
            position += 1
            return .assertion(.noWordBoundary)
        default: break
        }
        position = start
        if let items = try namedClass() { return .scalar(PatternClass(items: items, foldsCase: flags.foldsCase)) }
        return literal(try escapedScalar())
    }

    /// `\d`, `\W`, `\pL`, `\P{Greek}`; nil when there is no class at this position.
    mutating func namedClass() throws(PatternError) -> [PatternClass.Item]? {
        guard position + 1 < text.count else { return nil }
        let start = position
        let found: [PatternClass.Item]
        switch text[position + 1] {
        case "d": found = PatternClass.digits
        case "D": found = [.not(PatternClass.digits)]
        case "s": found = PatternClass.spaces
        case "S": found = [.not(PatternClass.spaces)]
        case "w": found = PatternClass.word
        case "W": found = [.not(PatternClass.word)]
        case "p", "P":
            var negated = text[position + 1] == "P"
            position += 2
            guard let first = next else { throw PatternError("invalid character class range", fragment(from: start)) }
            position += 1
            var name = String(Character(first))
            if first == "{" {
                name = ""
                while let scalar = next, scalar != "}" {
                    name.unicodeScalars.append(scalar)
                    position += 1
                }
                guard next == "}" else { throw PatternError("invalid character class range", fragment(from: start)) }
                position += 1
            }
            if name.hasPrefix("^") {
                negated.toggle()
                name.removeFirst()
            }
            guard let category = PatternCategory(name) else {
                throw PatternError("invalid character class range", fragment(from: start, to: position))
            }
            return [.category(category, negated: negated)]
        default: return nil
        }
        position += 2
        return found
    }

    mutating func escapedScalar() throws(PatternError) -> Unicode.Scalar {
        let start = position
        position += 1
        guard let scalar = next else { throw PatternError("trailing backslash at end of expression", "") }
        position += 1
        func bad() -> PatternError { PatternError("invalid escape sequence", fragment(from: start, to: position)) }
        switch scalar {
        case "a": return "\u{07}"
        case "f": return "\u{0C}"
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "v": return "\u{0B}"
        case "x": return try hexadecimal(start)
        case "0"..."7":
            // A single digit other than zero would be a back reference, which RE2 does not support.
            guard scalar == "0" || next.map({ ("0"..."7").contains($0) }) ?? false else { throw bad() }
            var value = scalar.value - 0x30
            var digits = 1
            while digits < 3, let digit = next, ("0"..."7").contains(digit) {
                value = value * 8 + digit.value - 0x30
                position += 1
                digits += 1
            }
            guard let result = Unicode.Scalar(value) else { throw bad() }
            return result
        default:
            guard scalar.isASCII, !scalar.properties.isAlphabetic, !("0"..."9").contains(scalar) else { throw bad() }
            return scalar
        }
    }

    private mutating func hexadecimal(_ start: Int) throws(PatternError) -> Unicode.Scalar {
        var digits = ""
        if next == "{" {
            position += 1
            while let scalar = next, scalar != "}" {
                digits.unicodeScalars.append(scalar)
                position += 1
            }
            if next == "}" { position += 1 } else { digits = "" }
        } else {
            while digits.count < 2, let scalar = next {
                digits.unicodeScalars.append(scalar)
                position += 1
            }
            if digits.count != 2 { digits = "" }
        }
        guard let value = UInt32(digits, radix: 16), let scalar = Unicode.Scalar(value) else {
            throw PatternError("invalid escape sequence", fragment(from: start, to: position))
        }
        return scalar
    }
}
