import EvalFormats
import EvalModel
import Foundation
import Testing

enum Fixture {
    static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path

    static func bytes(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(repository)/Tests/EvalFormatsTests/Fixtures/\(name)")))
    }
}

@Suite("task.toml")
struct TaskConfigTests {
    private func parse(_ text: String) throws(TrialError) -> TaskConfig {
        try TaskConfig.parse(Array(text.utf8), name: "x")
    }

    @Test("every key of Rollout's")
    func rollout() throws {
        let config = try TaskConfig.parse(Fixture.bytes("tasks/rollout.toml"), name: "r")
        #expect(config.warnings == [])
        #expect(config.task == EvalTask(
            name: "r", schema: .rollout, schemaVersion: "1.0", source: "terminal-bench",
            environment: TaskEnvironment(
                dockerImage: "docker.io/library/debian:12-slim", buildTimeoutSec: 300.5, cpus: 2, memoryMB: 4096, storageMB: 20480),
            timeouts: TaskTimeouts(agentSec: 120, installSec: 30, verifierSec: 45), rewardRule: .rollout))
    }

    @Test("every key of Harbor's, and what of them is not supported")
    func harbor() throws {
        let config = try TaskConfig.parse(Fixture.bytes("tasks/harbor.toml"), name: "h")
        let task = config.task
        #expect(config.warnings == [])
        #expect(config.hasSteps)
        #expect(task.schema == .harbor)
        #expect(task.schemaVersion == "1.4")
        #expect(task.rewardRule == .harbor)
        #expect(task.timeouts == TaskTimeouts(agentSec: 900, installSec: 300, verifierSec: 60))
        #expect(task.environment == TaskEnvironment(
            dockerImage: "task:1", cpus: 1.5, gpus: 1, workdir: "/app",
            env: ["PLAIN": "x", "HOST": "${HOST_VAR}", "OTHER": "${OTHER:-y}"]))
        #expect(task.verifierEnv == ["MODE": "strict", "KEY": "${VERIFIER_KEY}"])
        #expect(Set(task.unsupported.map(\.kind)) == [
            .steps, .separateVerifier, .verifierCollect, .healthcheck, .mcpServers, .gpus, .network, .user, .skills, .artifacts,
            .environmentVariables, .solutionVariables,
        ])
        let refusal = try #require(task.refusal(image: "task:1"))
        #expect(refusal.type == .taskInvalid)
        #expect(refusal.message.hasPrefix("task \"h\" cannot run: "))
        for feature in task.unsupported { #expect(refusal.message.contains(feature.message)) }
    }

    @Test("what a task that says only its version gets")
    func defaults() throws {
        let rollout = try parse("version = \"1.0\"").task
        #expect(rollout.timeouts == TaskTimeouts(agentSec: 600, installSec: 300, verifierSec: 600))
        #expect(rollout.environment == TaskEnvironment())
        #expect(rollout.environment.memoryMB == 2048)
        #expect(rollout.environment.storageMB == 10240)
        #expect(rollout.environment.cpus == 1)
        #expect(rollout.unsupported == [])
        let harbor = try parse("schema_version = \"1.4\"").task
        #expect(harbor.timeouts.agentSec == nil)
        #expect(harbor.rewardRule == .harbor)
        let both = try parse("version = \"1.0\"\nschema_version = \"1.1\"").task
        #expect(both.schema == .harbor)
    }

    @Test("sizes in their old spelling", arguments: [
        ("2G", 2048), ("2g", 2048), ("512M", 512), ("512MB", 512), ("1.5G", 1536), ("2Gi", 2048), ("2GiB", 2048), ("1T", 1_048_576),
        ("1024K", 1), ("1K", 1), (" 2 G ", 2048), (" 2G ", 2048),
    ])
    func sizes(text: String, megabytes: Int) throws {
        if text == " 2 G " {
            #expect(throws: TrialError.self) { try parse("version = \"1.0\"\n[environment]\nmemory = \"\(text)\"") }
            return
        }
        let environment = try parse("version = \"1.0\"\n[environment]\nmemory = \"\(text)\"\nstorage = \"\(text)\"").task.environment
        #expect(environment.memoryMB == megabytes)
        #expect(environment.storageMB == megabytes)
    }

    @Test("a new spelling wins over an old one, and says so")
    func bothSizes() throws {
        let config = try parse("version = \"1.0\"\n[environment]\nmemory = \"1G\"\nmemory_mb = 256\n")
        #expect(config.task.environment.memoryMB == 256)
        #expect(config.warnings == ["task.toml line 3: environment.memory is ignored, because environment.memory_mb is given"])
    }

    @Test("unknown keys are ignored with a warning that names key and line")
    func unknown() throws {
        let config = try parse(
            """
            version = "1.0"
            extra = 1
            [metadata]
            whatever = {x = [1]}
            [agent]
            timeout = 5
            [environment]
            docker_image = "i"
            gpu.kind = "x"
            [other.deep]
            a = 1
            [[verifier.things]]
            """)
        #expect(Set(config.warnings) == [
            "task.toml line 2: unknown key extra is ignored", "task.toml line 6: unknown key agent.timeout is ignored",
            "task.toml line 9: unknown key environment.gpu is ignored", "task.toml line 10: unknown key other is ignored",
            "task.toml line 12: unknown key verifier.things is ignored",
        ])
        #expect(config.warnings.count == 5)
        #expect(config.task.timeouts.agentSec == 600)
    }

    @Test("mistakes are named with key, line and what was expected", arguments: [
        ("version = 1.0", "line 1: version must be a string, not a float"),
        ("source = \"x\"", "version is missing"),
        ("version = \"2.0\"", "line 1: version \"2.0\" is not known: 1.x is"),
        ("schema_version = \"0.9\"", "line 1: schema_version \"0.9\" is not known"),
        ("version = \"1.0\"\nmetadata = 1", "line 2: metadata must be a table, not an integer"),
        ("version = \"1.0\"\n[agent]\ntimeout_sec = \"600\"", "line 3: agent.timeout_sec must be a number, not a string"),
        ("version = \"1.0\"\n[agent]\ntimeout_sec = 0", "line 3: agent.timeout_sec must be a number above 0"),
        ("version = \"1.0\"\n[verifier]\ntimeout_sec = nan", "line 3: verifier.timeout_sec must be a number above 0"),
        ("version = \"1.0\"\n[agent]\ninstall_timeout_sec = -1", "line 3: agent.install_timeout_sec must be"),
        ("version = \"1.0\"\n[environment]\ncpus = true", "line 3: environment.cpus must be a number, not a boolean"),
        ("version = \"1.0\"\n[environment]\ncpus = 1e17", "line 3: environment.cpus must be at most 1024"),
        ("version = \"1.0\"\n[environment]\nstorage_mb = 1000000000000", "line 3: environment.storage_mb must be at most 16777216"),
        ("version = \"1.0\"\n[environment]\nmemory = \"9999T\"", "line 3: environment.memory must be at most 16T"),
        ("version = \"1.0\"\n[environment]\nmemory_mb = 1.5", "line 3: environment.memory_mb must be an integer, not a float"),
        ("version = \"1.0\"\n[environment]\nmemory_mb = 0", "line 3: environment.memory_mb must be at least 1"),
        ("version = \"1.0\"\n[environment]\nmemory = 2", "line 3: environment.memory must be a string, not an integer"),
        ("version = \"1.0\"\n[environment]\nmemory = \"lots\"", "line 3: environment.memory must be a size such as \"2G\""),
        ("version = \"1.0\"\n[environment]\ndocker_image = [\"a\"]", "line 3: environment.docker_image must be a string, not an array"),
        ("version = \"1.0\"\n[environment]\nworkdir = \"app\"", "line 3: environment.workdir must be an absolute path"),
        ("version = \"1.0\"\n[environment]\nenv = {A = 1}", "line 3: environment.env.A must be a string, not an integer"),
        ("version = \"1.0\"\n[environment]\nnetwork_mode = \"some\"", "line 3: environment.network_mode must be \"public\""),
        ("version = \"1.0\"\n[environment]\nallowed_hosts = [1]", "line 3: environment.allowed_hosts must be an array of strings"),
        ("version = \"1.0\"\n[verifier]\nenvironment_mode = \"x\"", "line 3: verifier.environment_mode must be \"shared\" or \"separate\""),
        ("version = \"1.0\"\n[agent]\nuser = 1.5", "line 3: agent.user must be a string or an integer"),
        ("version = \"1.0\"\nsteps = 3", "line 2: steps must be an array"),
        ("version = \"1.0\"\n[agent]\ntimeout_sec = ", "line 3: column 15: expected a value"),
        ("version = \"1.0\"\nversion = \"1.0\"", "line 2: column 1: \"version\" is given twice"),
    ])
    func mistakes(text: String, message: String) {
        let error = #expect(throws: TrialError.self) { try parse(text) }
        #expect(error?.type == .taskInvalid)
        #expect(error?.message.hasPrefix("task \"x\": task.toml") == true)
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    @Test("harmless values of features that are not supported", arguments: [
        "[agent]\nuser = \"root\"", "[verifier]\nuser = 0", "[verifier]\nenvironment_mode = \"shared\"", "[environment]\nos = \"Linux\"",
        "[environment]\nnetwork_mode = \"public\"", "[environment]\nallowed_hosts = []", "[environment]\nallow_internet = true",
        "[environment]\ngpus = 0", "[environment]\nmcp_servers = []", "[environment]\nskills_dir = \"\"", "[solution]\nenv = {}",
        "[environment]\nenv = {A = \"$HOME and ${\"}",
    ])
    func harmless(text: String) throws {
        let config = try parse("schema_version = \"1.4\"\n\(text)")
        #expect(config.task.unsupported == [])
        #expect(config.warnings == [])
    }

    @Test("which image, and what is said when there is none")
    func image() {
        var task = EvalTask(name: "x", schema: .rollout, schemaVersion: "1.0")
        #expect(task.refusal(image: nil)?.message.contains("has no image") == true)
        #expect(task.refusal(image: "i") == nil)
        task.unsupported = [UnsupportedFeature(.imageBuild, "build me")]
        #expect(task.refusal(image: nil)?.message.contains("build me") == true)
        #expect(task.refusal(image: "i") == nil)
        #expect(task.image(override: nil, targetDefault: "d") == "d")
        task.environment.dockerImage = "own"
        #expect(task.image(override: nil, targetDefault: "d") == "own")
        #expect(task.image(override: "o", targetDefault: "d") == "o")
    }
}
