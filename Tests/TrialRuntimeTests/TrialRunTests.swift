import Base
import EvalModel
import Foundation
import Glibc
import Subprocess
import Testing

@testable import TrialRuntime

/// Runner and collector together.
@Suite("A trial from gate to report", .timeLimit(.minutes(10)))
struct TrialRunTests {
    static let reward = "mkdir -p $ASSAY_ROOT/logs/verifier; echo 1 > $ASSAY_ROOT/logs/verifier/reward.txt"

    @Test("passes, with everything where it belongs")
    func passes() async throws {
        let rig = try TrialRig(
            install: "echo installing; echo careful >&2",
            execute: """
                echo "executing in $PWD"
                cat "$ASSAY_INSTRUCTION_PATH" > "$ASSAY_ROOT/logs/agent/seen.txt"
                echo "$ASSAY_TASK_INSTRUCTION|$(cat $ROLLOUT_TASK_INSTRUCTION)" >> "$ASSAY_ROOT/logs/agent/seen.txt"
                echo '{"step":1}' > "$ASSAY_ROOT/logs/agent/transcript.jsonl"
                ls -A "$ASSAY_ROOT/tests" | wc -l > "$ASSAY_ROOT/logs/agent/tests-seen.txt"
                """,
            test: "echo checking $JUDGE; [ \"$OTHER\" = $'a b=c\\n2' ] || exit 1; touch $ASSAY_ROOT/tests/beside; \(Self.reward)",
            verifierVariables: ["JUDGE": "dread", "OTHER": "a b=c\n2"])
        let ended = try await rig.run()
        let report = ended.report
        #expect(report.error == nil)
        #expect(report.reward == 1)
        #expect(report.rewards == ["reward": 1])
        #expect(ended.collectorExit == 0)
        #expect(ended.runnerExit == .code(0))
        #expect(report.exitCodes == ["install": 0, "execute": 0, "verify": 0])
        #expect(Set(report.phases.keys) == ["setup", "install", "execute", "verify", "collect"])
        for (name, timing) in report.phases { #expect(timing.end ?? 0 >= timing.start, "\(name)") }
        #expect((report[.install]?.start ?? 0) >= (report[.setup]?.end ?? .max))
        #expect(abs((report[.setup]?.start ?? 0) - Int64(Date().timeIntervalSince1970 * 1000)) < 120_000)
        #expect(ended.text("logs/setup/stdout.txt") == "installing\n")
        #expect(ended.text("logs/setup/stderr.txt") == "careful\n")
        #expect(ended.text("logs/command/stdout.txt") == "executing in \(rig.paths.root)\n")
        #expect(ended.text("logs/verifier/stdout.txt") == "checking dread\n")
        #expect(ended.text("logs/agent/seen.txt") == "Say hello.\nSay hello.|Say hello.\n")
        #expect(ended.text("logs/agent/tests-seen.txt")?.trimmingCharacters(in: .whitespacesAndNewlines) == "0")
        #expect(ended.text("transcript.jsonl") == "{\"step\":1}\n")
        #expect(ended.files["transcript.jsonl"] == ended.files["logs/agent/transcript.jsonl"])
        #expect(ended.runnerOutput.contains("executing in"), "the container's own log shows what runs")
        #expect(ended.collected["files"]?.int == ended.files.keys.count { $0.hasPrefix("logs/") })
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var install: String?
        var execute: String? = "true"
        var test: String? = "true"
        var variables: [String: String] = [:]
        var program: @Sendable (inout PodProgram) -> Void = { _ in }
        var error: TrialErrorType?
        var reward: Double?
        var message: String?
        var testDescription: String { name }
    }

    static let file = "$ASSAY_ROOT/logs/verifier/reward"
    static let background = "(for i in $(seq 200); do echo > $ASSAY_ROOT/beat; sleep 0.05; done) 2>/dev/null & disown; sleep 0.2"
    static let cases: [Case] = [
        .init(name: "install fails", install: "echo no network >&2; exit 9", error: .agentInstallFailed, message: "no network"),
        .init(
            name: "install times out", install: "sleep 30", program: { $0.steps[0].limits.installSec = 0.3 },
            error: .agentInstallTimeout),
        .init(name: "agent fails", execute: "echo gave up >&2; exit 3", error: .agentExecutionFailed, message: "gave up"),
        .init(
            name: "agent times out", execute: "sleep 30", program: { $0.steps[0].limits.executeSec = 0.3 },
            error: .agentExecutionTimeout),
        .init(
            name: "agent ignores TERM", execute: "trap '' TERM; while :; do sleep 0.1; done",
            program: { $0.steps[0].limits.executeSec = 0.3 }, error: .agentExecutionTimeout),
        .init(name: "agent says 124 itself", execute: "exit 124", error: .agentExecutionFailed, message: "124"),
        .init(
            name: "verifier times out", test: "echo 1 > \(file).txt; sleep 30", program: { $0.steps[0].limits.verifySec = 0.3 },
            error: .verifierTimeout),
        .init(name: "reward missing", error: .verifierRewardMissing),
        .init(name: "reward invalid", test: "echo plenty > \(file).txt", error: .verifierRewardInvalid, message: "plenty"),
        .init(name: "reward is a link", test: "ln -s /etc/hostname \(file).txt", error: .verifierRewardMissing),
        .init(name: "fractional reward", test: "echo 0.25 > \(file).txt", reward: 0.25),
        .init(
            name: "json wins", test: "echo 0 > \(file).txt; echo '{\"reward\":0.5,\"style\":1}' > \(file).json", reward: 0.5),
        .init(
            name: "stale rewards do not count",
            execute: "mkdir -p $ASSAY_ROOT/logs/verifier; echo 1 > \(file).txt; echo '{\"reward\":1}' > \(file).json",
            error: .verifierRewardMissing),
        .init(
            name: "a link in place of the verifier's directory",
            execute: "rm -rf $ASSAY_ROOT/logs/verifier; mkdir $ASSAY_ROOT/x; ln -s ../x $ASSAY_ROOT/logs/verifier",
            test: "echo 1 > \(file).txt", reward: 1),
        .init(
            name: "test.sh fails under Rollout's rule", test: "echo 1 > \(file).txt; echo broken >&2; exit 2",
            error: .verifierFailed, message: "broken"),
        .init(
            name: "test.sh fails under Harbor's rule", test: "echo 1 > \(file).txt; exit 2", program: { $0.family = .harbor }, reward: 1),
        .init(
            name: "verification disabled", test: "echo 1 > \(file).txt", program: { $0.verifier.enabled = false }),
        .init(name: "no scripts at all", execute: nil, test: "echo 1 > \(file).txt", reward: 1),
        .init(
            name: "the agent deletes what it can",
            execute: "rm -rf $ASSAY_ROOT/assay/scripts $ASSAY_ROOT/assay/gate/* $ASSAY_ROOT/logs/* ; exit 0",
            test: "echo 1 > \(file).txt", reward: 1),
        .init(
            name: "what the agent left among the tests is gone before they come",
            execute: "mkdir -p $ASSAY_ROOT/tests/test.sh/x $ASSAY_ROOT/tests/.data; chmod 500 $ASSAY_ROOT/tests/.data $ASSAY_ROOT/tests",
            test: "[ \"$(ls -A $ASSAY_ROOT/tests)\" = test.sh ] && echo 1 > \(file).txt", reward: 1),
        .init(
            name: "an agent that keeps the tests out has no verdict, and no second try",
            execute: "(while [ $SECONDS -lt 4 ]; do mkdir -p $ASSAY_ROOT/tests/test.sh/x; done) >/dev/null 2>&1 & disown; sleep 0.2",
            test: "echo 1 > \(file).txt", error: .verifierFailed, message: "the trial left something where they belong"),
        .init(
            name: "an agent that answers in the collector's place, among more names than fit a command line",
            execute: """
                cd $ASSAY_ROOT/tests && seq -f '%0200.0f' 12000 | xargs touch && echo 'echo 1 > \(file).txt' > test.sh
                for i in 1 2 3; do echo go > $ASSAY_ROOT/assay/gate/released; done; printf gone > $ASSAY_ROOT/assay/gate/released
                """,
            test: "echo 0.5 > \(file).txt", reward: 0.5),
        .init(
            name: "an agent cannot say that the environment failed",
            execute: "echo 'setup-failed no room' > $ASSAY_ROOT/assay/gate/phase", test: "echo 0 > \(file).txt",
            error: .verifierFailed, message: "\"setup-failed\" came when it was not due"),
        .init(
            name: "an agent that speaks for the verifier has no verdict",
            execute: """
                mkdir -p $ASSAY_ROOT/logs/verifier; echo 1 > \(file).txt
                printf '%s\\n' 'done execute 1 0 0' 'phase verify 2' 'done verify 3 0 0' 'end {}' > $ASSAY_ROOT/assay/gate/phase
                """,
            test: "echo 0 > \(file).txt", error: .verifierFailed, message: "\"phase verify\" came when it was not due"),
        .init(
            name: "nor has one that says all of it in order, and waits",
            execute: """
                exec > $ASSAY_ROOT/assay/gate/phase; echo 'done execute 1 0 0'; echo 'agent-end {"outcome":"ok","verify":true}'
                while ! [ -e $ASSAY_ROOT/tests/test.sh ]; do sleep 0.1; done; mkdir -p $ASSAY_ROOT/logs/verifier; echo 1 > \(file).txt
                echo 'phase verify 2'; echo 'done verify 3 0 0'; echo 'end {}'; sleep 4
                """,
            test: "echo 0 > \(file).txt", error: .verifierFailed, message: "came when it was not due"),
        .init(
            name: "the runner is killed",  // The parent of the script is `timeout`, and the parent of that is the runner.
            execute: "read -r _ _ _ runner _ < /proc/$PPID/stat; kill -KILL $runner; sleep 5",
            error: .agentExecutionFailed, message: "before its time"),
        .init(
            name: "a background process outlives the agent",
            execute: "\(background)",
            test: """
                rm -f $ASSAY_ROOT/beat
                for i in 1 2 3 4 5 6 7 8 9 10; do
                  sleep 0.2; if [ -f $ASSAY_ROOT/beat ]; then echo 1 > \(file).txt; break; fi
                done
                """, reward: 1),
        .init(
            name: "endAgentProcesses ends it",
            execute: "\(background)",
            test: "rm -f $ASSAY_ROOT/beat; sleep 0.5; [ -f $ASSAY_ROOT/beat ] || echo 1 > \(file).txt",
            program: { $0.verifier.endAgentProcesses = true }, reward: 1),
    ]

    @Test("how trials end", arguments: cases)
    func ends(_ it: Case) async throws {
        let rig = try TrialRig(install: it.install, execute: it.execute, test: it.test, variables: it.variables, program: it.program)
        let ended = try await rig.run {
            $0.endTimeout = 2
        }
        #expect(ended.report.error?.type == it.error, "\(String(describing: ended.report.error))")
        #expect(ended.report.reward == it.reward)
        if let words = it.message {
            #expect(ended.report.error?.message.contains(words) == true, "\(String(describing: ended.report.error))")
        }
        #expect(ended.report.pack != nil, "outputs come with every end")
        let isFailed = it.error == .agentExecutionFailed || it.error == .agentExecutionTimeout
        if isFailed { #expect(ended.report[.verify] == nil, "a failed agent is not verified") }
    }

    @Test("two steps: each has its instruction, its tests and its logs, and the agent sees no tests of the step before")
    func twoSteps() async throws {
        let rig = try TrialRig(
            install: "echo once >> $ASSAY_ROOT/installed",
            execute: """
                ls -A $ASSAY_ROOT/tests | wc -l >> $ASSAY_ROOT/logs/agent/tests-seen.txt
                echo "$ASSAY_TASK_INSTRUCTION" | tee -a $ASSAY_ROOT/logs/agent/seen.txt; cat $ASSAY_INSTRUCTION_PATH >> $ASSAY_ROOT/logs/agent/seen.txt
                echo "[$JUDGE]" >> $ASSAY_ROOT/logs/agent/judge.txt
                """,
            test: "echo \"$JUDGE\"; \(Self.reward)", verifierVariables: ["JUDGE": "dread"],
            program: {
                let limits = TrialProgram.Limits(installSec: nil, executeSec: 20, verifySec: 20)
                $0.steps = [
                    .init(
                        name: "one", instruction: "steps/one/instruction.md", tests: "steps/one/tests",
                        limits: .init(installSec: 20, executeSec: 20, verifySec: 20), folder: "steps/one"),
                    .init(name: "two", instruction: "steps/two/instruction.md", tests: "steps/two/tests", limits: limits, folder: "steps/two"),
                ]
            })
        let ended = try await rig.run()
        #expect(ended.report.error == nil && ended.report.reward == 1, "\(String(describing: ended.report.error))")
        let steps = try #require(ended.report.steps)
        #expect(steps.map(\.name) == ["one", "two"])
        #expect(
            Set(steps[0].phases.keys) == ["setup", "install", "execute", "verify"] && Set(steps[1].phases.keys) == ["setup", "execute", "verify"])
        #expect(steps[1].exitCodes == ["execute": 0, "verify": 0] && ended.report.exitCodes == steps[1].exitCodes)
        #expect(steps.map(\.rewards) == [["reward": 1], ["reward": 1]])
        #expect(ended.text("logs/steps/one/agent/seen.txt") == "Say one.\nSay one.\n" && ended.text("logs/agent/seen.txt") == "Say two.\nSay two.\n")
        for place in ["logs/steps/one/agent", "logs/agent"] {
            #expect(ended.text("\(place)/tests-seen.txt")?.filter(\.isNumber) == "0")
            #expect(ended.text("\(place)/judge.txt") == "[]\n", "the verifier's environment is in no agent's")
        }
        #expect(ended.text("logs/steps/one/command/stdout.txt") == "Say one.\n" && ended.text("logs/command/stdout.txt") == "Say two.\n")
        #expect(ended.text("logs/steps/one/verifier/stdout.txt") == "dread\n" && ended.text("logs/verifier/stdout.txt") == "dread\n")
        #expect(try String(contentsOfFile: rig.paths.root + "/installed", encoding: .utf8) == "once\n")
        #expect(ended.collected["steps"]?.array?.count == 2)
        let timings = ended.report.outcome.timings
        #expect(timings.verify?.seconds ?? -1 >= TrialReport.timings(steps[1].phases).verify?.seconds ?? 0)
    }

    @Test("a step whose agent fails is the last one of a Rollout task; Harbor's goes on when its tests give a reward")
    func firstStepFails() async throws {
        for family in TaskSchema.allCases {
            let rig = try TrialRig(execute: "exit 3", test: Self.reward) {
                $0.family = family
                $0.steps.append($0.steps[0])
            }
            let ended = try await rig.run()
            #expect(ended.report.error?.type == .agentExecutionFailed, "\(family)")
            #expect(ended.report.steps?.count == (family == .harbor ? 2 : 1) && ended.report.reward == (family == .harbor ? 1 : nil))
            #expect(ended.report.error?.message.hasPrefix("step 1 of 2: ") == true, "\(String(describing: ended.report.error))")
        }
    }

    @Test("what the agent leaves where the verifier's environment belongs is neither followed nor read", arguments: ["link", "file", "folder"])
    func variablesPath(_ kind: String) async throws {
        let place = "$ASSAY_ROOT/assay/gate/verifier-env"
        let leave = ["link": "ln -s $ASSAY_ROOT/victim \(place)", "file": "printf 'JUDGE=agent\\0' > \(place)", "folder": "mkdir \(place)"]
        let rig = try TrialRig(
            execute: "echo kept > $ASSAY_ROOT/victim; " + (leave[kind] ?? ""), test: "[ \"$JUDGE\" = dread ] || exit 1; \(Self.reward)",
            verifierVariables: ["JUDGE": "dread"])
        let ended = try await rig.run()
        #expect(try String(contentsOfFile: rig.paths.root + "/victim", encoding: .utf8) == "kept\n")
        if kind == "folder" {
            #expect(ended.report.error?.type == .verifierFailed)
        } else {
            #expect(ended.report.reward == 1)
        }
    }

    @Test("the verifier's variables arrive whatever their names are, the runner's own included")
    func variableNames() async throws {
        let rig = try TrialRig(
            execute: "true", test: "[ \"$(env | grep -cxE 'a[.]b=1|FOO-BAR=2|entry=3|steps=4|variables=5')\" = 5 ] || exit 1; \(Self.reward)",
            verifierVariables: ["a.b": "1", "FOO-BAR": "2", "entry": "3", "steps": "4", "variables": "5"])
        let ended = try await rig.run()
        #expect(ended.report.reward == 1, "\(ended.text("logs/verifier/stderr.txt") ?? "")")
    }

    @Test("what copies the output to the container's log may be stopped by the agent: the trial ends all the same")
    func stoppedMirrors() async throws {
        let stop = """
            sleep 1
            runner=$PPID
            while [ "$(cat /proc/$runner/comm)" != bash ]; do runner=$(cut -d' ' -f4 /proc/$runner/stat); done
            for child in $(cat /proc/$runner/task/$runner/children); do
              [ "$(cat /proc/$child/comm)" = bash ] && kill -STOP $child
            done
            exit 0
            """
        let rig = try TrialRig(execute: stop, test: Self.reward)
        let ended = try await rig.run()
        #expect(ended.report.error == nil && ended.report.reward == 1)
    }

    /// A clock that counts how often it is read: the collector reads it each time it wakes.
    private final class CountingTime: TimeSource {
        let count = Locked(0)
        func now() -> Timestamp { SystemTime().now() }
        func monotonic() -> Double {
            count.withLock { $0 += 1 }
            return SystemTime().monotonic()
        }
        func sleep(seconds: Double) async throws { try await SystemTime().sleep(seconds: seconds) }
    }

    @Test("while an agent runs for six seconds, the collector wakes for the runner's words only")
    func collectorSleeps() async throws {
        let time = CountingTime()
        let ended = try await TrialRig(execute: "sleep 6", test: Self.reward).run(time: time)
        #expect(ended.report.reward == 1)
        // A trial has some ten words. Looking 20 times a second would be 120 times.
        #expect(time.count.withLock { $0 } < 30, "it woke \(time.count.withLock { $0 }) times")
    }

    @Test("a waiting collector uses no CPU and reacts to a word at once")
    func waits() async throws {
        let rig = try TrialRig()
        let gate = try Gate(paths: rig.paths)
        let said = open(rig.paths.phaseFIFO, O_WRONLY | O_CLOEXEC)
        defer { close(said) }
        let time = SystemTime()
        let before = time.monotonic()
        await gate.wait(seconds: 0.5)
        #expect(time.monotonic() - before >= 0.49 && gate.read() == .nothing, "it waits as long as nobody speaks")
        let waiting = Task {
            await gate.wait(seconds: 60)
            return time.monotonic()
        }
        try await Task.sleep(for: .milliseconds(300))
        let spoken = time.monotonic()
        _ = "phase setup 1\n".withCString { write(said, $0, 14) }
        #expect(await waiting.value - spoken < 30, "not after its 60 s")
        #expect(gate.read() == .words(Array("phase setup 1\n".utf8)))
        let cancelled = Task { await gate.wait(seconds: 60) }
        cancelled.cancel()
        await cancelled.value
        #expect(time.monotonic() - spoken < 30)
    }

    @Test("without `timeout` in the image the limits hold as well")
    func withoutTimeout() async throws {
        let bin = FileManager.default.temporaryDirectory.appendingPathComponent("assay-bin-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: bin, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: bin) }
        for program in ["bash", "env", "sleep", "mkdir", "cat", "cp", "chmod", "rm", "wc", "date"] {
            symlink("/usr/bin/\(program)", "\(bin)/\(program)")
        }
        let rig = try TrialRig(
            execute: "sleep 30", test: "true", variables: ["PATH": bin], tools: bin, program: { $0.steps[0].limits.executeSec = 0.3 })
        let ended = try await rig.run()
        #expect(ended.report.error?.type == .agentExecutionTimeout)
        #expect((ended.report[.execute]?.end ?? 0) - (ended.report[.execute]?.start ?? 0) < 5000)
    }

    @Test("the verdict stands before the outputs are read, so that what they do to the collector does not take it away")
    func early() async throws {
        let rig = try TrialRig(execute: "true", test: Self.reward)
        let atPrinting = Locked<TrialReport?>(nil)
        let collector = Collector(CollectorConfiguration(paths: rig.paths)) { _ in
            atPrinting.withLock { $0 = try? rig.readReport() }
            return true
        }
        async let running = rig.runner.run()
        #expect(await collector.run() == 0)
        _ = try await running
        let early = try #require(atPrinting.withLock { $0 })
        #expect(early.reward == 1 && early.error?.type == .artifactTruncated && early.pack == nil && early.isFinal)
        #expect(try rig.readReport().error == nil)
    }

    @Test("the collector gives up when nobody opens the gate")
    func neverOpened() async throws {
        let rig = try TrialRig()
        var configuration = CollectorConfiguration(paths: rig.paths)
        configuration.gateTimeout = 0.2
        let exit = await Collector(configuration) { _ in true }.run()
        #expect(exit == 0)
        #expect(try rig.readReport().error?.type == .environmentStartFailed)
    }

    @Test("a collector that is told to stop reports the phase and no verdict")
    func interrupted() async throws {
        let rig = try TrialRig(execute: "touch $ASSAY_ROOT/begun; sleep 30", test: Self.reward)
        let collector = Task { await Collector(CollectorConfiguration(paths: rig.paths)) { _ in true }.run() }
        let running = Task { try await rig.runner.run() }
        while access(rig.paths.root + "/begun", F_OK) != 0 { try await Task.sleep(for: .milliseconds(10)) }
        collector.cancel()
        #expect(await collector.value == 143)
        let report = try rig.readReport()
        #expect(report.interrupted)
        #expect(report.lastPhase == .execute)
        #expect(report.error == nil && report.reward == nil)
        running.cancel()
        _ = try? await running.value
    }

    @Test("TERM reaches the agent through the runner")
    func forwardsTerm() async throws {
        let rig = try TrialRig(
            execute: """
                trap 'echo stopped > $ASSAY_ROOT/logs/agent/end.txt; exit 1' TERM
                touch $ASSAY_ROOT/begun; while :; do sleep 0.05; done
                """,
            test: Self.reward)
        async let ended = rig.collectOnly()
        let running = try RunningCommand.start(rig.runner, onStdout: { _ in }, onStderr: { _ in })
        while access(rig.paths.root + "/begun", F_OK) != 0 { try await Task.sleep(for: .milliseconds(10)) }
        kill(running.pid, SIGTERM)
        #expect(await running.wait() == .code(143))
        let report = try await ended
        #expect(report.error?.type == .agentExecutionFailed)
        #expect(try String(contentsOfFile: rig.paths.logs + "/agent/end.txt", encoding: .utf8) == "stopped\n")
    }
}

extension TrialRig {
    func collectOnly() async throws -> TrialReport {
        _ = await Collector(CollectorConfiguration(paths: paths)) { _ in true }.run()
        return try readReport()
    }
}
