import Base
import EvalFormats
import EvalModel
import Testing

@Suite("Rollout's job.yaml")
struct JobFileTests {
    private static let rest = "agents: [{name: oracle}]\ndatasets: [{path: tasks}]\n"

    private func parse(_ text: String) throws(FileFormatError) -> JobFile { try JobFile.parse(Array(text.utf8)) }

    @Test("every key")
    func everything() throws {
        let job = try JobFile.parse(Fixture.bytes("job.yaml"))
        #expect(job.warnings == [])
        #expect(job.name == "everything")
        #expect(job.jobsDir == "out/jobs")
        #expect(job.attempts == 3)
        #expect(job.concurrentTrials == 8)
        #expect(job.timeoutMultiplier == 1.5)
        #expect(job.logLevel == .debug)
        #expect(job.instructionPath == "/work/instruction.md")
        #expect(job.retry == RetryPolicy(maxAttempts: 5, initialDelayMs: 10, maxDelayMs: 100, multiplier: 3))
        #expect(job.environment.type == .k8s)
        #expect(job.environment.forceBuild)
        #expect(job.environment.preserve == .onFailure)
        #expect(job.environment.providerConfig.namespace == "evals")
        #expect(job.environment.providerConfig.serviceAccount == "runner")
        #expect(job.environment.providerConfig.nodeSelector == ["disk": "ssd"])
        #expect(job.environment.overrideCPUs == 2)
        #expect(job.environment.overrideMemoryMB == 1024)
        #expect(job.environment.overrideStorageMB == 2048)
        #expect(job.verifier.overrideTimeoutSec == 30)
        #expect(job.verifier.maxTimeoutSec == 60.5)
        #expect(job.verifier.disable)
        #expect(job.metrics == [.mean, .max])
        #expect(job.agents.map(\.name) == ["oracle", "mine"])
        #expect(job.agents[1].description == "My agent")
        #expect(job.agents[1].install == "pip install mine")
        #expect(job.agents[1].execute == "mine run")
        #expect(
            job.datasets == [
                .folder(path: "./tasks"), .registry(.path("registry.json"), name: "bench", version: "1.0"),
                .registry(.url("https://example.com/registry.json"), name: "other", version: nil),
            ])
        #expect(job.variables == ["API_KEY", "HOST", "PATH_PART"])
    }

    @Test("what a minimal job gets")
    func defaults() throws {
        let job = try parse("name: j\n" + Self.rest)
        #expect(job.name == "j")
        #expect(job.attempts == 1)
        #expect(job.concurrentTrials == 4)
        #expect(job.timeoutMultiplier == 1)
        #expect(job.instructionPath == "/tmp/instruction.md")
        #expect(job.retry == RetryPolicy(maxAttempts: 3, initialDelayMs: 1000, maxDelayMs: 30000, multiplier: 2))
        #expect(job.environment == JobFile.Environment())
        #expect(job.environment.type == .docker)
        #expect(job.environment.preserve == .never)
        #expect(job.verifier == JobFile.Verifier())
        #expect(job.variables == [])
        #expect(try job.resolvedEnvironments([:]) == [:])
    }

    @Test("variables are resolved, and a missing one is an error that names it")
    func variables() throws {
        let job = try JobFile.parse(Fixture.bytes("job.yaml"))
        #expect(
            try job.resolvedEnvironments(["API_KEY": "k", "PATH_PART": "p"]) == [
                "mine": ["API_KEY": "k", "URL": "https://localhost/p", "PLAIN": "$5 and $$"]
            ])
        let error = #expect(throws: FileFormatError.self) { try job.resolvedEnvironments(["HOST": "h"]) }
        #expect(
            error?.description == "job.yaml: agents: the environment has no value for ${API_KEY} (agent \"mine\", env API_KEY), "
                + "${PATH_PART} (agent \"mine\", env URL): export it before the run")
    }

    @Test(
        "mistakes are named with their place",
        arguments: [
            ("name: j\nagents: [{name: oracle}]\n", "datasets: must name at least one dataset"),
            ("name: j\ndatasets: [{path: x}]\n", "agents: must name at least one agent"),
            ("name: j\nn_attempts: -1\nREST", "n_attempts: must be at least 0, not -1"),
            ("name: j\nn_attempts: two\nREST", "n_attempts: must be a whole number, not a string"),
            ("name: j\ntimeout_multiplier: -1\nREST", "timeout_multiplier: must be above 0"),
            ("name: j\ninstruction_path: x\nREST", "instruction_path: must be an absolute path"),
            ("name: j\nretry: {multiplier: 0.5}\nREST", "retry.multiplier: must be at least 1"),
            ("name: j\nretry: 3\nREST", "retry: must be an object, not a number"),
            ("name: j\nenvironment: {type: modal}\nREST", "environment.type: \"modal\" is not supported"),
            ("name: j\nenvironment: {type: fly}\nREST", "environment.type: \"fly\" is not supported"),
            ("name: ../x\nREST", "name: \"../x\" cannot be the name of a directory"), ("name: a//b\nREST", "cannot be the name of a directory"),
            ("name: j\nenvironment: {override_memory: lots}\nREST", "environment.override_memory: must be a size such as \"2G\""),
            ("name: j\nenvironment: {preserve_env: maybe}\nREST", "environment.preserve_env: must be one of never, always, on_failure"),
            ("name: j\nenvironment: {force_build: maybe}\nREST", "environment.force_build: must be true or false, not a string"),
            ("name: j\nmetrics: [{type: median}]\nREST", "metrics[0].type: must be one of mean, min, max, sum"),
            ("name: j\nmetrics: [{}]\nREST", "metrics[0].type: is required"),
            ("name: j\nagents: [{name: a}]\ndatasets: [{path: x}]\n", "agents: none can run: give one of them an execute script"),
            ("name: j\nagents: [{name: oracle}, {name: oracle}]\ndatasets: [{path: x}]\n", "agents[1].name: \"oracle\" is given twice"),
            ("name: j\nagents: [{name: a, execute: x, env: {K: [1]}}]\ndatasets: [{path: x}]\n", "agents[0].env.K: must be a string, not a list"),
            ("name: j\nagents: [{name: oracle}]\ndatasets: [{}]\n", "datasets[0].path: is required, or a registry"),
            ("name: j\nagents: [{name: oracle}]\ndatasets: [{path: x, registry: {path: y}, name: z}]\n", "cannot be combined with registry"),
            ("name: j\nagents: [{name: oracle}]\ndatasets: [{registry: {}, name: z}]\n", "datasets[0].registry: must have either path or url"),
            ("name: j\nagents: [{name: oracle}]\ndatasets: [{registry: {url: y}}]\n", "datasets[0].name: is required"),
            ("name: j\nname: k\nREST", "line 2, column 1: the key \"name\" is given twice"), ("", "must be an object, not null"),
            ("[1]", "must be an object, not a list"),
        ] as [(String, String)])
    func mistakes(text: String, message: String) {
        let error = #expect(throws: FileFormatError.self) { try parse(text.replacing("REST", with: Self.rest)) }
        #expect(error?.description.hasPrefix("job.yaml: ") == true)
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
    }

    @Test("unknown keys are ignored with a warning that names them")
    func unknown() throws {
        let job = try parse(
            "name: j\nextra: 1\nretry: {jitter: true}\nenvironment: {provider_config: {app: x}}\n"
                + "agents: [{name: oracle, colour: red}]\ndatasets: [{path: x, y: z}]\n")
        #expect(
            Set(job.warnings)
                == Set(
                    [
                        "extra", "retry.jitter", "environment.provider_config.app", "agents[0].colour", "datasets[0].y",
                    ].map { "unknown key \($0) is ignored" }))
    }

    @Test(
        "zero and an empty text mean \"not set\"",
        arguments: [
            "", "n_attempts: 0\nn_concurrent_trials: 0\ntimeout_multiplier: 0\n", "jobs_dir: ''\ninstruction_path: ''\nlog_level: ''\nname: ''\n",
            "retry: {max_attempts: 0, initial_delay_ms: 0, max_delay_ms: 0, multiplier: 0}\n",
            "environment: {type: '', preserve_env: '', override_cpus: 0, override_memory_mb: 0, override_storage_mb: 0}\n",
            "verifier: {override_timeout_sec: 0, max_timeout_sec: 0.0, disable: false}\n", "environment:\nverifier:\nretry:\nmetrics:\n",
        ])
    func zeros(text: String) throws {
        var job = try parse(text + Self.rest)
        job.document = .null
        var plain = try parse(Self.rest)
        plain.document = .null
        #expect(job == plain)
        #expect(job.name == nil && job.jobsDir == "jobs" && job.attempts == 1)
    }

    @Test("any scalar is taken as the text that is written, where a text belongs")
    func texts() throws {
        let job = try parse(
            "name: 2024\nagents: [{name: 1.10, execute: 'true', env: {PORT: 8080, FLAG: true, VERSION: 1.10, HEX: 0x1F, EMPTY: }}]\n"
                + "datasets: [{registry: {path: r.json}, name: bench, version: 2.0}, {registry: {path: r.json}, name: bench, version: 1.10}]\n")
        #expect(job.name == "2024")
        #expect(job.agents[0].name == "1.10")
        #expect(job.agents[0].env.mapValues(\.text) == ["PORT": "8080", "FLAG": "true", "VERSION": "1.10", "HEX": "0x1F", "EMPTY": ""])
        #expect(
            job.datasets == [
                .registry(.path("r.json"), name: "bench", version: "2.0"), .registry(.path("r.json"), name: "bench", version: "1.10"),
            ])
    }

    @Test("YAML 1.1 words for true and false", arguments: [("yes", true), ("on", true), ("No", false), ("off", false), ("true", true)])
    func words(text: String, flag: Bool) throws {
        #expect(try parse("environment: {force_build: \(text)}\n" + Self.rest).environment.forceBuild == flag)
    }

    @Test("an agent without a script is skipped, and that is said")
    func skipped() throws {
        let job = try parse(
            "agents: [{name: Claude Code, execute: run}, {name: idle}, {name: blank, execute: '', install: x}, {name: oracle}]\ndatasets: [{path: x}]\n"
        )
        #expect(job.agents.map(\.name) == ["Claude Code", "oracle"])
        #expect(
            job.warnings == [
                "agents[1]: agent \"idle\" has no execute script and is skipped", "agents[2]: agent \"blank\" has no execute script and is skipped",
            ])
    }

    @Test("scripts of the oracle are ignored, and that is said")
    func oracleScripts() throws {
        let job = try parse("agents: [{name: oracle, install: a, execute: b}]\ndatasets: [{path: x}]\n")
        #expect(job.agents == [JobFile.AgentEntry(name: "oracle")])
        #expect(job.warnings == ["agents[0]: \"oracle\" runs the task's own solution; its install and execute are ignored"])
    }

    @Test("sizes in the older form", arguments: [("2G", 2048), ("512M", 512), ("30G", 30720), ("1.5Gi", 1536)])
    func sizes(text: String, megabytes: Int) throws {
        let job = try parse("environment: {override_memory: \(text), override_storage: \(text)}\n" + Self.rest)
        #expect(job.environment.overrideMemoryMB == megabytes && job.environment.overrideStorageMB == megabytes)
    }

    @Test("config.json is the file with the defaults filled in, and variables as they are written")
    func configuration() throws {
        let job = try parse("n_attempts: 0\nx: 1\nagents: [{name: a, execute: b, env: {K: \"${KEY}\"}}]\ndatasets: [{path: x}]\n")
        let value = job.configuration
        #expect(value["n_attempts"] == 1 && value["jobs_dir"] == "jobs" && value["n_concurrent_trials"] == 4 && value["x"] == 1)
        #expect(value.at("retry", "max_attempts") == 3 && value.at("environment", "type") == "docker")
        #expect(value["agents"]?[0]?.at("env", "K") == "${KEY}")
        #expect(value["name"] == nil)
    }

    /// Files of our own in the shapes that Rollout's testdata has.
    @Test(
        "files of Rollout",
        arguments: [
            ("oracle", 1, [.folder(path: "./test-dataset")]), ("reads-instruction", 1, [.folder(path: "./test-dataset")]),
            ("registry-path", 2, [.registry(.path("registry.json"), name: "hello", version: nil)]),
            ("registry-url", 1, [.registry(.url("https://example.com/registry.json"), name: "hello-world", version: "head")]),
            ("many-tasks", 10, [.registry(.url("https://example.com/registry.json"), name: "terminal", version: "2.0")]),
        ] as [(String, Int, [JobFile.DatasetEntry])])
    func shapes(file: String, concurrent: Int, datasets: [JobFile.DatasetEntry]) throws {
        let job = try JobFile.parse(Fixture.bytes("rollout/\(file).yaml"), file: file)
        #expect(job.warnings == [])
        #expect(job.concurrentTrials == concurrent)
        #expect(job.datasets == datasets)
    }

    @Test("providers that are not there are refused by name", arguments: ["modal", "apple"])
    func providers(name: String) throws {
        let error = #expect(throws: FileFormatError.self) { try JobFile.parse(Fixture.bytes("rollout/\(name).yaml")) }
        #expect(
            error?.description == "job.yaml: environment.type: \"\(name)\" is not supported: trials run as pods, on this machine (docker) or on a "
                + "cluster (k8s). Set environment.type to one of these")
    }

    @Test(
        "a job is told from a resource",
        arguments: [
            (["name": "j", "agents": []], true), (["datasets": []], true), (["apiVersion": "v1", "kind": "EvalJob", "agents": []], false),
            (["kind": "X", "agents": []], false), (["name": "j"], false), ([1], false), (nil, false),
        ] as [(JSONValue, Bool)])
    func detection(document: JSONValue, isJob: Bool) {
        #expect(JobFile.isJobFile(document) == isJob)
    }

    @Test(
        "templates",
        arguments: [
            ("plain", [], "plain"), ("${A}", ["A"], "1"), ("x${A}y${B}z", ["A", "B"], "x1y2z"), ("${A}${A}", ["A"], "11"), ("$A $$ $", [], "$A $$ $"),
            ("${", [], "${"), ("${}", [], "${}"), ("${1A}", [], "${1A}"), ("${A", [], "${A"), ("${A b}", [], "${A b}"), ("${X:-d}", ["X"], "d"),
            ("${X:-}", ["X"], ""), ("${EMPTY:-d}", ["EMPTY"], "d"), ("${EMPTY}", ["EMPTY"], ""), ("${A:-d}", ["A"], "1"), ("${${A}", ["A"], "${1"),
            ("é${A}é", ["A"], "é1é"),
        ] as [(String, [String], String)])
    func templates(text: String, variables: [String], resolved: String) {
        let template = VariableTemplate(text)
        #expect(template.variables == variables)
        #expect(template.resolved(in: ["A": "1", "B": "2", "EMPTY": ""]) == resolved)
    }

    @Test("a template with a missing variable has no value")
    func missing() {
        let template = VariableTemplate("${A}${B:-x}${C}")
        #expect(template.missing(in: ["C": "3"]) == ["A"])
        #expect(template.resolved(in: ["C": "3"]) == nil)
    }
}
