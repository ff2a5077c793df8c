import Base
import Testing
import YAML

@Suite("YAML emitter")
struct EmitterTests {
    @Test("block style, keys sorted, quotes only where needed")
    func shape() {
        let value: JSONValue = [
            "kind": "EvalJob", "apiVersion": "assay.dev/v1alpha1",
            "spec": [
                "agents": [["name": "oracle"], ["name": "no", "execute": "set -e\necho hi\n"]],
                "nested": [[1, 2], []], "empty": [:], "none": nil, "ok": true, "half": 0.5, "image": "rootfs:/",
                "version": "1.0", "time": "12:30", "text": "it's a test", "colon": "a: b", "glob": "*.txt",
            ],
        ]
        #expect(
            YAML.emit(value) == """
                apiVersion: assay.dev/v1alpha1
                kind: EvalJob
                spec:
                  agents:
                  - name: oracle
                  - execute: |
                      set -e
                      echo hi
                    name: "no"
                  colon: "a: b"
                  empty: {}
                  glob: "*.txt"
                  half: 0.5
                  image: rootfs:/
                  nested:
                  - - 1
                    - 2
                  - []
                  none: null
                  ok: true
                  text: it's a test
                  time: "12:30"
                  version: "1.0"

                """)
    }

    @Test(
        "strings that look like other types stay strings",
        arguments: [
            "", " ", "no", "Yes", "on", "null", "~", "true", "1", "0x1F", "0o7", "017", "1_000", "1e3", ".5", ".inf", ".nan", "-1", "+1",
            "1:30", "2001-12-14", "2001-12-14 21:59:43.10", "<<", "=", "-", "- a", "?", "? a", ":", ":a", "a:", "a: b", "a #b", "#a",
            "&a", "*a", "!a", "|", ">", "'a'", "\"a\"", "%a", "@a", "`a`", "[a]", "{a}", ",", "---", "...", "--- a", "... a", " a", "a ",
            "a\n", "a\nb", "a\nb\n", "a\nb\n\n\n", "\na", "\n", "\n\n", " a\nb", "a\n b\n", "a\n\tb", "\ta", "a\tb", "a\n  \nb", "a\r\nb",
            "\u{0}", "\u{7F}", "\u{85}", "\u{A0}", "\u{2028}x", "\u{FEFF}a", "é", "日本語", "🙂", "a\u{FFFE}", "\\", "\"", "a\\nb", "y", "N",
        ])
    func awkward(text: String) throws {
        for value: JSONValue in [
            .string(text), [.string(text)], .object(["k": .string(text)]), .object([text: "v"]),
            [.object([text: [.string(text)]])],
        ] {
            let written = YAML.emit(value)
            #expect(try YAML.parseSingle(written) == value, "\(written)")
        }
    }

    @Test("long keys and long strings are unchanged")
    func long() throws {
        let long = String(repeating: "word ", count: 1000) + "end"
        let value: JSONValue = .object([long: .object([long: [.string(long), [:]]]), "k": .string(long)])
        #expect(try YAML.parseSingle(YAML.emit(value)) == value)
    }

    @Test(
        "numbers keep their type and value",
        arguments: [
            JSONValue.int(0), .int(.min), .int(.max), .double(0), .double(-0.0), .double(3), .double(0.1), .double(1e16), .double(1e-7),
            .double(.leastNonzeroMagnitude), .double(.greatestFiniteMagnitude), .double(-2.5),
        ])
    func numbers(value: JSONValue) throws {
        #expect(try YAML.parseSingle(YAML.emit(["n": value])) == ["n": value])
    }

    @Test("several documents")
    func several() throws {
        let documents: [JSONValue] = [["a": 1], "text", [1, 2], nil, "a\nb"]
        #expect(try YAML.parse(YAML.emit(documents: documents)) == documents)
    }

    @Test("random values are unchanged after emitting and parsing", arguments: 0..<40)
    func roundTrip(seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed) &* 0x9E37_79B9 &+ 17)
        for _ in 0..<50 {
            let value = anyValue(depth: 4, using: &random)
            let written = YAML.emit(value)
            #expect(try YAML.parseSingle(written) == value, "\(written)")
        }
    }

    @Test("random bytes are either parsed or refused", arguments: 0..<20)
    func anyBytes(seed: Int) {
        var random = SeededRandom(seed: UInt64(seed) &+ 99)
        let pieces = [
            "a", ": ", "- ", "\n", "  ", "[", "]", "{", "}", ",", "&a ", "*a", "<<", "!!int ", "'", "\"", "|\n", "? ", "#", "\t", "1", "~", "---\n",
            "\u{0}", "é",
        ]
        for _ in 0..<200 {
            let text = (0..<Int.random(in: 0..<25, using: &random)).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
            guard let value = try? YAML.parse(text) else { continue }
            #expect((try? YAML.parse(YAML.emit(documents: value))) == value, "\(text)")
        }
    }

    private func anyValue(depth: Int, using random: inout SeededRandom) -> JSONValue {
        switch Int.random(in: 0..<(depth > 0 ? 9 : 6), using: &random) {
        case 0: .null
        case 1: .bool(Bool.random(using: &random))
        case 2: .int(Int64.random(in: .min ... .max, using: &random))
        case 3: .double(Double.random(in: -1e9...1e9, using: &random))
        case 4, 5: .string(anyText(using: &random))
        case 6: .array((0..<Int.random(in: 0..<4, using: &random)).map { _ in anyValue(depth: depth - 1, using: &random) })
        default:
            .object(
                Dictionary(
                    (0..<Int.random(in: 0..<4, using: &random)).map { _ in
                        (anyText(using: &random), anyValue(depth: depth - 1, using: &random))
                    }
                ) { first, _ in first })
        }
    }

    private func anyText(using random: inout SeededRandom) -> String {
        let alphabet = [
            "a", "Z", "0", "7", " ", " ", "\n", "\n", "\t", ":", "#", "-", "'", "\"", "\\", "{", "[", ",", "&", "*", "!", "|", ">", "%", "@", ".",
            "é", "\u{1F}", "\u{2029}", "🙂", "\r",
        ]
        return (0..<Int.random(in: 0..<10, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? "" }.joined()
    }
}
