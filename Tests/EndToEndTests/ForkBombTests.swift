import Base
import Testing

extension EndToEnd {
    /// Trials that start processes without end: the node's limit stops them, in the phase that they are in, and no other trial suffers.
    @Suite struct ForkBombTests {
        /// Starts processes that do nothing until no more can be started, but not without end where nothing limits them, and waits.
        private static let crowd = """
            cat > /tmp/bomb.py <<'BOMB'
            import os, signal
            count = 0
            while count < 6000:
                try: child = os.fork()
                except OSError: break
                if child == 0:
                    for number in range(3): os.close(number)
                    while True: signal.pause()
                count += 1
            print("processes", count, flush=True)
            while True: signal.pause()
            BOMB
            python3 /tmp/bomb.py
            """

        /// Takes every process that becomes free, also while its runner needs one.
        private static let greedy = """
            cat > /tmp/bomb.py <<'BOMB'
            import os, signal, time
            for number in range(3): os.close(number)
            while True:
                try:
                    if os.fork() == 0:
                        while True: signal.pause()
                except OSError: time.sleep(0.02)
            BOMB
            python3 /tmp/bomb.py &
            sleep 10
            """

        @Test func processesWithoutEndAreAnOutcomeOfThePhaseThatTheyAreIn() async throws {
            try await Workbench.with("forks") { bench in
                let passes = "mkdir -p /logs/verifier; echo 1 > /logs/verifier/reward.txt"
                for (name, test) in ["agent": passes, "greedy": passes, "calm": passes, "verifier": Self.crowd] {
                    try bench.task(name, toml: "[agent]\ntimeout_sec = 30.0\n[verifier]\ntimeout_sec = 30.0\n", instruction: name, test: test)
                }
                try await bench.commitBenchmark()
                let agent = """
                    case "$ASSAY_TASK_INSTRUCTION" in
                    agent) \(Self.crowd) ;;
                    greedy) \(Self.greedy) ;;
                    esac
                    """
                try bench.write(
                    "job.yaml",
                    JobFiles.job(
                        "forks", datasets: "[{path: tasks, format: harbor}]", agents: JobFiles.agent("bomber", execute: agent), parallelism: 2))
                try await bench.assay("run", "job.yaml", expecting: 1, seconds: 580)
                let branch = try await bench.branch()
                var runs: [String: JSONValue] = [:]
                for task in ["agent", "greedy", "calm", "verifier"] {
                    let run = try #require(branch.runs(task: task).first, "\(task)")
                    #expect(run["retries"]?.int == 0, "\(task): an outcome is not tried again")
                    runs[task] = run
                }
                let texts = runs.mapValues(\.text)
                // What a timed-out agent left is ended, and its work is verified as any other's.
                #expect(branch.errorType(task: "agent") == "agent_execution_timeout" && runs["agent"]?["reward"]?.double == 1, "\(texts)")
                #expect(branch.errorType(task: "verifier") == "verifier_timeout" && runs["verifier"]?["outcome"] == "failed", "\(texts)")
                // The runner, or the tests, cannot start the processes that they need: the trial ends, and that is its own outcome.
                let own = ["agent_execution_failed", "verifier_failed", "verifier_reward_missing"]
                #expect(own.contains(branch.errorType(task: "greedy") ?? "-"), "\(texts)")
                #expect(runs["greedy"]?["outcome"] == "failed" && runs["greedy"]?["reward"] == nil, "\(texts)")
                #expect(runs["calm"]?["reward"]?.double == 1 && branch.errorType(task: "calm") == nil, "another trial is not harmed")
                for (task, folder) in [("agent", "command"), ("verifier", "verifier")] {
                    let path = try #require(branch.runs.first { $0.value["task"]?.string == task }?.key)
                    let words = try await bench.git("show", "assay/runs/v1:\(path)/logs/\(folder)/stdout.txt", in: bench.results).split(
                        separator: " ")
                    let count = try #require(words.last.flatMap { Int($0) }, "\(words)")
                    #expect(count > 1000 && count < 4096, "\(task): the limit of the node")
                }
            }
        }
    }
}
