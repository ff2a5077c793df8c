import AssayAPI
import Base
import Testing

@testable import assay

/// The exit status of `assay run`: docs/getting-started.md.
@Suite struct JobReportTests {
    private func report(_ status: JSONValue?) throws -> JobReport {
        var object: JSONValue = [
            "apiVersion": "assay.dev/v1alpha1", "kind": "EvalJob", "metadata": ["name": "j", "namespace": "default"],
            "spec": ["source": ["repo": "file:///r"], "datasets": [["path": "tasks"]], "agents": [["name": "oracle"]]],
        ]
        if let status { object.set(["status"], to: status) }
        return JobReport(job: try EvalJob(json: object), state: StateDirectory(workingDirectory: "/nowhere"), runs: [])
    }

    private static func status(total: Int, completed: Int, failed: Int = 0, infrastructure: Int = 0, skipped: Int = 0, passRate: Double = 1)
        -> JSONValue
    {
        [
            "trials": [
                "total": .int(Int64(total)), "completed": .int(Int64(completed)), "failed": .int(Int64(failed)),
                "infrastructure": .int(Int64(infrastructure)), "skipped": .int(Int64(skipped)),
            ],
            "metrics": ["passRate": .double(passRate)],
        ]
    }

    @Test func aJobWithoutTrialsSaysWhy() throws {
        let ready: JSONValue = ["type": "Ready", "status": "False", "reason": "Cancelled", "message": "spec.cancel is true"]
        #expect(try report(["phase": "Cancelled", "conditions": [ready]]).summary == "no trial began: spec.cancel is true")
        #expect(try report(nil).summary == "no trial began")
        #expect(try report(Self.status(total: 1, completed: 1)).summary.hasPrefix("1 trial: "))
    }

    /// All is well but the remote that was asked for does not have the results.
    @Test(
        arguments: [
            (status(total: 2, completed: 2), 4), (status(total: 2, completed: 1, failed: 1), 1),
            (status(total: 2, completed: 1, failed: 1, infrastructure: 1), 3),
        ] as [(JSONValue, Int32)])
    func resultsThatWaitAreNoSuccess(status: JSONValue, exit: Int32) throws {
        var waiting = status
        waiting["artifacts"] = ["pending": 2]
        var object = try report(waiting).job
        #expect(
            JobReport(job: object, state: StateDirectory(workingDirectory: "/nowhere"), runs: []).exitStatus(stalled: nil, minimumPassRate: nil) != 4)
        object.spec.artifacts = ArtifactsSpec(backend: .git, git: GitArtifactsSpec(remote: "file:///r"))
        let report = JobReport(job: object, state: StateDirectory(workingDirectory: "/nowhere"), runs: [])
        #expect(report.exitStatus(stalled: nil, minimumPassRate: nil) == exit)
        #expect(report.exitStatus(stalled: nil, minimumPassRate: nil, allowUnpushed: true) == (exit == 4 ? 0 : exit))
    }

    @Test(
        "the line of totals counts agent errors beside a reward, infrastructure and skipped trials",
        arguments: [
            (["total": 3, "completed": 3], "3 trials: 3 completed, 0 failed; "),
            (["total": 3, "completed": 3, "agentErrors": 2], "3 trials: 3 completed (2 with an agent error), 0 failed; "),
            (["total": 1, "completed": 1, "agentErrors": 1], "1 trial: 1 completed (1 with an agent error), 0 failed; "),
            (
                ["total": 5, "completed": 2, "agentErrors": 1, "failed": 2, "infrastructure": 1, "skipped": 1],
                "5 trials: 2 completed (1 with an agent error), 2 failed (1 by infrastructure), 1 skipped; "
            ),
        ] as [(JSONValue, String)])
    func totals(trials: JSONValue, line: String) throws {
        let report = try report(["trials": trials, "metrics": ["passRate": 1]])
        #expect(report.figures?.hasPrefix(line) == true, "\(report.figures ?? "")")
    }

    @Test func tellsTheWorstThatHappened() throws {
        let good = try report(Self.status(total: 2, completed: 2, passRate: 0.5))
        #expect(good.exitStatus(stalled: nil, minimumPassRate: nil) == 0)
        #expect(good.exitStatus(stalled: nil, minimumPassRate: 0.5) == 0)
        #expect(good.exitStatus(stalled: nil, minimumPassRate: 0.51) == 1)
        #expect(good.exitStatus(stalled: "no such ref", minimumPassRate: nil) == 2)
        #expect(try report(Self.status(total: 2, completed: 1, failed: 1)).exitStatus(stalled: nil, minimumPassRate: nil) == 1)
        #expect(try report(Self.status(total: 2, completed: 0, failed: 2, infrastructure: 1)).exitStatus(stalled: nil, minimumPassRate: nil) == 1)
        #expect(try report(Self.status(total: 2, completed: 1, failed: 1, infrastructure: 1)).exitStatus(stalled: nil, minimumPassRate: nil) == 3)
        #expect(try report(Self.status(total: 2, completed: 1, skipped: 1)).exitStatus(stalled: nil, minimumPassRate: nil) == 1)
        #expect(try report(nil).exitStatus(stalled: nil, minimumPassRate: nil) == 2)
    }
}
