import Testing

@testable import CEL

/// What a pattern finds in a text; nil: no match.
struct PatternRow: Sendable, CustomStringConvertible {
    let pattern: String
    let text: String
    let match: String?
    var description: String { "\(pattern) in \(text)" }
    init(_ pattern: String, _ text: String, _ match: String?) {
        self.pattern = pattern
        self.text = text
        self.match = match
    }
}

@Suite("Patterns")
struct PatternTests {
    static let rows: [PatternRow] = [
        PatternRow("abc", "xabcx", "abc"), PatternRow("^abc$", "xabcx", nil), PatternRow("a|ab", "ab", "a"),
        PatternRow("(a|ab)(c|bcd)", "abcd", "abcd"),
        PatternRow("a*", "baaa", ""), PatternRow("a+", "baaa", "aaa"), PatternRow("a+?", "baaa", "a"), PatternRow("a{2}", "aaa", "aa"),
        PatternRow("a{2,}", "aaaa", "aaaa"), PatternRow("a{1,2}?", "aaa", "a"), PatternRow("a{,2}", "a{,2}", "a{,2}"), PatternRow("x{", "x{", "x{"),
        PatternRow("[a-c]+", "xxabcabd", "abcab"), PatternRow("[^a-c]+", "abxyc", "xy"), PatternRow("[]a]+", "]a]", "]a]"),
        PatternRow("[a-]+", "a-a", "a-a"),
        PatternRow(#"\d+\.\d*"#, "v1.25", "1.25"), PatternRow(#"[\w.]+"#, "<a.b_1>", "a.b_1"), PatternRow(#"[^\s]+"#, " hi ", "hi"),
        PatternRow(#"[\D]+"#, "12ab3", "ab"),
        PatternRow(#"\bfoo\b"#, "a foo b", "foo"), PatternRow(#"\bfoo\b"#, "afoo", nil), PatternRow(#"\Boo"#, "foo", "oo"),
        PatternRow("(?i)ABC", "xabcx", "abc"),
        PatternRow("(?i:a)B", "AB", "AB"), PatternRow("(?i:a)B", "Ab", nil), PatternRow("a.c", "a\nc", nil), PatternRow("(?s)a.c", "a\nc", "a\nc"),
        PatternRow("(?m)^b$", "a\nb\nc", "b"), PatternRow("^b$", "a\nb\nc", nil), PatternRow("$", "a\n", ""), PatternRow("a$", "a\n", nil),
        PatternRow("[[:alpha:]]+", "1ab2", "ab"), PatternRow("[[:^digit:]]+", "12ab", "ab"), PatternRow(#"\p{Lu}+"#, "abÀB", "ÀB"),
        PatternRow(#"\PL+"#, "ab12c", "12"),
        PatternRow(#"\x41\x{1F600}"#, "A😀", "A😀"), PatternRow(#"\Qa.b\E+"#, "a.bb", "a.bb"), PatternRow(#"\141"#, "a", "a"),
        PatternRow("(?P<name>a)", "a", "a"),
        PatternRow("(?:a|b)+", "xabba", "abba"), PatternRow("(a*)*", "aaa", "aaa"), PatternRow("(a*)+b", "aaab", "aaab"),
        PatternRow("(|a)+", "aaa", ""),
        PatternRow("é", "cafe\u{301}", nil), PatternRow("^.$", "é", "é"), PatternRow("^.$", "e\u{301}", nil), PatternRow("(?U)a+", "aaa", "a"),
    ]

    @Test("matches as RE2 does", arguments: rows)
    func match(row: PatternRow) throws {
        let pattern = try Pattern(row.pattern)
        let found = pattern.firstMatch(in: row.text)
        #expect(found.map { Array($0.unicodeScalars) } == row.match.map { Array($0.unicodeScalars) })
        #expect(pattern.matches(row.text) == (row.match != nil))
    }

    @Test(
        "refuses what RE2 refuses",
        arguments: [
            ("(a", "missing closing )"), ("a)", "unexpected )"), ("[a", "missing closing ]"), ("*a", "missing argument to repetition operator"),
            ("a**", "invalid nested repetition operator"), ("a{2}{3}", "invalid nested repetition operator"), ("a{1001}", "invalid repeat count"),
            (#"\1"#, "invalid escape sequence"), (#"\8"#, "invalid escape sequence"), ("(?=a)", "invalid or unsupported Perl syntax"),
            ("(?<!a)", "invalid or unsupported Perl syntax"), ("[b-a]", "invalid character class range"),
            (#"\p{Nope}"#, "invalid character class range"),
            ("[[:nope:]]", "invalid character class range"), ("a\\", "trailing backslash"), (#"\xZZ"#, "invalid escape sequence"),
            ("((a{1000}){1000}){1000}", "expression too large"),
        ])
    func refusal(pattern: String, reason: String) {
        let error = #expect(throws: PatternError.self) { try Pattern(pattern) }
        #expect(error?.description.contains(reason) ?? false, "\(error?.description ?? "accepted")")
    }

    @Test("all matches, without overlap")
    func all() throws {
        #expect(try Pattern("[0-9]+").allMatches(in: "1 22 333") == ["1", "22", "333"])
        #expect(try Pattern("[0-9]+").allMatches(in: "1 22 333", limit: 2) == ["1", "22"])
        #expect(try Pattern("a*").allMatches(in: "baac") == ["", "aa", ""])
    }

    @Test("patterns on which a backtracking matcher stalls take time proportional to the text")
    func linear() throws {
        let text = String(repeating: "a", count: 2000)
        #expect(try !Pattern("(a+)+$").matches(text + "b"))
        #expect(try !Pattern("^(a|aa)+$").matches(text + "b"))
        #expect(try Pattern("(a?){50}a{50}").matches(text))
    }
}
