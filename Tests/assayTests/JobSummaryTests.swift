import AssayAPI
import Base
import EvalModel
import Foundation
import Artifacts
import Testing

@testable import assay

/// The summary for the page of a CI job.
@Suite struct JobSummaryTests {
    private func summary(_ tasks: [String], stalled: String? = nil) throws -> JobSummary {
        let object: JSONValue = [
            "apiVersion": "assay.dev/v1alpha1", "kind": "EvalJob", "metadata": ["name": "nightly", "namespace": "default"],
            "spec": ["source": ["repo": "file:///r"], "datasets": [["path": "tasks"]], "agents": [["name": "oracle"]]],
            "status": [
                "trials": ["total": .int(Int64(tasks.count)), "completed": .int(Int64(tasks.count))], "metrics": ["passRate": 1, "meanReward": 1],
            ],
        ]
        let uid = "0c4f1c7e-1111-2222-3333-444455556666"
        let start = Timestamp(seconds: 1_800_000_000)
        let runs = tasks.enumerated().map { index, task in
            let trial = TrialCoordinate(index: index, agent: "a", agentIndex: 0, dataset: "d", task: task, taskIndex: index, attempt: 1)
            return RunRecord(
                runId: trial.runID(jobUID: uid), jobName: "nightly", jobUid: uid, namespace: "default", agent: "a", model: nil, trial: trial,
                retries: 0, outcome: TrialOutcome(error: TrialError(.verifierTimeout, "late")), config: .init(instructionPath: "/i"), sourceRepo: "r",
                sourceCommit: "c", evalFile: task, startedAt: start, timestamp: start.adding(seconds: 20))
        }
        return JobSummary(
            report: JobReport(job: try EvalJob(json: object), state: StateDirectory(workingDirectory: "/nowhere"), runs: runs), stalled: stalled)
    }

    @Test("a table with a row for each trial, in which names are no markup")
    func table() throws {
        let lines = try summary(["one", "a|b\n<img src=x> [x](y)"]).markdown.split(separator: "\n")
        #expect(lines.first == "## nightly")
        #expect(lines.contains { $0.hasPrefix("2 trials: 2 completed") })
        #expect(lines.contains { $0.hasPrefix("| a | one | 1 | - | verifier\\_timeout |") }, "\(lines)")
        let row = try #require(lines.last)
        #expect(row.hasPrefix("| a | a\\|b") && row.contains("&lt;img src=x> \\[x\\](y)"), "\(row)")
    }

    @Test("a job that cannot run says why")
    func stalledJob() throws {
        #expect(try summary([], stalled: "spec.source: no").markdown.hasSuffix("The job cannot run: spec.source: no\n\n"))
    }

    @Test("it is added to the file that the environment names")
    func file() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "summary-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try FileWriting.write("before\n".utf8, to: path)
        let summary = try summary(["one"])
        try summary.write([JobSummary.variable: path])
        try summary.write(["OTHER": path])
        #expect(FileReading.text(path) == "before\n" + summary.markdown)
        #expect(throws: FileError.self) { try summary.write([JobSummary.variable: "/nowhere/at/all"]) }
    }
}
