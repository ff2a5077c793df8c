/// Schemas of one field, values, and the results of kube-apiserver 1.36: the value after pruning and defaulting, and the faults.
enum SchemaTables {
    struct Row: Sendable, CustomStringConvertible {
        let schema: String
        let value: String
        let stored: String
        let faults: [String]
        var description: String { "\(schema) of \(value)" }
    }

    static let rows: [Row] = [
        Row(
            schema: #"{"type": "number", "minimum": 1.5, "maximum": 2.5}"#, value: "1", stored: "1",
            faults: []),
        Row(
            schema: #"{"type": "number", "minimum": 1.5, "maximum": 2.5}"#, value: "2", stored: "2",
            faults: []),
        Row(
            schema: #"{"type": "number", "minimum": 1.5, "maximum": 2.5}"#, value: "3", stored: "3",
            faults: ["spec.v: Invalid value: 3: spec.v in body should be less than or equal to 2"]),
        Row(
            schema: #"{"type": "number", "minimum": 1.5, "maximum": 2.5}"#, value: "1.5", stored: "1.5",
            faults: []),
        Row(
            schema: #"{"type": "number", "minimum": 1.5, "maximum": 2.5}"#, value: "2.6", stored: "2.6",
            faults: ["spec.v: Invalid value: 2.6: spec.v in body should be less than or equal to 2.5"]),
        Row(
            schema: #"{"type": "number", "minimum": 1.5, "maximum": 2.5}"#, value: #""x""#, stored: #""x""#,
            faults: [#"spec.v: Invalid value: "string": spec.v in body must be of type number: "string""#]),
        Row(
            schema: #"{"type": "number", "minimum": 1, "exclusiveMinimum": true, "maximum": 10, "exclusiveMaximum": true}"#, value: "1", stored: "1",
            faults: ["spec.v: Invalid value: 1: spec.v in body should be greater than 1"]),
        Row(
            schema: #"{"type": "number", "minimum": 1, "exclusiveMinimum": true, "maximum": 10, "exclusiveMaximum": true}"#, value: "10",
            stored: "10",
            faults: ["spec.v: Invalid value: 10: spec.v in body should be less than 10"]),
        Row(
            schema: #"{"type": "number", "minimum": 1, "exclusiveMinimum": true, "maximum": 10, "exclusiveMaximum": true}"#, value: "5", stored: "5",
            faults: []),
        Row(
            schema: #"{"type": "number", "minimum": 1, "exclusiveMinimum": true, "maximum": 10, "exclusiveMaximum": true}"#, value: "0.5",
            stored: "0.5",
            faults: ["spec.v: Invalid value: 0.5: spec.v in body should be greater than 1"]),
        Row(
            schema: #"{"type": "number", "minimum": 1, "exclusiveMinimum": true, "maximum": 10, "exclusiveMaximum": true}"#, value: "100.25",
            stored: "100.25",
            faults: ["spec.v: Invalid value: 100.25: spec.v in body should be less than 10"]),
        Row(
            schema: #"{"type": "integer", "multipleOf": 5}"#, value: "5", stored: "5",
            faults: []),
        Row(
            schema: #"{"type": "integer", "multipleOf": 5}"#, value: "7", stored: "7",
            faults: ["spec.v: Invalid value: 7: spec.v in body should be a multiple of 5"]),
        Row(
            schema: #"{"type": "integer", "multipleOf": 5}"#, value: "10", stored: "10",
            faults: []),
        Row(
            schema: #"{"type": "integer", "multipleOf": 5}"#, value: "0", stored: "0",
            faults: []),
        Row(
            schema: #"{"type": "number", "multipleOf": 0.1}"#, value: "0.3", stored: "0.3",
            faults: []),
        Row(
            schema: #"{"type": "number", "multipleOf": 0.1}"#, value: "0.35", stored: "0.35",
            faults: ["spec.v: Invalid value: 0.35: spec.v in body should be a multiple of 0.1"]),
        Row(
            schema: #"{"type": "number", "multipleOf": 0.1}"#, value: "1", stored: "1",
            faults: ["spec.v: Invalid value: 0: factor MultipleOf declared for spec.v must be positive: 0"]),
        Row(
            schema: #"{"type": "integer", "format": "int32"}"#, value: "1", stored: "1",
            faults: []),
        Row(
            schema: #"{"type": "integer", "format": "int32"}"#, value: "3000000000", stored: "3000000000",
            faults: [#"<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.v"#]),
        Row(
            schema: #"{"type": "integer", "format": "int32"}"#, value: "1.0", stored: "1.0",
            faults: []),
        Row(
            schema: #"{"type": "integer", "format": "int32"}"#, value: "1.5", stored: "1.5",
            faults: [
                #"spec.v: Invalid value: "float64": spec.v in body must be of type int32: "float64""#,
                #"<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.v"#,
            ]),
        Row(
            schema: #"{"type": "integer", "format": "int32"}"#, value: #""x""#, stored: #""x""#,
            faults: [#"spec.v: Invalid value: "string": spec.v in body must be of type integer: "string""#]),
        Row(
            schema: #"{"type": "integer", "format": "int64"}"#, value: "1", stored: "1",
            faults: []),
        Row(
            schema: #"{"type": "integer", "format": "int64"}"#, value: "3000000000", stored: "3000000000",
            faults: []),
        Row(
            schema: #"{"type": "integer", "format": "int64"}"#, value: "true", stored: "true",
            faults: [#"spec.v: Invalid value: "": spec.v in body must be of type int64: """#]),
        Row(
            schema: #"{"type": "number", "format": "double"}"#, value: "1", stored: "1",
            faults: []),
        Row(
            schema: #"{"type": "number", "format": "double"}"#, value: "1.5", stored: "1.5",
            faults: []),
        Row(
            schema: #"{"type": "number", "format": "double"}"#, value: #""x""#, stored: #""x""#,
            faults: [#"spec.v: Invalid value: "string": spec.v in body must be of type number: "string""#]),
        Row(
            schema: #"{"type": "string", "format": "date-time"}"#, value: #""2026-01-01T00:00:00Z""#, stored: #""2026-01-01T00:00:00Z""#,
            faults: []),
        Row(
            schema: #"{"type": "string", "format": "date-time"}"#, value: #""yesterday""#, stored: #""yesterday""#,
            faults: [#"spec.v: Invalid value: "yesterday": spec.v in body must be of type date-time: "yesterday""#]),
        Row(
            schema: #"{"type": "string", "format": "date-time"}"#, value: #""2026-13-01T00:00:00Z""#, stored: #""2026-13-01T00:00:00Z""#,
            faults: [#"spec.v: Invalid value: "2026-13-01T00:00:00Z": spec.v in body must be of type date-time: "2026-13-01T00:00:00Z""#]),
        Row(
            schema: #"{"type": "string", "format": "date-time"}"#, value: "5", stored: "5",
            faults: [#"spec.v: Invalid value: "int64": spec.v in body must be of type date-time: "int64""#]),
        Row(
            schema: #"{"type": "string", "format": "date"}"#, value: #""2026-01-01""#, stored: #""2026-01-01""#,
            faults: []),
        Row(
            schema: #"{"type": "string", "format": "date"}"#, value: #""x""#, stored: #""x""#,
            faults: [#"spec.v: Invalid value: "x": spec.v in body must be of type date: "x""#]),
        Row(
            schema: #"{"type": "string", "format": "duration"}"#, value: #""1h""#, stored: #""1h""#,
            faults: []),
        Row(
            schema: #"{"type": "string", "format": "duration"}"#, value: #""60s""#, stored: #""60s""#,
            faults: []),
        Row(
            schema: #"{"type": "string", "format": "duration"}"#, value: #""1h30m""#, stored: #""1h30m""#,
            faults: []),
        Row(
            schema: #"{"type": "string", "format": "duration"}"#, value: #""x""#, stored: #""x""#,
            faults: [#"spec.v: Invalid value: "x": spec.v in body must be of type duration: "x""#]),
        Row(
            schema: #"{"type": "string", "format": "duration"}"#, value: #""5 days""#, stored: #""5 days""#,
            faults: []),
        Row(
            schema: #"{"type": "string", "format": "duration"}"#, value: #""1.5h""#, stored: #""1.5h""#,
            faults: []),
        Row(
            schema: #"{"type": "string", "format": "ipv4"}"#, value: #""1.2.3.4""#, stored: #""1.2.3.4""#,
            faults: []),
        Row(
            schema: #"{"type": "string", "format": "ipv4"}"#, value: #""1.2.3""#, stored: #""1.2.3""#,
            faults: [#"spec.v: Invalid value: "1.2.3": spec.v in body must be of type ipv4: "1.2.3""#]),
        Row(
            schema: #"{"type": "string", "format": "ipv4"}"#, value: #""::1""#, stored: #""::1""#,
            faults: [#"spec.v: Invalid value: "::1": spec.v in body must be of type ipv4: "::1""#]),
        Row(
            schema: #"{"type": "string", "format": "ipv6"}"#, value: #""::1""#, stored: #""::1""#,
            faults: []),
        Row(
            schema: #"{"type": "string", "format": "ipv6"}"#, value: #""1.2.3.4""#, stored: #""1.2.3.4""#,
            faults: [#"spec.v: Invalid value: "1.2.3.4": spec.v in body must be of type ipv6: "1.2.3.4""#]),
        Row(
            schema: #"{"type": "string", "format": "ipv6"}"#, value: #""zz""#, stored: #""zz""#,
            faults: [#"spec.v: Invalid value: "zz": spec.v in body must be of type ipv6: "zz""#]),
        Row(
            schema: #"{"type": "string", "format": "cidr"}"#, value: #""10.0.0.0/8""#, stored: #""10.0.0.0/8""#,
            faults: []),
        Row(
            schema: #"{"type": "string", "format": "cidr"}"#, value: #""10.0.0.0""#, stored: #""10.0.0.0""#,
            faults: [#"spec.v: Invalid value: "10.0.0.0": spec.v in body must be of type cidr: "10.0.0.0""#]),
        Row(
            schema: #"{"type": "string", "format": "cidr"}"#, value: #""::/0""#, stored: #""::/0""#,
            faults: []),
        Row(
            schema: #"{"type": "string", "format": "cidr"}"#, value: #""1.2.3.4/99""#, stored: #""1.2.3.4/99""#,
            faults: [#"spec.v: Invalid value: "1.2.3.4/99": spec.v in body must be of type cidr: "1.2.3.4/99""#]),
        Row(
            schema: #"{"type": "string", "format": "uri"}"#, value: #""http://a/b""#, stored: #""http://a/b""#,
            faults: []),
        Row(
            schema: #"{"type": "string", "format": "uri"}"#, value: #""a b""#, stored: #""a b""#,
            faults: [#"spec.v: Invalid value: "a b": spec.v in body must be of type uri: "a b""#]),
        Row(
            schema: #"{"type": "string", "format": "uri"}"#, value: #""/x""#, stored: #""/x""#,
            faults: []),
        Row(
            schema: #"{"type": "string", "format": "uri"}"#, value: #""x""#, stored: #""x""#,
            faults: [#"spec.v: Invalid value: "x": spec.v in body must be of type uri: "x""#]),
        Row(
            schema: #"{"type": "string", "format": "uuid"}"#, value: #""00000000-0000-0000-0000-000000000000""#,
            stored: #""00000000-0000-0000-0000-000000000000""#,
            faults: []),
        Row(
            schema: #"{"type": "string", "format": "uuid"}"#, value: #""x""#, stored: #""x""#,
            faults: [#"spec.v: Invalid value: "x": spec.v in body must be of type uuid: "x""#]),
        Row(
            schema: #"{"type": "string", "format": "hostname"}"#, value: #""example.com""#, stored: #""example.com""#,
            faults: []),
        Row(
            schema: #"{"type": "string", "format": "hostname"}"#, value: #""a_b""#, stored: #""a_b""#,
            faults: [#"spec.v: Invalid value: "a_b": spec.v in body must be of type hostname: "a_b""#]),
        Row(
            schema: #"{"type": "string", "format": "hostname"}"#, value: #""-a""#, stored: #""-a""#,
            faults: [#"spec.v: Invalid value: "-a": spec.v in body must be of type hostname: "-a""#]),
        Row(
            schema: #"{"type": "string", "format": "byte"}"#, value: #""aGk=""#, stored: #""aGk=""#,
            faults: []),
        Row(
            schema: #"{"type": "string", "format": "byte"}"#, value: #""%%%""#, stored: #""%%%""#,
            faults: [#"spec.v: Invalid value: "%%%": spec.v in body must be of type byte: "%%%""#]),
        Row(
            schema: #"{"type": "string", "format": "byte"}"#, value: #""""#, stored: #""""#,
            faults: [#"spec.v: Invalid value: "": spec.v in body must be of type byte: """#]),
        Row(
            schema: #"{"type": "string", "format": "email"}"#, value: #""a@b.c""#, stored: #""a@b.c""#,
            faults: []),
        Row(
            schema: #"{"type": "string", "format": "email"}"#, value: #""x""#, stored: #""x""#,
            faults: [#"spec.v: Invalid value: "x": spec.v in body must be of type email: "x""#]),
        Row(
            schema: #"{"type": "string", "format": "unknownformat"}"#, value: #""x""#, stored: #""x""#,
            faults: []),
        Row(
            schema: #"{"type": "string", "minLength": 2}"#, value: #""a""#, stored: #""a""#,
            faults: [#"spec.v: Invalid value: "a": spec.v in body should be at least 2 chars long"#]),
        Row(
            schema: #"{"type": "string", "minLength": 2}"#, value: #""ab""#, stored: #""ab""#,
            faults: []),
        Row(
            schema: #"{"type": "string", "minLength": 2}"#, value: #""é""#, stored: #""é""#,
            faults: [#"spec.v: Invalid value: "é": spec.v in body should be at least 2 chars long"#]),
        Row(
            schema: #"{"type": "string", "maxLength": 1}"#, value: #""a""#, stored: #""a""#,
            faults: []),
        Row(
            schema: #"{"type": "string", "maxLength": 1}"#, value: #""ab""#, stored: #""ab""#,
            faults: ["spec.v: Too long: may not be more than 1 byte"]),
        Row(
            schema: #"{"type": "string", "maxLength": 1}"#, value: #""é""#, stored: #""é""#,
            faults: []),
        Row(
            schema: #"{"type": "string", "pattern": "^a.c$"}"#, value: #""abc""#, stored: #""abc""#,
            faults: []),
        Row(
            schema: #"{"type": "string", "pattern": "^a.c$"}"#, value: #""a\nc""#, stored: #""a\nc""#,
            faults: [#"spec.v: Invalid value: "a\nc": spec.v in body should match '^a.c$'"#]),
        Row(
            schema: #"{"type": "string", "pattern": "^a.c$"}"#, value: #""xabc""#, stored: #""xabc""#,
            faults: [#"spec.v: Invalid value: "xabc": spec.v in body should match '^a.c$'"#]),
        Row(
            schema: #"{"type": "array", "minItems": 2, "maxItems": 1, "items": {"type": "string"}}"#, value: #"["a"]"#, stored: #"["a"]"#,
            faults: ["spec.v: Invalid value: 1: spec.v in body should have at least 2 items"]),
        Row(
            schema: #"{"type": "array", "minItems": 2, "maxItems": 1, "items": {"type": "string"}}"#, value: #"["a", "b"]"#, stored: #"["a", "b"]"#,
            faults: ["spec.v: Too many: 2: must have at most 1 item"]),
        Row(
            schema: #"{"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": {"type": "integer", "minimum": 2}}"#,
            value: "{}", stored: "{}",
            faults: ["spec.v: Invalid value: 0: spec.v in body should have at least 1 properties"]),
        Row(
            schema: #"{"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": {"type": "integer", "minimum": 2}}"#,
            value: #"{"a": 2}"#, stored: #"{"a": 2}"#,
            faults: []),
        Row(
            schema: #"{"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": {"type": "integer", "minimum": 2}}"#,
            value: #"{"a": 1}"#, stored: #"{"a": 1}"#,
            faults: ["spec.v.a: Invalid value: 1: spec.v.a in body should be greater than or equal to 2"]),
        Row(
            schema: #"{"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": {"type": "integer", "minimum": 2}}"#,
            value: #"{"a": "x", "b": 3}"#, stored: #"{"a": "x", "b": 3}"#,
            faults: [
                "spec.v: Too many: 2: must have at most 1 item",
                #"spec.v.a: Invalid value: "string": spec.v.a in body must be of type integer: "string""#,
            ]),
        Row(
            schema: #"{"type": "object", "additionalProperties": true}"#, value: #"{"a": {"b": 1}}"#, stored: #"{"a": {}}"#,
            faults: []),
        Row(
            schema: #"{"type": "string", "nullable": true, "default": "x"}"#, value: "null", stored: "null",
            faults: []),
        Row(
            schema: #"{"type": "string", "nullable": true, "default": "x"}"#, value: #""y""#, stored: #""y""#,
            faults: []),
        Row(
            schema: #"{"type": "string", "nullable": true, "enum": ["a"]}"#, value: "null", stored: "null",
            faults: [#"spec.v: Unsupported value: null: supported values: "a""#]),
        Row(
            schema: #"{"type": "string", "nullable": true, "enum": ["a"]}"#, value: #""y""#, stored: #""y""#,
            faults: [#"spec.v: Unsupported value: "y": supported values: "a""#]),
        Row(
            schema: #"{"type": "string", "nullable": true, "enum": ["a"]}"#, value: #""a""#, stored: #""a""#,
            faults: []),
        Row(
            schema: #"{"type": "integer", "enum": [1, 2]}"#, value: "1", stored: "1",
            faults: []),
        Row(
            schema: #"{"type": "integer", "enum": [1, 2]}"#, value: "3", stored: "3",
            faults: [#"spec.v: Unsupported value: 3: supported values: "1", "2""#]),
        Row(
            schema:
                #"{"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {"a": {"type": "object", "properties": {"b": {"type": "string"}}}}}"#,
            value: #"{"z": 1, "a": {"b": "x", "c": 1}}"#, stored: #"{"a": {"b": "x"}, "z": 1}"#,
            faults: []),
        Row(
            schema: #"{"type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true}"#, value: #"{"a": 1}"#,
            stored: #"{"a": 1}"#,
            faults: ["spec.v.apiVersion: Required value", "spec.v.kind: Required value"]),
        Row(
            schema: #"{"type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true}"#,
            value: #"{"apiVersion": "v1", "kind": "Pod", "spec": {}}"#, stored: #"{"apiVersion": "v1", "kind": "Pod", "spec": {}}"#,
            faults: []),
        Row(
            schema: #"{"type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true}"#,
            value: #"{"apiVersion": "", "kind": 5}"#, stored: #"{"apiVersion": "", "kind": 5}"#,
            faults: [#"spec.v.apiVersion: Invalid value: "": must not be empty"#, "spec.v.kind: Invalid value: 5: must be a string"]),
        Row(
            schema: #"{"type": "string", "anyOf": [{"minLength": 2}, {"pattern": "^x"}]}"#, value: #""a""#, stored: #""a""#,
            faults: [
                #"<nil>: Invalid value: "": "spec.v" must validate at least one schema (anyOf)"#,
                #"spec.v: Invalid value: "a": spec.v in body should be at least 2 chars long"#,
            ]),
        Row(
            schema: #"{"type": "string", "anyOf": [{"minLength": 2}, {"pattern": "^x"}]}"#, value: #""x""#, stored: #""x""#,
            faults: []),
        Row(
            schema: #"{"type": "string", "anyOf": [{"minLength": 2}, {"pattern": "^x"}]}"#, value: #""ab""#, stored: #""ab""#,
            faults: []),
        Row(
            schema: #"{"type": "string", "oneOf": [{"minLength": 2}, {"pattern": "^x"}]}"#, value: #""a""#, stored: #""a""#,
            faults: [
                #"<nil>: Invalid value: "": "spec.v" must validate one and only one schema (oneOf). Found none valid"#,
                #"spec.v: Invalid value: "a": spec.v in body should be at least 2 chars long"#,
            ]),
        Row(
            schema: #"{"type": "string", "oneOf": [{"minLength": 2}, {"pattern": "^x"}]}"#, value: #""x""#, stored: #""x""#,
            faults: []),
        Row(
            schema: #"{"type": "string", "oneOf": [{"minLength": 2}, {"pattern": "^x"}]}"#, value: #""ab""#, stored: #""ab""#,
            faults: []),
        Row(
            schema: #"{"type": "string", "oneOf": [{"minLength": 2}, {"pattern": "^x"}]}"#, value: #""xx""#, stored: #""xx""#,
            faults: [#"<nil>: Invalid value: "": "spec.v" must validate one and only one schema (oneOf). Found 2 valid alternatives"#]),
        Row(
            schema: #"{"type": "string", "allOf": [{"minLength": 2}, {"pattern": "^x"}]}"#, value: #""a""#, stored: #""a""#,
            faults: [
                #"spec.v: Invalid value: "a": spec.v in body should be at least 2 chars long"#,
                #"spec.v: Invalid value: "a": spec.v in body should match '^x'"#,
                #"<nil>: Invalid value: "": "spec.v" must validate all the schemas (allOf). None validated"#,
            ]),
        Row(
            schema: #"{"type": "string", "allOf": [{"minLength": 2}, {"pattern": "^x"}]}"#, value: #""x""#, stored: #""x""#,
            faults: [
                #"spec.v: Invalid value: "x": spec.v in body should be at least 2 chars long"#,
                #"<nil>: Invalid value: "": "spec.v" must validate all the schemas (allOf)"#,
            ]),
        Row(
            schema: #"{"type": "string", "allOf": [{"minLength": 2}, {"pattern": "^x"}]}"#, value: #""ab""#, stored: #""ab""#,
            faults: [
                #"spec.v: Invalid value: "ab": spec.v in body should match '^x'"#,
                #"<nil>: Invalid value: "": "spec.v" must validate all the schemas (allOf)"#,
            ]),
        Row(
            schema: #"{"type": "string", "allOf": [{"minLength": 2}, {"pattern": "^x"}]}"#, value: #""xx""#, stored: #""xx""#,
            faults: []),
        Row(
            schema: #"{"type": "string", "not": {"pattern": "^x"}}"#, value: #""a""#, stored: #""a""#,
            faults: []),
        Row(
            schema: #"{"type": "string", "not": {"pattern": "^x"}}"#, value: #""x""#, stored: #""x""#,
            faults: [#"<nil>: Invalid value: "": "spec.v" must not validate the schema (not)"#]),
        Row(
            schema:
                #"{"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}"#,
            value: "{}", stored: "{}",
            faults: [
                #"<nil>: Invalid value: "": "spec.v" must validate one and only one schema (oneOf). Found none valid"#, "spec.v.a: Required value",
            ]),
        Row(
            schema:
                #"{"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}"#,
            value: #"{"a": "1"}"#, stored: #"{"a": "1"}"#,
            faults: []),
        Row(
            schema:
                #"{"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}"#,
            value: #"{"a": "1", "b": "2"}"#, stored: #"{"a": "1", "b": "2"}"#,
            faults: [#"<nil>: Invalid value: "": "spec.v" must validate one and only one schema (oneOf). Found 2 valid alternatives"#]),
        Row(
            schema: #"{"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "integer"}}"#, value: "[1, 1, 1]", stored: "[1, 1, 1]",
            faults: ["spec.v[1]: Duplicate value: 1"]),
        Row(
            schema: #"{"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "integer"}}"#, value: "[1, 2]", stored: "[1, 2]",
            faults: []),
        Row(
            schema:
                #"{"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["a", "b"], "items": {"type": "object", "required": ["a", "b"], "properties": {"a": {"type": "string"}, "b": {"type": "integer"}, "c": {"type": "string"}}}}"#,
            value: #"[{"a": "x", "b": 1}, {"a": "x", "b": 1, "c": "d"}]"#, stored: #"[{"a": "x", "b": 1}, {"a": "x", "b": 1, "c": "d"}]"#,
            faults: [#"spec.v[1]: Duplicate value: {"a":"x","b":1}"#]),
        Row(
            schema:
                #"{"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["a", "b"], "items": {"type": "object", "required": ["a", "b"], "properties": {"a": {"type": "string"}, "b": {"type": "integer"}, "c": {"type": "string"}}}}"#,
            value: #"[{"a": "x", "b": 1}, {"a": "x", "b": 2}]"#, stored: #"[{"a": "x", "b": 1}, {"a": "x", "b": 2}]"#,
            faults: []),
        Row(
            schema: #"{"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}], "pattern": "^a"}"#, value: "1",
            stored: "1",
            faults: []),
        Row(
            schema: #"{"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}], "pattern": "^a"}"#, value: #""a""#,
            stored: #""a""#,
            faults: []),
        Row(
            schema: #"{"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}], "pattern": "^a"}"#, value: #""b""#,
            stored: #""b""#,
            faults: [#"spec.v: Invalid value: "b": spec.v in body should match '^a'"#]),
        Row(
            schema: #"{"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}], "pattern": "^a"}"#, value: "true",
            stored: "true",
            faults: [
                #"spec.v: Invalid value: "boolean": spec.v in body must be of type integer,string: "boolean""#,
                #"<nil>: Invalid value: "": "spec.v" must validate at least one schema (anyOf)"#,
                #"spec.v: Invalid value: "boolean": spec.v in body must be of type integer: "boolean""#,
            ]),
        Row(
            schema: #"{"type": "array", "items": {"type": "string", "default": "d"}}"#, value: #"[null, "x"]"#, stored: #"["d", "x"]"#,
            faults: []),
        Row(
            schema:
                #"{"type": "object", "properties": {"a": {"type": "object", "default": {"b": 1}, "properties": {"b": {"type": "integer"}, "c": {"type": "integer", "default": 7}}}}}"#,
            value: "{}", stored: #"{"a": {"b": 1, "c": 7}}"#,
            faults: []),
        Row(
            schema:
                #"{"type": "object", "properties": {"a": {"type": "object", "default": {"b": 1}, "properties": {"b": {"type": "integer"}, "c": {"type": "integer", "default": 7}}}}}"#,
            value: #"{"a": {}}"#, stored: #"{"a": {"c": 7}}"#,
            faults: []),
        Row(
            schema:
                #"{"type": "object", "properties": {"a": {"type": "object", "default": {"b": 1}, "properties": {"b": {"type": "integer"}, "c": {"type": "integer", "default": 7}}}}}"#,
            value: #"{"a": null}"#, stored: #"{"a": {"b": 1, "c": 7}}"#,
            faults: []),
        Row(
            schema:
                #"{"type": "object", "additionalProperties": {"type": "object", "default": {"x": "y"}, "properties": {"x": {"type": "string"}}}}"#,
            value: #"{"a": null, "b": {}}"#, stored: #"{"a": {"x": "y"}, "b": {}}"#,
            faults: []),
    ]
}
