import Base
import Testing

@testable import APIServer

@Suite("Server-side apply and managed fields")
struct ApplyTests {
    private func managers(_ answer: ServerUnderTest.Answer) -> [String: JSONValue] {
        var found: [String: JSONValue] = [:]
        for entry in answer.json.at("metadata", "managedFields")?.array ?? [] {
            found["\(entry["manager"]?.string ?? "")/\(entry["operation"]?.string ?? "")"] = entry["fieldsV1"]
        }
        return found
    }

    @Test("a field set by an update belongs to the updater: an apply of it conflicts, a forced apply takes it over")
    func conflictWithUpdate() async throws {
        try await withServer { server in
            _ = try await server.send("POST", definitions, thingDefinition)
            let created = try await server.send("POST", "\(things)?fieldManager=human", thing("a", ["colour": "red", "size": 2]))
            #expect(managers(created)["human/Update"] == ["f:spec": [".": [:], "f:colour": [:], "f:size": [:]]])
            let refused = try await server.apply("\(things)/a", thing("a", ["colour": "blue"]), manager: "robot")
            #expect(refused.status == 409)
            #expect(refused.json.at("details", "causes")?[0]?["field"] == ".spec.colour")
            #expect(refused.message.contains("conflict with \"human\" using test.assay.dev/v1"))
            let forced = try await server.apply("\(things)/a", thing("a", ["colour": "blue"]), manager: "robot", force: true)
            #expect(forced.status == 200)
            #expect(
                managers(forced) == [
                    "human/Update": ["f:spec": [".": [:], "f:size": [:]]], "robot/Apply": ["f:spec": ["f:colour": [:]]],
                ])
            // Now an update takes the field from the applier, without a conflict.
            let patched = try await server.send(
                "PATCH", "\(things)/a?fieldManager=human", ["spec": ["colour": "green"]], type: "application/merge-patch+json")
            #expect(managers(patched) == ["human/Update": ["f:spec": [".": [:], "f:colour": [:], "f:size": [:]]]])
        }
    }

    @Test("a value may have two owners; it is removed when the last owner drops it")
    func sharedField() async throws {
        try await withServer { server in
            _ = try await server.send("POST", definitions, thingDefinition)
            _ = try await server.apply("\(things)/a", thing("a", ["colour": "red", "labels": ["x": "1"]]), manager: "one")
            let shared = try await server.apply("\(things)/a", thing("a", ["labels": ["x": "1", "y": "2"]]), manager: "two")
            #expect(shared.status == 200)
            let kept = try await server.apply("\(things)/a", thing("a", ["colour": "red"]), manager: "one")
            #expect(kept.json.at("spec", "labels") == ["x": "1", "y": "2"])
            let gone = try await server.apply("\(things)/a", thing("a", ["labels": ["y": "2"]]), manager: "two")
            #expect(gone.json.at("spec", "labels") == ["y": "2"])
            #expect(gone.json.at("spec", "colour") == "red")
        }
    }

    @Test("an applied list item that is dropped is removed, except for parts that others own")
    func listItems() async throws {
        try await withServer { server in
            _ = try await server.send("POST", definitions, thingDefinition)
            _ = try await server.apply(
                "\(things)/a", thing("a", ["parts": [["id": "x", "n": 1], ["id": "y", "n": 2]]]), manager: "one")
            _ = try await server.apply("\(things)/a", thing("a", ["parts": [["id": "y"]]]), manager: "two")
            let rest = try await server.apply("\(things)/a", thing("a", ["colour": "red"]), manager: "one")
            #expect(rest.json.at("spec", "parts") == [["id": "y"]])
        }
    }

    @Test("applying the same configuration again changes nothing, not even the version")
    func idempotent() async throws {
        try await withServer { server in
            let first = try await server.apply("\(configMaps)/a", configMap("a"), manager: "one")
            #expect(first.status == 201)
            let second = try await server.apply("\(configMaps)/a", configMap("a"), manager: "one")
            #expect(second.status == 200)
            #expect(second.version == first.version)
        }
    }

    @Test("status can be applied only through its own path, and is owned there")
    func status() async throws {
        try await withServer { server in
            _ = try await server.send("POST", definitions, thingDefinition)
            var object = thing("a")
            object["status"] = ["phase": "Hacked"]
            let main = try await server.apply("\(things)/a", object, manager: "one")
            #expect(main.json["status"] == nil)
            object["status"] = ["phase": "Done"]
            let status = try await server.apply("\(things)/a/status", object, manager: "robot")
            #expect(status.json.at("status", "phase") == "Done")
            #expect(managers(status)["robot/Apply"] == ["f:status": ["f:phase": [:]]])
        }
    }

    @Test("lists of built-in kinds merge by key: a second applier adds a container, and the first one's stays")
    func containers() async throws {
        try await withServer { server in
            let made = try await server.apply("\(pods)/p", pod("p"), manager: "one")
            #expect(made.status == 201)
            let owned = managers(made)["one/Apply"]
            #expect(owned?.at("f:spec", "f:containers", "k:{\"name\":\"trial\"}", "f:image") == [:])
            var labelled = pod("p")
            labelled["spec"] = ["containers": [["name": "trial", "image": "localhost/t:2"]]]
            let refused = try await server.apply("\(pods)/p", labelled, manager: "two")
            #expect(refused.json.at("details", "causes")?[0]?["field"] == ".spec.containers[name=\"trial\"].image")
        }
    }

    @Test(
        "a configuration that does not fit the schema is refused whatever the field validation is",
        arguments: ["Strict", "Warn", "Ignore"])
    func misfit(validation: String) async throws {
        try await withServer { server in
            _ = try await server.send("POST", definitions, thingDefinition)
            let path = "\(things)/a?fieldManager=one&fieldValidation=\(validation)"
            for (spec, fault) in [
                (["color": "red"], ".spec.color: field not declared in schema"),
                (["size": "x"], ".spec.size: expected numeric (int or float), got string"),
                (["parts": [["id": "x"], ["id": "x"]]], ".spec.parts: duplicate entries for key [id=\"x\"]"),
                (["size": [], "color": 1], "errors:\n  .spec.color: field not declared in schema\n  .spec.size: expected numeric"),
            ] as [(JSONValue, String)] {
                let refused = try await server.send("PATCH", path, thing("a", spec), type: "application/apply-patch+yaml")
                #expect(refused.status == 500)
                #expect(
                    refused.message.contains("failed to create typed patch object (/a; test.assay.dev/v1, Kind=Thing): \(fault)"),
                    "\(refused.message)")
            }
            #expect(try await server.send("GET", "\(things)/a").status == 404)
        }
    }

    @Test("fields set before the first apply get one manager, and an emptied list of managers ends the tracking")
    func beforeFirstApply() async throws {
        try await withServer { server in
            _ = try await server.send("POST", definitions, thingDefinition)
            _ = try await server.send("POST", "\(things)?fieldManager=human", thing("a", ["colour": "red", "size": 2]))
            let merge = "application/merge-patch+json"
            let emptied = try await server.send("PATCH", "\(things)/a", ["metadata": ["managedFields": [[:]]]], type: merge)
            #expect(managers(emptied).isEmpty)
            let changed = try await server.send("PATCH", "\(things)/a?fieldManager=human", ["spec": ["size": 3]], type: merge)
            #expect(managers(changed).isEmpty)
            let refused = try await server.apply("\(things)/a", thing("a", ["size": 4]), manager: "robot")
            #expect(refused.status == 409)
            #expect(refused.message.contains("conflict with \"before-first-apply\" using test.assay.dev/v1: .spec.size"), "\(refused.message)")
            let forced = try await server.apply("\(things)/a", thing("a", ["size": 4]), manager: "robot", force: true)
            #expect(
                managers(forced) == [
                    "before-first-apply/Update": ["f:spec": [".": [:], "f:colour": [:]]], "robot/Apply": ["f:spec": ["f:size": [:]]],
                ])
        }
    }

    @Test("a configuration applied to the status may contain a spec, which is ignored and causes no conflict")
    func statusWithSpec() async throws {
        try await withServer { server in
            _ = try await server.send("POST", definitions, thingDefinition)
            _ = try await server.apply("\(things)/a", thing("a", ["colour": "red"]), manager: "one")
            var object = thing("a", ["colour": "blue"])
            object["status"] = ["phase": "Done"]
            let applied = try await server.apply("\(things)/a/status", object, manager: "two")
            #expect(applied.status == 200)
            #expect(applied.json.at("spec", "colour") == "red")
            #expect(managers(applied)["two/Apply"] == ["f:status": ["f:phase": [:]]])
        }
    }

    @Test("a set of fields is unchanged after encoding and decoding as fieldsV1")
    func roundTrip() throws {
        let value: JSONValue = [
            "f:spec": [
                "f:parts": ["k:{\"id\":\"x\"}": [".": [:], "f:n": [:]], "k:{\"id\":\"y\"}": [".": [:]]],
                "f:tags": ["v:\"a\"": [:]],
            ]
        ]
        let tree = FieldTree(fieldsV1: value)
        #expect(
            tree.paths == [".spec.parts[id=\"x\"]", ".spec.parts[id=\"x\"].n", ".spec.parts[id=\"y\"]", ".spec.tags[=\"a\"]"])
        #expect(FieldTree(fieldsV1: tree.fieldsV1) == tree)
        #expect(tree.subtracting(tree).isEmpty)
        #expect(tree.union(FieldTree()) == tree)
        #expect(tree.intersection(tree) == tree)
    }
}
