import Base
import Foundation
import Subprocess
import Testing

extension EndToEnd {
    /// Tasks with services of a Compose file, on real containers.
    @Suite struct ServiceTests {
        /// Answers each connection with the content of a file, and ends with an error when it is told to.
        private static let database = """
            import os, socket, sys
            print("database for", os.environ["MAIN_HOST"], "with", os.environ["DB_PASSWORD"], flush=True)
            server = socket.create_server(("127.0.0.1", 5433))
            while True:
                connection, _ = server.accept()
                word = connection.recv(100).decode().strip()
                if word == "die":
                    print("told to die", flush=True)
                    os._exit(7)
                connection.sendall(open("/data/seed").read().encode())
                with open("/data/log", "a") as log: log.write(word + "\\n")
                connection.close()
            """
        /// Asks the database by its name.
        private static let web = """
            import http.server, socket
            class Handler(http.server.BaseHTTPRequestHandler):
                def do_GET(self):
                    connection = socket.create_connection(("db.example", 5433), timeout=10)
                    connection.sendall(b"web\\n")
                    body = b"web says " + connection.recv(100)
                    self.send_response(200)
                    self.end_headers()
                    self.wfile.write(body)
            http.server.HTTPServer(("127.0.0.1", 8089), Handler).serve_forever()
            """
        private static let compose = """
            services:
              main:
                image: "rootfs:/"
                command: ["sleep", "infinity"]
                environment: {WEB: "http://web:8089/"}
                depends_on: {web: {condition: service_healthy}, seed: {condition: service_completed_successfully}}
              db:
                image: "rootfs:/"
                command: [python3, /code/db.py]
                environment: {MAIN_HOST: main, DB_PASSWORD: "${DB_PASSWORD}"}
                volumes: ["./code:/code:ro", "data:/data"]
                networks: {default: {aliases: [db.example]}}
                healthcheck: {test: "python3 -c 'import socket; socket.create_connection((\\"127.0.0.1\\", 5433), 5)'", interval: 1s, timeout: 30s, retries: 60}
                depends_on: {seed: {condition: service_completed_successfully}}
              seed:
                image: "rootfs:/"
                entrypoint: [/bin/sh, -c]
                command: ["cp /seed.txt /data/seed && echo seeded"]
                volumes: ["./seed.txt:/seed.txt:ro", "data:/data"]
              web:
                image: "rootfs:/"
                command: python3 /code/web.py
                volumes: ["./code:/code:ro"]
                depends_on: {db: {condition: service_healthy}}
                healthcheck: {test: [CMD, python3, -c, "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8089/', timeout=20)"], interval: 1s, timeout: 30s, retries: 60}
            volumes: {data: {}}
            """

        private func task(_ bench: Workbench, _ name: String, compose: String = compose, toml: String = "") throws {
            let check = "[ \"$(cat /tmp/answer)\" = 'web says seed 42' ] && echo 1 > /logs/verifier/reward.txt || echo 0 > /logs/verifier/reward.txt"
            try bench.task(name, test: check)
            let folder = "\(bench.benchmark)/tasks/\(name)"
            try bench.write("\(folder)/task.toml", "schema_version = \"1.3\"\n" + toml)
            try bench.write("\(folder)/environment/docker-compose.yaml", compose)
            try bench.write("\(folder)/environment/seed.txt", "seed 42")
            try bench.write("\(folder)/environment/code/db.py", Self.database)
            try bench.write("\(folder)/environment/code/web.py", Self.web)
        }

        private func file(_ bench: Workbench, _ record: JSONValue, _ name: String) async throws -> String {
            let branch = try await bench.branch()
            let folder = try #require(branch.runs.first { $0.value == record }?.key)
            return try await bench.git("show", "assay/runs/v1:\(folder)/\(name)", in: bench.results)
        }

        private static let secret = JobFiles.secret("keys", ["password": "a-secret-password"])
        private static let environment = "env: [{name: DB_PASSWORD, valueFrom: {secretKeyRef: {name: keys, key: password}}}]"

        private static func ask(_ rest: String) -> String {
            "python3 -c 'import urllib.request, os; print(urllib.request.urlopen(os.environ[\"WEB\"], timeout=20).read().decode(), end=\"\")' > /tmp/answer\n"
                + "exec 3<>/dev/tcp/db/5433 && echo agent >&3 && cat <&3\n" + rest
        }

