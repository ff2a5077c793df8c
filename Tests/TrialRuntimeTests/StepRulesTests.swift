import Base
import EvalModel
import Foundation
import Subprocess
import Testing

@testable import TrialRuntime

@Suite("Steps: rewards, and when a further one begins")
struct StepRulesTests {
    private func reward(_ named: [String: Double]) throws -> Reward { try #require(Reward(named: named)) }

    @Test("mean is of each number, 0 where a step lacks it; final is the last step's")
    func strategies() throws {
        let steps = [try reward(["reward": 1, "style": 0.5]), try reward(["reward": 0])]
        #expect(MultiStepRewardStrategy.mean.reward(of: steps)?.named == ["reward": 0.5, "style": 0.25])
        #expect(MultiStepRewardStrategy.mean.reward(of: steps)?.value == 0.5)
        #expect(MultiStepRewardStrategy.final.reward(of: steps)?.named == ["reward": 0])
        for strategy in MultiStepRewardStrategy.allCases { #expect(strategy.reward(of: []) == nil) }
    }

    @Test("a further step needs the minimum, in each of the numbers that it names")
    func minimum() throws {
        let step = try reward(["reward": 0.5, "style": 1])
        #expect(StepVerdict(step, minimum: nil).goesOn)
        #expect(StepVerdict(step, minimum: .reward(0.5)).goesOn && !StepVerdict(step, minimum: .reward(0.6)).goesOn)
        #expect(StepVerdict(step, minimum: .each(["reward": 0.1, "style": 1])).goesOn)
        #expect(!StepVerdict(step, minimum: .each(["reward": 0.1, "other": 0])).goesOn, "a number that is missing does not reach it")
        #expect(!StepVerdict(TrialError(.verifierFailed, "no")).goesOn)
    }

    private static func steps(_ change: (inout [TrialProgram.Step]) -> Void) -> (inout PodProgram) -> Void {
        var steps = ["one", "two"].map { name in
            TrialProgram.Step(
                name: name, instruction: "steps/\(name)/instruction.md", tests: "steps/\(name)/tests",
                limits: .init(installSec: nil, executeSec: 20, verifySec: 20, setupSec: 20), folder: "steps/\(name)")
        }
        change(&steps)
        return { program in
            program.family = .harbor
            program.steps = steps
        }
    }

    private static let test = "echo ${ASSAY_INSTRUCTION_PATH:+1} > $ASSAY_ROOT/logs/verifier/reward.txt"

    @Test("a reward that is too small ends the trial, without an error")
    func belowMinimum() async throws {
        let rig = try TrialRig(
            execute: "true", test: "echo 0.25 > $ASSAY_ROOT/logs/verifier/reward.txt", program: Self.steps { $0[0].minimumReward = .reward(0.5) })
        let ended = try await rig.run()
        #expect(ended.report.error == nil && ended.report.reward == 0.25 && ended.report.steps?.count == 1, "\(ended.report)")
    }

    @Test("an agent that rewrites an earlier step's reward changes nothing")
    func earlierReward() async throws {
        let rig = try TrialRig(
            execute: "echo 1 > $ASSAY_ROOT/logs/steps/one/verifier/reward.txt 2>/dev/null || true",
            test: "echo 0 > $ASSAY_ROOT/logs/verifier/reward.txt", program: Self.steps { _ in })
        let ended = try await rig.run()
        #expect(ended.report.error == nil && ended.report.reward == 0 && ended.report.steps?.map(\.rewards) == [["reward": 0], ["reward": 0]])
    }

    @Test("the files of a later step come when the step before is over")
    func laterFiles() async throws {
        let rig = try TrialRig(
            execute: "ls $ASSAY_ROOT/assay/scripts/steps | tr '\\n' ' '; cat data.txt 2>/dev/null; true", test: Self.test,
            program: Self.steps { _ in })
        let later = rig.paths.stagedSteps + "/steps/two"
        // As delivery leaves them: nothing of step two where the first agent could look.
        try FileManager.default.removeItem(atPath: rig.paths.scripts + "/steps/two")
        for (path, text) in [
            ("\(later)/instruction.md", "Say two.\n"), ("\(later)/workdir/data.txt", "second"),
            ("\(later)/workdir/setup.sh", "echo \"$PWD\" > $ASSAY_ROOT/set-up"),
        ] {
            try FileManager.default.createDirectory(atPath: Path.parent(of: path), withIntermediateDirectories: true)
            try rig.write(text, path)
        }
        let ended = try await rig.run()
        #expect(ended.report.error == nil && ended.report.reward == 1, "\(String(describing: ended.report.error))")
        #expect(ended.text("logs/steps/one/command/stdout.txt") == "one " && ended.text("logs/command/stdout.txt") == "one two second")
        #expect(try String(contentsOfFile: rig.paths.root + "/set-up", encoding: .utf8) == rig.paths.root + "\n")
    }

    @Test("a later step's files may be larger than the collector's memory; modes and links are kept")
    func largeFiles() async throws {
        let rig = try TrialRig(execute: "true", test: Self.test, program: Self.steps { _ in })
        let (from, to) = (rig.paths.stagedSteps + "/steps/two/workdir", rig.paths.scripts + "/steps/two/workdir")
        try Directory.make(from)
        // Takes no space on the disk.
        #expect(FileManager.default.createFile(atPath: "\(from)/large", contents: Data("begin".utf8)))
        #expect(truncate("\(from)/large", 1 << 30 + 4096) == 0)
        let end = try #require(FileHandle(forWritingAtPath: "\(from)/large"))
        try end.seekToEnd()
        try end.write(contentsOf: Data("end".utf8))
        try end.close()
        try FileWriting.write(Array("#!/bin/sh\n".utf8), to: "\(from)/run", mode: 0o750)
        try FileManager.default.createSymbolicLink(atPath: "\(from)/link", withDestinationPath: "large")
        var step = TrialProgram.Step(
            name: "two", instruction: "steps/two/instruction.md", tests: "steps/two/tests",
            limits: .init(installSec: nil, executeSec: 20, verifySec: 20, setupSec: 20))
        step.folder = "steps/two"
        #expect(await StepRelease(paths: rig.paths).release(step) == nil)
        var info = stat()
        #expect(stat("\(to)/large", &info) == 0 && info.st_size == 1 << 30 + 4099)
        #expect(info.st_blocks * 512 < 64 << 20, "holes stay holes")
        #expect(FileReading.beginning(of: "\(to)/large", limit: 5) == Array("begin".utf8))
        #expect(FileReading.end(of: "\(to)/large", bytes: 4) == [0] + Array("end".utf8))
        #expect(stat("\(to)/run", &info) == 0 && info.st_mode & 0o777 == 0o750)
        #expect(FileEntry.linkTarget("\(to)/link") == "large")
    }

    @Test("setup.sh and healthcheck that fail: the environment's before the first agent, an outcome later", arguments: [0, 1])
    func failures(step: Int) async throws {
        let rig = try TrialRig(
            execute: "true", test: Self.test,
            program: Self.steps { $0[step].healthcheck = Healthcheck(command: "echo sick >&2; exit 4", intervalSec: 0, retries: 2) })
        let ended = try await rig.run()
        #expect(ended.report.error?.type == (step == 0 ? .environmentStartFailed : .agentExecutionFailed))
        #expect(
            ended.report.error?.message.contains("failed 2 times in a row and exited with 4") == true, "\(String(describing: ended.report.error))")
        #expect(ended.report.reward == nil && ended.text("logs/setup/healthcheck/stderr.txt") == "sick\n")
    }

    @Test("a healthcheck is repeated until it succeeds; failures in the start period do not count")
    func healthy() async throws {
        for check in [
            Healthcheck(command: "", intervalSec: 0.05, retries: 3),
            Healthcheck(command: "", intervalSec: 30, startPeriodSec: 30, startIntervalSec: 0.05, retries: 1),
        ] {
            var check = check
            check.command = "echo x >> $ASSAY_ROOT/tries; [ $(wc -l < $ASSAY_ROOT/tries) -ge 3 ]"
            let rig = try TrialRig(execute: "true", test: Self.test) { $0.environment.healthcheck = check }
            let ended = try await rig.run()
            #expect(ended.report.reward == 1, "\(String(describing: ended.report.error))")
            #expect(try String(contentsOfFile: rig.paths.root + "/tries", encoding: .utf8) == "x\nx\nx\n")
        }
    }
}
