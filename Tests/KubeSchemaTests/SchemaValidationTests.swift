import Base
import Testing

@testable import KubeSchema

@Suite("Schemas")
struct SchemaValidationTests {
    @Test("one field", arguments: SchemaTables.rows)
    func field(row: SchemaTables.Row) throws {
        let field = try JSONValue(parsing: row.schema)
        let schema = try StructuralSchema([
            "type": "object", "properties": ["spec": ["type": "object", "properties": ["v": field]]],
        ])
        var object: JSONValue = ["spec": ["v": try JSONValue(parsing: row.value)]]
        _ = schema.prune(&object)
        schema.applyDefaults(&object)
        // A null that is not allowed is removed.
        #expect((object.at("spec", "v") ?? .null) == (try JSONValue(parsing: row.stored)))
        #expect(schema.validate(object).map(\.description).sorted() == row.faults.sorted())
    }

    @Test("pruning reports the removed fields and keeps the server's own")
    func pruning() throws {
        let schema = try StructuralSchema([
            "type": "object",
            "properties": [
                "spec": [
                    "type": "object",
                    "properties": [
                        "known": ["type": "object", "properties": ["a": ["type": "string"]]],
                        "list": ["type": "array", "items": ["type": "object", "properties": ["a": ["type": "string"]]]],
                        "map": ["type": "object", "additionalProperties": ["type": "object", "properties": ["a": ["type": "string"]]]],
                        "free": [
                            "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                            "properties": ["known": ["type": "object", "properties": ["a": ["type": "string"]]]],
                        ],
                        "embedded": [
                            "type": "object", "x-kubernetes-embedded-resource": true,
                            "properties": ["spec": ["type": "object", "properties": ["a": ["type": "string"]]]],
                        ],
                    ],
                ]
            ],
        ])
        var value: JSONValue = [
            "apiVersion": "v", "kind": "k", "metadata": ["name": "n", "labels": ["a": "b"]], "other": 1,
            "spec": [
                "unknown": 1, "known": ["a": "x", "b": 1], "list": [["a": "x"], ["b": 1]], "map": ["k": ["a": "x", "b": 1]],
                "free": ["x": ["y": nil], "known": ["b": 1]],
                "embedded": ["apiVersion": "v1", "kind": "Pod", "metadata": ["x": 1], "spec": ["b": 1]],
            ],
        ]
        let removed = schema.prune(&value)
        #expect(
            removed == [
                "other", "spec.embedded.spec.b", "spec.free.known.b", "spec.known.b", "spec.list[1].b", "spec.map.k.b", "spec.unknown",
            ])
        #expect(value.at("metadata", "labels", "a") == "b")
        #expect(value.at("spec", "free", "x", "y") == .some(.null))
        #expect(value.at("spec", "embedded", "metadata", "x") == 1)
        #expect(schema.prune(&value) == [])
    }

    @Test("defaults are applied inside defaults, and nulls are replaced or dropped")
    func defaults() throws {
        let schema = try StructuralSchema([
            "type": "object",
            "properties": [
                "spec": [
                    "type": "object", "default": [:],
                    "properties": [
                        "a": ["type": "integer", "default": 1], "b": ["type": "string", "nullable": true, "default": "x"],
                        "c": ["type": "string"], "d": ["type": "object", "default": [:], "properties": ["e": ["type": "string", "default": "f"]]],
                        "l": ["type": "array", "items": ["type": "object", "properties": ["n": ["type": "integer", "default": 2]]]],
                    ],
                ]
            ],
        ])
        var empty: JSONValue = [:]
        schema.applyDefaults(&empty)
        #expect(empty == ["spec": ["a": 1, "b": "x", "d": ["e": "f"]]])
        var nulls: JSONValue = ["spec": ["a": nil, "b": nil, "c": nil, "d": nil, "l": [[:], ["n": nil]]]]
        schema.applyDefaults(&nulls)
        #expect(nulls == ["spec": ["a": 1, "b": nil, "d": ["e": "f"], "l": [["n": 2], ["n": 2]]]])
    }

    @Test("faults of unchanged values are ignored")
    func ratcheting() throws {
        let schema = try StructuralSchema([
            "type": "object",
            "properties": [
                "spec": [
                    "type": "object", "required": ["r"],
                    "properties": [
                        "r": ["type": "string"], "short": ["type": "string", "maxLength": 2], "other": ["type": "string"],
                        "map": [
                            "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
                            "items": [
                                "type": "object", "required": ["k"],
                                "properties": ["k": ["type": "string"], "v": ["type": "integer", "maximum": 1]],
                            ],
                        ],
                        "atomic": ["type": "array", "items": ["type": "string", "maxLength": 1]],
                    ],
                ]
            ],
        ])
        func faults(_ new: JSONValue, _ old: JSONValue) -> [String] {
            schema.validate(["spec": new], old: ["spec": old]).map(\.field)
        }
        #expect(faults(["r": "x", "short": "long", "other": "b"], ["r": "x", "short": "long", "other": "a"]) == [])
        #expect(faults(["r": "x", "short": "longer"], ["r": "x", "short": "long"]) == ["spec.short"])
        #expect(faults(["r": "x", "map": [["k": "b"], ["k": "a", "v": 9]]], ["r": "x", "map": [["k": "a", "v": 9]]]) == [])
        #expect(faults(["r": "x", "map": [["k": "a", "v": 8]]], ["r": "x", "map": [["k": "a", "v": 9]]]) == ["spec.map[0].v"])
        #expect(faults(["r": "x", "atomic": ["ab", "c"]], ["r": "x", "atomic": ["ab"]]) == ["spec.atomic[0]"])
        #expect(faults(["other": "b"], ["other": "b"]) == [])
    }

    @Test("a schema with a wrong type is refused with the path")
    func unreadable() {
        let error = #expect(throws: SchemaError.self) {
            try StructuralSchema(["type": "object", "properties": ["spec": ["type": "object", "minProperties": "x"]]])
        }
        #expect(error?.description == "properties[spec].minProperties: must be an integer")
    }

    @Test(
        "schemas that are not structural",
        arguments: [
            (#"{"type":"array","items":{"type":"string"}}"#, "s.type: Invalid value: \"array\": must be object at the root"),
            (#"{"type":"object","properties":{"a":{"type":"array"}}}"#, "s.properties[a].items: Required value: must be specified"),
            (#"{"type":"object","properties":{"a":{}}}"#, "s.properties[a].type: Required value: must not be empty for specified object fields"),
            (#"{"type":"object","additionalProperties":true}"#, "s.additionalProperties: Forbidden: must not be used at the root"),
            (
                #"{"type":"object","properties":{"a":{"type":"string","anyOf":[{"type":"string"}]}}}"#,
                "s.properties[a].anyOf[0].type: Forbidden: must be empty to be structural"
            ),
            (
                #"{"type":"object","properties":{"a":{"type":"string","pattern":"("}}}"#,
                "s.properties[a].pattern: Invalid value: \"(\": must be a valid regular expression, but isn't: error parsing regexp: missing closing ): `(`"
            ),
            (
                #"{"type":"object","properties":{"a":{"type":"array","items":{"type":"string"},"uniqueItems":true}}}"#,
                "s.properties[a].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
            ),
            (
                #"{"type":"object","properties":{"a":{"type":"string","default":5}}}"#,
                "s.properties[a].default: Invalid value: \"integer\":  in body must be of type string: \"integer\""
            ),
        ])
    func structural(schema: String, fault: String) throws {
        #expect(try StructuralSchema(JSONValue(parsing: schema)).compileErrors(path: "s").map(\.description) == [fault])
    }
}
