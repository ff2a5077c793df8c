import Base
import EvalModel
import Foundation
import Glibc
import Subprocess
import Testing

@testable import TrialRuntime

extension TrialRig {
    /// A second root with what a separate verifier's container mounts.
    private var verifierPaths: TrialPaths { TrialPaths(root: paths.root + "/verifier") }

    func prepareVerifier() throws {
        for folder in [paths.offered, paths.verifierGate(ofStep: 0), paths.verifierLogs(ofStep: 0), paths.accepted(ofStep: 0)] {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        }
        for fifo in [paths.verifierPhaseFIFO(ofStep: 0), paths.verifierReleasedFIFO(ofStep: 0)] { try #require(mkfifo(fifo, 0o666) == 0) }
        let own = verifierPaths
        for folder in [own.root + "/assay", own.logs, own.tests] {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        }
        symlink("../../assay/accepted/0", own.accepted)
        symlink("../../assay/verifier-gate/0", own.verifierGate)
        symlink(paths.verifierLogs(ofStep: 0), own.verifierOutputs)
        unlink(paths.releasedTests)
        mkdir(paths.releasedTests, 0o777)
        symlink(own.tests, paths.releasedTests(ofStep: 0))
        rmdir(paths.tests)
        let volumes = DeliveryVolumes(paths: paths)
        try volumes.writeScripts(program)
        try volumes.write(Array(RunnerProgram(program, role: .verifier(0), paths: own).text.utf8), to: paths.verifierRunnerProgram(ofStep: 0))
    }

    var verifierRunner: Command {
        let environment = [
            "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp", "OUT": paths.verifierLogs(ofStep: 0), "ROOT": verifierPaths.root,
            "JUDGE": "dread",
        ]
        return Command(
            "bash", ["-p", paths.verifierRunner(ofStep: 0)], environment: .exact(environment), workingDirectory: verifierPaths.root,
            deadlineSeconds: 120)
    }

    /// Runs collector, trial and verifier to their ends.
    ///
    /// - Parameter verifier: what runs in the verifier's place; nil for its runner.
    func runApart(verifier script: String? = nil, _ change: (inout CollectorConfiguration) -> Void = { _ in }) async throws -> Ended {
        var configuration = try CollectorConfiguration(environment: [TrialVariables.root: paths.root])
        change(&configuration)
        let printed = Locked<[UInt8]>([])
        let collector = Collector(configuration, log: Log("test", destination: Log.Destination.none)) { bytes in
            printed.withLock { $0 += bytes }
            return true
        }
        let judge =
            script.map {
                Command(
                    "bash", ["-c", $0, "verifier", paths.verifierPhaseFIFO(ofStep: 0), paths.verifierReleasedFIFO(ofStep: 0)], deadlineSeconds: 60)
            }
            ?? verifierRunner
        async let exit = collector.run()
        let trial = try RunningCommand.start(runner, onStdout: { _ in }, onStderr: { _ in })
        let verifier = try RunningCommand.start(judge, onStdout: { _ in }, onStderr: { _ in })
        let code = await exit
        let stop = Task {
            try await Task.sleep(for: .seconds(10))
            trial.signal(SIGKILL)
            verifier.signal(SIGKILL)
        }
        let ends = (await trial.wait(), await verifier.wait())
        stop.cancel()
        return try await ended(code, (ends.0, ""), printed.withLock { $0 })
    }
}

/// Runner, collector and a separate verifier together.
@Suite("A trial with a verifier of its own", .timeLimit(.minutes(10)))
struct SeparateVerifierTests {
    static let reward = "echo 1 > $OUT/reward.txt"

    static func rig(
        _ execute: String, test: String, family: TaskSchema = .harbor, artifacts: [TaskArtifact] = [], hooks: [TaskVerifier.CollectHook] = [],
        program change: @Sendable (inout PodProgram) -> Void = { _ in }
    ) throws -> TrialRig {
        let rig = try TrialRig(execute: execute, test: test) {
            $0.family = family
            $0.verifier.separate = .init(bringsTests: [false])
            $0.verifier.artifacts = artifacts
            $0.verifier.collect = hooks
            change(&$0)
        }
        try rig.prepareVerifier()
        return rig
    }

