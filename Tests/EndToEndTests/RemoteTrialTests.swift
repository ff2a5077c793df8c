import Base
import Foundation
import Subprocess
import Testing

extension EndToEnd {
    /// Trials on the host of a vm target, on a real sshd.
    @Suite struct RemoteTrialTests {
        /// A job with one agent on that machine.
        private func job(_ name: String, execute: String, env: [JSONValue] = [], extra: String = "") -> String {
            JobFiles.job(
                name, agents: JobFiles.agent("worker", install: "echo installed > ~/installed", execute: execute, env: env),
                extra: "  targetRef: {name: machine}\n  retry: {maxAttempts: 8, initialDelayMs: 100, maxDelayMs: 500}\n" + extra)
        }

        private func record(_ bench: Workbench, file: String = "metadata.json") async throws -> (path: String, value: JSONValue) {
            let names = try await bench.git("ls-tree", "-r", "--name-only", "assay/runs/v1", in: bench.results)
            for name in names.split(separator: "\n") where name.hasSuffix("/metadata.json") && !name.contains("/retries/") {
                let value = try JSONValue(parsing: Array(try await bench.git("show", "assay/runs/v1:\(name)", in: bench.results).utf8))
                if value["task"]?.string != nil { return (String(name), value) }
            }
            throw Unfound()
        }

        private struct Unfound: Error {}

        /// Nothing of any trial is left on the machine.
        private func expectClean(_ machine: RemoteMachine) async throws {
            try await eventually("nothing is left on the machine", seconds: 120) {
                let left = try await machine.processesLeft()
                return machine.trialsLeft().isEmpty && left.isEmpty
            }
        }

        @Test func aTrialIsAUserOfItsOwnAndItsSecretsAreRedacted() async throws {
            try await Workbench.with("remote") { bench in
                try await RemoteMachine.with(bench) { machine in
                    try bench.task(
                        "look", toml: "[environment.env]\nGREETING = \"a b\"\n",
                        test: "[ -f ~/installed ] && [ \"$(cat /work/made)\" = \"a b\" ] && echo 1 > /logs/verifier/reward.txt")
                    try await bench.commitBenchmark()
                    let execute = """
                        id -u; id -un; echo "token $TOKEN"; printf %s "$GREETING" > made
                        ls /tests /root /var/lib/assay /assay/host-key 2>&1; cat /assay/gate/environment 2>&1; env | grep -c ASSAY_GIVEN
                        echo kept > /logs/artifacts/kept
                        """
                    try bench.write(
                        "job.yaml",
                        machine.documents(target: "machine") + JobFiles.secret("model", ["token": "s3cret-value-of-the-token"])
                            + job(
                                "remote", execute: execute,
                                env: [["name": "TOKEN", "valueFrom": ["secretKeyRef": ["name": "model", "key": "token"]]]]))
                    try await bench.assay("run", "job.yaml", expecting: 0)
                    let (path, value) = try await record(bench)
                    #expect(value["reward"]?.double == 1 && value["error"] == nil, "\(value.text)")
                    let folder = path.dropLast("metadata.json".count)
                    let output = try await bench.git("show", "assay/runs/v1:\(folder)logs/command/stdout.txt", in: bench.results)
                    #expect(output.hasPrefix("19000") && output.contains("\nassay\n"), "\(output)")
                    #expect(!output.contains("s3cret") && output.contains("token "), "\(output)")
                    #expect(output.contains("cannot access '/var/lib/assay'") && output.contains("cannot access '/assay/host-key'"), "\(output)")
                    #expect(output.hasSuffix("\n0"), "\(output)")
                    #expect(try await bench.git("show", "assay/runs/v1:\(folder)logs/artifacts/kept", in: bench.results) == "kept")
                    try await expectClean(machine)
                }
            }
        }

        @Test func aHostWithAnotherKeyGetsNoTrial() async throws {
            try await Workbench.with("stranger") { bench in
                try await RemoteMachine.with(bench) { machine in
                    try bench.task("good")
                    try await bench.commitBenchmark()
                    try bench.write("job.yaml", try machine.documents(target: "machine", hostKey: "stranger") + job("stranger", execute: "true"))
                    try await bench.assay("run", "job.yaml", expecting: 3)
                    let (_, value) = try await record(bench)
                    #expect(value.at("error", "type")?.string == "environment_start_failed", "\(value.text)")
                    #expect(value.at("error", "message")?.string?.contains("Host key verification failed") == true, "\(value.text)")
                    #expect(machine.trialsLeft().isEmpty)
                }
            }
        }

        /// Waits until the trial's agent has begun on the machine.
        private func agentBegins(_ machine: RemoteMachine, besides known: Set<String> = []) async throws -> Set<String> {
            var found: Set<String> = []
            try await eventually("the agent begins") {
                found = Set(machine.trialsLeft().filter { FileManager.default.fileExists(atPath: "\(machine.state)/trials/\($0)/root/work/begun") })
                return !found.subtracting(known).isEmpty
            }
            return found
        }

        @Test func aTrialThatLosesItsHostIsTriedAgainAndCountedOnce() async throws {
            try await Workbench.with("lost") { bench in
                try await RemoteMachine.with(bench) { machine in
                    try bench.task("good")
                    try await bench.commitBenchmark()
                    try bench.write(
                        "job.yaml", try machine.documents(target: "machine") + job("lost", execute: "touch begun; [ -e /opt/assay-go ] || sleep 600"))
                    let run = try bench.start(["run", "job.yaml"], to: "run.log")
                    let first = try await agentBegins(machine)
                    // Everything on the machine is killed, and nothing on it can clean up.
                    await machine.powerOff()
                    #expect(Set(machine.trialsLeft()) == first)
                    try await machine.boot()
                    let second = try await agentBegins(machine, besides: first)
                    #expect(second.isDisjoint(with: first), "what was left is removed at the next contact")
                    // The cable is pulled; the second try ends on both sides, and the third ends by itself.
                    try await machine.plug(false)
                    try await eventually("the machine notices", seconds: 180) { machine.trialsLeft().isEmpty }
                    try await machine.plug(true)
                    let third = try await agentBegins(machine)
                    #expect(third.isDisjoint(with: second))
                    run.signal(SIGINT)
                    _ = await run.wait()
                    try await expectClean(machine)
                }
            }
        }
    }
}
