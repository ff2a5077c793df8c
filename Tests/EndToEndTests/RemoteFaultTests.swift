import Base
import Foundation
import Subprocess
import Testing

extension EndToEnd {
    /// What goes wrong on and around the host of a vm target: each trial ends with its typed error or is tried again, is counted once, and leaves
    /// nothing behind.
    @Suite struct RemoteFaultTests {
        /// A job whose agent tells that it has begun and ends when `go` is there, or after ten minutes.
        private func job(_ name: String, attempts: Int = 1, retries: Int = 8, execute: String = RemoteFaultTests.waiting, extra: String = "")
            -> String
        {
            JobFiles.job(
                name, agents: JobFiles.agent("worker", execute: execute), attempts: attempts,
                extra: "  targetRef: {name: machine}\n  retry: {maxAttempts: \(retries), initialDelayMs: 100, maxDelayMs: 500}\n" + extra)
        }

        private static let waiting = "touch begun; for i in {1..3000}; do [ ! -e go ] || exit 0; sleep 0.2; done"

        private func place(_ machine: RemoteMachine, _ trial: String) -> String { "\(machine.state)/trials/\(trial)/root/work" }

        /// Waits until agents have begun on the machine; returns the names of their directories.
        private func agentsBegin(_ machine: RemoteMachine, _ count: Int = 1, besides known: Set<String> = []) async throws -> Set<String> {
            var found: Set<String> = []
            try await eventually("\(count) agents begin") {
                found = Set(machine.trialsLeft().filter { FileManager.default.fileExists(atPath: "\(place(machine, $0))/begun") }).subtracting(known)
                return found.count >= count
            }
            return found
        }

        private func letGo(_ machine: RemoteMachine, _ trials: Set<String>) {
            for trial in trials { _ = FileManager.default.createFile(atPath: "\(place(machine, trial))/go", contents: nil) }
        }

        private func expectSuccess(of run: RunningCommand, _ bench: Workbench) async {
            let end = await run.wait()
            #expect(end == .code(0), "\((try? bench.read("run.log")) ?? "")")
        }

        /// The only run of the branch, after everything of the trial is gone from the machine.
        private func onlyRun(_ bench: Workbench, _ machine: RemoteMachine) async throws -> JSONValue {
            try await machine.expectClean()
            let runs = try await bench.branch().runs()
            #expect(runs.count == 1)
            return try #require(runs.first)
        }

        @Test func aTrialThatLosesItsHostIsTriedAgainAndCountedOnce() async throws {
            try await Workbench.with("lost") { bench in
                try await RemoteMachine.with(bench) { machine in
                    try bench.task("good")
                    try await bench.commitBenchmark()
                    try bench.write("job.yaml", try machine.documents() + job("lost"))
                    let run = try bench.start(["run", "job.yaml"], to: "run.log")
                    let first = try await agentsBegin(machine)
                    // A reboot: everything on the machine is killed, and nothing on it can clean up.
                    await machine.powerOff()
                    #expect(Set(machine.trialsLeft()) == first)
                    try await machine.boot()
                    let second = try await agentsBegin(machine, besides: first)
                    #expect(Set(machine.trialsLeft()) == second, "what was left is removed at the next contact")
                    // The cable is pulled, and the try ends on both sides.
                    try await machine.plug(false)
                    try await eventually("the machine notices", seconds: 180) { machine.trialsLeft().isEmpty }
                    try await machine.plug(true)
                    let third = try await agentsBegin(machine)
                    #expect(third.isDisjoint(with: second))
                    letGo(machine, third)
                    await expectSuccess(of: run, bench)
                    let record = try await onlyRun(bench, machine)
                    #expect(record["reward"]?.double == 1 && record["error"] == nil, "\(record.text)")
                    #expect(record["retries"]?.int ?? 0 >= 2, "\(record.text)")
                    let retries = try await bench.branch().retries.values
                    #expect(!retries.isEmpty && retries.allSatisfy { $0.at("error", "type")?.string == "environment_node_lost" }, "\(retries)")
                }
            }
        }

        @Test func aConnectionThatIsKilledEndsTheTrialOnTheHostAndIsTriedAgain() async throws {
            try await Workbench.with("killed") { bench in
                try await RemoteMachine.with(bench) { machine in
                    try bench.task("good")
                    try await bench.commitBenchmark()
                    try bench.write("job.yaml", try machine.documents() + job("killed"))
                    let run = try bench.start(["run", "job.yaml"], to: "run.log")
                    let first = try await agentsBegin(machine)
                    let killed = try machine.killRelays()
                    #expect(killed == 1)
                    let second = try await agentsBegin(machine, besides: first)
                    try await eventually("the first try is gone") { Set(machine.trialsLeft()) == second }
                    letGo(machine, second)
                    await expectSuccess(of: run, bench)
                    let record = try await onlyRun(bench, machine)
                    #expect(record["reward"]?.double == 1 && record["retries"]?.int == 1, "\(record.text)")
                }
            }
        }