    @Test("passes: the trial begins after the verifier, and is verified on copies when it has ended")
    func passes() async throws {
        let rig = try Self.rig(
            "mkdir -p out; echo 42 > out/answer; ln -s /etc out/link; ls -A $ASSAY_ROOT > $ASSAY_ROOT/logs/agent/seen; echo 0 > $ASSAY_ROOT/logs/verifier/reward.txt",
            test: "[ \"$(cat $ROOT/out/answer)\" = 42 ] && [ \"$(cat $ROOT/out/more)\" = hooked ] && [ $JUDGE = dread ] && \(Self.reward)",
            artifacts: [TaskArtifact(source: "out")], hooks: [.init(command: "echo hooked > out/more"), .init(command: "sleep 30", timeoutSec: 0.2)])
        let ended = try await rig.runApart()
        #expect(ended.report.error == nil && ended.report.reward == 1, "\(ended.report)")
        #expect(ended.report.exitCodes == ["execute": 0, "verify": 0])
        #expect((ended.report[.verify]?.start ?? 0) >= (ended.report[.execute]?.end ?? .max))
        #expect(ended.report.handover == .init(files: 2, bytes: 10, leftOut: 1))
        #expect(ended.text("logs/agent/seen")?.contains("tests") == false, "the agent sees no folder for tests")
        #expect(ended.text("logs/verifier/reward.txt") == "1\n" && ended.text("logs/artifacts/out/answer") == "42\n")
        #expect(ended.collected.at("artifacts", "leftOut", "items")?.array?.first?["path"] == "out/link")
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var execute = "true"
        var test = SeparateVerifierTests.reward
        var family = TaskSchema.harbor
        var verifier: String?
        var program: @Sendable (inout PodProgram) -> Void = { _ in }
        var error: TrialErrorType?
        var reward: Double?
        var testDescription: String { name }
    }

    static let cases: [Case] = [
        .init(name: "no reward", test: "true", error: .verifierRewardMissing),
        .init(name: "too late", test: "sleep 30", program: { $0.steps[0].limits.verifySec = 0.3 }, error: .verifierTimeout),
        .init(name: "Rollout's exit code", test: "\(reward); exit 3", family: .rollout, error: .verifierFailed),
        .init(name: "Harbor's exit code", test: "\(reward); exit 3", reward: 1),
        .init(name: "a failed agent, Harbor", execute: "exit 3", error: .agentExecutionFailed, reward: 1),
        .init(name: "a failed agent, Rollout", execute: "exit 3", family: .rollout, error: .agentExecutionFailed),
        .init(name: "a dead trial, Harbor", execute: "kill -9 $PPID; sleep 1", error: .agentExecutionFailed, reward: 1),
        .init(name: "a dead trial, Rollout", execute: "kill -9 $PPID; sleep 1", family: .rollout, error: .agentExecutionFailed),
        .init(name: "verification is off", program: { $0.verifier.enabled = false }, error: nil),
        .init(
            name: "a verifier that dies before the trial begins", execute: "touch $ASSAY_ROOT/logs/agent/began", verifier: "exec 9>$1",
            error: .environmentStartFailed),
        .init(
            name: "a verifier that dies while it waits", verifier: "exec 9>$1; echo phase setup 1 >&9", error: .environmentStartFailed),
        .init(
            name: "a verifier that dies in its tests",
            verifier: "exec 8<>$2; exec 9>$1; echo phase setup 1 >&9; read -u 8 x; echo phase verify 2 >&9",
            error: .verifierFailed),
        .init(
            name: "a forged end is no verdict",
            execute: "echo 'end {}' > $ASSAY_ROOT/assay/gate/phase; echo 1 > $ASSAY_ROOT/logs/verifier/reward.txt",
            error: .verifierFailed),
        .init(
            name: "forged words change nothing",
            execute: """
                for word in 'done execute 1 0 0' 'agent-end {"outcome":"ok","verify":true}' 'phase verify 2' 'done verify 3 0 0'; do
                echo "$word" > $ASSAY_ROOT/assay/gate/phase; done; echo 1 > $ASSAY_ROOT/logs/verifier/reward.txt
                """, test: "echo 0 > $OUT/reward.txt", reward: 0),
    ]

    @Test("how it ends", arguments: cases)
    func endings(_ it: Case) async throws {
        let rig = try Self.rig(it.execute, test: it.test, family: it.family, program: it.program)
        let ended = try await rig.runApart(verifier: it.verifier)
        #expect(ended.report.error?.type == it.error, "\(ended.report.error?.message ?? "no error")")
        #expect(ended.report.reward == it.reward)
        #expect(ended.text("logs/agent/began") == nil, "no phase begins without the verifier")
    }

    @Test("a verifier that does not start ends the trial before its agent begins")
    func late() async throws {
        let rig = try Self.rig("touch $ASSAY_ROOT/logs/agent/began", test: Self.reward)
        let ended = try await rig.runApart(verifier: "sleep 3") { $0.gateTimeout = 0.5 }
        #expect(ended.report.error?.type == .environmentStartFailed && ended.report.error?.message.contains("verifier's container") == true)
        #expect(!FileManager.default.fileExists(atPath: rig.paths.collected(.agent) + "/began"))
    }
}
