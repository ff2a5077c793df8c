import EvalModel
import Testing

@testable import EvalFormats

@Suite("What a Compose file asks for and a pod does not have")
struct ComposeRefusalTests {
    private static let pair = "a: {image: i}, "

    /// A file's services, and what its refusal says: the key, and what is wrong.
    static let refused: [(services: String, key: String, why: String)] = [
        ("db: {image: i, privileged: true}", "services.db.privileged", "no container of a trial is privileged"),
        ("db: {image: i, network_mode: host}", "services.db.network_mode", "\"host\" is not possible"),
        ("db: {image: i, network_mode: none}", "services.db.network_mode", "\"none\" is not possible"),
        ("db: {image: i, pid: host}", "services.db.pid", "a pod cannot have it"),
        ("db: {image: i, ipc: host}", "services.db.ipc", "use shm_size"),
        (
            "db: {image: i, volumes: ['/var/run/docker.sock:/var/run/docker.sock']}", "services.db.volumes[0]",
            "nothing else of a machine can be mounted"
        ),
        ("db: {image: i, volumes: ['~/x:/x']}", "services.db.volumes[0]", "nothing else of a machine"),
        ("db: {image: i, volumes: ['../tests:/tests']}", "services.db.volumes[0]", "\"../tests\" is no file or folder in environment/"),
        ("db: {image: i, volumes: ['data:/d']}", "services.db.volumes[0]", "the volume \"data\" is not in `volumes`"),
        ("db: {image: i, volumes: ['./x:relative']}", "services.db.volumes[0]", "must be an absolute path"),
        ("db: {image: i, volumes: [{type: npipe, source: x, target: /x}]}", "services.db.volumes[0]", "a mount of the type \"npipe\""),
        ("db: {image: i, volumes: ['./a:/x', './b:/x']}", "services.db.volumes", "\"/x\" is mounted twice"),
        ("my_db: {image: i}", "services.my_db", "small letters, digits and hyphens"),
        ("\(String(repeating: "d", count: 56)): {image: i}", "services.d", "at most 55"),
        ("a: {image: i, expose: [80]}, b: {image: i, ports: ['8080:80']}", "services.b.ports", "the port 80/tcp is also that of \"a\""),
        ("main: {networks: [front]}, db: {image: i, networks: [back]}", "services.db.networks", "no network in common with main"),
        ("db: {image: i, extra_hosts: ['host.docker.internal:host-gateway']}", "services.db.extra_hosts", "host-gateway is the machine itself"),
        ("db: {image: i, extra_hosts: ['x:y']}", "services.db.extra_hosts", "\"y\" is no IP address"),
        ("db: {image: i, depends_on: [main]}", "services.db.depends_on", "main is the trial, which begins after all services"),
        ("db: {image: i, depends_on: [other]}", "services.db.depends_on", "there is no service \"other\""),
        ("db: {image: i, depends_on: {a: {condition: ready}}}, \(pair)", "services.db.depends_on.a.condition", "\"ready\" must be"),
        ("db: {image: i, depends_on: [a]}, a: {image: i, depends_on: [db]}", "services", "a, db depend on each other in a circle"),
        (
            "main: {depends_on: {a: {condition: service_healthy}}}, \(pair)", "services.a.healthcheck",
            "is missing, and services.main.depends_on.a waits"
        ),
        ("db: {image: i, user: postgres}", "services.db.user", "must be a number"),
        ("db: {image: i, deploy: {replicas: 2}}", "services.db.deploy.replicas", "one container of each service"),
        ("db: {image: i, scale: 3}", "services.db.scale", "one container of each service"),
        ("db: {image: i, deploy: {resources: {reservations: {devices: [{driver: nvidia}]}}}}", "devices", "a service has no devices"),
        ("db: {image: i, gpus: all}", "services.db.gpus", "a service has no GPU"),
        ("db: {image: i, secrets: [key]}", "services.db.secrets", "use a variable of the job"),
        ("db: {image: i, configs: [key]}", "services.db.configs", "use a bind mount"),
        ("db: {image: i, extends: {service: x}}", "services.db.extends", "write the service's keys here"),
        ("db: {image: i, sysctls: {a: 1}}", "services.db.sysctls", "share the kernel settings"),
        ("db: {image: i, dns: 1.1.1.1}", "services.db.dns", "share the network of its pod"),
        ("db: {image: i, security_opt: ['seccomp=unconfined']}", "services.db.security_opt", "runtime's default profiles"),
        ("db: {image: i, healthcheck: {interval: 5s}}", "services.db.healthcheck", "needs a `test`"),
        ("db: {image: i, healthcheck: {test: [curl]}}", "services.db.healthcheck.test", "must begin with CMD"),
        ("db: {image: i, healthcheck: {test: x, interval: 5}}", "services.db.healthcheck.interval", "no duration"),
        ("db: {image: i, mem_limit: lots}", "services.db.mem_limit", "no amount"),
        ("db: {image: i, env_file: gone.env}", "services.db.env_file", "there is no file environment/gone.env"),
        ("db: {image: i, environment: {URL: 'http://${TOKEN}/'}}", "services.db.environment.URL", "${TOKEN} has no value"),
        ("db: {image: i, environment: {A: '$${USER}'}}", "services.db.environment.A", "\"${USER}\" as a text would be read as a variable"),
        ("db: {image: '${IMAGE}'}", "services.db.image", "${IMAGE} has no value"),
        ("db: {image: '${IMAGE:?say which}'}", "services.db.image", "say which"),
        ("db: {image: '${IMAGE'}", "services.db.image", "no valid use of a variable"),
        ("db: {command: x}", "services.db", "has neither image nor build"),
        ("db: {build: ../other}", "services.db.build", "no folder in environment/"),
        ("db: {build: 'https://example.com/x.git'}", "services.db.build", "no folder in environment/"),
        ("db: {build: {dockerfile_inline: FROM x}}", "services.db.build.dockerfile_inline", "write a Dockerfile"),
        ("db: {build: {context: ., dockerfile: ../Dockerfile}}", "services.db.build.dockerfile", "no file in the context"),
        ("db: {build: {context: ., ssh: default}}", "services.db.build.ssh", "a build gets no keys"),
        ("db: {image: i, command: \"it's\"}", "services.db.command", "a quote that is not closed"),
        ("db: {image: i, entrypoint: []}", "services.db.entrypoint", "is empty, and there is no command"),
        ("db: {image: i, networks: {default: {aliases: [a_b]}}}", "services.db.networks.default.aliases", "no DNS name"),
        ("main: {command: 'python3 setup.py'}", "services.main.command", "do this in the Dockerfile"),
        ("main: {command: [bash, -lc, 'setup && sleep infinity']}", "services.main.command", "do this in the Dockerfile"),
        ("main: {cap_add: [NET_ADMIN]}", "services.main.cap_add", "of any trial"),
        ("main: {user: '1000:1000'}", "services.main.user", "without a group"),
        ("main: {volumes: ['./x:/tests/x']}", "services.main.volumes[0]", "Assay's own in the trial"),
    ]

