import Base
import Testing

@testable import KubeSchema

/// The resource of the contract with a real API server, and the recorded answers of kube-apiserver 1.36.
@Suite("The contract's resource")
struct ContractWidgetTests {
    struct Row: Sendable, CustomStringConvertible {
        let step: String
        /// The spec as JSON; nil: no spec.
        let spec: String?
        /// Field, message and reason of each cause, sorted.
        let causes: [[String]]
        var description: String { step }
    }

    static let rows: [Row] = [
        Row(
            step: "create no spec", spec: nil,
            causes: [
                [
                    "<nil>",
                    "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
                    "FieldValueInvalid",
                ],
                ["spec", "Required value", "FieldValueRequired"],
            ]),
        Row(
            step: "create required missing", spec: #"{"size": 1}"#,
            causes: [
                [
                    "<nil>",
                    "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
                    "FieldValueInvalid",
                ],
                ["spec.color", "Required value", "FieldValueRequired"],
            ]),
        Row(
            step: "create wrong type", spec: #"{"color": "red", "size": "big"}"#,
            causes: [
                [
                    "<nil>",
                    "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
                    "FieldValueInvalid",
                ],
                ["spec.size", #"Invalid value: "string": spec.size in body must be of type integer: "string""#, "FieldValueTypeInvalid"],
            ]),
        Row(
            step: "create out of range", spec: #"{"color": "red", "size": 99}"#,
            causes: [
                ["spec.size", "Invalid value: 99: spec.size in body should be less than or equal to 10", "FieldValueInvalid"]
            ]),
        Row(
            step: "create bad enum", spec: #"{"color": "pink"}"#,
            causes: [
                [
                    "<nil>",
                    "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
                    "FieldValueInvalid",
                ],
                ["spec.color", #"Unsupported value: "pink": supported values: "red", "green", "blue""#, "FieldValueNotSupported"],
            ]),
        Row(
            step: "create bad pattern and too long", spec: #"{"color": "red", "name": "ABCDEFGHIJ"}"#,
            causes: [
                [
                    "<nil>",
                    "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
                    "FieldValueInvalid",
                ],
                ["spec.name", "Too long: may not be more than 8 bytes", "FieldValueTooLong"],
            ]),
        Row(
            step: "create cel rule broken", spec: #"{"color": "red", "size": 5, "max": 4}"#,
            causes: [
                ["spec", "Invalid value: size must not exceed max", "FieldValueInvalid"]
            ]),
        Row(
            step: "create duplicate set item", spec: #"{"color": "red", "tags": ["a", "a"]}"#,
            causes: [
                ["spec.tags[1]", #"Duplicate value: "a""#, "FieldValueDuplicate"]
            ]),
        Row(
            step: "create duplicate map key", spec: #"{"color": "red", "parts": [{"id": "a"}, {"id": "a"}]}"#,
            causes: [
                ["spec.parts[1]", #"Duplicate value: {"id":"a"}"#, "FieldValueDuplicate"]
            ]),
        Row(
            step: "create too many items", spec: #"{"color": "red", "tags": ["a", "b", "c", "d"]}"#,
            causes: [
                [
                    "<nil>",
                    "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
                    "FieldValueInvalid",
                ],
                ["spec.tags", "Too many: 4: must have at most 3 items", "FieldValueTooMany"],
            ]),
        Row(
            step: "create int-or-string wrong", spec: #"{"color": "red", "port": true}"#,
            causes: [
                [
                    "<nil>",
                    "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
                    "FieldValueInvalid",
                ],
                ["spec.port", #"Invalid value: "boolean": spec.port in body must be of type integer,string: "boolean""#, "FieldValueTypeInvalid"],
            ]),
        Row(
            step: "create several faults at once", spec: #"{"color": "pink", "size": 0, "tags": "x"}"#,
            causes: [
                [
                    "<nil>",
                    "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
                    "FieldValueInvalid",
                ],
                ["spec.color", #"Unsupported value: "pink": supported values: "red", "green", "blue""#, "FieldValueNotSupported"],
                ["spec.size", "Invalid value: 0: spec.size in body should be greater than or equal to 1", "FieldValueInvalid"],
                ["spec.tags", #"Invalid value: "string": spec.tags in body must be of type array: "string""#, "FieldValueTypeInvalid"],
            ]),
    ]

    static let schemaText = #"""
        {
         "type": "object",
         "required": [
          "spec"
         ],
         "properties": {
          "spec": {
           "type": "object",
           "required": [
            "color"
           ],
           "x-kubernetes-validations": [
            {
             "rule": "!has(self.max) || self.size <= self.max",
             "message": "size must not exceed max"
            }
           ],
           "properties": {
            "size": {
             "type": "integer",
             "minimum": 1,
             "maximum": 10,
             "default": 3
            },
            "max": {
             "type": "integer"
            },
            "ratio": {
             "type": "number"
            },
            "color": {
             "type": "string",
             "enum": [
              "red",
              "green",
              "blue"
             ]
            },
            "name": {
             "type": "string",
             "pattern": "^[a-z]+$",
             "maxLength": 8,
             "minLength": 1
            },
            "fixed": {
             "type": "string",
             "x-kubernetes-validations": [
              {
               "rule": "self == oldSelf",
               "message": "fixed is immutable"
              }
             ]
            },
            "on": {
             "type": "boolean",
             "default": true
            },
            "tags": {
             "type": "array",
             "maxItems": 3,
             "items": {
              "type": "string"
             },
             "x-kubernetes-list-type": "set"
            },
            "parts": {
             "type": "array",
             "x-kubernetes-list-type": "map",
             "x-kubernetes-list-map-keys": [
              "id"
             ],
             "items": {
              "type": "object",
              "required": [
               "id"
              ],
              "properties": {
               "id": {
                "type": "string"
               },
               "n": {
                "type": "integer",
                "default": 1
               }
              }
             }
            },
            "labels": {
             "type": "object",
             "additionalProperties": {
              "type": "string"
             }
            },
            "free": {
             "type": "object",
             "x-kubernetes-preserve-unknown-fields": true
            },
            "port": {
             "x-kubernetes-int-or-string": true
            },
            "maybe": {
             "type": "string",
             "nullable": true
            }
           }
          },
          "status": {
           "type": "object",
           "properties": {
            "phase": {
             "type": "string"
            },
            "observedGeneration": {
             "type": "integer"
            },
            "conditions": {
             "type": "array",
             "x-kubernetes-list-type": "map",
             "x-kubernetes-list-map-keys": [
              "type"
             ],
             "items": {
              "type": "object",
              "required": [
               "type",
               "status"
              ],
              "properties": {
               "type": {
                "type": "string"
               },
               "status": {
                "type": "string"
               },
               "reason": {
                "type": "string"
               }
              }
             }
            }
           }
          }
         }
        }
        """#

    static func schema() throws -> StructuralSchema { try StructuralSchema(JSONValue(parsing: schemaText)) }

    static func widget(_ spec: String?) throws -> JSONValue {
        var widget: JSONValue = ["apiVersion": "contract.assay.dev/v1alpha1", "kind": "Widget", "metadata": ["name": "t"]]
        widget["spec"] = try spec.map { try JSONValue(parsing: $0) }
        return widget
    }

    static func stored(_ spec: String?) throws -> (JSONValue, pruned: [String]) {
        let schema = try schema()
        var value = try widget(spec)
        let pruned = schema.prune(&value)
        schema.applyDefaults(&value)
        return (value, pruned)
    }

    @Test("refused with the recorded causes", arguments: rows)
    func refused(row: Row) throws {
        let (value, _) = try Self.stored(row.spec)
        let causes = try Self.schema().validate(value).map { [$0.field, $0.message, $0.kind.rawValue] }
        #expect(causes.sorted { $0.lexicographicallyPrecedes($1) } == row.causes)
    }

    @Test("faults of the metadata keep rules from running")
    func preceding() throws {
        let (value, _) = try Self.stored(#"{"color": "red"}"#)
        let schema = try Self.schema()
        #expect(schema.validate(value) == [])
        let missing = FieldError.required("metadata.name", "name or generateName is required")
        #expect(schema.validate(value, preceding: [missing]) == [.rulesNotChecked])
        #expect(FieldError.rulesNotChecked.field == "<nil>")
        let malformed = FieldError.invalid("metadata.name", "Bad_Name", "a lowercase RFC 1123 subdomain")
        #expect(schema.validate(value, preceding: [malformed]) == [])
    }

    @Test("defaults, nulls and unknown fields")
    func stored() throws {
        #expect(try Self.stored(#"{"color": "red"}"#).0["spec"] == ["color": "red", "on": true, "size": 3])
        let nulls = try Self.stored(#"{"color": "red", "size": null, "maybe": null, "on": null, "parts": [{"id": "p"}]}"#)
        #expect(nulls.0["spec"] == ["color": "red", "maybe": nil, "on": true, "parts": [["id": "p", "n": 1]], "size": 3])
        let unknown = try Self.stored(#"{"color": "red", "colour": "x", "free": {"anything": [1, {"a": null}]}}"#)
        #expect(unknown.pruned == ["spec.colour"])
        #expect(unknown.0["spec"] == ["color": "red", "free": ["anything": [1, ["a": nil]]], "on": true, "size": 3])
    }

    @Test("a rule about the change")
    func transition() throws {
        let schema = try Self.schema()
        let (old, _) = try Self.stored(#"{"color": "blue", "fixed": "f"}"#)
        let (new, _) = try Self.stored(#"{"color": "blue", "fixed": "other"}"#)
        let faults = schema.validate(new, old: old)
        #expect(faults == [.invalid("spec.fixed", "other", "fixed is immutable")])
        #expect(
            faults.first?.cause == ["field": "spec.fixed", "message": "Invalid value: \"other\": fixed is immutable", "reason": "FieldValueInvalid"])
        #expect(schema.validate(new) == [])
    }
}
