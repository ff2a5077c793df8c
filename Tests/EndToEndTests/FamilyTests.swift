import Base
import Foundation
import Testing

extension EndToEnd {
    /// The rules of Harbor's and Rollout's tasks, and what a trial's environment may do, in real containers.
    @Suite struct FamilyTests {
        private static let check = "#!/bin/bash\nif [ -e /tmp/done ]; then echo 1; else echo 0; fi > /logs/verifier/reward.txt\n"

        /// A task of Harbor's family: the default of a dataset that says nothing.
        private static func task(_ name: String, toml: String = "", test: String = check, in bench: Workbench) throws {
            try bench.task(name, toml: toml)
            try bench.write("\(bench.benchmark)/tasks/\(name)/task.toml", "schema_version = \"1.3\"\n" + toml)
            try bench.write("\(bench.benchmark)/tasks/\(name)/tests/test.sh", test)
        }

        @Test func aHarborTrialIsVerifiedWhateverItsAgentDid() async throws {
            try await Workbench.with("harbor") { bench in
                let short = "[agent]\ntimeout_sec = 4.0\n"
                try Self.task("times-out", toml: short, in: bench)
                // Whatever the agent left is gone when the tests come, in sessions of its own, too.
                try Self.task(
                    "goes-on", toml: short,
                    test: "#!/bin/bash\nrm -f /tmp/beat; sleep 1; if [ -e /tmp/beat ]; then echo 0; else echo 1; fi > /logs/verifier/reward.txt\n",
                    in: bench)
                try Self.task("fails", in: bench)
                try Self.task("strict", test: "#!/bin/bash -e\ngrep -q expected /etc/hostname\necho 1 > /logs/verifier/reward.txt\n", in: bench)
                try await bench.commitBenchmark()
                let agents: JSONValue = [
                    [
                        "name": "slow",
                        "execute": "touch /tmp/done\nsetsid bash -c 'while :; do echo > /tmp/beat; sleep 0.05; done' >/dev/null 2>&1 &\nsleep 60",
                    ]
                ]
                try bench.write(
                    "slow.yaml", JobFiles.job("slow", datasets: "[{path: tasks, include: [times-out, goes-on]}]", agents: agents.text))
                let slow = try await bench.assay("run", "slow.yaml", expecting: 0)
                #expect(slow.stdoutText.contains("2 trials: 2 completed (2 with an agent error), 0 failed; "), "\(slow.stdoutText)")
                let failing = JobFiles.agent("failing", execute: "touch /tmp/done; echo gave up >&2; exit 3")
                try bench.write("failing.yaml", JobFiles.job("failing", datasets: "[{path: tasks, include: [fails, strict]}]", agents: failing))
                try await bench.assay("run", "failing.yaml", expecting: 1)

                let branch = try await bench.branch()
                for (task, error) in [
                    ("times-out", "agent_execution_timeout"), ("goes-on", "agent_execution_timeout"), ("fails", "agent_execution_failed"),
                ] {
                    let run = try #require(branch.runs(task: task).first, "\(task)")
                    #expect(run["reward"]?.double == 1 && run["outcome"] == "completed" && run["passed"] == true, "\(run.text)")
                    #expect(branch.errorType(task: task) == error && run["family"] == "harbor" && run["retries"]?.int == 0)
                }
                let strict = try #require(branch.runs(task: "strict").first)
                #expect(strict["reward"] == nil && strict["outcome"] == "failed" && branch.errorType(task: "strict") == "agent_execution_failed")
                #expect(branch.errorMessage(task: "strict").contains("verifier_reward_missing"))
                let totals = branch.jobs.compactMap { $0["totals"] }
                #expect(Set(totals.map { $0["agentErrors"]?.int }) == [2, 1])
                #expect(totals.first { $0["agentErrors"]?.int == 2 }?["passRate"]?.double == 1)
                let commits = try await bench.commits().filter { $0.trailers["Assay-Task"] == "times-out" }
                #expect(commits.first?.trailers["Assay-Reward"] == "1.0" && commits.first?.trailers["Assay-Error"] == "agent_execution_timeout")
            }
        }

