import Base
import Testing

@testable import CEL
@testable import KubeSchema

/// An object with a field of every type, and a rule about it.
enum CELSubject {
    static let properties: JSONValue = [
        "s": ["type": "string"], "i": ["type": "integer"], "d": ["type": "number"], "b": ["type": "boolean"],
        "l": ["type": "array", "items": ["type": "string"]], "li": ["type": "array", "items": ["type": "integer"]],
        "m": ["type": "object", "additionalProperties": ["type": "string"]],
        "o": [
            "type": "object",
            "properties": [
                "x": ["type": "string"], "namespace": ["type": "string"], "a-b": ["type": "string"],
                "n": ["type": "string", "nullable": true],
            ],
        ],
        "set": ["type": "array", "x-kubernetes-list-type": "set", "items": ["type": "string"]],
        "ml": [
            "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
            "items": ["type": "object", "required": ["k"], "properties": ["k": ["type": "string"], "v": ["type": "integer"]]],
        ],
        "ios": ["x-kubernetes-int-or-string": true], "t": ["type": "string", "format": "date-time"],
        "dur": ["type": "string", "format": "duration"], "any": ["type": "object", "x-kubernetes-preserve-unknown-fields": true],
    ]

    static let value: JSONValue = [
        "s": "hello wörld", "i": 7, "d": 2.5, "b": true, "l": ["a", "b", "c"], "li": [3, 1, 2], "m": ["k1": "v1", "k2": "v2"],
        "o": ["x": "y", "namespace": "ns", "a-b": "dash", "n": nil], "set": ["q", "p"], "ml": [["k": "a", "v": 1], ["k": "b"]],
        "ios": "5%", "t": "2026-03-04T05:06:07.089Z", "dur": "1h30m", "any": ["z": [1]],
    ]

    static func schema(_ rule: JSONValue) throws -> StructuralSchema {
        try StructuralSchema([
            "type": "object",
            "properties": ["spec": ["type": "object", "properties": properties, "x-kubernetes-validations": [rule]]],
        ])
    }

    static func faults(_ rule: JSONValue) throws -> [String] {
        try schema(rule).validate(["spec": value]).map(\.message)
    }
}

@Suite("CEL")
struct CELTests {
    @Test("holds", arguments: CELTables.holds)
    func holds(rule: String) throws {
        #expect(try CELSubject.faults(["rule": .string(rule)]) == [])
        #expect(try CELSubject.schema(["rule": .string(rule)]).compileErrors() == [])
    }

    @Test("does not hold", arguments: CELTables.fails)
    func fails(rule: String) throws {
        #expect(try CELSubject.faults(["rule": .string(rule)]) == ["Invalid value: failed rule: \(rule)"])
    }

    @Test("has no value", arguments: CELTables.errors)
    func errors(rule: String, reason: String) throws {
        #expect(try CELSubject.faults(["rule": .string(rule)]) == ["Invalid value: \"object\": \(reason) evaluating rule: \(rule)"])
    }

    @Test("does not compile", arguments: CELTables.compileErrors)
    func compileErrors(rule: String, reason: String) throws {
        let faults = try CELSubject.schema(["rule": .string(rule)]).compileErrors(path: "schema")
        #expect(faults.count == 1)
        let fault = try #require(faults.first)
        #expect(fault.field == "schema.properties[spec].x-kubernetes-validations[0].rule")
        #expect(fault.message.contains(reason), "\(fault.message)")
    }

    @Test("message expressions", arguments: CELTables.messages)
    func messages(expression: String, shown: String) throws {
        let faults = try CELSubject.faults(["rule": "self.i == 0", "messageExpression": .string(expression)])
        #expect(faults == ["Invalid value: \(shown)"])
    }

    @Test("a rule that loops too long is stopped")
    func cost() throws {
        let rule = "self.l.all(a, lists.range(1000).all(b, lists.range(1000).all(c, a != 'z')))"
        let faults = try CELSubject.faults(["rule": .string(rule)])
        #expect(faults.count == 1)
        #expect(faults.first?.contains("call cost exceeds limit") ?? false)
    }

    @Test("deep nesting is refused instead of crashing")
    func depth() {
        for source in [String(repeating: "(", count: 10_000), String(repeating: "!", count: 10_000) + "true", String(repeating: "[", count: 10_000)] {
            #expect(throws: CELCompileError.self) { try CELParser.parse(source) }
        }
    }

    @Test(
        "field names as identifiers",
        arguments: [
            ("a-b", "a__dash__b"), ("a.b/c", "a__dot__b__slash__c"), ("namespace", "__namespace__"), ("a__b", "a__underscores__b"),
            ("plain", "plain"),
        ])
    func identifiers(name: String, escaped: String) {
        #expect(CELIdentifier.escape(name) == escaped)
        #expect(CELIdentifier.unescape(escaped) == name)
    }
}