        @Test func aContainerThatARebootLeftIsRemovedAtTheNextContact() async throws {
            try await Workbench.with("rebooted") { bench in
                let (user, variables) = try await RemoteMachine.images(bench)
                try await RemoteMachine.with(bench, variables: variables) { machine in
                    try bench.task("good", toml: "[environment]\ndocker_image = \"localhost/task:1\"\n")
                    try await bench.commitBenchmark()
                    // The artifacts' folder is the part of a container that this machine sees.
                    let waiting = "touch /logs/artifacts/begun; for i in {1..3000}; do [ ! -e /logs/artifacts/go ] || exit 0; sleep 0.2; done"
                    try bench.write(
                        "job.yaml",
                        try machine.documents()
                            + JobFiles.job(
                                "rebooted", agents: JobFiles.agent("worker", execute: waiting), image: nil,
                                extra: "  targetRef: {name: machine}\n  retry: {maxAttempts: 8, initialDelayMs: 100, maxDelayMs: 500}"))
                    func artifacts(_ trial: String) -> String { "\(machine.state)/trials/\(trial)/root/logs/artifacts" }
                    func begun() -> Set<String> {
                        Set(machine.trialsLeft().filter { FileManager.default.fileExists(atPath: "\(artifacts($0))/begun") })
                    }
                    let run = try bench.start(["run", "job.yaml"], to: "run.log")
                    try await eventually("the agent begins") { !begun().isEmpty }
                    let first = begun()
                    await machine.powerOff()
                    try await machine.boot()
                    try await eventually("the next try begins") { !begun().subtracting(first).isEmpty }
                    let names = try await Command(
                        "podman", ["ps", "-a", "--format", "{{.Names}}"], environment: .inheriting(adding: user.environment)
                    ).run()
                    #expect(names.stdoutText.split(separator: "\n").count == 1, "\(names.stdoutText)")
                    for trial in begun() { _ = FileManager.default.createFile(atPath: "\(artifacts(trial))/go", contents: nil) }
                    await expectSuccess(of: run, bench)
                    let record = try await onlyRun(bench, machine)
                    #expect(record["reward"]?.double == 1 && record["retries"]?.int == 1, "\(record.text)")
                    let left = try await Command("podman", ["ps", "-aq"], environment: .inheriting(adding: user.environment)).run()
                    #expect(left.stdoutText.isEmpty, "\(left.stdoutText)")
                }
            }
        }

        @Test func aHostHasNoMoreTrialsAtOnceThanItsTargetSays() async throws {
            try await Workbench.with("many") { bench in
                try await RemoteMachine.with(bench) { machine in
                    try bench.task("good")
                    try await bench.commitBenchmark()
                    let documents = try machine.documents(extra: ", maxConcurrentTrials: 5")
                    try bench.write(
                        "job.yaml",
                        documents
                            + JobFiles.job(
                                "many", agents: JobFiles.agent("worker", execute: "sleep 1"), attempts: 12, parallelism: 12,
                                extra: "  targetRef: {name: machine}"))
                    let run = try bench.start(["run", "job.yaml"], to: "run.log")
                    let most = Locked(0)
                    let watch = Task {
                        while !Task.isCancelled {
                            let now = machine.trialsLeft().count
                            most.withLock { $0 = max($0, now) }
                            try await Task.sleep(for: .milliseconds(50))
                        }
                    }
                    await expectSuccess(of: run, bench)
                    watch.cancel()
                    try await machine.expectClean()
                    #expect((2...5).contains(most.withLock { $0 }), "\(most.withLock { $0 }) at once")
                    let runs = try await bench.branch().runs()
                    #expect(runs.count == 12 && runs.allSatisfy { $0["reward"]?.double == 1 && $0["retries"]?.int ?? 0 == 0 })
                }
            }
        }

        @Test func twoOperatorsShareAHost() async throws {
            try await Workbench.with("one") { one in
                try await Workbench.with("two") { two in
                    try await RemoteMachine.with(one) { machine in
                        var runs: [RunningCommand] = []
                        for bench in [one, two] {
                            try bench.task("good")
                            try await bench.commitBenchmark()
                            try bench.write("job.yaml", try machine.documents() + job("shared", attempts: 2))
                            runs.append(try bench.start(["run", "job.yaml"], to: "run.log"))
                        }
                        let trials = try await agentsBegin(machine, 4)
                        // Both begin further trials, and sweep, while the others' are there.
                        letGo(machine, Set(trials.sorted().prefix(2)))
                        letGo(machine, trials)
                        for (bench, run) in zip([one, two], runs) {
                            await expectSuccess(of: run, bench)
                            let found = try await bench.branch().runs()
                            #expect(found.count == 2 && found.allSatisfy { $0["reward"]?.double == 1 && $0["retries"]?.int ?? 0 == 0 })
                        }
                        try await machine.expectClean()
                    }
                }
            }
        }

