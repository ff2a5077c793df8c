import Base
import Testing

@testable import KubeSchema

@Suite("Changes of an EvalJob")
struct CRDLifeTests {
    @Test("defaults")
    func defaults() throws {
        let (stored, unknown, faults) = try CRDFiles.admit(CRDAdmissionTests.job)
        #expect(unknown == [] && faults == [])
        let spec = try #require(stored["spec"])
        #expect(spec["attempts"] == 1 && spec["parallelism"] == 4 && spec["timeoutMultiplier"]?.double == 1)
        #expect(spec["suspend"] == false && spec["cancel"] == false)
        #expect(spec["instructionPath"] == "/tmp/instruction.md")
        #expect(spec.at("retry", "maxAttempts") == 3 && spec.at("retry", "initialDelayMs") == 1000)
        #expect(spec.at("retry", "maxDelayMs") == 30000 && spec.at("retry", "multiplier")?.double == 2)
        #expect(spec["environment"] == ["forceBuild": false, "preserveEnv": "Never"])
        #expect(spec["verifier"] == ["disable": false, "endAgentProcesses": false, "environmentMode": "shared"])
        #expect(spec["artifacts"] == ["backend": "local"])
        #expect(spec["overlays"] == nil)
        var git = CRDAdmissionTests.job
        git.set(["spec", "artifacts"], to: ["backend": "git", "git": ["remote": "https://h/x"]])
        #expect(try CRDFiles.admit(git).stored.at("spec", "artifacts", "git", "branch") == "assay/runs/v1")
    }

    @Test("unknown fields are reported and dropped")
    func unknown() throws {
        var job = CRDAdmissionTests.job
        job.set(["spec", "sauce"], to: 1)
        job.set(["spec", "agents"], to: [["name": "a", "execute": "x", "excute": "y"]])
        let (stored, unknown, _) = try CRDFiles.admit(job)
        #expect(unknown == ["spec.agents[0].excute", "spec.sauce"])
        #expect(stored.at("spec", "sauce") == nil)
    }

    private static func started(_ total: Int?) -> JSONValue {
        var job = CRDAdmissionTests.job
        job.set(["spec", "targetRef"], to: ["name": "t"])
        job.set(["spec", "metrics"], to: [["type": "mean"]])
        if let total { job.set(["status", "trials", "total"], to: JSONValue(total)) }
        return job
    }

    static let fixed: [(String, String)] = [
        ("source", #"{"source": {"repo": "https://github.com/acme/bench", "ref": "dev"}}"#), ("datasets", #"{"datasets": [{"path": "other"}]}"#),
        ("agents", #"{"agents": [{"name": "a", "execute": "x"}]}"#), ("attempts", #"{"attempts": 2}"#),
        ("timeoutMultiplier", #"{"timeoutMultiplier": 2}"#),
        ("instructionPath", #"{"instructionPath": "/x"}"#), ("environment", #"{"environment": {"image": "x"}}"#),
        ("verifier", #"{"verifier": {"disable": true}}"#),
        ("artifacts", #"{"artifacts": {"backend": "git", "git": {"remote": "https://h/x"}}}"#), ("targetRef", #"{"targetRef": {"name": "u"}}"#),
        ("targetRef", #"{"targetRef": null}"#), ("overlays", #"{"overlays": []}"#), ("metrics", #"{"metrics": null}"#),
        ("metrics", #"{"metrics": [{"type": "max"}]}"#),
    ]

    @Test("catalogue 48: fields that affect results cannot change once trials exist", arguments: fixed)
    func immutable(field: String, change: String) throws {
        for total in [nil, 0] {
            let job = Self.started(total)
            #expect(try CRDFiles.admit(try CRDAdmissionTests.change(job, change), old: job).faults == [])
        }
        let job = Self.started(6)
        let faults = try CRDFiles.admit(try CRDAdmissionTests.change(job, change), old: job).faults
        #expect(faults.map(\.field) == ["spec.\(field)"])
        #expect(faults.map(\.kind) == [.forbidden])
        #expect(faults.first?.message.contains("is fixed once trials exist") == true)
    }

    @Test(
        "fields that may change while trials run",
        arguments: [
            #"{"parallelism": 2}"#, #"{"suspend": true}"#, #"{"cancel": true}"#, #"{"retry": {"maxAttempts": 7}}"#,
            #"{"ttlSecondsAfterFinished": 5}"#,
            #"{"activeDeadlineSeconds": 5}"#,
        ])
    func mutable(change: String) throws {
        let job = Self.started(6)
        #expect(try CRDFiles.admit(try CRDAdmissionTests.change(job, change), old: job).faults == [])
    }

    @Test("a cancelled job stays cancelled")
    func cancel() throws {
        let cancelled = try CRDAdmissionTests.change(CRDAdmissionTests.job, #"{"cancel": true}"#)
        #expect(try CRDFiles.admit(CRDAdmissionTests.job, old: cancelled).faults.map(\.field) == ["spec.cancel"])
    }

    @Test("the operator's status is accepted")
    func status() throws {
        var job = Self.started(6)
        job["status"] = [
            "observedGeneration": 1, "phase": "Running", "startTime": "2026-01-01T00:00:00Z", "source": ["commit": "abc"],
            "conditions": [
                [
                    "type": "Ready", "status": "False", "reason": "Progressing", "message": "m", "lastTransitionTime": "2026-01-01T00:00:00Z",
                    "observedGeneration": 1,
                ]
            ],
            "trials": [
                "total": 6, "pending": 1, "running": 2, "completed": 2, "failed": 1, "infrastructure": 0, "skipped": 0, "progress": "3/6",
                "completedIndexes": "0-1", "failedIndexes": "3",
            ],
            "metrics": ["passRate": 0.5, "meanReward": 0.75, "passes": 1, "rewards": 2, "rewardSum": 1.5, "rewardMin": 0.5, "rewardMax": 1],
            "agents": [["name": "oracle", "completed": 2, "failed": 1, "infrastructure": 0, "skipped": 0, "metrics": ["rewardSum": 1.5]]],
            "artifacts": ["branch": "assay/runs/v1", "head": "def", "runs": 3, "pending": 0],
        ]
        let (stored, unknown, faults) = try CRDFiles.admit(job, old: Self.started(6))
        #expect(unknown == [] && faults == [])
        #expect(stored["status"] == job["status"])
        job.set(["status", "phase"], to: "Confused")
        #expect(try CRDFiles.admit(job, old: Self.started(6)).faults.contains { $0.field == "status.phase" })
    }
}
