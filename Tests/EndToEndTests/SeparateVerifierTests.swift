import Base
import Foundation
import Subprocess
import Testing

extension EndToEnd {
    /// Tests that run in a container of their own, on what the agent's container handed over.
    @Suite struct SeparateVerifierTests {
        private static let head = "schema_version = \"1.3\"\n"

        private func guess(_ bench: Workbench) async throws {
            try bench.task("guess", test: CheatingAgents.test)
            try bench.write("\(bench.benchmark)/tasks/guess/task.toml", Self.head + "artifacts = [\"/tmp/out\"]\n[agent]\ntimeout_sec = 120.0\n")
            try await bench.commitBenchmark()
        }

        @Test func noCheatingAgentGetsARewardFromASeparateVerifier() async throws {
            try await Workbench.with("cheats-separate") { bench in
                try await guess(bench)
                try bench.write(
                    "job.yaml",
                    JobFiles.job("separate", agents: CheatingAgents.list, parallelism: 2, extra: "  verifier: {environmentMode: separate}"))
                try await bench.assay("run", "job.yaml", expecting: 0)
                let branch = try await bench.branch()
                #expect(branch.runs.count == CheatingAgents.all.count + 1)
                for agent in CheatingAgents.all {
                    let run = try #require(branch.runs(agent: agent.name).first)
                    #expect(run["reward"]?.double == 0 && run["outcome"] == "completed", "\(agent.name): \(run.text)")
                    #expect(run.at("config", "verifier", "mode") == "separate")
                }
                let honest = try #require(branch.runs(agent: "honest").first)
                #expect(honest["reward"]?.double == 1 && honest.at("outputs", "artifacts", "files")?.int == 1, "\(honest.text)")
                // What the agent sees of Assay: no tests, no gate of the verifier, none of the collector's copies.
                #expect(try await bench.output(ofAgent: "early", "logs/agent/assay") == "gate\noffered\nscripts")
                let disk = try JSONValue(parsing: try await bench.output(ofAgent: "disk", "collected.json"))
                let leftOut = disk.at("artifacts", "leftOut", "items")?.array ?? []
                #expect(leftOut.contains { $0["path"] == "/tmp/out/huge" && $0["reason"]?.string?.contains("bytes") == true }, "\(leftOut)")
            }
        }

        @Test func thePageListsWhatTheTestsShow() throws {
            let page = try String(contentsOfFile: "\(Workbench.root)/docs/resources/evaljob.md", encoding: .utf8)
            let table = page.components(separatedBy: "| what the agent does | shared | separate |\n|---|---|---|\n").last?.components(
                separatedBy: "\n\n"
            ).first
            let expected = CheatingAgents.all.map { "| \($0.claim) | \($0.winsInSharedMode ? "yes" : "no") | no |" }
            #expect(table?.trimmed.split(separator: "\n").map(String.init) == expected)
        }

        @Test func theDocumentedCheatsWorkInSharedMode() async throws {
            try await Workbench.with("cheats-shared") { bench in
                try await guess(bench)
                try bench.write("job.yaml", JobFiles.job("shared", agents: CheatingAgents.list, parallelism: 2))
                try await bench.assay("run", "job.yaml")
                let branch = try await bench.branch()
                for agent in CheatingAgents.all + [CheatingAgents.honest] {
                    let run = try #require(branch.runs(agent: agent.name).first)
                    #expect((run["reward"]?.double == 1) == agent.winsInSharedMode, "\(agent.name): \(run.text)")
                    #expect(run.at("config", "verifier", "mode") == "shared")
                }
                // Without its processes, an agent has only what it changed in the container.
                let some = CheatingAgents.all.filter { ["late", "processes"].contains($0.name) }
                let agents = JSONValue.array(some.map { ["name": .string($0.name), "execute": .string($0.script)] }).text
                try bench.write("ended.yaml", JobFiles.job("ended", agents: agents, extra: "  verifier: {endAgentProcesses: true}"))
                try await bench.assay("run", "ended.yaml", expecting: 0)
                for run in try await bench.branch().runs.values where run["jobName"] == "ended" {
                    #expect(run["reward"]?.double == 0, "\(run.text)")
                }
            }
        }