    @Test("is refused by the name of its key, with what to do", arguments: refused)
    func refuses(services: String, key: String, why: String) async throws {
        let error = try await Self.refusal("services: {\(services)}")
        #expect(error.type == .taskInvalid)
        #expect(error.message.contains(key) && error.message.contains(why), "\(error.message)")
        #expect(error.message.hasPrefix("task \"t\": environment/docker-compose.yaml cannot run in a pod: "))
    }

    @Test(
        "also outside of services, and in the file as a whole",
        arguments: [
            ("volumes: {d: {external: true}}", "volumes.d.external: a trial has no volume of another's"),
            ("volumes: {d: {driver: nfs}}", "volumes.d.driver"),
            ("volumes: {d: {driver_opts: {type: nfs}}}", "volumes.d.driver_opts"),
            ("include: [other.yaml]", "include: write the services into this file"),
            ("services: {main: {networks: [n]}}\nnetworks: {n: {internal: true}}", "services.main.networks: n is internal"),
            ("services: [a]", "services: must be a map"), ("- a", "services: must be a map"), ("{", "cannot run in a pod: line "),
        ])
    func whole(text: String, message: String) async throws {
        #expect(try await Self.refusal(text).message.contains(message))
    }

    @Test("files without measure are refused, or read in an instant")
    func large() async throws {
        let many = "services: {" + (0..<60).map { "s\($0): {image: i}" }.joined(separator: ", ") + "}"
        #expect(try await Self.refusal(many).message.contains("services: more than 50 services"))
        let deep = String(repeating: "${A:-", count: 20_000) + String(repeating: "}", count: 20_000)
        #expect(try await Self.refusal("services: {db: {image: '\(deep)'}}").message.contains("no valid use of a variable"))
        let mounts = (0..<300).map { "/m\($0)" }.joined(separator: ", ")
        #expect(try await Self.refusal("services: {db: {image: i, volumes: [\(mounts)]}}").message.contains("more than 200 mounts"))
        #expect(try await Self.refusal("services: {db: {image: i, ports: ['-', ':', '1-99999']}}").message.contains("is no port"))
        let wrong = (0..<500).map { "'\($0)x'" }.joined(separator: ", ")
        #expect(try await Self.refusal("services: {db: {image: i, volumes: [\(wrong)]}}").message.utf8.count < 60_000)
    }

