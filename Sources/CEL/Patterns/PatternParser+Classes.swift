/// Character classes in brackets.
extension PatternParser {
    private static let posix: [String: [PatternClass.Item]] = [
        "alnum": [.range(0x30, 0x39), .range(0x41, 0x5A), .range(0x61, 0x7A)], "alpha": [.range(0x41, 0x5A), .range(0x61, 0x7A)],
        "ascii": [.range(0, 0x7F)], "blank": [.range(9, 9), .range(32, 32)], "cntrl": [.range(0, 0x1F), .range(0x7F, 0x7F)],
        "digit": PatternClass.digits, "graph": [.range(0x21, 0x7E)], "lower": [.range(0x61, 0x7A)], "print": [.range(0x20, 0x7E)],
        "punct": [.range(0x21, 0x2F), .range(0x3A, 0x40), .range(0x5B, 0x60), .range(0x7B, 0x7E)],
        "space": [.range(9, 13), .range(32, 32)], "upper": [.range(0x41, 0x5A)], "word": PatternClass.word,
        "xdigit": [.range(0x30, 0x39), .range(0x41, 0x46), .range(0x61, 0x66)],
    ]

    mutating func characterClass() throws(PatternError) -> PatternClass {
        let start = position
        position += 1
        var set = PatternClass()
        set.foldsCase = flags.foldsCase
        if next == "^" {
            position += 1
            set.negated = true
        }
        var first = true
        while let scalar = next, scalar != "]" || first {
            first = false
            if ahead("[:"), let items = try posixClass() {
                set.items += items
                continue
            }
            if scalar == "\\", let items = try namedClass() {
                set.items += items
                continue
            }
            let rangeStart = position
            let low = try classScalar(start)
            var high = low
            if next == "-", position + 1 < text.count, text[position + 1] != "]" {
                position += 1
                high = try classScalar(start)
                if high < low { throw PatternError("invalid character class range", fragment(from: rangeStart, to: position)) }
            }
            set.items.append(.range(low.value, high.value))
        }
        guard next == "]" else { throw PatternError("missing closing ]", fragment(from: start)) }
        position += 1
        return set
    }

    private mutating func classScalar(_ start: Int) throws(PatternError) -> Unicode.Scalar {
        guard let scalar = next else { throw PatternError("missing closing ]", fragment(from: start)) }
        if scalar == "\\" { return try escapedScalar() }
        position += 1
        return scalar
    }

    private mutating func posixClass() throws(PatternError) -> [PatternClass.Item]? {
        let start = position
        var end = position + 2
        while end + 1 < text.count, !(text[end] == ":" && text[end + 1] == "]") { end += 1 }
        guard end + 1 < text.count else { return nil }
        var name = fragment(from: position + 2, to: end)
        let negated = name.hasPrefix("^")
        if negated { name.removeFirst() }
        guard let items = Self.posix[name] else { throw PatternError("invalid character class range", fragment(from: start, to: end + 2)) }
        position = end + 2
        return negated ? [.not(items)] : items
    }
}