        @Test func anAgentReachesADatabaseAndAWebServiceByName() async throws {
            try await Workbench.with("services") { bench in
                try task(bench, "shop", toml: "artifacts = [{source = \"/data/log\", service = \"db\"}]\n")
                try await bench.commitBenchmark()
                try bench.write(
                    "job.yaml",
                    Self.secret
                        + JobFiles.job("shop", agents: JobFiles.agent("asks", execute: Self.ask("true")), image: nil, environment: Self.environment))
                try await bench.assay("run", "job.yaml", expecting: 0)
                let run = try #require(try await bench.branch().runs(task: "shop").first)
                #expect(run["reward"]?.double == 1 && run["error"] == nil, "\(run.text)")
                #expect(run["services"]?.array?.map { $0["name"]?.string ?? "" } == ["seed", "db", "web"])
                #expect(run["services"]?.array?.allSatisfy { $0["restarts"] == 0 && $0["diedDuringTrial"] == false } == true)
                #expect(run.at("config", "taskEnvironment") == ["DB_PASSWORD"])
                #expect(try await file(bench, run, "services/seed.log") == "seeded")
                // Its own secret is not in the log of a service.
                #expect(try await file(bench, run, "services/db.log") == "database for main with [redacted]")
                #expect(try await file(bench, run, "logs/artifacts/db/data/log").contains("agent"))
                #expect(try await file(bench, run, "logs/command/stdout.txt") == "seed 42")
            }
        }

        /// With a restricted network the agent has a proxy, which it must not ask for its services.
        @Test func servicesAreReachedAlsoWithoutANetwork() async throws {
            try await Workbench.with("services-alone") { bench in
                try task(bench, "shop", toml: "[environment]\nnetwork_mode = \"no-network\"\n")
                try await bench.commitBenchmark()
                let execute = "[ -n \"$HTTP_PROXY\" ] || exit 2\n" + Self.ask("! (exec 3<>/dev/tcp/192.0.2.1/80) 2>/dev/null")
                let agent: JSONValue = ["name": "asks", "execute": .string(execute), "allowedHosts": ["api.example.com"]]
                try bench.write(
                    "job.yaml",
                    Self.secret + JobFiles.job("shop", agents: JSONValue.array([agent]).text, image: nil, environment: Self.environment))
                try await bench.assay("run", "job.yaml", expecting: 0)
                let run = try #require(try await bench.branch().runs(task: "shop").first)
                #expect(run["reward"]?.double == 1 && run["error"] == nil, "\(run.text)")
                #expect(run["services"]?.array?.count == 3)
            }
        }

        @Test func aServiceThatDiesIsToldApartFromAnAgentThatFails() async throws {
            try await Workbench.with("services-die") { bench in
                try task(bench, "shop")
                try await bench.commitBenchmark()
                let kill = """
                    (exec 3<>/dev/tcp/db/5433 && echo die >&3 && cat <&3)
                    # The health check of the next instance tells that the node has seen the end of the one before.
                    until (exec 3<>/dev/tcp/db/5433) 2>/dev/null; do sleep 0.1; done
                    """
                let agents: JSONValue = [
                    ["name": "fails", "execute": "exit 1"],
                    ["name": "suffers", "execute": .string("\(kill)\nexit 1")],
                    ["name": "survives", "execute": .string(Self.ask(kill))],
                ]
                try bench.write(
                    "job.yaml",
                    Self.secret
                        + JobFiles.job(
                            "shop", agents: agents.text, parallelism: 3, image: nil, environment: Self.environment, extra: "  retry: {maxAttempts: 1}"
                        ))
                try await bench.assay("run", "job.yaml")
                let branch = try await bench.branch()
                let fails = try #require(branch.runs(agent: "fails").first)
                #expect(fails.at("error", "type") == "agent_execution_failed" && fails["outcome"] != "infrastructure", "\(fails.text)")
                let survives = try #require(branch.runs(agent: "survives").first)
                #expect(survives["reward"]?.double == 1 && survives["error"] == nil, "\(survives.text)")
                let suffers = try #require(branch.runs(agent: "suffers").first)
                #expect(suffers.at("error", "type") == "environment_service_failed" && suffers["outcome"] == "infrastructure", "\(suffers.text)")
                #expect(suffers.at("error", "message")?.string?.hasPrefix("the service \"db\": it ended with 7 while the trial ran") == true)
                for run in [suffers, survives] {
                    let db = try #require(run["services"]?.array?.first { $0["name"] == "db" })
                    #expect(db["restarts"] == 1 && db["exitCode"] == 7 && db["diedDuringTrial"] == true, "\(db.text)")
                    let log = try await file(bench, run, "services/db.log")
                    // The trial that fails at once may be over before the database says a word again; the other one has talked to it.
                    let next = run["reward"]?.double == 1 ? "\ndatabase for" : ""
                    #expect(log.contains("told to die\n--- ended with 7 and was started again ---\(next)"), "\(log)")
                }
            }
        }

