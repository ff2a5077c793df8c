import Base
import Foundation
import Glibc
import Subprocess
import Testing

extension EndToEnd {
    /// Which tokens the phases of a trial find, in one container and in two, and what becomes of a trial whose proxy is killed.
    @Suite struct NetworkPhaseTests {
        private func startModel(_ bench: Workbench) async throws -> (server: RunningCommand, port: Int) {
            try bench.write("model.py", StubModel.program)
            let server = try bench.start("/usr/bin/python3", ["model.py"], to: "model.log")
            try await eventually("the model serves", seconds: 60) { (try? bench.read("model.log").contains("\n")) ?? false }
            return (server, try #require(Int(try bench.read("model.log").trimmed)))
        }

        /// Tokens are redacted in outputs, so scripts tell them apart by their hashes.
        private static let hashes = #"""
            hashes() { tr '\0' '\n' | sed -n 's|^https_proxy=http://assay:\(.*\)@.*|\1|p' | sort -u |
                while read -r token; do printf %s "$token" | sha256sum | cut -c1-16; done; }
            """#

        /// The environment and the tests may reach the model, the agent nothing. The test waits for what the agent left to find its token.
        private func task(_ bench: Workbench) async throws {
            try bench.task(
                "phases",
                test: """
                    \(Self.hashes)
                    mkdir -p /logs/verifier; env -0 | hashes > /logs/verifier/mine
                    while kill -0 "$(cat /tmp/left)" 2>/dev/null && ! grep -qf /logs/verifier/mine /logs/agent/found; do sleep 0.1; done
                    echo 1 > /logs/verifier/reward.txt
                    """)
            try bench.write(
                "\(bench.benchmark)/tasks/phases/task.toml",
                """
                schema_version = "1.3"
                [environment]
                network_mode = "allowlist"
                allowed_hosts = ["127.0.0.2"]
                [agent]
                timeout_sec = 300.0
                network_mode = "no-network"
                [verifier]
                timeout_sec = 120.0
                """)
            try await bench.commitBenchmark()
        }

        private func agent(port: Int) -> String {
            JobFiles.agent(
                "leaver",
                install: """
                    \(Self.hashes)
                    env -0 | hashes > /logs/agent/install; echo "$https_proxy" > /tmp/kept
                    """,
                execute: """
                    \(Self.hashes)
                    env -0 | hashes > /logs/agent/execute
                    curl -sf --max-time 60 http://127.0.0.2:\(port)/ || echo unreachable > /logs/agent/own
                    curl -sf --max-time 60 --proxy "$(cat /tmp/kept)" http://127.0.0.2:\(port)/ > /logs/agent/kept
                    cat /tmp/kept; touch /logs/agent/found
                    (while :; do cat /proc/[0-9]*/environ 2>/dev/null | hashes >> /logs/agent/found; sleep 0.05; done) >/dev/null 2>&1 &
                    echo $! > /tmp/left; disown
                    """)
        }

        @Test(
            "each phase has a token of its own; what an agent leaves reads the verifier's token in shared mode, as documented, and never otherwise",
            arguments: [("shared", ""), ("ended", "  verifier: {endAgentProcesses: true}"), ("separate", "  verifier: {environmentMode: separate}")])
        func tokens(mode: String, verifier: String) async throws {
            try await Workbench.with("network-\(mode)") { bench in
                let (server, port) = try await startModel(bench)
                defer { server.signal(SIGKILL) }
                try await task(bench)
                try bench.write("job.yaml", JobFiles.job("tokens", agents: agent(port: port), extra: verifier))
                try await bench.assay("run", "job.yaml", expecting: 0)
                func output(_ name: String) async throws -> String { try await bench.output(ofAgent: "leaver", name) }
                let (installs, verifiers) = (try await output("logs/agent/install"), try await output("logs/verifier/mine"))
                #expect(installs.count == 16 && verifiers.count == 16 && installs != verifiers, "\(installs) \(verifiers)")
                #expect(try await output("logs/agent/execute") == "", "a phase without network has no token")
                #expect(try await output("logs/agent/own") == "unreachable")
                // The phases share a container: what install keeps is good in execute.
                #expect(try await output("logs/agent/kept") == "the-model")
                let found = try await output("logs/agent/found")
                #expect(found.contains(verifiers) == (mode == "shared"), "\(mode): \(found.prefix(200))")
                #expect(try await output("logs/command/stdout.txt").contains("http://assay:[redacted"), "a token that is printed is redacted")
                let everything = try await bench.git("log", "-p", "--text", "--format=%B", "assay/runs/v1", in: bench.results)
                #expect(!everything.contains("e1.ey"), "a token stands in the results")
            }
        }

        @Test("a proxy that is killed fails the trial that used it as infrastructure, and the next try passes")
        func killedProxy() async throws {
            let bench = try Workbench("network-kill")
            let (server, port) = try await startModel(bench)
            defer { server.signal(SIGKILL) }
            try bench.task(
                "call", toml: "[agent]\ntimeout_sec = 300.0\n",
                test: "[ -s /tmp/answer ] && mkdir -p /logs/verifier && echo 1 > /logs/verifier/reward.txt")
            try await bench.commitBenchmark()
            let cluster = try await ClusterProcesses.start(in: bench)
            // The proxy runs in the operator.
            let first = try await cluster.startOperator()
            try await cluster.create("all.yaml", name: "killed", results: "killed.git") { job in
                job.set(["spec", "datasets"], to: [["path": "tasks"]])
                job.set(
                    ["spec", "agents"],
                    to: [
                        [
                            "name": "caller", "execute": .string("curl -sf --max-time 250 http://127.0.0.2:\(port)/slow > /tmp/answer"),
                            "allowedHosts": [.string("127.0.0.2:\(port)")],
                        ]
                    ])
                job.set(["spec", "attempts"], to: 1)
                job.set(["spec", "environment"], to: ["image": "rootfs:/", "network": ["mode": "no-network"]])
                job.set(["spec", "retry"], to: ["maxAttempts": 3, "initialDelayMs": 100])
            }
            try await eventually("the agent waits for its model", seconds: 180) { try bench.read("model.log").contains("slow") }
            first.signal(SIGKILL)
            _ = await first.wait()
            let second = try await cluster.startOperator()
            try await cluster.waitForCompletion(of: "killed", seconds: 240)
            let branch = try await bench.branch(of: "\(bench.directory)/killed.git")
            let run = try #require(branch.runs.values.first)
            #expect(branch.runs.count == 1 && run["reward"]?.double == 1 && run["retries"]?.int == 1, "\(run.text)")
            let lost = try #require(branch.retries.values.first)
            #expect(branch.retries.count == 1 && lost["outcome"] == "infrastructure", "\(lost.text)")
            #expect(lost.at("error", "type") == "environment_network_failed", "\(lost.text)")
            #expect(lost.at("error", "message")?.string?.contains("egress proxy") == true, "\(lost.text)")
            second.signal(SIGTERM)
            #expect(await second.wait() == .code(0))
            await cluster.stop()
            await bench.remove()
        }
    }
}
