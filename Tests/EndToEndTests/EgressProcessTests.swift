import AssayTesting
import Base
import Foundation
import Glibc
import Subprocess
import Testing

extension EndToEnd {
    /// Trials whose egress proxy is a process of its own, `assay egress`, as on a cluster.
    @Suite struct EgressProcessTests {
        /// With ASSAY_PROXY_TRIALS=200 the test is the proof for many trials; without, it is short.
        private static var trials: Int { ProcessInfo.processInfo.environment["ASSAY_PROXY_TRIALS"].flatMap { Int($0) } ?? 12 }

        /// The proxy on the socket that the pods' relays know, with the key that the operator signs with.
        private func startProxy(_ bench: Workbench, health: Int) async throws -> RunningCommand {
            let cache = "\(bench.directory)/control-plane/cache"
            let socket = "\(cache)/egress/egress.sock"
            try await eventually("the operator serves a proxy of its own") { access(socket, F_OK) == 0 && access("\(cache)/egress.key", F_OK) == 0 }
            // It takes the place of the operator's: whoever connects from now on reaches this process.
            let proxy = try bench.start(
                ["egress", "--listen", "unix:\(socket)", "--key-file", "\(cache)/egress.key", "--health-port", String(health), "--drain", "5"],
                to: "egress.log")
            try await eventually("the proxy serves") { try await Self.metrics(health) != nil }
            return proxy
        }

        private static func metrics(_ port: Int) async throws -> String? {
            let result = try await Command("curl", ["-sf", "--max-time", "10", "http://127.0.0.1:\(port)/metrics"]).run()
            return result.succeeded ? result.stdoutText : nil
        }

        private static func value(_ name: String, in metrics: String) -> Double? {
            metrics.split(separator: "\n").first { $0.hasPrefix("\(name) ") }.flatMap { Double($0.dropFirst(name.count + 1)) }
        }

        /// Resident memory in MiB.
        private static func memory(_ process: RunningCommand) -> Int {
            let status = (try? String(contentsOfFile: "/proc/\(process.pid)/status", encoding: .utf8)) ?? ""
            let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") } ?? ""
            return (line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0) / 1024
        }

        /// A cluster whose trials have one model's host.
        private struct Place {
            let bench: Workbench
            let cluster: ClusterProcesses
            let worker: RunningCommand
            let model: RunningCommand
            let port: Int

            init(_ name: String) async throws {
                let bench = try Workbench(name)
                try bench.write("model.py", StubModel.program)
                let model = try bench.start("/usr/bin/python3", ["model.py"], to: "model.log")
                try await eventually("the model serves", seconds: 60) { (try? bench.read("model.log").contains("\n")) ?? false }
                port = try #require(Int(try bench.read("model.log").trimmed))
                try bench.task(
                    "call", toml: "[agent]\ntimeout_sec = 300.0\n",
                    test: "[ \"$(cat /tmp/answer)\" = the-model ] && mkdir -p /logs/verifier && echo 1 > /logs/verifier/reward.txt")
                try await bench.commitBenchmark()
                cluster = try await ClusterProcesses.start(in: bench)
                worker = try await cluster.startOperator()
                (self.bench, self.model) = (bench, model)
            }

            func create(_ name: String, execute: String, attempts: Int) async throws {
                try await cluster.create("all.yaml", name: name, results: "\(name).git") { job in
                    job.set(["spec", "datasets"], to: [["path": "tasks"]])
                    job.set(
                        ["spec", "agents"],
                        to: [["name": "caller", "execute": .string(execute), "allowedHosts": [.string("127.0.0.2:\(port)")]]])
                    job.set(["spec", "attempts"], to: JSONValue(attempts))
                    job.set(["spec", "parallelism"], to: 6)
                    job.set(["spec", "environment"], to: ["image": "rootfs:/", "network": ["mode": "no-network"]])
                    job.set(["spec", "retry"], to: ["maxAttempts": 5, "initialDelayMs": 100])
                }
            }

            func end() async {
                model.signal(SIGKILL)
                worker.signal(SIGTERM)
                _ = await worker.wait()
                await cluster.stop()
                await bench.remove()
            }
        }

        @Test("many trials reach their model through one proxy, each is denied another host, and the proxy keeps nothing")
        func manyTrials() async throws {
            let place = try await Place("egress-process")
            let health = try freePorts(1)[0]
            let proxy = try await startProxy(place.bench, health: health)
            let begun = SystemTime().monotonic()
            try await place.create(
                "many",
                execute: "curl -sf --max-time 100 http://127.0.0.2:\(place.port)/ > /tmp/answer; "
                    + "! curl -sf --max-time 100 http://192.0.2.1/",
                attempts: Self.trials)
            try await place.cluster.waitForCompletion(of: "many", seconds: 240 + Double(Self.trials) * 20)
            let seconds = SystemTime().monotonic() - begun
            let branch = try await place.bench.branch(of: "\(place.bench.directory)/many.git")
            #expect(branch.runs.count == Self.trials && branch.retries.isEmpty)
            for run in branch.runs.values { #expect(run["reward"]?.double == 1 && run["error"] == nil, "\(run.text)") }
            let metrics = try #require(try await Self.metrics(health))
            for (kind, result) in [("http", "allowed"), ("http", "denied_address_not_public"), ("own", "own")] {
                let count = Self.value("assay_egress_requests_total{kind=\"\(kind)\",result=\"\(result)\"}", in: metrics)
                #expect(count == Double(Self.trials), "\(kind) \(result): \(metrics)")
            }
            try await eventually("no connection is left") {
                try await Self.metrics(health).flatMap { Self.value("assay_egress_connections", in: $0) } == 0
            }
            let memory = Self.memory(proxy)
            print("\(Self.trials) trials through one proxy: \(seconds.rounded(to: 1)) s, the proxy's memory at most \(memory) MiB")
            #expect(memory > 0 && memory < 128)
            proxy.signal(SIGTERM)
            #expect(await proxy.wait() == .code(0))
            await place.end()
        }

        @Test("a proxy that is killed fails the trial that uses it as infrastructure; with the next proxy it is tried again and passes")
        func killedProxy() async throws {
            let place = try await Place("egress-killed")
            let ports = try freePorts(2)
            let first = try await startProxy(place.bench, health: ports[0])
            try await place.create("killed", execute: "curl -sf --max-time 250 http://127.0.0.2:\(place.port)/slow > /tmp/answer", attempts: 1)
            try await eventually("the agent waits for its model", seconds: 180) { try place.bench.read("model.log").contains("slow") }
            first.signal(SIGKILL)
            _ = await first.wait()
            let second = try await startProxy(place.bench, health: ports[1])
            try await place.cluster.waitForCompletion(of: "killed", seconds: 240)
            let branch = try await place.bench.branch(of: "\(place.bench.directory)/killed.git")
            let run = try #require(branch.runs.values.first)
            #expect(branch.runs.count == 1 && run["reward"]?.double == 1 && run["retries"]?.int ?? 0 >= 1, "\(run.text)")
            for lost in branch.retries.values {
                #expect(lost["outcome"] == "infrastructure" && lost.at("error", "type") == "environment_network_failed", "\(lost.text)")
            }
            second.signal(SIGTERM)
            #expect(await second.wait() == .code(0))
            await place.end()
        }
    }
}
