import Base
import Testing
import YAML

/// YAML 1.2 has only two ends of lines; libyaml, which reads YAML 1.1, has three more.
@Suite("YAML line separators of 1.1 are text")
struct SeparatorTests {
    static let separators = ["\u{85}", "\u{2028}", "\u{2029}"]

    @Test("as they are, in each style", arguments: separators)
    func raw(separator: String) throws {
        let text = "a\(separator)b"
        #expect(
            try YAML.parse("- \"\(text)\"\n- '\(text)'\n- \(text)\n- |-\n  \(text)\n- >-\n  \(text)\n") == [
                .array(Array(repeating: .string(text), count: 5))
            ])
    }

    @Test(
        "escaped",
        arguments: [("\\N", "\u{85}"), ("\\x85", "\u{85}"), ("\\u0085", "\u{85}"), ("\\L", "\u{2028}"), ("\\P", "\u{2029}"), ("\\u2028", "\u{2028}")])
    func escaped(escape: String, separator: String) throws {
        #expect(try YAML.parse("- \"a\(escape)b\"\n") == [.array([.string("a\(separator)b")])])
        #expect(try YAML.parse("- \"\(escape) \(escape)\"\n") == [.array([.string("\(separator) \(separator)")])])
    }

    @Test("beside each other, in keys, in comments, and beside the private-use characters that stand for them", arguments: separators)
    func together(separator: String) throws {
        let text = "\u{100000}\(separator)\(separator)\u{100001}x\u{10FFFD}"
        #expect(try YAML.parse("# \(separator) a comment\n\"\(text)\": '\(text)'\n") == [.object([text: .string(text)])])
    }

    @Test("written and read back", arguments: separators)
    func roundTrip(separator: String) throws {
        let value = JSONValue.array([.string("a\(separator)b"), .string("line\n\(separator)\nline"), .string(separator)])
        #expect(try YAML.parseSingle(YAML.emit(value)) == value)
    }

    @Test("a mistake after one has the line that an editor shows")
    func position() {
        let error = #expect(throws: YAMLError.self) { try YAML.parse("a: \"x\u{2028}y\"\nb: [\n") }
        #expect(error?.line == 3)
    }

    @Test("bytes that are no UTF-8 are an error, not a crash")
    func invalid() {
        #expect(throws: YAMLError.self) { try YAML.parse([0x61, 0x3A, 0x20, 0xC2, 0x85, 0xFF, 0x0A]) }
        #expect(throws: YAMLError.self) { try YAML.parse([0x61, 0x3A, 0x20, 0xC2]) }
    }
}

@Suite("YAML with scalars as they are written")
struct TextTests {
    @Test func scalars() throws {
        let text = "a: 1.10\nb: yes\nc: 0x1F\nd: ~\ne:\nf: 'null'\ng: !!int 7\nh: [1, {i: true}]\n"
        let value = try YAML.parseSingleAsTexts(Array(text.utf8))
        #expect(
            value == ["a": "1.10", "b": "yes", "c": "0x1F", "d": nil, "e": nil, "f": "null", "g": 7, "h": ["1", ["i": "true"]]])
    }
}
