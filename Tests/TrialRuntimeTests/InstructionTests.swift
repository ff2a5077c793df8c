import EvalModel
import Foundation
import Testing

@testable import TrialRuntime

@Suite("The instruction of a trial", .serialized, .timeLimit(.minutes(10)))
struct InstructionTests {
    @Test(
        "an agent written for Rollout reads the file that its variable names",
        arguments: [
            #"p="$(cat $ROLLOUT_TASK_INSTRUCTION)"; echo "[$p]""#, #"echo "[$(<"$ROLLOUT_TASK_INSTRUCTION")]""#,
            #"read -r p < $ROLLOUT_TASK_INSTRUCTION; echo "[$p]""#,
        ])
    func rollout(_ execute: String) async throws {
        for family in TaskSchema.allCases {
            let rig = try TrialRig(execute: execute, test: TrialRunTests.reward, program: { $0.family = family })
            let ended = try await rig.run()
            #expect(ended.text("logs/command/stdout.txt") == "[Say hello.]\n")
        }
    }

    @Test("a text that is too long for a variable is in its file, and the agent is told")
    func long() async throws {
        let text = String(repeating: "0123456789abcde\n", count: 8750)
        let script = """
            echo "set=${ASSAY_TASK_INSTRUCTION+yes}"; wc -c < "$ASSAY_INSTRUCTION_PATH"; cmp "$ROLLOUT_TASK_INSTRUCTION" "$ASSAY_INSTRUCTION_PATH" && echo same
            """
        let rig = try TrialRig(
            install: "true", execute: script, test: TrialRunTests.reward, instruction: text, program: { $0.steps[0].longInstructionBytes = 140_000 })
        let ended = try await rig.run()
        #expect(ended.report.reward == 1 && ended.report.longInstructionBytes == 140_000)
        #expect(ended.text("logs/command/stdout.txt")?.split(separator: "\n").map { $0.filter { $0 != " " } } == ["set=", "140000", "same"])
        let said = try #require(ended.text("logs/command/stderr.txt"))
        #expect(said.contains("140000 bytes") && said.contains("ASSAY_INSTRUCTION_PATH") && said.split(separator: "\n").count == 1)
        #expect(ended.text("logs/setup/stderr.txt") == "")
    }

    @Test(
        "texts of every other kind are in the variable as they are, without the newlines at their end",
        arguments: ["", "\n\n", "no newline", "$HOME `x` \"q\" 'q' \\\n\t%s\nmöglich\n", String(repeating: "x", count: 120_000)])
    func texts(_ text: String) async throws {
        let rig = try TrialRig(
            execute: #"printf '%s' "$ASSAY_TASK_INSTRUCTION" >"$ASSAY_ROOT/logs/agent/text.txt""#, test: TrialRunTests.reward, instruction: text)
        let ended = try await rig.run()
        #expect(ended.report.reward == 1 && ended.report.longInstructionBytes == nil)
        var expected = text[...]
        while expected.last == "\n" { expected.removeLast() }
        #expect(ended.text("logs/agent/text.txt") == String(expected))
        #expect(ended.text("logs/command/stderr.txt") == "")
    }
}
