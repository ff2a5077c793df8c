import Base
import Testing

@Suite struct JSONProjectionTests {
    private func read(_ text: String, _ projection: JSONProjection) throws -> JSONValue {
        try JSONValue(parsing: Array(text.utf8), keeping: projection)
    }

    @Test(
        "only the named parts are built",
        arguments: [
            (#"{"a":1,"b":{"c":[1,{"d":"}"}]},"e":"x"}"#, #"{"a":1,"e":"x"}"#),
            (#"{"list":[{"a":1,"b":2},{"b":3},7]}"#, #"{"list":[{"a":1},{},7]}"#),
            (#"{"list":{"a":[1],"b":2}}"#, #"{"list":{"a":[1]}}"#),
            (#"{"list":null,"missing":1}"#, #"{"list":null}"#),
            (#"[{"a":1,"b":2}]"#, #"[{"a":1}]"#), ("7", "7"), (#""x""#, #""x""#),
            // Of a repeated key the last value is used, as everywhere.
            (#"{"a":1,"b":1,"a":2,"b":2}"#, #"{"a":2}"#),
            (#"{"\u0061":1,"\u0062":2}"#, #"{"a":1}"#),
        ])
    func parts(text: String, kept: String) throws {
        let projection = JSONProjection.only(["a": .everything, "e": .everything, "list": .keys("a")])
        #expect(try read(text, projection).text == kept)
        #expect(try read(text, .everything) == JSONValue(parsing: text))
    }

    static let refused =
        [
            "{", "[1,]", #"{"x" 1}"#, #"{"x":1,}"#, "{x:1}", "01", "1.", "-", "1e", "tru", "nul", "1e999", #""\q""#, #""\u12g4""#, #""\ud83d\u12""#,
            "\"abc", "\"\u{1}\"", "\"é\u{1}\"", "[1 2]", "]", #"{"x":"\"}"#, String(repeating: "[", count: 600),
        ].map { Array($0.utf8) } + [[0x22, 0xFF, 0x22], [0x22, 0xC3, 0x5C, 0x6E, 0xA9, 0x22], [0x22, 0xC3, 0x22]]

    @Test("skipped parts are validated like the others: the same error at the same place", arguments: refused)
    func checked(bad: [UInt8]) throws {
        for (before, after) in [("", ""), (#"{"kept":1,"dropped":"#, "}"), (#"{"dropped":{"x":["#, "]}}")] {
            let text = Array(before.utf8) + bad + Array(after.utf8)
            let whole = #expect(throws: JSONSyntaxError.self) { try JSONValue(parsing: text) }
            let projected = #expect(throws: JSONSyntaxError.self) { try JSONValue(parsing: text, keeping: .keys("kept")) }
            let skipped = #expect(throws: JSONSyntaxError.self) {
                var reader = JSONReader(text)
                try reader.skip()
                try reader.end()
            }
            #expect(projected == whole)
            #expect(skipped == whole)
        }
    }

    @Test("every value of a repeated key that is dropped is validated")
    func repeatedAndBad() {
        #expect(throws: JSONSyntaxError.self) { try read(#"{"a":1,"b":1,"b":tru}"#, .keys("a")) }
    }

    @Test("data after the document is refused")
    func trailing() {
        #expect(throws: JSONSyntaxError.self) { try read("{} x", .keys("a")) }
    }

    @Test(
        "strings of all kinds are read",
        arguments: [
            (#""""#, ""), (#""plain""#, "plain"), (#""é😀""#, "é😀"), (#""é\né""#, "é\né"), (#""\u00e9a\ud83d\ude00""#, "éa😀"),
            (#""\ud800\ud800x""#, "\u{FFFD}\u{FFFD}x"), (#""\b\f\n\r\t\/\\\"""#, "\u{8}\u{C}\n\r\t/\\\""), (#""{\"reward\":1}""#, #"{"reward":1}"#),
            ("\"\u{7F}\u{80}\"", "\u{7F}\u{80}"),
        ])
    func strings(text: String, value: String) throws {
        #expect(try JSONValue(parsing: text) == .string(value))
        var reader = JSONReader(Array(text.utf8))
        try reader.skip()
        #expect(reader.offset == text.utf8.count)
    }

    @Test(
        "whole numbers of any length",
        arguments: [
            ("0", JSONValue.int(0)), ("-0", .int(0)), ("-7", .int(-7)), ("999999999999999999", .int(999_999_999_999_999_999)),
            ("-99999999999999999", .int(-99_999_999_999_999_999)), ("9223372036854775807", .int(.max)), ("-9223372036854775808", .int(.min)),
            ("9223372036854775808", .double(9_223_372_036_854_775_808)), ("1.0", .double(1)), ("10e2", .double(1000)),
        ])
    func numbers(text: String, value: JSONValue) throws {
        #expect(try JSONValue(parsing: text) == value)
    }

    /// This would take many minutes if the object were copied for each key.
    @Test("objects and arrays of many members are encoded in time", .timeLimit(.minutes(1)))
    func large() throws {
        let numbers = 0..<100_000
        let members = try JSONValueEncoder().encode(Dictionary(uniqueKeysWithValues: numbers.map { ("k\($0)", $0) }))
        #expect(members.object?.count == numbers.count)
        #expect(members["k99999"] == 99_999)
        #expect(try JSONValueEncoder().encode(Array(numbers))[99_999] == 99_999)
    }
}