        @Test func artifactsAreHandedOverAsCopies() async throws {
            try await Workbench.with("artifacts") { bench in
                let check = """
                    [ ! -e /tmp/only-agent ] && [ "$(cat /tmp/work/sub/a)" = answer ] && [ -x /tmp/work/sub/a ] && [ ! -e /tmp/work/link ] &&
                    [ ! -e /tmp/work/fifo ] && [ "$(cat /tmp/one.txt)" = one ] && [ "$(cat /logs/artifacts/hook)" = hooked ] && [ "$JUDGE" = dread ] &&
                    [ -e /tmp/parts/keep ] && [ ! -e /tmp/parts/node_modules/a ] && [ ! -e /logs/agent ] && [ "$HERE" = there ] &&
                    [ "$(id -u)" = 0 ] && echo 1 > /logs/verifier/reward.txt
                    """
                try bench.task(
                    "hand",
                    solution: """
                        mkdir -p /tmp/work/sub /tmp/parts/node_modules/a; echo answer > /tmp/work/sub/a; chmod 755 /tmp/work/sub/a
                        ln -s /etc/passwd /tmp/work/link; mkfifo /tmp/work/fifo; echo one > /tmp/one.txt; touch /tmp/only-agent
                        echo x > /tmp/parts/node_modules/a/x; echo keep > /tmp/parts/keep; env > /logs/agent/env
                        """, test: check)
                let toml = """
                    artifacts = ["/tmp/work", {source = "/tmp/one.txt", destination = "renamed.txt"},
                                 {source = "/tmp/parts", exclude = ["**/node_modules/**"]}, "/tmp/missing"]
                    [verifier]
                    env = {JUDGE = "dread"}
                    [[verifier.collect]]
                    command = "echo hooked > /logs/artifacts/hook; echo $0"
                    [[verifier.collect]]
                    command = "exit 3"
                    [verifier.environment]
                    memory_mb = 3000
                    env = {HERE = "there", JUDGE = "nobody"}
                    """
                try bench.write("\(bench.benchmark)/tasks/hand/task.toml", Self.head + toml)
                // In shared mode the same artifacts are recorded, and the hooks run too.
                try bench.task("shared", solution: "mkdir -p /tmp/work; echo made > /tmp/work/a; ln -s /etc /tmp/work/link")
                try bench.write(
                    "\(bench.benchmark)/tasks/shared/task.toml",
                    Self.head + "artifacts = [\"/tmp/work\"]\n[[verifier.collect]]\ncommand = \"echo more > /tmp/work/b\"\n")
                try await bench.commitBenchmark()
                try bench.write("job.yaml", JobFiles.job("hand"))
                try await bench.assay("run", "job.yaml", expecting: 0)
                let branch = try await bench.branch()
                let run = try #require(branch.runs(task: "hand").first)
                #expect(run["reward"]?.double == 1, "\(run.text)")
                #expect(run.at("config", "verifier", "image") == "rootfs:/" && run.at("config", "verifier", "memoryMB")?.int == 3000)
                #expect(run.at("outputs", "artifacts", "leftOut")?.int == 2)
                let folder = try #require(branch.runs.first { $0.value["task"] == "hand" }?.key)
                func file(_ name: String) async throws -> String {
                    try await bench.git("show", "assay/runs/v1:\(folder)/\(name)", in: bench.results)
                }
                #expect(try await file("logs/artifacts/tmp/work/sub/a") == "answer")
                #expect(try await file("logs/artifacts/renamed.txt") == "one")
                #expect(try await file("logs/collect/1/stdout.txt").hasSuffix("bash"))
                #expect(try await !file("logs/agent/env").contains("JUDGE"), "the verifier's environment is not the agent's")
                #expect(!branch.files.contains { $0.contains("node_modules/a") || $0.hasSuffix("/fifo") })
                let collected = try JSONValue(parsing: try await file("collected.json"))
                let leftOut = collected.at("artifacts", "leftOut", "items")?.array?.compactMap { $0["path"]?.string } ?? []
                #expect(Set(leftOut) == ["/tmp/work/fifo", "/tmp/work/link"])

                let shared = try #require(branch.runs.first { $0.value["task"] == "shared" })
                #expect(shared.value.at("outputs", "artifacts", "files")?.int == 2 && shared.value.at("outputs", "artifacts", "leftOut")?.int == 1)
                #expect(branch.files.contains("\(shared.key)/logs/artifacts/tmp/work/b"))
                #expect(try await bench.assay("results", "verify", "--remote", "results.git").exit == .code(0))
            }
        }