        @Test func aFullDiskEndsTheTrialThatHasWrittenMost() async throws {
            try await Workbench.with("disk") { bench in
                try await RemoteMachine.with(bench, diskMB: 640) { machine in
                    try bench.task("good")
                    try await bench.commitBenchmark()
                    let execute = "head -c 700M /dev/zero > big 2>/dev/null || true; sleep 600"
                    try bench.write("job.yaml", try machine.documents() + job("disk", retries: 2, execute: execute))
                    try await bench.assay("run", "job.yaml", expecting: 3)
                    let record = try await onlyRun(bench, machine)
                    #expect(record.at("error", "type")?.string == "environment_evicted", "\(record.text)")
                    #expect(record["retries"]?.int == 1, "\(record.text)")
                    // Without room no trial begins.
                    try bench.write("machine/state/filler", String(repeating: "x", count: 200 << 20))
                    try bench.write("next.yaml", try machine.documents() + job("next", execute: "true"))
                    let next = try await bench.assay("run", "next.yaml", expecting: 2)
                    #expect((next.stdoutText + next.stderrText).contains("MiB free in /var/lib/assay"), "\(next.stderrText)")
                }
            }
        }

        @Test func limitsOfATaskAreItsOwnOutcome() async throws {
            try await Workbench.with("limits") { bench in
                try await RemoteMachine.with(bench) { machine in
                    try bench.task("disk", toml: "[environment]\nstorage_mb = 48\n")
                    try bench.task("memory", toml: "[environment]\nmemory_mb = 64\n")
                    try bench.task(
                        "cpu", toml: "[environment]\ncpus = 0.5\n",
                        test: "grep -qx 50000 /work/quota && echo 1 > /logs/verifier/reward.txt")
                    try await bench.commitBenchmark()
                    // /proc/self/cgroup names the groups of the trial; with cgroup v2 there is one line.
                    let execute = """
                        group() { sed -n "s,^[0-9]*:$1:,,p" /proc/self/cgroup; }
                        if [ "$(grep -c . /proc/self/cgroup)" = 1 ]; then
                          cut -d' ' -f1 "/sys/fs/cgroup$(group "")/cpu.max" > quota; limit=$(cat "/sys/fs/cgroup$(group "")/memory.max")
                        else
                          cat "/sys/fs/cgroup/cpu$(group cpu)/cpu.cfs_quota_us" > quota
                          limit=$(cat "/sys/fs/cgroup/memory$(group memory)/memory.limit_in_bytes")
                        fi
                        case "$(cat quota) $limit" in
                          50000" "*) exit 0 ;;
                          *" 67108864") head -c 300M /dev/zero | tail > /dev/null; exit $? ;;
                          *) head -c 200M /dev/zero > big; sleep 600 ;;
                        esac
                        """
                    try bench.write("job.yaml", try machine.documents() + job("limits", execute: execute))
                    try await bench.assay("run", "job.yaml", expecting: 1)
                    try await machine.expectClean()
                    let branch = try await bench.branch()
                    #expect(branch.runs(task: "cpu").first?["reward"]?.double == 1, "\(branch.runs(task: "cpu"))")
                    for task in ["disk", "memory"] {
                        #expect(branch.errorType(task: task) == "agent_execution_failed", "\(branch.runs(task: task))")
                        #expect(branch.runs(task: task).first?["retries"]?.int ?? 0 == 0)
                    }
                    #expect(branch.errorMessage(task: "disk").contains("storage limit of 48 MiB"), "\(branch.errorMessage(task: "disk"))")
                }
            }
        }

        @Test func aJobThatIsOverEndsItsTrialsOnTheHost() async throws {
            try await Workbench.with("over") { bench in
                try await RemoteMachine.with(bench) { machine in
                    try bench.task("good")
                    try await bench.commitBenchmark()
                    try bench.write("late.yaml", try machine.documents() + job("late", extra: "  activeDeadlineSeconds: 25\n"))
                    let late = try bench.start(["run", "late.yaml"], to: "late.log")
                    _ = try await agentsBegin(machine)
                    _ = await late.wait()
                    try await machine.expectClean()
                    let ended = try await bench.branch().runs()
                    #expect(ended.count == 1 && ended.first?.at("error", "type")?.string == "cancelled", "\(ended)")
                    try bench.write("stopped.yaml", try machine.documents() + job("stopped"))
                    let stopped = try bench.start(["run", "stopped.yaml"], to: "stopped.log")
                    _ = try await agentsBegin(machine)
                    stopped.signal(SIGINT)
                    let end = await stopped.wait()
                    #expect(end == .code(130))
                    try await machine.expectClean()
                    let runs = try await bench.branch().runs()
                    #expect(!runs.contains { $0["jobName"]?.string == "stopped" }, "a trial that was stopped does not count")
                }
            }
        }
    }
}