    @Test("everything that is wrong is said at once")
    func together() async throws {
        let message = try await Self.refusal("services: {a: {image: i, privileged: true, pid: host}, b: {image: i, scale: 2}}").message
        for key in ["services.a.privileged", "services.a.pid", "services.b.scale"] { #expect(message.contains(key)) }
    }

    @Test("what has no effect in a pod is said, and no more")
    func warnings() async throws {
        let text = """
            services:
              db: {image: i, ulimits: {nofile: 9}, platform: linux/amd64, tty: true, unknown: 1, restart: always, x-mine: 1, init: false, hostname: Not_DNS}
              main: {cpus: 4}
            networks: {n: {driver: bridge, internal: false}}
            """
        #expect(
            try await Self.load(text).warnings.map { String($0.dropFirst("environment/docker-compose.yaml: ".count)) } == [
                "networks.n.driver has no effect in a pod", "services.db.hostname is no DNS name and does not resolve",
                "services.main.cpus has no effect: cpus and memory_mb in task.toml hold", "services.db.platform has no effect in a pod",
                "services.db.tty has no effect in a pod", "services.db.ulimits has no effect in a pod",
                "services.db.unknown is not a known key and is ignored",
            ])
    }

    private static func load(_ compose: String) async throws -> LoadedTask {
        let files = ["task.toml": "version = \"1.0\"", "environment/docker-compose.yaml": compose].mapValues { Array($0.utf8) }
        return try await TaskReader.load(name: "t", from: ListedTaskFolder(paths: ["instruction.md", "tests/test.sh"], files: files))
    }

    private static func refusal(_ compose: String) async throws -> TrialError {
        try #require(await #expect(throws: TrialError.self) { try await load(compose) })
    }
}

@Suite("Variables of a Compose file")
struct ComposeVariablesTests {
    private let variables = ComposeVariables(
        EvalTask(name: "t", schema: .harbor, schemaVersion: "1.0", environment: TaskEnvironment(dockerImage: "own:1", cpus: 1.5, memoryMB: 512)))

    @Test(
        "those that Harbor sets are replaced, in every form",
        arguments: [
            ("${CPUS} $MEMORY ${TEST_DIR}", "1.5 512M /tests"), ("${PREBUILT_IMAGE_NAME}", "own:1"), ("${CONTEXT_DIR}/x", "./x"),
            ("$$ $${CPUS} $", "$ ${CPUS} $"), ("${NONE:-a}${NONE-b}", "ab"), ("${CPUS:-a}${CPUS:+set}${NONE:+set}${NONE+set}", "1.5set"),
            ("${NONE:-${CPUS}}-${NONE:-{}}", "1.5-{}"), ("${NONE:-}", ""), ("a${NONE}b", "ab"), ("5$", "5$"), ("${CPUS?x}", "1.5"), ("$1", "$1"),
        ])
    func replaced(text: String, expected: String) { #expect(variables.expand(text)?.text == expected) }

    @Test("a variable without a value is known by name")
    func missing() {
        #expect(variables.expand("${A}/$B/${C:-x}/${D:?why}") == .init(text: "//x/", missing: ["A", "B", "D"], complaint: "why"))
        for text in ["${", "${A", "${1}", "${}", "${A!b}"] { #expect(variables.expand(text) == nil, "\(text)") }
    }

    @Test(
        "the job gives what is a variable as a whole",
        arguments: [
            ("${A}", "${A}"), ("$A", "${A}"), ("${A:-x y}", "${A:-x y}"), ("${A-}", "${A:-}"), ("${A:-${CPUS}}", "${A:-1.5}"), ("${A:?why}", "${A}"),
            ("${CPUS}", nil), ("x${A}", nil), ("${A}${B}", nil), ("$$A", nil), ("plain", nil), ("${A:-${B}}", nil), ("${A:+x}", nil),
        ])
    func asked(text: String, expected: String?) { #expect(variables.asked(text) == expected) }

    @Test("texts with units")
    func units() {
        #expect(["10s", "1m30s", "500ms", "1.5h", "0"].map { ComposeValues.seconds($0) ?? -1 } == [10, 90, 0.5, 5400, 0])
        #expect(["10", "", "s", "5x", "1m30"].allSatisfy { ComposeValues.seconds($0) == nil })
        #expect(["1024", "1k", "1.5m", "2GB", "1gib", "3b"].map { ComposeValues.bytes($0) ?? -1 } == [1024, 1024, 1_572_864, 2 << 30, 1 << 30, 3])
        #expect(["", "m", "1x", "-1"].allSatisfy { ComposeValues.bytes($0) == nil })
        #expect(ComposeValues.words(#"a "b c" 'd $e' f\ g "" "h\"i""#) == ["a", "b c", "d $e", "f g", "", "h\"i"])
        #expect(ComposeValues.words("a 'b") == nil && ComposeValues.words("") == [])
        #expect(["./a", "a/./b", "a/../b", "."].map { ComposeValues.relative($0) } == ["a", "a/b", "b", ""])
        #expect(["/a", "../a", "a/../../b", "~/a", "https://x/y"].allSatisfy { ComposeValues.relative($0) == nil })
    }
}