        /// Harbor's rules: each step has a fresh verifier, whose image is the step's own, the task's or the trial's, and which gets the artifacts of
        /// the task and of the step. The task passes only if all of it works.
        @Test func eachStepHasAVerifierOfItsOwn() async throws {
            try await Workbench.with("separate-steps") { bench in
                let path = "\(bench.benchmark)/tasks/stages"
                try bench.write(
                    "\(path)/task.toml",
                    Self.head + """
                        artifacts = ["/tmp/all"]
                        multi_step_reward_strategy = "mean"
                        [verifier]
                        environment_mode = "separate"
                        env = {JUDGE = "dread", STAGE = "none"}
                        [[steps]]
                        name = "one"
                        min_reward = 0.5
                        artifacts = ["/tmp/one"]
                        [steps.verifier]
                        env = {STAGE = "first"}
                        [[steps.verifier.collect]]
                        command = "echo hooked > /tmp/one/hook"
                        [[steps]]
                        name = "two"
                        [steps.verifier.environment]
                        memory_mb = 1500
                        env = {OWN = "yes"}
                        [steps.verifier]
                        user = "root"
                        """)
                try bench.write("\(path)/environment/keep", "")
                for step in ["one", "two"] { try bench.write("\(path)/steps/\(step)/instruction.md", "Write down the step.\n") }
                // The agent's container never has tests, and the first step's verdict is not what the agent planted.
                try bench.write(
                    "\(path)/steps/one/solution/solve.sh",
                    """
                    mkdir -p /tmp/all /tmp/one; echo 1 > /tmp/all/steps; echo only > /tmp/one/file; echo 1 > /logs/artifacts/step
                    [ ! -e /tests ] || ls /tests > /logs/agent/tests; echo 0 > /logs/verifier/reward.txt
                    """)
                try bench.write(
                    "\(path)/steps/two/solution/solve.sh",
                    """
                    [ "$(cat /tmp/one/hook)" = hooked ] && [ ! -e /tmp/judged ] && echo 2 >> /tmp/all/steps
                    [ ! -e /tests ] || ls /tests > /logs/agent/tests; echo 2 > /logs/artifacts/step
                    """)
                try bench.write("\(path)/tests/common", "shared\n")
                try bench.write(
                    "\(path)/steps/one/tests/test.sh",
                    """
                    touch /tmp/judged /tests/left; (sleep 300; touch /tmp/late) >/dev/null 2>&1 &
                    [ "$(cat /tests/common)" = shared ] && [ "$(cat /tmp/all/steps)" = 1 ] && [ "$(cat /tmp/one/file)$(cat /tmp/one/hook)" = onlyhooked ] &&
                    [ "$(cat /logs/artifacts/step)" = 1 ] && [ "$JUDGE $STAGE" = "dread first" ] && echo 0.6 > /logs/verifier/reward.txt
                    """)
                // A fresh container: nothing of the first step's tests is there, and none of its artifacts.
                try bench.write(
                    "\(path)/steps/two/tests/test.sh",
                    """
                    [ ! -e /tmp/judged ] && [ ! -e /tests/left ] && [ ! -e /tmp/one ] && [ "$(cat /tests/common)" = shared ] &&
                    [ "$(tr -d '\\n' < /tmp/all/steps)" = 12 ] && [ "$(cat /logs/artifacts/step)" = 2 ] && [ ! -s /logs/verifier/reward.txt ] &&
                    [ "$JUDGE $STAGE $OWN" = "dread none yes" ] && echo 1 > /logs/verifier/reward.txt
                    """)
                try await bench.commitBenchmark()
                let idle = JobFiles.agent("idle", execute: "mkdir -p /tmp/one")
                try bench.write("job.yaml", JobFiles.job("stages", agents: "[{name: oracle}, \(idle.dropFirst().dropLast())]", parallelism: 2))
                try await bench.assay("run", "job.yaml")
                let branch = try await bench.branch()
                let run = try #require(branch.runs(agent: "oracle").first)
                #expect(run["reward"]?.double == 0.8 && run["error"] == nil, "\(run.text)")
                #expect(run.at("steps")?.array?.map { $0.at("rewards", "reward")?.double } == [0.6, 1], "\(run.text)")
                #expect(run.at("config", "verifier", "mode") == "separate")
                let folder = try #require(branch.runs.first { $0.value["agent"] == "oracle" }?.key)
                for file in [
                    "steps/one/verifier/reward.txt", "steps/one/artifacts/tmp/one/hook", "steps/one/artifacts/step", "verifier/reward.txt",
                    "artifacts/tmp/all/steps", "artifacts/step",
                ] { #expect(branch.files.contains("\(folder)/logs/\(file)"), "\(file): \(branch.files.filter { $0.hasPrefix(folder) })") }
                #expect(!branch.files.contains { $0.hasSuffix("/tests") }, "the agent's container had tests")
                // A reward below min_reward, here none: the second step does not begin.
                let idleRun = try #require(branch.runs(agent: "idle").first)
                #expect(idleRun["reward"] == nil && idleRun.at("error", "type") == "verifier_reward_missing", "\(idleRun.text)")
                #expect(idleRun.at("steps")?.array?.count == 1)
            }
        }

        @Test func aTrialThatWasKilledAsAWholeIsVerifiedWithWhatWasOffered() async throws {
            try await Workbench.with("killed") { bench in
                for (name, text) in [("harbor", Self.head), ("rollout", "version = \"1.0\"\n")] {
                    try bench.task(name, test: "[ \"$(cat /logs/artifacts/answer)\" = 42 ] && echo 1 > /logs/verifier/reward.txt")
                    try bench.write("\(bench.benchmark)/tasks/\(name)/task.toml", text + "[environment]\nmemory_mb = 64\n")
                }
                try await bench.commitBenchmark()
                // The container's memory limit ends all of it.
                let eater = JobFiles.agent(
                    "eater", execute: "echo 42 > /logs/artifacts/answer; x=0123456789abcdef; while :; do x=$x$x; done")
                try bench.write(
                    "job.yaml",
                    JobFiles.job(
                        "killed", datasets: "[{path: tasks, include: [harbor]}, {name: old, path: tasks, include: [rollout], format: rollout}]",
                        agents: eater, extra: "  verifier: {environmentMode: separate}"))
                try await bench.assay("run", "job.yaml", expecting: 1)
                let branch = try await bench.branch()
                let harbor = try #require(branch.runs(task: "harbor").first)
                #expect(harbor["reward"]?.double == 1 && branch.errorType(task: "harbor") == "agent_execution_failed", "\(harbor.text)")
                let rollout = try #require(branch.runs(task: "rollout").first)
                #expect(rollout["reward"] == nil && branch.errorType(task: "rollout") == "agent_execution_failed", "\(rollout.text)")
            }
        }

        @Test func aVerifierThatEndsBadlyGivesATypedError() async throws {
            try await Workbench.with("bad-verifiers") { bench in
                let tests = [
                    "slow": "echo 1 > /logs/verifier/reward.txt; sleep 60", "greedy": "x=0123456789abcdef; while :; do x=$x$x; done",
                    "silent": "true", "wrong": "echo much > /logs/verifier/reward.txt",
                ]
                for (name, test) in tests {
                    try bench.task(name, test: test)
                    try bench.write(
                        "\(bench.benchmark)/tasks/\(name)/task.toml",
                        Self.head + "[verifier]\nenvironment_mode = \"separate\"\ntimeout_sec = \(name == "greedy" ? 120 : 10).0\n"
                            + "[verifier.environment]\nmemory_mb = 64\n")
                }
                try bench.task("unreachable", test: nil)
                try bench.write(
                    "\(bench.benchmark)/tasks/unreachable/task.toml",
                    Self.head + "[verifier.environment]\ndocker_image = \"Not/A:Name:Of an image\"\n")
                try await bench.commitBenchmark()
                let agents = JobFiles.agent("agent", execute: "touch /logs/agent/began")
                try bench.write("job.yaml", JobFiles.job("bad", agents: agents, extra: "  retry: {maxAttempts: 2, initialDelayMs: 10}"))
                try await bench.assay("run", "job.yaml", expecting: 1)
                let branch = try await bench.branch()
                #expect(branch.errorType(task: "slow") == "verifier_timeout")
                // Where the kernel kills the test alone and not the whole container, its reward is missing.
                #expect(["verifier_failed", "verifier_reward_missing"].contains(branch.errorType(task: "greedy") ?? "-"))
                #expect(branch.errorMessage(task: "greedy").contains("the verifier ran out of its memory limit (OOMKilled)"))
                #expect(branch.errorType(task: "silent") == "verifier_reward_missing")
                #expect(branch.errorType(task: "wrong") == "verifier_reward_invalid")
                // Known before the agent begins, and tried again.
                #expect(branch.errorType(task: "unreachable") == "environment_image_pull_failed")
                #expect(branch.errorMessage(task: "unreachable").contains("verifier: "))
                #expect(branch.retries.values.contains { $0["task"] == "unreachable" })
                #expect(branch.runs(task: "unreachable").first?.at("timings", "execute") == nil, "the agent did not begin")
            }
        }
    }
}
