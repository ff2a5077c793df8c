import Base
import EvalFormats
import EvalModel
import Testing

/// task.toml files of public datasets, with the values that Harbor 0.26 reads (Fixtures/README.md).
@Suite("public task files")
struct PublicTasksTests {
    private static let rows: [JSONValue] = {
        let lines = (try? Fixture.bytes("public-tasks.jsonl"))?.split(separator: UInt8(ascii: "\n")) ?? []
        return lines.compactMap { try? JSONValue(parsing: Array($0)) }
    }()

    @Test("the sample is there") func complete() { #expect(Self.rows.count == 40) }

    @Test("what Harbor reads is read with the same values; the exceptions are those of docs/formats.md", arguments: rows.indices)
    func row(index: Int) throws {
        let row = Self.rows[index]
        let toml = Array(try #require(row["toml"]?.string).utf8)
        guard let harbor = row["harbor"] else {
            #expect(throws: TrialError.self) { try TaskConfig.parse(toml, name: "x") }
            return
        }
        let task = try TaskConfig.parse(toml, name: "x").task
        #expect(task.schema == .harbor)
        #expect(task.schemaVersion == harbor["schema_version"]?.string)
        #expect(task.timeouts.agentSec == harbor.at("agent", "timeout_sec")?.double)
        #expect(task.timeouts.verifierSec == harbor.at("verifier", "timeout_sec")?.double)
        #expect(task.verifierEnv == Self.strings(harbor.at("verifier", "env")))
        let environment = harbor["environment"]
        #expect(task.environment.dockerImage == environment?["docker_image"]?.string)
        #expect(task.environment.buildTimeoutSec == environment?["build_timeout_sec"]?.double)
        #expect(task.environment.workdir == environment?["workdir"]?.string)
        #expect(task.environment.env == Self.strings(environment?["env"]))
        #expect(task.environment.gpus == environment?["gpus"]?.int ?? 0)
        // Harbor leaves resources unset; a pod needs values for scheduling and cost.
        #expect(task.environment.cpus == environment?["cpus"]?.double ?? 1)
        #expect(task.environment.memoryMB == environment?["memory_mb"]?.int ?? 2048)
        #expect(task.environment.storageMB == environment?["storage_mb"]?.int ?? 10240)
        #expect(Set(task.unsupported.map(\.kind)) == Self.unsupported(harbor))
    }

    private static func strings(_ value: JSONValue?) -> [String: String] { (value?.object ?? [:]).compactMapValues(\.string) }

    /// The features of docs/formats.md that are refused, by Harbor's values.
    private static func unsupported(_ harbor: JSONValue) -> Set<UnsupportedFeature.Kind> {
        var kinds: Set<UnsupportedFeature.Kind> = []
        for role in ["environment", "agent", "verifier"] {
            if let mode = harbor.at(role, "network_mode")?.string, mode != "public" { kinds.insert(.network) }
            if let user = harbor.at(role, "user")?.string, user != "root" { kinds.insert(.user) }
            if strings(harbor.at(role, "env")).values.contains(where: { !VariableTemplate($0).variables.isEmpty }) {
                kinds.insert(.environmentVariables)
            }
        }
        if harbor.at("verifier", "environment") != nil || harbor.at("verifier", "environment_mode")?.string == "separate" {
            kinds.insert(.separateVerifier)
        }
        if harbor.at("environment", "gpus")?.int ?? 0 > 0 { kinds.insert(.gpus) }
        if harbor["artifacts"]?.array?.isEmpty == false { kinds.insert(.artifacts) }
        if harbor.at("solution", "env") != nil { kinds.insert(.solutionVariables) }
        return kinds
    }
}
