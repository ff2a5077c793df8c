import AssayTesting
import Base
import Testing
import YAML

/// The recipes that a whole page depends on do what they say.
@Suite struct RecipeTests {
    private func objects() throws -> [JSONValue] {
        let blocks = try #require(Pages.page("docs/recipes.md")).blocks.filter { $0.language == "yaml" }
        return try blocks.flatMap { try YAML.parse($0.text) }
    }

    @Test("the account of the nightly CronJob makes the job of its ConfigMap, no second one while that is there, and nothing else")
    func nightly() async throws {
        let objects = try objects().filter { $0.at("metadata", "name") == "nightly" }
        let map = try #require(objects.first { $0["kind"] == "ConfigMap" })
        let cron = try #require(objects.first { $0["kind"] == "CronJob" })
        let pod = try #require(cron.at("spec", "jobTemplate", "spec", "template", "spec"))
        let account = try #require(pod["serviceAccountName"]?.string)
        let command = (pod["containers"]?[0]?["command"]?.array ?? []).compactMap(\.string)
        #expect(command.first == "kubectl" && pod["volumes"]?[0]?.at("configMap", "name") == map.at("metadata", "name"))
        let key = try #require(command.last?.split(separator: "/").last.map(String.init))
        var job = try YAML.parseSingle(try #require(map.at("data")?[key]?.string))
        // kubectl in a pod uses the pod's namespace.
        job.set(["metadata", "namespace"], to: "evaluations")
        try await ExampleServer.with { server in
            for object in objects where object["kind"] != "CronJob" { #expect(try await server.create(object) == 201) }
            let token = try await server.token(of: account, in: "evaluations")
            #expect(try await server.create(job, as: token) == 201)
            #expect(try await server.create(job, as: token) == 409)
            let secret: JSONValue = ["apiVersion": "v1", "kind": "Secret", "metadata": ["name": "x", "namespace": "evaluations"]]
            #expect(try await server.create(secret, as: token) == 403)
            job.set(["metadata", "namespace"], to: "elsewhere")
            #expect(try await server.create(job, as: token) == 403)
        }
    }
}
