import Base
import Testing

@Suite struct JSONTests {
    @Test(
        "values are parsed and serialized unchanged",
        arguments: [
            (#"{"b":1,"a":[true,null,-2.5,"x"]}"#, #"{"a":[true,null,-2.5,"x"],"b":1}"#),
            (#" [ 1e3 , 9223372036854775807 , 9223372036854775808 ] "#, "[1000,9223372036854775807,9.223372036854776e+18]"),
            (#""\u00e9\ud83d\ude00\ud800x""#, "\"\u{e9}\u{1F600}\u{FFFD}x\""),
            (#""a\"\\\/\b\f\n\r\t""#, #""a\"\\/\u0008\u000c\n\r\t""#),
            ("{}", "{}"), ("[]", "[]"), ("\u{FEFF}1", "1"),
        ])
    func roundTrip(text: String, written: String) throws {
        let value = try JSONValue(parsing: text)
        #expect(value.text == written)
        #expect(try JSONValue(parsing: value.serialized()).text == written)
        #expect(try JSONValue(parsing: value.serialized(pretty: true)).text == written)
    }

    @Test(
        "invalid JSON is refused with its position",
        arguments: [
            ("", 1, 1), ("{", 1, 2), ("[1,]", 1, 4), ("{\"a\" 1}", 1, 6), ("01", 1, 2), ("1.", 1, 3), ("tru", 1, 1),
            ("\"\u{1}\"", 1, 2), ("[1]\n x", 2, 2), ("1e999", 1, 1), (#""\q""#, 1, 3), ("\"abc", 1, 5),
        ])
    func refused(text: String, line: Int, column: Int) {
        #expect { try JSONValue(parsing: text) } throws: { error in
            guard let error = error as? JSONSyntaxError else { return false }
            return (error.line, error.column) == (line, column)
        }
    }

    @Test func invalidUTF8IsRefused() {
        #expect(throws: JSONSyntaxError.self) { try JSONValue(parsing: [0x22, 0xFF, 0x22]) }
    }

    @Test func nestingIsBounded() {
        let deep = String(repeating: "[", count: 100_000)
        #expect(throws: JSONSyntaxError.self) { try JSONValue(parsing: deep) }
    }

    @Test func repeatedKeysAreNamed() throws {
        let text = #"{"spec":{"color":1,"color":2,"list":[{"a":1,"a":2}]}}"#
        let (value, duplicates) = try JSONValue.parseReportingDuplicates(Array(text.utf8))
        #expect(duplicates == ["spec.color", "spec.list[0].a"])
        #expect(value.at("spec", "color") == 2)
    }

    @Test func membersAreSetAndRemoved() {
        var value: JSONValue = ["a": 1]
        value.set(["b", "c"], to: "x")
        value.set(["missing", "d"], to: nil)
        value["a"] = nil
        #expect(value == ["b": ["c": "x"]])
    }

    @Test func readerProjectsWithoutTrees() throws {
        let text = #"{"kind":"List","items":[{"metadata":{"name":"a"},"spec":{"x":[1,{"y":"]"}]}},{"metadata":{"name":"b"}}]}"#
        var names: [String] = []
        var reader = JSONReader(Array(text.utf8))
        try reader.object { key, reader throws(JSONSyntaxError) in
            guard key == "items" else { return try reader.skip() }
            try reader.array { item throws(JSONSyntaxError) in
                names.append(try item.value().at("metadata", "name")?.string ?? "")
            }
        }
        try reader.end()
        #expect(names == ["a", "b"])
    }

    struct Sample: Codable, Equatable {
        struct Inner: Codable, Equatable { var n: Int; var flag: Bool? }
        var name: String
        var ratio: Double?
        var inner: [Inner]
        var free: JSONValue?
        var labels: [String: String]?
    }

    @Test func codableRoundTrip() throws {
        let sample = Sample(name: "x", ratio: 1, inner: [.init(n: 3, flag: nil)], free: ["a": [1]], labels: ["k": "v"])
        let value = try JSONValueEncoder().encode(sample)
        #expect(value.text == #"{"free":{"a":[1]},"inner":[{"n":3}],"labels":{"k":"v"},"name":"x","ratio":1}"#)
        #expect(try JSONValueDecoder().decode(Sample.self, from: JSONValue(parsing: value.text)) == sample)
    }

    @Test(
        "decoding errors name the field",
        arguments: [
            (#"{"inner":[]}"#, "name", "required"),
            (#"{"name":"x","inner":[{"n":1},{"n":"2"}]}"#, "inner[1].n", "whole number, not a string"),
            (#"{"name":"x","inner":{}}"#, "inner", "an array, not an object"),
        ])
    func decodingErrors(text: String, path: String, message: String) throws {
        let value = try JSONValue(parsing: text)
        #expect { try JSONValueDecoder().decode(Sample.self, from: value) } throws: { error in
            guard let error = error as? JSONDecodingError else { return false }
            return error.path == path && error.message.contains(message)
        }
    }
}
