import Base
import Testing
import YAML

@Suite("YAML structure")
struct StructureTests {
    @Test(
        "documents",
        arguments: [
            ("", []), ("# only a comment\n", []), ("---\n", [JSONValue.null]), ("a: 1", [.object(["a": .int(1)])]),
            ("--- 1\n--- 2\n", [.int(1), .int(2)]), ("a: 1\n---\n# nothing\n---\nb: 2\n", [["a": 1], nil, ["b": 2]]),
            ("%YAML 1.2\n---\na: 1\n...\n", [["a": 1]]), ("\u{FEFF}a: 1\n", [["a": 1]]), ("a: 1\r\nb: 2\r\n", [["a": 1, "b": 2]]),
        ] as [(String, [JSONValue])])
    func documents(text: String, expected: [JSONValue]) throws {
        #expect(try YAML.parse(text) == expected)
    }

    @Test("documents() leaves out empty documents, parseSingle requires exactly one")
    func single() throws {
        let two = "a: 1\n---\n# nothing\n---\nb: 2\n"
        #expect(try YAML.documents(Array(two.utf8)).count == 2)
        #expect(throws: YAMLError.self) { try YAML.parseSingle(two) }
        #expect(try YAML.parseSingle("---\n# c\n---\na: 1\n") == ["a": 1])
        #expect(try YAML.parseSingle("") == .null)
    }

    @Test("collections, block and flow")
    func collections() throws {
        let text = """
            spec:
              agents:
              - name: one
                env: {A: "1", B: }
              - {name: two, install: |
                  literal
                }
              script: |
                set -e
                  echo "hi: #1"

              folded: >-
                one
                two
              empty: []
            """
        // A literal block is not allowed inside a flow mapping; that is libyaml's message.
        #expect(throws: YAMLError.self) { try YAML.parse(text) }
        let valid = text.replacing("{name: two, install: |\n      literal\n    }", with: "{name: two}")
        #expect(
            try YAML.parseSingle(valid) == [
                "spec": [
                    "agents": [["name": "one", "env": ["A": "1", "B": nil]], ["name": "two"]],
                    "script": "set -e\n  echo \"hi: #1\"\n", "folded": "one two", "empty": [],
                ]
            ])
    }

    @Test(
        "keys become strings",
        arguments: [
            ("1: a", "1"), ("0x10: a", "16"), ("true: a", "true"), ("on: a", "on"), ("1.0: a", "1.0"), ("'~': a", "~"),
            ("? k\n: a", "k"), ("&x k: a", "k"), ("2001-01-01: a", "2001-01-01"),
        ])
    func keys(text: String, key: String) throws {
        #expect(try YAML.parseSingle(text) == .object([key: "a"]))
    }

    @Test("anchors, aliases and merges")
    func aliases() throws {
        let text = """
            base: &base {cpu: 1, memory: 2}
            extra: &extra {memory: 3, disk: 4}
            one: *base
            two:
              <<: *base
              memory: 9
            three:
              cpu: 7
              <<: [*base, *extra]
            list: [&s text, *s]
            quoted: {"<<": *s}
            """
        let value = try YAML.parseSingle(text)
        #expect(value["one"] == ["cpu": 1, "memory": 2])
        #expect(value["two"] == ["cpu": 1, "memory": 9])
        #expect(value["three"] == ["cpu": 7, "memory": 2, "disk": 4])
        #expect(value["list"] == ["text", "text"])
        #expect(value["quoted"] == ["<<": "text"])
    }

    @Test("an anchor may be redefined and is valid only in its document")
    func anchorScope() throws {
        #expect(try YAML.parseSingle("[&a 1, *a, &a 2, *a]") == [1, 1, 2, 2])
        #expect(throws: YAMLError.self) { try YAML.parse("&a 1\n---\n*a\n") }
    }

    @Test(
        "errors have line and column",
        arguments: [
            ("a: 1\nb: 2\na: 3\n", 3, 1, "the key \"a\" is given twice (first on line 1)"),
            ("spec:\n  x: {k: 1, k: 2}\n", 2, 13, "the key \"k\" is given twice"),
            ("1: a\n\"1\": b\n", 2, 1, "given twice"),
            ("a: *nowhere\n", 1, 4, "no anchor &nowhere"),
            ("a: &x [1, *x]\n", 1, 11, "is inside the node it refers to"),
            ("<<: 1\n", 1, 5, "<< takes a mapping"),
            ("x: &x {a: 1}\ny:\n  <<: *x\n  <<: *x\n", 4, 3, "<< is given twice"),
            ("[a]: 1\n", 1, 1, "must be a string, not a collection"),
            ("~: 1\n", 1, 1, "must not be null"),
            ("a: [1, 2\n", 2, 1, "flow sequence"),
            ("a:\n\t- 1\n", 2, 1, "cannot start any token"),
            ("a: b: c\n", 1, 5, "mapping values are not allowed"),
            ("a: \"x\n", 2, 1, "quoted scalar"),
            ("a: !!seq {b: 1}\n", 1, 4, "not supported"),
        ])
    func mistakes(text: String, line: Int, column: Int, message: String) throws {
        let error = try #require(throws: YAMLError.self) { try YAML.parse(text) }
        #expect(error.message.contains(message), "\(error)")
        #expect(error.line == line, "\(error)")
        #expect(error.column == column, "\(error)")
        #expect(error.description.hasPrefix("line \(line), column \(column): "))
    }

    @Test("invalid UTF-8 is refused with its position")
    func encoding() throws {
        let bytes = Array("a: 1\nb: x".utf8) + [0xFF, 0x0A]
        let error = try #require(throws: YAMLError.self) { try YAML.parse(bytes) }
        #expect(error.line == 2)
        #expect(error.column == 5)
    }

    @Test("aliases cannot expand without bound")
    func billionLaughs() throws {
        var text = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n"
        for level in 1...9 {
            text += "a\(level): &a\(level) [" + Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", ") + "]\n"
        }
        let error = try #require(throws: YAMLError.self) { try YAML.parse(text) }
        #expect(error.message.contains("expand to more than is allowed"))

        let long = "a: &a " + String(repeating: "x", count: 100_000) + "\nb: [" + Array(repeating: "*a", count: 1000).joined(separator: ", ") + "]\n"
        #expect(throws: YAMLError.self) { try YAML.parse(long) }
    }

    @Test("nesting cannot overflow the stack, with or without aliases")
    func nesting() throws {
        let deep = String(repeating: "[", count: 5000)
        #expect(throws: YAMLError.self) { try YAML.parse(deep) }
        let allowed = String(repeating: "[", count: 200) + String(repeating: "]", count: 200)
        #expect(try YAML.parse(allowed).count == 1)
        let chain = "[&a0 [], " + (1...400).map { "&a\($0) [*a\($0 - 1)]" }.joined(separator: ", ") + "]"
        let error = try #require(throws: YAMLError.self) { try YAML.parse(chain) }
        #expect(error.message.contains("levels deep"))
    }
}