        @Test func theSameTasksByRolloutsRules() async throws {
            try await Workbench.with("rollout") { bench in
                try Self.task("times-out", toml: "[agent]\ntimeout_sec = 2.0\n", in: bench)
                try Self.task("exits", test: "echo 0 > /logs/verifier/reward.txt; exit 1\n", in: bench)
                try await bench.commitBenchmark()
                try bench.write(
                    "job.yaml",
                    JobFiles.job(
                        "rollout", datasets: "[{path: tasks, format: rollout}]",
                        agents: JobFiles.agent("slow", execute: "touch /tmp/done; [ -z \"$(ls -A /tests)\" ] && sleep 8")))
                try await bench.assay("run", "job.yaml", expecting: 1)
                let branch = try await bench.branch()
                #expect(branch.errorType(task: "times-out") == "agent_execution_timeout")
                for run in branch.runs.values { #expect(run["outcome"] == "failed" && run["reward"] == nil && run["family"] == "rollout") }
                #expect(branch.jobs.first?.at("totals", "agentErrors")?.int == 0)
            }
        }

        @Test func aTasksPathIsForItsPhasesAndALongInstructionIsInItsFile() async throws {
            try await Workbench.with("path") { bench in
                try bench.task(
                    "plain", toml: "[environment.env]\nPATH = \"/opt/tool/bin\"\nlimit = \"mine\"\nBASH_ENV = \"/nowhere\"\nSHELLOPTS = \"errexit\"\n"
                )
                try bench.task("long", instruction: String(repeating: "0123456789abcde\n", count: 8750))
                try await bench.commitBenchmark()
                let agents: JSONValue = [
                    [
                        "name": "builtin",
                        "execute":
                            "echo \"path=$PATH limit=$limit set=${ASSAY_TASK_INSTRUCTION+yes} file=$ASSAY_INSTRUCTION_PATH\"; echo \"$(<\"$ROLLOUT_TASK_INSTRUCTION\")\" >/dev/null",
                    ],
                    ["name": "program", "execute": "ls /"],
                ]
                try bench.write("job.yaml", JobFiles.job("path", agents: agents.text, extra: "  instructionPath: /srv/here/task.txt"))
                try await bench.assay("run", "job.yaml")
                let branch = try await bench.branch()
                func output(_ task: String, _ name: String) async throws -> String {
                    let folder = try #require(branch.runs.first { $0.value["agent"] == "builtin" && $0.value["task"]?.string == task }?.key)
                    return try await bench.git("show", "assay/runs/v1:\(folder)/logs/command/\(name)", in: bench.results)
                }
                #expect(try await output("plain", "stdout.txt") == "path=/opt/tool/bin limit=mine set=yes file=/srv/here/task.txt")
                #expect(try await output("long", "stdout.txt").hasSuffix("limit= set= file=/srv/here/task.txt"))
                #expect(try await output("long", "stderr.txt").contains("140000 bytes"))
                let long = try #require(branch.runs(task: "long", agent: "builtin").first)
                #expect(long["reward"]?.double == 1 && long.at("config", "longInstructionBytes")?.int == 140_000)
                let lost = try #require(branch.runs(task: "plain", agent: "program").first)
                #expect(lost.at("error", "type") == "agent_execution_failed" && lost.at("exitCodes", "execute")?.int == 127)
                #expect(lost.at("error", "message")?.string?.contains("PATH is set by the task's environment") == true, "\(lost.text)")
                #expect(branch.runs(task: "long", agent: "program").first?["reward"]?.double == 1)
            }
        }

        @Test func aTrialOverItsStorageFailsInThePhaseThatItWasIn() async throws {
            try await Workbench.with("storage") { bench in
                let fill = "head -c 200000000 /dev/zero > /root/fill; sleep 500"
                for name in ["execute", "verify", "logs"] {
                    let test = name == "verify" ? fill : "echo 1 > /logs/verifier/reward.txt"
                    try Self.task(name, toml: "[environment]\nstorage_mb = 64\n", test: "#!/bin/bash\n\(test)\n", in: bench)
                }
                try await bench.commitBenchmark()
                let fills = "head -c 200000000 /dev/zero > /logs/agent/fill; sleep 500"
                for (name, execute) in [("execute", fill), ("verify", "true"), ("logs", fills)] {
                    try bench.write(
                        "\(name).yaml",
                        JobFiles.job(
                            name, datasets: "[{path: tasks, include: [\(name)]}]", agents: JobFiles.agent("greedy", execute: execute)))
                    try await bench.assay("run", "\(name).yaml", expecting: 1)
                }
                let branch = try await bench.branch()
                for (task, type) in [("execute", "agent_execution_failed"), ("verify", "verifier_failed"), ("logs", "agent_execution_failed")] {
                    let run = try #require(branch.runs(task: task).first)
                    #expect(run["outcome"] == "failed" && run["retries"]?.int == 0 && run.at("config", "storageMB")?.int == 64, "\(run.text)")
                    #expect(branch.errorType(task: task) == type && branch.errorMessage(task: task).contains("storage limit"), "\(run.text)")
                }
            }
        }

        @Test func aTrialOverItsMemoryFailsInThePhaseThatItWasIn() async throws {
            try await Workbench.with("phases") { bench in
                let allocate = "x=0123456789abcdef; while :; do x=$x$x; done"
                try Self.task("install", in: bench)
                try Self.task("verify", test: "#!/bin/bash\n\(allocate)\n", in: bench)
                try await bench.commitBenchmark()
                for (name, install, execute) in [("install", allocate, "true"), ("verify", "true", "true")] {
                    try bench.write(
                        "\(name).yaml",
                        JobFiles.job(
                            name, datasets: "[{path: tasks, include: [\(name)]}]",
                            agents: JobFiles.agent("greedy", install: install, execute: execute),
                            environment: "overrideMemoryMB: 64"))
                    try await bench.assay("run", "\(name).yaml", expecting: 1, seconds: 180)
                }
                let branch = try await bench.branch()
                // Where the kernel kills the test alone and not the whole container, its reward is missing.
                for (task, errors) in [("install", ["agent_install_failed"]), ("verify", ["verifier_failed", "verifier_reward_missing"])] {
                    let run = try #require(branch.runs(task: task).first)
                    #expect(run["outcome"] == "failed" && run["retries"]?.int == 0, "\(run.text)")
                    #expect(branch.errorMessage(task: task).contains("OOMKilled"))
                    #expect(errors.contains(branch.errorType(task: task) ?? "-"))
                }
            }
        }
    }
}
