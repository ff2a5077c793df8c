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
    /// What keeps the task from running when it has an image.
    private func unmet(_ text: String) throws -> [String] { TaskRequirements.unmet(by: try parse(text).task) }

    private func parse(_ text: String, format: TaskSchema? = nil) throws(TrialError) -> TaskConfig {
        try TaskConfig.parse(Array(text.utf8), name: "x", format: format)
    }

    @Test("every key of Rollout's")
    func rollout() throws {
        let config = try TaskConfig.parse(Fixture.bytes("tasks/rollout.toml"), name: "r", format: .rollout)
        #expect(config.warnings == [])
        #expect(
            config.task
                == EvalTask(
                    name: "r", schema: .rollout, schemaVersion: "1.0", source: "terminal-bench",
                    environment: TaskEnvironment(
                        dockerImage: "docker.io/library/debian:12-slim", buildTimeoutSec: 300.5, cpus: 2, memoryMB: 4096, storageMB: 20480),
                    timeouts: TaskTimeouts(agentSec: 120, installSec: 30, verifierSec: 45)))
    }

    @Test("every key of Harbor's, and what of them is not supported")
    func harbor() throws {
        let config = try TaskConfig.parse(Fixture.bytes("tasks/harbor.toml"), name: "h")
        let task = config.task
        #expect(config.warnings == [])
        #expect(task.schema == .harbor)
        #expect(task.schemaVersion == "1.4")
        #expect(task.packageName == "org/name")
        #expect(task.schema == .harbor)
        #expect(task.timeouts == TaskTimeouts(agentSec: 900, installSec: 300, verifierSec: 60))
        #expect(
            task.environment
                == TaskEnvironment(
                    dockerImage: "task:1", cpus: 1.5, gpus: 1, gpuTypes: ["H100"], workdir: "/app",
                    env: ["PLAIN": "x", "HOST": "${HOST_VAR}", "OTHER": "${OTHER:-y}"], skillsDir: "skills",
                    mcpServers: [MCPServer(name: "m", url: "http://127.0.0.1:8000/sse")],
                    healthcheck: Healthcheck(command: "true", retries: 5)))
        #expect(task.agent == TaskAgent(user: "agent", network: TaskNetwork(.allowlist, allowedHosts: ["pypi.org", "*.example.com"])))
        #expect(
            task.verifier
                == TaskVerifier(
                    env: ["MODE": "strict", "KEY": "${VERIFIER_KEY}"], user: "1000", network: TaskNetwork(.none), givenMode: .separate,
                    environment: TaskEnvironment(dockerImage: "verifier:1"),
                    collect: [.init(command: "true", service: "main", timeoutSec: 60, user: "root")]))
        #expect(
            task.artifacts == [
                TaskArtifact(source: "/logs/artifacts/report.txt"), TaskArtifact(source: "/app/out"),
                TaskArtifact(source: "/var/x", destination: "x", exclude: ["*.o"], service: "main"),
            ])
        #expect(task.solutionEnv == ["A": "b"])
        #expect(task.steps == [TaskStep(name: "one", minimumReward: .reward(0.5))])
        #expect(task.multiStepRewardStrategy == .mean)
        #expect(task.refusal(image: .task("task:1"), verifiers: [.own("verifier:1")], canBuild: true) == nil)
    }

    @Test("the defaults of each family")
    func defaults() throws {
        let rollout = try parse("version = \"1.0\"", format: .rollout).task
        #expect(rollout.timeouts == TaskTimeouts(agentSec: 600, installSec: 300, verifierSec: 600))
        #expect(rollout.schema == .rollout)
        #expect(rollout.environment == TaskEnvironment())
        #expect(rollout.environment.memoryMB == 2048)
        #expect(rollout.environment.storageMB == 10240)
        #expect(rollout.environment.cpus == 1)
        #expect(TaskRequirements.unmet(by: rollout) == [])
        let harbor = try parse("schema_version = \"1.4\"").task
        #expect(harbor.timeouts.agentSec == nil)
        #expect(harbor.schema == .harbor)
    }

    @Test(
        "the family: the dataset's, else Harbor",
        arguments: [
            ("version = \"1.0\"", nil, .harbor, "1.0"), ("version = \"1.0\"", .rollout, .rollout, "1.0"),
            ("version = \"1.0\"", .harbor, .harbor, "1.0"),
            ("schema_version = \"1.1\"", nil, .harbor, "1.1"), ("schema_version = \"1.1\"", .rollout, .rollout, "1.1"),
            ("version = \"1.0\"\nschema_version = \"1.1\"", nil, .harbor, "1.1"),
            ("source = \"x\"", nil, .harbor, "1.4"), ("", .rollout, .rollout, "1.0"), ("[agent]", .harbor, .harbor, "1.4"),
        ] as [(String, TaskSchema?, TaskSchema, String)])
    func family(text: String, format: TaskSchema?, expected: TaskSchema, version: String) throws {
        let task = try parse(text, format: format).task
        #expect(task.schema == expected)
        #expect(task.schemaVersion == version)
        #expect(task.timeouts.agentSec == (expected == .rollout ? 600 : nil))
    }

    /// What pydantic 2.14 makes of a value for a float, an int and a bool field; nil for an error. Measured, except where the last column says
    /// that Assay differs on purpose.
    @Test(
        "conversions are those of Harbor's parser",
        arguments: [
            ("600", 600, 600, nil), ("1.5", 1.5, nil, nil), ("2.0", 2, 2, nil), ("\"600\"", 600, 600, nil), ("\" 600 \"", 600, 600, nil),
            ("\"2.0\"", 2, 2, nil),
            ("\"2.00\"", 2, 2, nil), ("\"1.5\"", 1.5, nil, nil), ("\"1e3\"", 1000, nil, nil), ("\"+2\"", 2, 2, nil), ("\"1_000\"", 1000, 1000, nil),
            ("\"2.\"", 2, nil, nil), ("\".5\"", 0.5, nil, nil), ("\"5e-1\"", 0.5, nil, nil), ("\"010\"", 10, 10, nil), ("\"_1\"", nil, nil, nil),
            ("\"1__0\"", nil, nil, nil), ("\"\"", nil, nil, nil), ("\" \"", nil, nil, nil), ("\"abc\"", nil, nil, nil), ("\"0x10\"", nil, nil, nil),
            ("\"1,5\"", nil, nil, nil), ("\"\u{FF11}\"", nil, nil, nil), ("[1]", nil, nil, nil), ("{a = 1}", nil, nil, nil),
            ("2020-01-01", nil, nil, nil),
            ("1", 1, 1, true), ("\"1\"", 1, 1, true), ("1.0", 1, 1, true), ("\"TRUE\"", nil, nil, true), ("\"yes\"", nil, nil, true),
            ("\"on\"", nil, nil, true),
            ("\"t\"", nil, nil, true), ("\"off\"", nil, nil, false), ("\"n\"", nil, nil, false), ("\"False\"", nil, nil, false),
            ("\"True \"", nil, nil, nil),
            ("\"enabled\"", nil, nil, nil), ("2", 2, 2, nil),
            // Harbor reads true as 1. A limit of `true` is more likely a mistake.
            ("true", nil, nil, true), ("false", nil, nil, false),
        ] as [(String, Double?, Int?, Bool?)])
    func conversions(value: String, number: Double?, whole: Int?, flag: Bool?) throws {
        #expect((try? parse("[verifier]\ntimeout_sec = \(value)"))?.task.timeouts.verifierSec == number)
        #expect((try? parse("[environment]\nmemory_mb = \(value)"))?.task.environment.memoryMB == whole)
        let network = (try? parse("[environment]\nallow_internet = \(value)")).map { $0.task.environment.network.mode == .public }
        #expect(network == flag)
    }

    @Test("numbers that are no limit are refused, as strings too", arguments: ["0", "\"0\"", "\"-1\"", "inf", "nan", "\"1e400\"", "\"nan\""])
    func limits(value: String) {
        #expect(throws: TrialError.self) { try parse("[agent]\ntimeout_sec = \(value)") }
        #expect(throws: TrialError.self) { try parse("[environment]\ncpus = \(value)") }
    }

    @Test(
        "hardware that is not supported refuses the task",
        arguments: [
            ("[environment.tpu]\ntype = \"v6e\"\ntopology = \"2x4\"", "tpu"), ("[environment]\naccelerator = \"trn1\"", "accelerator"),
            ("[environment]\nfpga = {count = 1}", "fpga"), ("[environment.gpu]\ncount = 1", "gpu"),
        ])
    func hardware(text: String, key: String) throws {
        #expect(try parse(text).warnings == [])
        let unmet = try unmet(text)
        #expect(unmet.count == 1)
        #expect(unmet.first?.hasPrefix("environment.\(key)") == true)
    }

    @Test(
        "a key for hardware that asks for none refuses nothing",
        arguments: ["gpu = 0", "tpus = false", "accelerator = \"\"", "npus = []", "gpus = 0"])
    func noHardware(text: String) throws { #expect(try unmet("[environment]\n\(text)") == []) }

    @Test(
        "network_mode wins over allow_internet, and allowed_hosts does",
        arguments: [
            ("allow_internet = false", true), ("allow_internet = false\nnetwork_mode = \"public\"", false), ("allow_internet = \"no\"", true),
            ("allow_internet = true\nnetwork_mode = \"no-network\"", true), ("allow_internet = false\nallowed_hosts = []", false),
            ("allow_internet = true", false),
        ])
    func allowInternet(text: String, isClosed: Bool) throws {
        #expect(try parse("[environment]\n\(text)").task.environment.network == TaskNetwork(isClosed ? .none : .public))
    }

    @Test(
        "artifacts of the trial are supported; in separate mode not where they would decide about the verdict",
        arguments: [
            ("\"/logs/artifacts/x\"", nil, nil), ("{source = \"/app/out\", destination = \"y\", exclude = [\"*.bin\"]}", nil, nil),
            ("\"out\"", nil, nil), ("{source = \"/app\", service = \"main\"}", nil, nil),
            ("{source = \"/data\", service = \"db\"}", "of the service \"db\"", "of the service \"db\""),
            ("\"/\"", nil, "laid over"), ("\"/tests/data\"", nil, "laid over"), ("\"/logs\"", nil, "laid over"),
            ("\"/logs/verifier\"", nil, "laid over"), ("\"/usr\"", nil, "laid over"), ("\"/./usr/bin/\"", nil, "laid over"),
            ("\"/usr/bin/tool\"", nil, nil), ("\"/usr/local/bin\"", nil, nil), ("\"/etc\"", nil, "laid over"), ("\"/etc/app.conf\"", nil, nil),
            ("\"/proc/1/environ\"", nil, "laid over"),
        ] as [(String, String?, String?)])
    func artifacts(text: String, shared: String?, separate: String?) throws {
        let task = try parse("artifacts = [\(text)]").task
        for (isSeparate, expected) in [(false, shared), (true, separate)] {
            let unmet = TaskRequirements.unmet(by: task, verifiers: isSeparate ? 1 : 0).joined(separator: "; ")
            #expect(expected.map { unmet.contains($0) } ?? unmet.isEmpty, "\(isSeparate): \(unmet)")
        }
    }

    @Test(
        "sizes in their old spelling",
        arguments: [
            ("2G", 2048, 2048), ("2g", 2048, 2048), ("512M", 512, 512), ("1.5G", 1536, 1536), ("1.5M", 1, 1), ("1024K", 1, 1), ("1K", 1, 1),
            (" 2 G ", 2048, 2048), (" 2G ", 2048, 2048), ("512MB", 512, nil), ("2Gi", 2048, nil), ("2GiB", 2048, nil), ("1T", 1_048_576, nil),
            ("0G", nil, nil), ("-1G", nil, nil), ("infG", nil, nil), ("G", nil, nil),
        ] as [(String, Int?, Int?)])
    func sizes(text: String, rollout: Int?, harbor: Int?) throws {
        for (format, megabytes) in [(TaskSchema.rollout, rollout), (.harbor, harbor)] {
            let task = try? parse("version = \"1.0\"\n[environment]\nmemory = \"\(text)\"\nstorage = \"\(text)\"", format: format).task
            #expect(task?.environment.memoryMB == megabytes)
            #expect(task?.environment.storageMB == megabytes)
        }
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
            nodes.kind = "x"
            [other.deep]
            a = 1
            [[verifier.things]]
            """)
        #expect(
            Set(config.warnings) == [
                "task.toml line 2: unknown key extra is ignored", "task.toml line 6: unknown key agent.timeout is ignored",
                "task.toml line 9: unknown key environment.nodes is ignored", "task.toml line 10: unknown key other is ignored",
                "task.toml line 12: unknown key verifier.things is ignored",
            ])
        #expect(config.warnings.count == 5)
        #expect(config.task.timeouts.agentSec == nil)
    }

    @Test(
        "mistakes are named with key, line and what was expected",
        arguments: [
            ("version = 1.0", "line 1: version must be a string, not a float"),
            ("artifacts = [\"/logs/artifacts/../../etc/passwd\"]", "line 1: artifacts: \"/logs/artifacts/../../etc/passwd\" must not contain .."),
            ("artifacts = [\n{source = \"/a/..\"}]", "line 2: artifacts: \"/a/..\" must not contain .."),
            ("artifacts = [\"../x\"]", "must not contain .."), ("artifacts = [{}]", "line 1: artifacts.source is required"),
            ("artifacts = [1]", "line 1: artifacts must be an array of strings and tables, but has an integer in it"),
            ("version = \"2.0\"", "line 1: version \"2.0\" is not known: 1.x is"),
            ("schema_version = \"0.9\"", "line 1: schema_version \"0.9\" is not known"),
            ("version = \"1.0\"\nmetadata = 1", "line 2: metadata must be a table, not an integer"),
            ("version = \"1.0\"\n[agent]\ntimeout_sec = \"soon\"", "line 3: agent.timeout_sec must be a number, not the string \"soon\""),
            ("version = \"1.0\"\n[agent]\ntimeout_sec = 0", "line 3: agent.timeout_sec must be a number above 0"),
            ("version = \"1.0\"\n[verifier]\ntimeout_sec = nan", "line 3: verifier.timeout_sec must be a number above 0"),
            ("version = \"1.0\"\n[agent]\ninstall_timeout_sec = -1", "line 3: agent.install_timeout_sec must be"),
            ("version = \"1.0\"\n[environment]\ncpus = true", "line 3: environment.cpus must be a number, not a boolean"),
            ("version = \"1.0\"\n[environment]\ncpus = 1e17", "line 3: environment.cpus must be at most 1024"),
            ("version = \"1.0\"\n[environment]\nstorage_mb = 1000000000000", "line 3: environment.storage_mb must be at most 16777216"),
            ("version = \"1.0\"\n[environment]\nmemory = \"99999G\"", "line 3: environment.memory must be at most 16T"),
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
            ("version = \"1.0\"\n[[steps]]\nname = \"a\"\n[[steps]]\nname = \"A\"", "line 5: steps[1].name \"A\" is given twice"),
            ("version = \"1.0\"\n[[steps]]\nagent = {}", "line 2: steps[0].name is required"),
            ("[[steps]]\nname = \"a\"\nverifier.timeout_sec = \"x\"", "line 3: steps[0].verifier.timeout_sec must be a number, not the string \"x\""),
            ("[environment.healthcheck]\nretries = 1", "line 1: environment.healthcheck.command is required"),
            ("[verifier.environment]\ncpus = 0", "line 2: verifier.environment.cpus must be a number above 0"),
            ("[task]\nname = \"x\"", "line 2: task.name must be org/name"),
            ("[agent]\nallowed_hosts = []", "line 2: agent.allowed_hosts needs agent.network_mode = \"allowlist\""),
            ("[[environment.mcp_servers]]\nname = \"m\"", "line 1: environment.mcp_servers[0].url is required for the transport \"sse\""),
            ("artifacts = [{source = \"/a\", destination = \"/b\"}]", "line 1: artifacts.destination must be a relative path, not \"/b\""),
            ("multi_step_reward_strategy = \"max\"", "line 1: multi_step_reward_strategy must be \"mean\" or \"final\", not \"max\""),
            ("version = \"1.0\"\n[agent]\ntimeout_sec = ", "line 3: column 15: expected a value"),
            ("version = \"1.0\"\nversion = \"1.0\"", "line 2: column 1: \"version\" is given twice"),
        ])
    func mistakes(text: String, message: String) {
        let error = #expect(throws: TrialError.self) { try parse(text) }
        #expect(error?.type == .taskInvalid)
        #expect(error?.message.hasPrefix("task \"x\": task.toml") == true)
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    @Test(
        "harmless values of features that are not supported",
        arguments: [
            "[agent]\nuser = \"root\"", "[verifier]\nuser = 0", "[verifier]\nenvironment_mode = \"shared\"", "[environment]\nos = \"Linux\"",
            "[environment]\nnetwork_mode = \"public\"", "[environment]\nallowed_hosts = []", "[environment]\nallow_internet = true",
            "[environment]\ngpus = 0", "[environment]\nmcp_servers = []", "[environment]\nskills_dir = \"\"", "[solution]\nenv = {}", "steps = []",
            "multi_step_reward_strategy = \"final\"", "[task]\nname = \"a/b\"", "[environment]\ngpu_types = [\"H100\"]",
            "[environment]\nenv = {A = \"$HOME and ${\"}",
        ])
    func harmless(text: String) throws {
        let config = try parse("schema_version = \"1.4\"\n\(text)")
        #expect(TaskRequirements.unmet(by: config.task) == [])
        #expect(config.warnings == [])
    }

    /// Which of them are templates was asked of Harbor 0.26 (`resolve_env_vars`).
    @Test(
        "a variable whose whole value is a template is asked of the job; any other $ is literal",
        arguments: [
            ("${A}", true), ("${A:-}", true), ("${A:-b}", true), ("${A:-b}${C}", true), ("${a b}", true), ("x${A}", false), ("${A} ", false),
            ("${A}${B}", false),
            ("${}", false), ("${:-x}", false), ("${A:b}", false), ("$A", false), ("${A", false), ("", false), ("$${A}", false),
        ])
    func templates(value: String, isTemplate: Bool) throws {
        for table in ["environment", "verifier", "solution"] {
            let task = try parse("[\(table).env]\nA = '\(value)'").task
            let asked = task.askedVariables(oracle: true, verifies: true, agentVariables: [])
            #expect(asked.count == (isTemplate ? 1 : 0), "\(asked)")
            if table == "solution" { #expect(task.askedVariables(oracle: false, verifies: true, agentVariables: []).isEmpty) }
            if table == "verifier" { #expect(task.askedVariables(oracle: true, verifies: false, agentVariables: []).isEmpty) }
        }
    }

    @Test(
        "which image: the job's, the task's, the Dockerfile's, the target's only where there is none of these",
        arguments: [
            (nil, nil, false, false, "d", .target("d")), (nil, nil, false, false, nil, nil), (nil, "own", false, false, "d", .task("own")),
            ("o", "own", false, false, "d", .job("o")), ("o", nil, true, true, "d", .job("o")), (nil, nil, true, false, "d", .dockerfile),
            (nil, nil, true, false, nil, .dockerfile), (nil, "own", true, false, "d", .task("own")), (nil, "own", true, true, "d", .dockerfile),
            (nil, "own", false, true, "d", .task("own")), (nil, nil, false, true, "d", .target("d")),
        ] as [(String?, String?, Bool, Bool, String?, TaskImage?)])
    func image(job: String?, own: String?, dockerfile: Bool, force: Bool, target: String?, expected: TaskImage?) {
        var task = EvalTask(name: "x", schema: .harbor, schemaVersion: "1.0")
        task.environment.dockerImage = own
        task.environment.hasDockerfile = dockerfile
        #expect(task.image(override: job, forceBuild: force, targetDefault: target) == expected)
    }

    @Test("what is said when there is no image, and where none can be built")
    func noImage() {
        let task = EvalTask(name: "x", schema: .rollout, schemaVersion: "1.0")
        #expect(task.refusal(image: nil, canBuild: true)?.message.contains("has no image") == true)
        #expect(task.refusal(image: .target("i"), canBuild: false) == nil)
        #expect(task.refusal(image: .dockerfile, canBuild: true) == nil)
        #expect(task.refusal(image: .dockerfile, canBuild: false)?.message.contains("built from environment/Dockerfile") == true)
    }

    @Test(
        "the family of a task that the dataset leaves to it",
        arguments: [
            ("", TaskSchema.rollout), ("version = \"1.0\"\n", .rollout), ("schema_version = \"1.3\"\n", .harbor),
        ])
    func defaultFamily(text: String, family: TaskSchema) throws {
        #expect(try TaskConfig.parse(Array(text.utf8), name: "t", defaultFormat: .rollout).task.schema == family)
        #expect(try TaskConfig.parse(Array(text.utf8), name: "t").task.schema == .harbor)
        #expect(try TaskConfig.parse(Array(text.utf8), name: "t", format: .rollout, defaultFormat: .harbor).task.schema == .rollout)
    }
}
