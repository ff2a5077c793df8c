import Base
import Testing
import YAML

@Suite("YAML scalars, 1.2 core schema")
struct ScalarTests {
    @Test(
        "a plain scalar has the type of the core schema",
        arguments: [
            ("~", JSONValue.null), ("null", .null), ("Null", .null), ("NULL", .null), ("nULL", .string("nULL")),
            ("true", .bool(true)), ("True", .bool(true)), ("FALSE", .bool(false)), ("tRUE", .string("tRUE")),
            ("no", .string("no")), ("yes", .string("yes")), ("on", .string("on")), ("off", .string("off")),
            ("y", .string("y")), ("0", .int(0)), ("-0", .int(0)), ("+7", .int(7)), ("-12", .int(-12)),
            ("017", .int(17)), ("0o17", .int(15)), ("0o18", .string("0o18")), ("0x1F", .int(31)), ("0x1f", .int(31)),
            ("-0x1F", .string("-0x1F")), ("0xg", .string("0xg")), ("0x", .string("0x")), ("0b11", .string("0b11")),
            ("1_000", .string("1_000")), ("12:30:45", .string("12:30:45")), ("2001-12-14", .string("2001-12-14")),
            ("1.5", .double(1.5)), ("1.", .double(1)), (".5", .double(0.5)), ("-.5", .double(-0.5)), (".", .string(".")),
            ("1e3", .double(1000)), ("1e+3", .double(1000)), ("1E-3", .double(0.001)), ("1e", .string("1e")),
            ("e3", .string("e3")), ("+", .string("+")), ("1.2.3", .string("1.2.3")), ("1 2", .string("1 2")),
            ("9223372036854775807", .int(.max)), ("-9223372036854775808", .int(.min)),
            ("9223372036854775808", .double(9_223_372_036_854_775_808)), ("0xFFFFFFFFFFFFFFFF", .double(18_446_744_073_709_551_616)),
            ("==", .string("==")), ("é", .string("é")), ("nan", .string("nan")), ("inf", .string("inf")),
        ])
    func plain(text: String, expected: JSONValue) throws {
        #expect(try YAML.parse("- \(text)\n") == [.array([expected])])
    }

    @Test("quoted scalars are strings", arguments: ["1", "true", "null", "~", "0x1F", "", ".inf", "<<"])
    func quoted(text: String) throws {
        #expect(try YAML.parse("- '\(text)'\n- \"\(text)\"\n") == [.array([.string(text), .string(text)])])
    }

    @Test(
        "a tag determines the type",
        arguments: [
            ("!!str 12", JSONValue.string("12")), ("!!str true", .string("true")), ("! 12", .string("12")),
            ("!!int \"12\"", .int(12)), ("!!float 3", .double(3)), ("!!float 3.5", .double(3.5)), ("!!bool \"true\"", .bool(true)),
            ("!!null ''", .null), ("!!null ~", .null), ("!!seq [1]", .array([.int(1)])), ("!!map {a: 1}", .object(["a": .int(1)])),
            ("!!timestamp 2001-12-14", .string("2001-12-14")),
        ])
    func tags(text: String, expected: JSONValue) throws {
        #expect(try YAML.parse("- \(text)\n") == [.array([expected])])
    }

    @Test(
        "values that JSON cannot represent are refused with their position",
        arguments: [
            (".inf", "JSON cannot hold .inf"), ("-.INF", "JSON cannot hold"), (".nan", "JSON cannot hold"),
            ("1e999", "too large"), ("!!int x", "not of the type"), ("!!bool yes", "not of the type"),
            ("!!binary aGk=", "tag !!binary is not supported"), ("!thing x", "tag !thing is not supported"),
            ("!!set {a}", "not supported"), ("!!omap [a]", "not supported"),
        ])
    func refused(text: String, message: String) throws {
        let error = try #require(throws: YAMLError.self) { try YAML.parse("a: 1\nb: \(text)\n") }
        #expect(error.message.contains(message))
        #expect(error.line == 2)
        #expect(error.column == 4)
    }
}
