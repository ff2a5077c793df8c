import Base
import Testing

@testable import KubeSchema

@Suite("Rules of a schema")
struct RuleTests {
    /// A schema whose spec has the given properties and rules.
    private func schema(_ properties: JSONValue, _ rules: JSONValue = []) throws -> StructuralSchema {
        try StructuralSchema([
            "type": "object",
            "properties": ["spec": ["type": "object", "properties": properties, "x-kubernetes-validations": rules]],
        ])
    }

    @Test(
        "the rule's reason determines the kind of fault",
        arguments: [
            ("FieldValueInvalid", "Invalid value: \"y\": no"), ("FieldValueForbidden", "Forbidden: no"), ("FieldValueRequired", "Required value: no"),
            ("FieldValueDuplicate", "Duplicate value: \"y\""),
        ])
    func reasons(reason: String, message: String) throws {
        let rule: JSONValue = ["rule": "self == 'x'", "message": " no ", "reason": .string(reason)]
        let faults = try schema(["a": ["type": "string", "x-kubernetes-validations": [rule]]]).validate(["spec": ["a": "y"]])
        #expect(faults.map(\.message) == [message])
        #expect(faults.map(\.kind.rawValue) == [reason])
    }

    @Test("a rule's fieldPath determines the path of the fault")
    func fieldPath() throws {
        let subject = try schema(["a": ["type": "string"]], [["rule": "self.a == 'x'", "fieldPath": ".a"]])
        #expect(subject.validate(["spec": ["a": "y"]]).map(\.description) == ["spec.a: Invalid value: failed rule: self.a == 'x'"])
    }

    @Test("rules that read oldSelf run on updates if there is a corresponding old value")
    func transitions() throws {
        let fixed: JSONValue = [["rule": "self.v == oldSelf.v", "message": "v is fixed", "fieldPath": ".v"]]
        let item: JSONValue = [
            "type": "object", "required": ["k"], "properties": ["k": ["type": "string"], "v": ["type": "integer"]],
            "x-kubernetes-validations": fixed,
        ]
        let map = try schema([
            "l": ["type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], "items": item]
        ])
        let old: JSONValue = ["spec": ["l": [["k": "1", "v": 1], ["k": "2", "v": 2]]]]
        let new: JSONValue = ["spec": ["l": [["k": "2", "v": 2], ["k": "1", "v": 5], ["k": "3", "v": 1]]]]
        #expect(map.validate(new, old: old).map(\.field) == ["spec.l[1].v"])
        #expect(map.validate(new) == [])
        let atomic = try schema(["l": ["type": "array", "items": item]])
        #expect(atomic.validate(new, old: old) == [])
    }

    @Test("rules with an optional oldSelf always run")
    func optionalOldSelf() throws {
        let rule: JSONValue = ["rule": "!oldSelf.hasValue() || oldSelf.value().a == self.a", "optionalOldSelf": true, "message": "fixed"]
        let subject = try schema(["a": ["type": "string"]], [rule])
        #expect(subject.validate(["spec": ["a": "y"]]) == [])
        #expect(subject.validate(["spec": ["a": "y"]], old: ["spec": ["a": "x"]]).map(\.message) == ["Invalid value: fixed"])
    }

    @Test("faults of unchanged values are ignored")
    func ratcheting() throws {
        let subject = try schema(["a": ["type": "string", "x-kubernetes-validations": [["rule": "self != 'bad'"]]], "c": ["type": "string"]])
        #expect(subject.validate(["spec": ["a": "bad", "c": "2"]], old: ["spec": ["a": "bad", "c": "1"]]) == [])
        #expect(subject.validate(["spec": ["a": "bad"]], old: ["spec": ["a": "good"]]).count == 1)
        #expect(subject.validate(["spec": ["a": "bad"]]).count == 1)
    }

    @Test("rules at the root can read kind, name and status")
    func root() throws {
        let subject = try StructuralSchema([
            "type": "object",
            "properties": [
                "spec": ["type": "object", "properties": ["a": ["type": "string"]]],
                "status": ["type": "object", "properties": ["p": ["type": "string"]]],
            ],
            "x-kubernetes-validations": [
                ["rule": "self.metadata.name.startsWith('a')", "message": "name"],
                ["rule": "!has(oldSelf.status) || self.spec.a == oldSelf.spec.a", "message": "frozen", "fieldPath": ".spec.a"],
            ],
        ])
        func object(_ name: String, _ a: String, status: Bool) -> JSONValue {
            var object: JSONValue = ["kind": "K", "metadata": ["name": .string(name)], "spec": ["a": .string(a)]]
            if status { object["status"] = ["p": "x"] }
            return object
        }
        #expect(subject.validate(object("b", "1", status: false)).map(\.description) == ["<nil>: Invalid value: name"])
        #expect(subject.validate(object("a", "1", status: true), old: object("a", "2", status: true)).map(\.field) == ["spec.a"])
        #expect(subject.validate(object("a", "1", status: false), old: object("a", "2", status: false)) == [])
    }

    @Test("an invalid rule is reported when the definition is created, and never counts as passed")
    func broken() throws {
        let subject = try schema(["a": ["type": "string"]], [["rule": "self.a ==", "message": "m"], ["rule": "self.b == 'x'"]])
        let faults = subject.compileErrors(path: "s")
        #expect(faults.map(\.field) == (0...1).map { "s.properties[spec].x-kubernetes-validations[\($0)].rule" })
        #expect(subject.validate(["spec": ["a": "x"]]).count == 2)
    }
}
