import Base
import Testing

@testable import APIServer

@Suite("Patches")
struct PatchTests {
    @Test(
        "RFC 6902, by its own examples",
        arguments: [
            (#"{"foo":"bar"}"#, #"[{"op":"add","path":"/baz","value":"qux"}]"#, #"{"baz":"qux","foo":"bar"}"#),
            (#"{"foo":["bar","baz"]}"#, #"[{"op":"add","path":"/foo/1","value":"qux"}]"#, #"{"foo":["bar","qux","baz"]}"#),
            (#"{"baz":"qux","foo":"bar"}"#, #"[{"op":"remove","path":"/baz"}]"#, #"{"foo":"bar"}"#),
            (#"{"foo":["bar","qux","baz"]}"#, #"[{"op":"remove","path":"/foo/1"}]"#, #"{"foo":["bar","baz"]}"#),
            (#"{"baz":"qux"}"#, #"[{"op":"replace","path":"/baz","value":"boo"}]"#, #"{"baz":"boo"}"#),
            (
                #"{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}"#,
                #"[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]"#,
                #"{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}"#
            ),
            (
                #"{"foo":["all","grass","cows","eat"]}"#, #"[{"op":"move","from":"/foo/1","path":"/foo/3"}]"#,
                #"{"foo":["all","cows","eat","grass"]}"#
            ),
            (#"{"foo":["bar"]}"#, #"[{"op":"add","path":"/foo/-","value":["abc","def"]}]"#, #"{"foo":["bar",["abc","def"]]}"#),
            (
                #"{"a/b":1,"m~n":2}"#, #"[{"op":"test","path":"/a~1b","value":1},{"op":"replace","path":"/m~0n","value":3}]"#,
                #"{"a/b":1,"m~n":3}"#
            ),
            (#"{"a":1}"#, #"[{"op":"replace","path":"/b","value":2}]"#, #"{"a":1,"b":2}"#),
            (#"{"a":{"b":[1]}}"#, #"[{"op":"copy","from":"/a/b","path":"/c"}]"#, #"{"a":{"b":[1]},"c":[1]}"#),
        ])
    func json(document: String, patch: String, result: String) throws {
        let patched = try JSONPatch(JSONValue(parsing: patch)).apply(to: JSONValue(parsing: document))
        #expect(patched.text == result)
    }

    @Test(
        "a JSON patch that does not apply is distinguished from one that is malformed",
        arguments: [
            (#"[{"op":"test","path":"/a","value":2}]"#, false), (#"[{"op":"remove","path":"/x"}]"#, false),
            (#"[{"op":"add","path":"/x/y","value":1}]"#, false), (#"[{"op":"add","path":"/l/7","value":1}]"#, false),
            (#"[{"op":"replace","path":"/l/7","value":1}]"#, false), (#"{"op":"add"}"#, true),
            (#"[1]"#, true), (#"[{"op":"frob","path":"/a"}]"#, false),
            (#"[{"op":"add","path":"a","value":1}]"#, false), (#"[{"op":"move","path":"/a"}]"#, false),
            (#"[{"path":"/a"}]"#, false), (#"[{"op":"replace","path":"/x/y","value":1}]"#, false),
        ])
    func badJSON(patch: String, isMalformed: Bool) throws {
        do {
            _ = try JSONPatch(JSONValue(parsing: patch)).apply(to: ["a": 1, "l": [1]])
            Issue.record("applied")
        } catch JSONPatch.Fault.malformed {
            #expect(isMalformed)
        } catch JSONPatch.Fault.unappliable {
            #expect(!isMalformed)
        }
    }

    @Test(
        "RFC 7386, by its own examples",
        arguments: [
            (#"{"a":"b"}"#, #"{"a":"c"}"#, #"{"a":"c"}"#), (#"{"a":"b"}"#, #"{"a":null}"#, "{}"),
            (#"{"a":"b","b":"c"}"#, #"{"a":null}"#, #"{"b":"c"}"#), (#"{"a":["b"]}"#, #"{"a":"c"}"#, #"{"a":"c"}"#),
            (#"{"a":{"b":"c"}}"#, #"{"a":{"b":"d","c":null}}"#, #"{"a":{"b":"d"}}"#),
            (#"{"a":[{"b":"c"}]}"#, #"{"a":[1]}"#, #"{"a":[1]}"#),
            (#"["a","b"]"#, #"["c","d"]"#, #"["c","d"]"#), (#"{"e":null}"#, #"{"a":1}"#, #"{"a":1,"e":null}"#),
            ("{}", #"{"a":{"bb":{"ccc":null}}}"#, #"{"a":{"bb":{}}}"#),
        ])
    func merge(document: String, patch: String, result: String) throws {
        #expect(try MergePatch.apply(JSONValue(parsing: patch), to: JSONValue(parsing: document)).text == result)
    }

    @Test(
        "strategic merge of a pod's spec",
        arguments: [
            (
                #"{"containers":[{"name":"b","image":"2"}]}"#,
                #"{"containers":[{"image":"1","name":"a"},{"image":"2","name":"b"}]}"#
            ),
            (#"{"containers":[{"name":"a","image":"9"}]}"#, #"{"containers":[{"image":"9","name":"a"}]}"#),
            (
                #"{"containers":[{"name":"a","$patch":"delete"},{"name":"b","image":"2"}]}"#,
                #"{"containers":[{"image":"2","name":"b"}]}"#
            ),
            (#"{"containers":[{"$patch":"replace"},{"name":"z","image":"3"}]}"#, #"{"containers":[{"image":"3","name":"z"}]}"#),
            (
                #"{"containers":[{"name":"b","image":"2"}],"$setElementOrder/containers":[{"name":"b"},{"name":"a"}]}"#,
                #"{"containers":[{"image":"2","name":"b"},{"image":"1","name":"a"}]}"#
            ),
            (#"{"tolerations":[{"key":"x"}]}"#, #"{"containers":[{"image":"1","name":"a"}],"tolerations":[{"key":"x"}]}"#),
            (#"{"nodeSelector":{"x":"y"}}"#, #"{"containers":[{"image":"1","name":"a"}],"nodeSelector":{"x":"y"}}"#),
        ])
    func strategic(patch: String, result: String) throws {
        let spec: JSONValue = ["containers": [["name": "a", "image": "1"]]]
        let patched = try StrategicMergePatch.apply(JSONValue(parsing: patch), to: spec, shape: .named("PodSpec"))
        #expect(patched.text == result)
    }

    @Test("strategic merge of lists of scalars: added once, deleted by directive")
    func strategicScalars() throws {
        let metadata: JSONValue = ["finalizers": ["a", "b"]]
        let added = try StrategicMergePatch.apply(["finalizers": ["b", "c"]], to: metadata, shape: .named("ObjectMeta"))
        #expect(added == ["finalizers": ["a", "b", "c"]])
        let removed = try StrategicMergePatch.apply(
            ["$deleteFromPrimitiveList/finalizers": ["a"]], to: metadata, shape: .named("ObjectMeta"))
        #expect(removed == ["finalizers": ["b"]])
    }

    @Test("a patch cannot nest an object so deeply that it could not be read again")
    func nesting() async throws {
        try await withDirectory { directory in
            try await withServer(directory: directory + "/d") { server in
                var definition = thingDefinition
                var version = definition.at("spec", "versions")?[0] ?? [:]
                version.set(
                    ["schema", "openAPIV3Schema", "properties", "free"],
                    to: [
                        "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                    ])
                definition.set(["spec", "versions"], to: [version])
                _ = try await server.send("POST", definitions, definition)
                _ = try await server.send("POST", things, thing("a"))
                var nested: JSONValue = 1
                for _ in 0..<150 { nested = ["x": nested] }
                var path = "/free"
                var statuses: [Int] = []
                for _ in 0..<4 {
                    let answer = try await server.send(
                        "PATCH", "\(things)/a", [["op": "add", "path": .string(path), "value": nested]], type: "application/json-patch+json")
                    statuses.append(answer.status)
                    path += String(repeating: "/x", count: 150)
                }
                #expect(statuses == [200, 200, 400, 422])
                #expect(try await server.get("\(things)/a").json.at("spec", "colour") == "red")
            }
            try await withServer(directory: directory + "/d") { server in
                let kept = try await server.get("\(things)/a")
                #expect(kept.json.at("spec", "colour") == "red")
            }
        }
    }

    @Test("catalogue 15: twenty writers with merge patches lose nothing, twenty with one version make nineteen conflicts")
    func contention() async throws {
        try await withServer { server in
            let made = try await server.send("POST", configMaps, configMap("a"))
            try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<20 {
                    group.addTask { try await server.merge("\(configMaps)/a", ["data": ["k\(number)": "v"]]).status }
                }
                for try await status in group { #expect(status == 200) }
            }
            #expect(try await server.get("\(configMaps)/a").json["data"]?.object?.count == 21)
            let version = try await server.get("\(configMaps)/a").version
            #expect(version != made.version)
            var statuses: [Int] = []
            try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<20 {
                    var object = configMap("a", ["n": .string("\(number)")])
                    object.set(["metadata", "resourceVersion"], to: .string(version))
                    group.addTask { [object] in try await server.send("PUT", "\(configMaps)/a", object).status }
                }
                for try await status in group { statuses.append(status) }
            }
            #expect(statuses.filter { $0 == 200 }.count == 1)
            #expect(statuses.filter { $0 == 409 }.count == 19)
        }
    }
}
