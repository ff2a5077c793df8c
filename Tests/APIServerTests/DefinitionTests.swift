import Base
import Testing

@Suite("Definitions of custom resources")
struct DefinitionTests {
    @Test("a definition is stored as written, including defaults that are zero")
    func zeroDefaults() async throws {
        try await withServer { server in
            var definition = thingDefinition
            let path = ["spec"]
            var version = definition.at("spec", "versions")?[0] ?? [:]
            let schema = ["schema", "openAPIV3Schema", "properties", "spec", "properties"]
            version.set(schema + ["order"], to: ["type": "integer", "default": 0, "minimum": 0])
            version.set(schema + ["suspend"], to: ["type": "boolean", "default": false])
            version.set(schema + ["note"], to: ["type": "string", "default": ""])
            version.set(schema + ["list"], to: ["type": "array", "items": ["type": "string"], "default": []])
            definition.set(path + ["versions"], to: [version])
            let made = try await server.send("POST", definitions, definition)
            #expect(made.status == 201, "\(made.message)")
            #expect(made.json.at("spec", "versions")?[0]?["schema"] == version["schema"])
            let object = try await server.send("POST", things, thing("a"))
            #expect(object.json["spec"] == ["colour": "red", "size": 3, "order": 0, "suspend": false, "note": "", "list": []])
        }
    }

    private struct Fault: Sendable {
        var path: [String]
        var value: JSONValue
        var message: String
    }

    private static func version(_ schema: JSONValue?, _ more: [String: JSONValue] = [:]) -> JSONValue {
        var version: JSONValue = ["name": "v1", "served": true, "storage": true]
        if let schema { version["schema"] = ["openAPIV3Schema": schema] }
        for (key, value) in more { version[key] = value }
        return [version]
    }

    private static let faults: [Fault] = [
        Fault(path: ["spec", "scope"], value: "Galaxy", message: "spec.scope: Unsupported value"),
        Fault(
            path: ["spec", "names", "plural"], value: "stuff", message: "metadata.name: Invalid value: \"things.test.assay.dev\""),
        Fault(path: ["spec", "group"], value: "nodot", message: "spec.group"),
        Fault(path: ["spec", "versions"], value: [], message: "spec.versions"),
        Fault(
            path: ["spec", "versions"], value: version(nil), message: "spec.versions[0].schema.openAPIV3Schema: Required value"),
        Fault(
            path: ["spec", "versions"], value: version(["type": "object", "properties": ["spec": ["type": "nonsense"]]]),
            message: "spec.versions[0].schema.openAPIV3Schema"),
        Fault(
            path: ["spec", "versions"],
            value: version(
                ["type": "object"], ["additionalPrinterColumns": [["name": "X", "type": "string", "jsonPath": ".a["]]]),
            message: "additionalPrinterColumns[0].jsonPath"),
        Fault(
            path: ["spec", "versions"],
            value: version(["type": "object", "x-kubernetes-validations": [["rule": "self.nope >"]]]),
            message: "x-kubernetes-validations[0].rule"),
    ]

    @Test("the faults of a definition are reported with their paths", arguments: faults.indices)
    func invalid(index: Int) async throws {
        let (path, value, message) = (Self.faults[index].path, Self.faults[index].value, Self.faults[index].message)
        try await withServer { server in
            var definition = thingDefinition
            definition.set(path, to: value)
            let refused = try await server.send("POST", definitions, definition)
            #expect(refused.status == 422)
            #expect(refused.message.contains(message), "\(refused.message)")
        }
    }

    @Test("a second version is served at once, and a version that is no longer served answers 404")
    func versions() async throws {
        try await withServer { server in
            _ = try await server.send("POST", definitions, thingDefinition)
            _ = try await server.send("POST", things, thing("a"))
            var first = thingDefinition.at("spec", "versions")?[0] ?? [:]
            var second = first
            second["name"] = "v2"
            second["storage"] = false
            let both = try await server.merge("\(definitions)/things.test.assay.dev", ["spec": ["versions": [first, second]]])
            #expect(both.status == 200, "\(both.message)")
            let other = try await server.get("/apis/test.assay.dev/v2/namespaces/default/things/a")
            #expect(other.json["apiVersion"] == "test.assay.dev/v2")
            let group = try await server.get("/apis/test.assay.dev")
            #expect(group.json.at("preferredVersion", "version") == "v2")
            first["served"] = false
            _ = try await server.merge("\(definitions)/things.test.assay.dev", ["spec": ["versions": [first, second]]])
            #expect(try await server.get(things).status == 404)
        }
    }

    @Test("discovery and OpenAPI follow the definitions; the hash changes with the document")
    func documents() async throws {
        try await withServer { server in
            let before = try await server.get("/openapi/v3").json["paths"]?.object ?? [:]
            #expect(before["apis/test.assay.dev/v1"] == nil)
            #expect(before["api/v1"] != nil && before["apis/apps/v1"] != nil)
            _ = try await server.send("POST", definitions, thingDefinition)
            let after = try await server.get("/openapi/v3").json["paths"]?.object ?? [:]
            let url = try #require(after["apis/test.assay.dev/v1"]?["serverRelativeURL"]?.string)
            let document = try await server.get(url).json
            let schema = document.at("components", "schemas")?["dev.assay.test.v1.Thing"]
            #expect(schema?.at("properties", "spec", "properties", "colour", "description") == "Its colour.")
            #expect(
                schema?["x-kubernetes-group-version-kind"] == [["group": "test.assay.dev", "kind": "Thing", "version": "v1"]])
            let patch = document.at("paths")?["/apis/test.assay.dev/v1/namespaces/{namespace}/things/{name}"]?["patch"]
            #expect(patch?["operationId"] == "patchTestAssayDevV1NamespacedThing")
            let parameters = (patch?["parameters"]?.array ?? []).compactMap { $0["name"]?.string }
            #expect(parameters.contains("fieldValidation") && parameters.contains("dryRun"))
        }
    }
}
