import EvalModel
import Testing

@testable import EvalFormats

/// A task with the Compose file, read from memory.
private func load(_ compose: String, files: [String: String] = [:], toml: String = "version = \"1.0\"") async throws -> LoadedTask {
    var all = files.mapValues { Array($0.utf8) }
    all["task.toml"] = Array(toml.utf8)
    all["environment/docker-compose.yaml"] = Array(compose.utf8)
    return try await TaskReader.load(name: "t", from: ListedTaskFolder(paths: ["instruction.md", "tests/test.sh"], files: all))
}

private func services(_ compose: String, files: [String: String] = [:]) async throws -> TaskServices {
    try await load(compose, files: files).task.environment.services
}

/// One service `db` beside main.
private func db(_ keys: String) async throws -> TaskService {
    try #require(try await services("services: {db: {image: i, \(keys)}}\nvolumes: {data: null}")["db"])
}

@Suite("Compose files")
struct ComposeFileTests {
    @Test("a web service and a database, as public tasks have them")
    func whole() async throws {
        let text = """
            version: "3.8"
            x-common: &common
              restart: unless-stopped
              networks: [back]
            services:
              main:
                build:
                  context: ${CONTEXT_DIR}
                image: ${MAIN_IMAGE_NAME}
                command: ["sh", "-c", "sleep infinity"]
                network_mode: ${NETWORK_MODE:-bridge}
                environment:
                  - TEST_DIR=${TEST_DIR}
                  - API_KEY=${API_KEY}
                  - MODEL=${MODEL:-small}
                  - PASSED
                volumes:
                  - ${HOST_VERIFIER_LOGS_PATH}:${ENV_VERIFIER_LOGS_PATH}
                  - ${HOST_AGENT_LOGS_PATH}:${ENV_AGENT_LOGS_PATH}
                  - shared:/data
                networks: {back: {aliases: [agent-host]}}
                depends_on:
                  web: {condition: service_healthy}
                  seed: {condition: service_completed_successfully}
                deploy: {resources: {limits: {cpus: "${CPUS}", memory: "${MEMORY}"}}}
              web:
                <<: *common
                build: {context: ./web, dockerfile: Dockerfile.web, target: run, args: {PORT: 80}}
                command: python3 -m http.server "8080"
                environment: {DB_HOST: db, DEBUG: true, PRICE: "$$5", KEY: "${API_KEY:-none}"}
                depends_on: [db]
                expose: [8080]
                healthcheck:
                  test: ["CMD", "curl", "-f", "http://localhost:8080/"]
                  interval: 2s
                  timeout: 1500ms
                  retries: 10
                  start_period: 1m30s
                volumes:
                  - ./web/conf.d:/etc/web:ro
                  - type: bind
                    source: ${HOST_ARTIFACTS_PATH}
                    target: /logs/artifacts
              db:
                <<: *common
                image: postgres:17
                container_name: task-db
                user: "70:70"
                env_file: db.env
                healthcheck: {test: pg_isready -U postgres, interval: 5s}
                volumes: [{type: volume, source: db_data, target: /var/lib/postgresql/data}]
                tmpfs: /run/postgresql:size=64m
                shm_size: 256mb
                mem_limit: 1g
              seed:
                <<: *common
                image: ${MAIN_IMAGE_NAME}
                entrypoint: /bin/sh -c "cp -r /seed /data"
                depends_on: {db: {condition: service_healthy}}
                volumes: [shared:/data, ./seed.sql:/seed/seed.sql]
            volumes:
              db_data:
              shared: {driver: local}
            networks:
              back: {driver: bridge}
            """
        let loaded = try await load(
            text,
            files: [
                "environment/Dockerfile": "", "environment/web/Dockerfile.web": "",
                "environment/db.env": "# the database\nexport POSTGRES_PASSWORD='a b' # not secret\nEMPTY=\n",
            ])
        let task = loaded.task
        let found = task.environment.services
        #expect(found.services.map(\.name) == ["db", "seed", "web"])
        #expect(found.names == ["agent-host", "db", "main", "seed", "task-db", "web"])
        #expect(task.environment.composeImage == .built(.init()))
        #expect(task.environment.env == ["TEST_DIR": "/tests", "API_KEY": "${API_KEY}", "MODEL": "${MODEL:-small}"])
        #expect(task.environment.passedEnv == ["PASSED"])
        #expect(found.mainMounts == [.init(source: .volume("shared"), target: "/data")])
        #expect(found.volumes == ["db_data", "shared"])
        #expect(found.files == ["seed.sql", "web/conf.d"])
        #expect(
            task.askedVariables(oracle: false, verifies: true, agentVariables: []).map { "\($0.name) \($0.isRequired)" }
                == ["API_KEY true", "MODEL false", "PASSED false"])
        #expect(
            found["web"]
                == TaskService(
                    name: "web",
                    image: .own(.built(.init(context: "web", dockerfile: "Dockerfile.web", arguments: ["PORT": "80"], target: "run"))),
                    command: ["python3", "-m", "http.server", "8080"],
                    env: ["DB_HOST": "db", "DEBUG": "true", "PRICE": "$5", "KEY": "${API_KEY:-none}"],
                    check: ServiceCheck(
                        command: ["curl", "-f", "http://localhost:8080/"], intervalSec: 2, timeoutSec: 1.5, startPeriodSec: 90, retries: 10),
                    mounts: [
                        .init(source: .files("web/conf.d"), target: "/etc/web", readOnly: true),
                        .init(source: .logs("artifacts"), target: "/logs/artifacts"),
                    ]))
        #expect(
            found["db"]
                == TaskService(
                    name: "db", image: .own(.named("postgres:17")), env: ["POSTGRES_PASSWORD": "a b", "EMPTY": ""], user: .init(id: 70, group: 70),
                    check: ServiceCheck(command: ["/bin/sh", "-c", "pg_isready -U postgres"], intervalSec: 5),
                    mounts: [
                        .init(source: .volume("db_data"), target: "/var/lib/postgresql/data"),
                        .init(source: .scratch(inMemory: true, sizeBytes: 64 << 20), target: "/run/postgresql"),
                        .init(source: .scratch(inMemory: true, sizeBytes: 256 << 20), target: "/dev/shm"),
                    ], resources: ServiceResources(memoryMB: 1024, memoryLimitMB: 1024)))
        #expect(
            found["seed"]
                == TaskService(
                    name: "seed", image: .main, kind: .oneShot, entrypoint: ["/bin/sh", "-c", "cp -r /seed /data"],
                    mounts: [.init(source: .volume("shared"), target: "/data"), .init(source: .files("seed.sql"), target: "/seed/seed.sql")]))
        #expect(loaded.warnings == ["environment/docker-compose.yaml: networks.back.driver has no effect in a pod"])
    }

    @Test("main is merged with task.toml, which comes first")
    func main() async throws {
        let text = """
            services:
              main:
                image: own:1
                environment: {A: compose, B: compose}
                working_dir: /compose
                user: agent
                healthcheck: {test: [CMD, test, -f, "it's"], interval: 1s}
            """
        let plain = try await load(text).task
        #expect(plain.environment.env == ["A": "compose", "B": "compose"] && plain.environment.workdir == "/compose")
        #expect(plain.agent.user == "agent" && plain.verifier.user == "agent")
        #expect(plain.environment.healthcheck?.command == #"'test' '-f' 'it'\''s'"# && plain.environment.healthcheck?.timeoutSec == 30)
        #expect(plain.environment.services.isEmpty && plain.image(override: nil, forceBuild: false, targetDefault: "d") == .compose(.named("own:1")))
        let toml = """
            version = "1.0"
            [agent]
            user = "root"
            [environment]
            workdir = "/own"
            env = {A = "own"}
            healthcheck = {command = "true"}
            """
        let own = try await load(text, toml: toml).task
        #expect(own.environment.env == ["A": "own", "B": "compose"] && own.environment.workdir == "/own")
        #expect(own.agent.user == "root" && own.environment.healthcheck?.command == "true")
    }

    @Test("the image of the trial: docker_image, what main builds, the Dockerfile, what main names")
    func order() {
        var task = EvalTask(name: "t", schema: .harbor, schemaVersion: "1.0")
        task.environment.hasCompose = true
        func image(forceBuild: Bool = false) -> TaskImage? { task.image(override: nil, forceBuild: forceBuild, targetDefault: "default:1") }
        #expect(image() == nil, "the default would lack what the file adds")
        task.environment.composeImage = .named("c:1")
        #expect(image() == .compose(.named("c:1")) && image()?.name == "c:1")
        task.environment.hasDockerfile = true
        #expect(image() == .dockerfile)
        task.environment.composeImage = .built(.init())
        #expect(image() == .dockerfile, "the same, said twice")
        task.environment.composeImage = .built(.init(target: "agent"))
        #expect(image() == .compose(.built(.init(target: "agent"))))
        task.environment.dockerImage = "own:1"
        #expect(image() == .task("own:1") && image(forceBuild: true) == .compose(.built(.init(target: "agent"))))
    }

    @Test("services start after what they depend on")
    func ordering() async throws {
        let text = """
            services:
              a: {image: i, depends_on: [c]}
              b: {image: i, links: ["a:other"]}
              c: {image: i, depends_on: {d: {condition: service_started}, gone: {condition: service_started, required: false}}}
              d: {image: i}
            """
        let found = try await services(text)
        #expect(found.services.map(\.name) == ["d", "c", "a", "b"])
        #expect(found.names.contains("other"))
    }

    @Test("files of variables are read as Compose reads them: quotes, several lines, escapes, earlier variables")
    func environmentFiles() async throws {
        let file = [
            "\u{FEFF}PLAIN=a=b # a comment", #"QUOTED="two  words # no comment" # a comment"#, #"SINGLE='$PLAIN \n'"#, #"LINES="one"#,
            #"two\tthree \"four\" \$PLAIN""#, "URL=http://${PLAIN}:${CPUS}/${NONE:-x}$$", "YAML: colon", "TOKEN=${TOKEN}", "HASH=#a", "NOTHING=",
        ].joined(separator: "\r\n")
        let loaded = try await load(
            "services: {db: {image: i, env_file: [a.env, {path: raw.env, format: raw}]}}",
            files: ["environment/a.env": file, "environment/raw.env": "RAW='${A}' # b\n"])
        #expect(
            loaded.task.environment.services["db"]?.env == [
                "PLAIN": "a=b", "QUOTED": "two  words # no comment", "SINGLE": #"$PLAIN \n"#, "LINES": "one\r\ntwo\tthree \"four\" $PLAIN",
                "URL": "http://a=b:1/x$", "YAML": "colon", "TOKEN": "${TOKEN}", "HASH": "#a", "NOTHING": "", "RAW": "'${A}' # b",
            ])
    }

    @Test("services with a profile do not start, and a file without services adds nothing")
    func profiles() async throws {
        let loaded = try await load("services: {debug: {image: i, profiles: [debug]}, main: {}}")
        #expect(loaded.task.environment.services.isEmpty)
        #expect(loaded.warnings == ["environment/docker-compose.yaml: services.debug has a profile and does not start"])
        for text in ["", "services: {}", "services: {main: {platform: linux/amd64, security_opt: [label=disable]}}"] {
            #expect(try await services(text).isEmpty, "\(text)")
        }
    }

    @Test("what a pod has for a service's keys")
    func keys() async throws {
        #expect(try await db("command: [a, $$b], entrypoint: []").entrypoint == ["a", "$b"])
        #expect(try await db("cap_add: [cap_net_bind_service, SYS_PTRACE], cap_drop: [all]").addedCapabilities == ["NET_BIND_SERVICE", "SYS_PTRACE"])
        #expect(try await db("cap_drop: [all]").droppedCapabilities == ["ALL"])
        #expect(try await db("read_only: true, security_opt: ['no-new-privileges:true']").noNewPrivileges)
        #expect(try await db("user: root").user == .init(id: 0))
        #expect(try await db("user: 1000").user == .init(id: 1000))
        #expect(try await db("volumes: ['data:/d:ro', /cache]").mounts.map(\.target) == ["/d", "/cache"])
        #expect(try await db("volumes: ['./:/all', './a/../b:/b']").mounts.map(\.source) == [.files(""), .files("b")])
        #expect(
            try await db("deploy: {resources: {limits: {cpus: '2', memory: 2G}, reservations: {cpus: 0.5, memory: 512M}}}").resources
                == ServiceResources(cpus: 0.5, cpuLimit: 2, memoryMB: 512, memoryLimitMB: 2048))
        #expect(try await db("mem_reservation: 700m").resources == ServiceResources(memoryMB: 700, memoryLimitMB: 700))
        #expect(try await db("cpus: 0.05").resources == ServiceResources(cpus: 0.05, cpuLimit: 0.05))
        #expect(try await db("healthcheck: {test: [NONE]}").check == nil)
        #expect(try await db("healthcheck: {disable: true, test: x}").check == nil)
        #expect(
            try await services("services: {a: {image: i, extra_hosts: ['x.example:10.0.0.1', 'v6=[::1]']}}").hosts == [
                "10.0.0.1": ["x.example"], "::1": ["v6"],
            ])
    }

    @Test("a health check has whole seconds, and its start period counts as failures")
    func threshold() {
        let check = ServiceCheck(command: ["x"], intervalSec: 1.5, timeoutSec: 0.2, startPeriodSec: 10, retries: 3)
        #expect(check.periodSeconds == 2 && check.timeoutSeconds == 1 && check.failureThreshold == 3 + 7)
        #expect(ServiceCheck(command: ["x"], retries: 0).failureThreshold == 1)
    }

    @Test("artifacts of a service lie on its named volumes")
    func places() async throws {
        let found = try await services(
            "services: {db: {image: i, volumes: ['data:/var/lib/db', './x:/var/lib/db/conf']}}\nvolumes: {data: }")
        #expect(found.place(of: "/var/lib/db/dump/1.sql", in: "db").map { [$0.volume] + $0.names } == ["data", "dump", "1.sql"])
        #expect(found.place(of: "/var/lib/db", in: "db").map { [$0.volume] + $0.names } == ["data"])
        #expect(found.place(of: "/var/lib/db/conf/x", in: "db") == nil && found.place(of: "/etc/x", in: "db") == nil)
        #expect(found.place(of: "/var/lib/db", in: "other") == nil)
    }
}
