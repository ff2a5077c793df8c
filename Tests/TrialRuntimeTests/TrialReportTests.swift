import Base
import EvalModel
import Testing
import TrialRuntime

@Suite("Trial reports")
struct TrialReportTests {
    @Test("a report reads back as it was written")
    func roundTrip() throws {
        var report = TrialReport(
            reward: 0.5, rewards: ["reward": 0.5, "speed": 3], lastPhase: .verify, exitCodes: ["verify": 0],
            pack: .init(sha256: "ab", bytes: 3, tree: "cd"), truncatedFiles: 1, redactions: 2, redacted: ["TOKEN": 2], unredacted: ["PIN"],
            transcript: "trajectory", usage: AgentUsage(tokens: TokenUsage(prompt: 10, completion: 2, cached: 1), costUSD: 0.5, steps: 3))
        report[.execute] = .init(start: 1000, end: 3500)
        let message = String(decoding: report.terminationMessage(), as: UTF8.self)
        #expect(TrialReport(terminationMessage: message) == report)
        #expect(report.outcome.timings.execute?.seconds == 2.5)
        #expect(report.outcome.reward?.value == 0.5)
        #expect(report.outcome.reward?.named["speed"] == 3)
        #expect(report.outcome.tokens?.total == 12)
    }

    @Test("no report is longer than a termination message, whatever a trial puts in it")
    func bounded() {
        var rewards = ["reward": 1.0]
        for index in 0..<500 { rewards["figure-number-\(index)"] = Double(index) }
        let nasty = String(repeating: "\u{1B}[31m\u{0}\"\\", count: 4000)
        for report in [
            TrialReport(reward: 1, rewards: rewards),
            TrialReport(error: TrialError(.verifierFailed, nasty)),
            TrialReport(reward: 1, rewards: rewards, error: TrialError(.artifactTruncated, nasty)),
            TrialReport(unredacted: (0..<2000).map { "VARIABLE_\($0)" }),
            TrialReport(redacted: Dictionary(uniqueKeysWithValues: (0..<2000).map { ("VARIABLE_\($0)", $0) })),
        ] {
            let bytes = report.terminationMessage()
            #expect(bytes.count <= TrialReport.maximumBytes)
            let read = TrialReport(terminationMessage: String(decoding: bytes, as: UTF8.self))
            #expect(read?.messageTruncated == true)
            #expect(read?.reward == report.reward)
            #expect(read?.error?.type == report.error?.type)
        }
    }

    @Test(
        "texts that are not a report of the collector are not read as one",
        arguments: ["", "oops", "[]", "{}", "{\"reward\":1}", "{\"version\":1,\"rew"])
    func foreign(_ message: String) {
        #expect(TrialReport(terminationMessage: message) == nil)
    }

    @Test("unknown fields and types of a newer version do not hide the verdict")
    func newer() throws {
        let report = try #require(
            TrialReport(terminationMessage: #"{"version":2,"reward":1,"novelty":{},"lastPhase":"polish","error":{"type":"new_one","message":"m"}}"#))
        #expect(report.reward == 1)
        #expect(report.error == TrialError(.internalError, "new_one: m"))
    }
}
