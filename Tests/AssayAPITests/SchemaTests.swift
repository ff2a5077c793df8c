import AssayAPI
import Base
import Foundation
import KubeCore
import Testing
import YAML

/// Compares the Swift types with the CRDs in `manifests/crds`.
@Suite("Types and CRDs agree")
struct SchemaTests {
    struct Kind: Sendable, CustomTestStringConvertible {
        var type: any AssayObject.Type
        /// A spec that contains every optional object with defaults, and nothing else.
        var minimal: JSONValue
        var testDescription: String { type.resource.kind }
    }

    static let kinds: [Kind] = [
        Kind(
            type: EvalJob.self,
            minimal: [
                "source": ["repo": "r"], "retry": [:], "environment": ["network": [:]], "verifier": [:],
                "artifacts": ["git": ["remote": "r"]],
            ]),
        Kind(type: EvalTarget.self, minimal: ["syncOptions": [:], "host": ["address": "h"]]),
        Kind(type: OverlaySource.self, minimal: ["repo": "r"]),
    ]

    /// The CRD of a kind, found relative to this file.
    static func definition(_ type: any AssayObject.Type) throws -> JSONValue {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let file = root.appendingPathComponent("manifests/crds/\(type.resource.plural).yaml")
        return try YAML.parseSingle([UInt8](Data(contentsOf: file)))
    }

    static func schema(_ type: any AssayObject.Type) throws -> JSONValue {
        let versions = try definition(type).at("spec", "versions")?.array ?? []
        let version = try #require(versions.first { $0["name"]?.string == type.resource.version })
        return try #require(version.at("schema", "openAPIV3Schema"))
    }

    static func fields(_ type: any AssayObject.Type) throws -> [String: SchemaProbe.Field] {
        func probe<T: AssayObject>(_ type: T.Type) throws -> [String: SchemaProbe.Field] {
            try SchemaProbe.fields(of: T.Spec.self, at: "spec").merging(SchemaProbe.fields(of: T.Status.self, at: "status")) { $1 }
        }
        return try probe(type)
    }

    /// Every leaf of a schema with its path, and every default.
    private struct Flat {
        var fields: [String: SchemaProbe.Field] = [:]
        var defaults: [String: JSONValue] = [:]

        mutating func add(_ schema: JSONValue, _ path: String) {
            if let value = schema["default"] { defaults[path] = value }
            if schema["x-kubernetes-preserve-unknown-fields"]?.bool == true {
                fields[path] = .init(type: "any")
            } else if let properties = schema["properties"]?.object {
                for (name, property) in properties { add(property, "\(path).\(name)") }
            } else if let items = schema["items"] {
                add(items, path + "[]")
            } else if schema["additionalProperties"] != nil {
                fields[path] = .init(type: "map")
            } else {
                fields[path] = .init(
                    type: schema["type"]?.string ?? "?", values: (schema["enum"]?.array ?? []).compactMap(\.string).sorted())
            }
        }
    }

    private static func flat(_ type: any AssayObject.Type) throws -> Flat {
        var flat = Flat()
        let schema = try schema(type)
        for part in ["spec", "status"] { flat.add(try #require(schema.at("properties", part)), part) }
        return flat
    }

    /// Fields that are a string in Swift although the CRD lists the values, because values that others write must be readable, too.
    private static let openStrings: Set<String> = [
        "status.conditions[].status", "spec.environment.podTemplate.tolerations[].operator",
        "spec.environment.podTemplate.tolerations[].effect", "spec.podTemplate.tolerations[].operator",
        "spec.podTemplate.tolerations[].effect",
    ]

    @Test("both have the same fields with the same types", arguments: kinds)
    func fields(_ kind: Kind) throws {
        let swift = try Self.fields(kind.type)
        let crd = try Self.flat(kind.type).fields
        #expect(Set(swift.keys).subtracting(crd.keys).sorted() == [], "in the Swift type only")
        #expect(Set(crd.keys).subtracting(swift.keys).sorted() == [], "in the CRD only")
        for (path, field) in swift {
            guard var other = crd[path] else { continue }
            if Self.openStrings.contains(path) { other.values = [] }
            #expect(field == other, "\(path)")
        }
    }

    @Test("defaults are the same on both sides", arguments: kinds)
    func defaults(_ kind: Kind) throws {
        func decoded<T: AssayObject>(_ type: T.Type) throws -> JSONValue {
            try T(json: ["metadata": ["name": "x"], "spec": kind.minimal]).json()
        }
        let object = try decoded(kind.type)
        let defaults = try Self.flat(kind.type).defaults
        #expect(!defaults.isEmpty)
        for (path, expected) in defaults where expected.object == nil {
            var value: JSONValue? = object
            for key in path.split(separator: ".") { value = value?[String(key)] }
            #expect(value == expected || (value?.double != nil && value?.double == expected.double), "\(path)")
        }
    }

    @Test("names, scope and status subresource are as the client expects", arguments: kinds)
    func names(_ kind: Kind) throws {
        let crd = try Self.definition(kind.type)
        let resource = kind.type.resource
        #expect(crd.at("metadata", "name")?.string == "\(resource.plural).\(resource.group)")
        #expect(crd.at("spec", "group")?.string == resource.group)
        #expect(crd.at("spec", "names", "kind")?.string == resource.kind)
        #expect(crd.at("spec", "scope")?.string == "Namespaced")
        #expect(crd.at("spec", "versions")?[0]?.at("subresources", "status") != nil)
    }

    @Test("the probe finds a field that only one side has")
    func probe() throws {
        struct Inner: Decodable { var a: Int; var b: [String]?; var c: VerifierSpec? }
        let fields = try SchemaProbe.fields(of: Inner.self, at: "x")
        #expect(fields["x.a"]?.type == "integer" && fields["x.b[]"]?.type == "string")
        #expect(fields["x.c.environmentMode"]?.values == ["separate", "shared"])
        #expect(fields.count == 7)
    }
}
