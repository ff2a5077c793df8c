import AssayAPI
import AssayTesting
import Base
import EvalFormats
import Rollout
import Testing
import YAML

@testable import assay

/// Every example in YAML and JSON on every page is read, and every object in one is one that the API server takes.
@Suite struct ExampleTests {
    /// What an example is, by what is in it. A page cannot have one that is none of these.
    private enum Example {
        /// Objects of Kubernetes.
        case object(JSONValue)
        /// A part of an EvalJob: its `spec`, or some of the spec's fields.
        case jobFields([String: JSONValue])
        case rolloutJob(JSONValue)
        case agentV(JSONValue)
        /// Steps of a continuous integration; DocumentedCommandsTests read what they run.
        case workflow
        /// Values of the chart; ChartTests render them.
        case chartValues

        init?(_ document: JSONValue, chart: Set<String>, jobFields: Set<String>) {
            guard let members = document.object else { return nil }
            let keys = Set(members.keys)
            if keys.contains("apiVersion") {
                self = .object(document)
            } else if keys.isSuperset(of: ["agents", "datasets"]), JobFile.isJobFile(document) {
                self = .rolloutJob(document)
            } else if keys.contains("targets"), AgentVConfig.isConfig(document) {
                self = .agentV(document)
            } else if keys.isSuperset(of: ["name", "jobs"]) {
                self = .workflow
            } else if !keys.isEmpty, keys.isSubset(of: chart) {
                self = .chartValues
            } else if keys == ["spec"], let spec = members["spec"]?.object {
                self = .jobFields(spec)
            } else if !keys.isEmpty, keys.isSubset(of: jobFields) {
                self = .jobFields(members)
            } else {
                return nil
            }
        }
    }

    private static let job: JSONValue = [
        "apiVersion": "assay.dev/v1alpha1", "kind": "EvalJob", "metadata": ["name": "example"],
        "spec": ["source": ["repo": "https://github.com/acme/benchmark"], "datasets": [["path": "tasks"]], "agents": [["name": "oracle"]]],
    ]

    @Test("the API server takes every object, and everything else in YAML is what its readers expect")
    func yaml() async throws {
        let chart = Set(try #require(try YAML.parseSingle(try Checkout.text("charts/assay/values.yaml")).object).keys)
        let definition = try YAML.parseSingle(try Checkout.text("manifests/crds/evaljobs.yaml"))
        let spec = definition.at("spec", "versions")?[0]?.at("schema", "openAPIV3Schema", "properties", "spec", "properties")
        let fields = Set(try #require(spec?.object).keys)
        var objects = 0
        try await ExampleServer.with { server in
            for block in Pages.blocks where ["yaml", "yml"].contains(block.language) {
                let documents: [JSONValue]
                do { documents = try YAML.parse(block.text) } catch {
                    Issue.record("\(block): \(error)")
                    continue
                }
                for document in documents where !document.isNull {
                    guard let example = Example(document, chart: chart, jobFields: fields) else {
                        Issue.record("\(block): this is no object, no part of an EvalJob, no values of the chart and no file of another program")
                        continue
                    }
                    do {
                        switch example {
                        case .object(let object):
                            objects += 1
                            try await check(object, block, server)
                        case .jobFields(let fields):
                            var job = Self.job
                            for (name, value) in fields { job.set(["spec", name], to: value) }
                            try await check(job, block, server)
                        case .rolloutJob: _ = try JobFile.parse(Array(block.text.utf8))
                        case .agentV(let document):
                            let config = try AgentVConfig(document, file: "config.yaml")
                            #expect(config.unknown.isEmpty, "\(block): \(config.unknown)")
                            for resource in AgentVResources(config).documents { try await check(resource, block, server) }
                        case .workflow, .chartValues: break
                        }
                    } catch {
                        Issue.record("\(block): \(error)")
                    }
                }
            }
        }
        #expect(objects > 25)
    }

    private func check(_ object: JSONValue, _ block: MarkdownPage.Block, _ server: ExampleServer) async throws {
        let name = "\(object["kind"]?.string ?? "") \(object.at("metadata", "name")?.string ?? "")"
        switch try await server.refusal(of: Self.onThisMachine(object)) {
        case nil:
            for field in try Self.unsupported(in: object) { Issue.record("\(block): \(name): \(field.message)") }
        case .refused(let why)?: Issue.record("\(block): \(name): \(why)")
        case .notServed?:
            guard let shape = ForeignObjects.shapes["\(object["apiVersion"]?.string ?? "")/\(object["kind"]?.string ?? "")"] else {
                Issue.record("\(block): \(name): nothing in this test knows the kind")
                return
            }
            for field in shape.unknown(in: object) { Issue.record("\(block): \(name): \(field) is no field of it") }
            guard let template = shape.pod, let pod = Self.value(template, of: object) else { return }
            var inside: JSONValue = ["apiVersion": "v1", "kind": "Pod"]
            inside["metadata"] = pod["metadata"] ?? [:]
            inside.set(["metadata", "name"], to: "example")
            inside["spec"] = pod["spec"]
            if case .refused(let why)? = try await server.refusal(of: inside) { Issue.record("\(block): \(name): its pod: \(why)") }
        }
    }

    /// The fields for which an operator would refuse the object, wherever it runs.
    private static func unsupported(in object: JSONValue) throws -> [UnsupportedField] {
        switch object["kind"]?.string {
        case "EvalJob": return UnsupportedFields.check(try EvalJob(json: object).spec, canBuild: true)
        case "EvalTarget":
            let spec = try EvalTarget(json: object).spec
            let onCluster = UnsupportedFields.check(spec, onCluster: true)
            return onCluster.isEmpty ? [] : UnsupportedFields.check(spec)
        default: return []
        }
    }

    private static func value(_ path: [String], of object: JSONValue) -> JSONValue? { path.reduce(Optional(object)) { $0?[$1] } }

    /// `assay run` replaces the working directory by its address before it asks its API server.
    private static func onThisMachine(_ object: JSONValue) -> JSONValue {
        var object = object
        for path in [["spec", "source", "repo"], ["spec", "repo"]] where value(path, of: object) == "." {
            object.set(path, to: "file:///home/ada/benchmark")
        }
        if object.at("spec", "workdir") == "." { object.set(["spec", "workdir"], to: "/home/ada/benchmark") }
        return object
    }

    @Test("every example in JSON can be read")
    func json() {
        var count = 0
        for block in Pages.blocks where block.language == "json" {
            count += 1
            #expect(throws: Never.self, "\(block)") { try JSONValue(parsing: Array(block.text.utf8)) }
        }
        #expect(count >= 4)
    }

    @Test("every block is in a language that some test reads, or in none")
    func languages() {
        for block in Pages.blocks {
            #expect(
                ["", "yaml", "json", "console", "bash", "swift", "text", "toml"].contains(block.language), "\(block): nothing reads \(block.language)"
            )
        }
    }
}
