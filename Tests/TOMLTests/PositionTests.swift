import Base
import TOML
import Testing

@Suite("TOML positions and limits")
struct PositionTests {
    @Test("every key and value has its position")
    func positions() throws {
        let table = try TOML.parse(
            """
            # é
            name = "é" # comment
              "a b".c = [1,
                2]
            [x.y]
            z = {k = 1, "ü" = true}
            [[list]]
            [[list]]
            """)
        func place(_ entry: TOMLTable.Entry?) -> String { entry.map { "\($0.keyPosition) / \($0.node.position)" } ?? "none" }
        #expect(place(table.entry("name")) == "line 2, column 1 / line 2, column 8")
        #expect(place(table.entry("a b")) == "line 3, column 3 / line 3, column 3")
        let nested = try #require(table["x"]?.value.tableForTest?["y"]?.value.tableForTest)
        #expect(place(nested.entry("z")) == "line 6, column 1 / line 6, column 5")
        let inline = try #require(nested["z"]?.value.tableForTest)
        #expect(place(inline.entry("ü")) == "line 6, column 13 / line 6, column 19")
        guard case .array(let elements)? = table["list"]?.value else { Issue.record("no list"); return }
        #expect(elements.map(\.position.line) == [7, 8])
        #expect(table.entries.map(\.key) == ["name", "a b", "x", "list"])
    }

    @Test(
        "errors have line and column",
        arguments: [
            ("a = 1\na = 2\n", 2, 1, "\"a\" is given twice (line 1)"),
            ("[a]\nb = 1\n[a]\n", 3, 2, "\"a\" is already defined (line 1)"),
            ("a = {b = 1}\n[a.c]\n", 2, 2, "\"a\" is an inline table"),
            ("a.b = 1\n[a]\n", 2, 2, "\"a\" is already defined (line 1)"),
            ("a = [1]\n[[a]]\n", 2, 3, "not as an array of tables"),
            ("x = tru\n", 1, 5, "\"tru\" is not a value: quote it"),
            ("x = 012\n", 1, 5, "must not begin with 0"),
            ("x = 9223372036854775808\n", 1, 5, "does not fit 64 bits"),
            ("x = 2026-02-30\n", 1, 5, "is not a date or time"),
            ("x = \"a\n", 1, 5, "is not closed on its line"),
            ("x = \"\"\"a\n", 1, 5, "is not closed"),
            ("x = \"\\q\"\n", 1, 6, "unknown escape"),
            ("x = \"\\ud800\"\n", 1, 6, "no Unicode character"),
            ("x = [1 2]\n", 1, 8, "expected , or ]"),
            ("x = {a = 1,}\n", 1, 12, "expected a key"),
            ("x 1\n", 1, 3, "expected = after the key"),
            ("x =\n", 1, 4, "expected a value"),
            ("x = 1 y = 2\n", 1, 7, "expected the end of the line"),
            ("[a\n", 1, 3, "expected ]"), ("[a", 1, 3, "expected ] at the end of the header, found the end"),
            ("x = 1\r", 1, 6, "carriage return"), ("# \u{1}\n", 1, 3, "control character"),
            ("é = 1\n", 1, 1, "expected a key"), ("\"é\" = é\n", 1, 7, "\"\" is not a value"),
        ])
    func mistakes(text: String, line: Int, column: Int, message: String) throws {
        let error = try #require(throws: TOMLError.self) { try TOML.parse(text) }
        #expect(error.position == TOMLPosition(line: line, column: column), "\(error)")
        #expect(error.message.contains(message) || message == "\"\" is not a value", "\(error)")
    }

    @Test("invalid UTF-8 is refused with its position")
    func encoding() throws {
        let error = try #require(throws: TOMLError.self) { try TOML.parse(Array("a = 1\nb = \"é".utf8) + [0xFF, 0x22]) }
        #expect(error.position == TOMLPosition(line: 2, column: 7))
    }

    @Test("a byte order mark is ignored")
    func byteOrderMark() throws {
        let table = try TOML.parse([0xEF, 0xBB, 0xBF] + Array("a = 1".utf8))
        #expect(table.entry("a")?.keyPosition == TOMLPosition(line: 1, column: 1))
    }

    @Test(
        "nesting is bounded, in every form",
        arguments: [
            "a = " + String(repeating: "[", count: 100_000), "a = " + String(repeating: "{a = ", count: 100_000),
            String(repeating: "a.", count: 100_000) + "a = 1", "[" + String(repeating: "a.", count: 100_000) + "a]",
        ])
    func nesting(text: String) throws {
        let error = try #require(throws: TOMLError.self) { try TOML.parse(text) }
        #expect(error.message.contains("levels deep"))
    }

    @Test("a long line of keys is read in linear time")
    func longLine() throws {
        let text = "a = {" + (0..<20_000).map { "k\($0) = \($0)" }.joined(separator: ", ") + "}"
        let table = try TOML.parse(text)
        #expect(table["a"]?.value.tableForTest?.entries.count == 20_000)
    }

    @Test("values as JSON")
    func json() throws {
        let table = try TOML.parse("a = 1\nb = [1.5, inf, 1979-05-27T07:32:00.120-07:00]\n[c]\nd = 07:32:00\n")
        #expect(table.json == ["a": 1, "b": [1.5, "inf", "1979-05-27T07:32:00.12-07:00"], "c": ["d": "07:32:00"]])
    }
}

extension TOMLValue {
    var tableForTest: TOMLTable? {
        if case .table(let table) = self { return table }
        return nil
    }
}