        @Test func aServiceThatDoesNotStartIsInfrastructure() async throws {
            try await Workbench.with("services-start") { bench in
                let sick = """
                    services:
                      db: {image: "rootfs:/", command: [bash, -c, "echo never well; sleep infinity"], healthcheck: {test: "false", interval: 1s, retries: 1}}
                      main: {image: "rootfs:/", depends_on: [db]}
                    """
                try task(bench, "sick", compose: sick)
                try task(
                    bench, "seedless",
                    compose: Self.compose.replacingOccurrences(of: "cp /seed.txt /data/seed && echo seeded", with: "echo no; exit 9"))
                try task(bench, "refused", compose: "services: {db: {image: i, privileged: true}}")
                try await bench.commitBenchmark()
                try bench.write(
                    "job.yaml",
                    Self.secret
                        + JobFiles.job(
                            "start", agents: JobFiles.agent("asks", execute: "true"), image: nil, environment: Self.environment,
                            extra: "  retry: {maxAttempts: 1}"))
                try await bench.assay("run", "job.yaml", expecting: 3)
                let branch = try await bench.branch()
                #expect(branch.errorType(task: "sick") == "environment_service_failed")
                #expect(
                    branch.errorMessage(task: "sick").contains("the service \"db\": its health check did not succeed"),
                    "\(branch.errorMessage(task: "sick"))")
                let sickRun = try #require(branch.runs(task: "sick").first)
                #expect(try await file(bench, sickRun, "services/db.log").contains("never well"))
                #expect(branch.errorType(task: "seedless") == "environment_service_failed")
                #expect(branch.errorMessage(task: "seedless") == "the service \"seed\": it ended with 9 before the agent began")
                #expect(branch.errorType(task: "refused") == "task_invalid")
                #expect(branch.errorMessage(task: "refused").contains("services.db.privileged"))
            }
        }

        @Test func imagesOfServicesAreBuilt() async throws {
            try await Workbench.with("services-built") { bench in
                let user = try UserPodman(bench)
                try await user.makeImage("docker.io/library/base:1")
                let compose = """
                    services:
                      main: {build: {context: ., target: agent}, depends_on: {word: {condition: service_completed_successfully}}, volumes: ["out:/out"]}
                      word: {build: {context: word, dockerfile: Dockerfile.word, args: {WORD: built}}, user: "0:0", volumes: ["out:/out"]}
                      same: {image: "${MAIN_IMAGE_NAME}", command: [sleep, infinity]}
                    volumes: {out: }
                    """
                try task(bench, "built", compose: compose)
                let folder = "\(bench.benchmark)/tasks/built"
                try bench.write(
                    "\(folder)/environment/Dockerfile",
                    "FROM base:1 AS agent\nRUN echo agent > /stage\nFROM agent\nRUN echo other > /stage\n")
                try bench.write(
                    "\(folder)/environment/word/Dockerfile.word",
                    "FROM base:1\nARG WORD=none\nRUN echo \"$WORD\" > /word\nCMD [\"cp\", \"/word\", \"/out/word\"]\n")
                try bench.write(
                    "\(folder)/tests/test.sh",
                    "#!/bin/bash\n[ \"$(cat /out/word /stage | tr '\\n' ' ')\" = 'built agent ' ] && echo 1 > /logs/verifier/reward.txt\n",
                    executable: true)
                try await bench.commitBenchmark()
                try bench.write("job.yaml", JobFiles.job("built", agents: JobFiles.agent("none", execute: "true"), image: nil))
                _ = try await user.run("job.yaml", expecting: 0)
                let run = try #require(try await bench.branch().runs(task: "built").first)
                #expect(run["reward"]?.double == 1, "\(run.text)")
                let digests = run["services"]?.array?.map { $0["imageDigest"]?.string ?? "" } ?? []
                #expect(digests.count == 2 && digests.contains(run.at("config", "imageDigest")?.string ?? "-"))
                #expect(try await file(bench, run, "image-build.log").contains("The image of the service \"word\":"))
            }
        }
    }
}
