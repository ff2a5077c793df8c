import AssayAPI
import AssayTesting
import Base
import EvalModel
import KubeClient
import KubeCore
import Testing

@Suite("What keeps a job from running")
struct InputTests {
    @Test("catalogue 48: a spec that is edited while the job runs is refused, and a branch that moves changes nothing")
    func pinned() async throws {
        try await World.run(tasks: ["a", "b"], fate: { _ in .never }) { world in
            let first = try await world.git(world.source, "rev-parse", "HEAD")
            try await world.withOperator { _ in
                try await world.createJob(with: ["parallelism": 1])
                try await world.waitForPods(1)
                await #expect(throws: KubeError.self) { try await world.change(to: ["source": ["ref": "other"]]) }
                await #expect(throws: KubeError.self) { try await world.change(to: ["attempts": 2]) }
            }
            try await world.git(world.source, "rm", "-q", "-r", "tasks/b")
            try await world.git(world.source, "commit", "-q", "-m", "moved")
            // Another operator goes on, with nothing in its memory.
            try await world.withOperator(state: "fresh") { _ in
                for count in 1...2 {
                    try await world.waitForPods(count)
                    try await world.node.play(world.node.seen[count - 1], .success(1))
                }
                let job = try await world.waitForEnd()
                #expect(job.status?.source?.commit == first && job.status?.trials?.completed == 2)
                let records = try await world.records()
                #expect(records.count == 3 && records.allSatisfy { $0["sourceCommit"]?.string == first })
            }
        }
    }

    @Test("catalogue 47: a job that is deleted and recreated with the same name is another job")
    func recreated() async throws {
        try await World.run(tasks: ["a"]) { world in
            try await world.withOperator { _ in
                let first = try await world.createJob()
                _ = try await world.waitForEnd()
                _ = try await world.client.delete(.evalJobs, ObjectKey(namespace: "default", name: "job"))
                let gone = try await eventually { try await world.job() == nil }
                try #require(gone)
                let second = try await world.createJob()
                _ = try await world.waitForEnd()
                try await world.expectRuns(2, jobs: 2)
                let uids = Set(try await world.records().compactMap { $0["jobUid"]?.string })
                #expect(uids == Set([first, second].compactMap(\.metadata.uid)))
            }
        }
    }

    @Test("a trial whose pod the API server refuses for ever fails with that error")
    func refusedPods() async throws {
        try await World.run(tasks: ["a", "b", "c"]) { world in
            try await world.withOperator { _ in
                try await world.createJob(with: ["environment": ["podTemplate": ["labels": ["no label": "x!"]]]])
                let job = try await world.waitForEnd()
                #expect(job.status?.trials?.failed == 3)
                for record in try await world.records() where record["kind"] == "run" {
                    #expect(record.at("error", "type") == "environment_start_failed")
                    let message = record.at("error", "message")?.string ?? ""
                    #expect(message.contains("refuses the trial's pod") && message.contains("no label"), "\(message)")
                }
            }
        }
    }

    @Test("a task that cannot run is recorded without a pod, and the others run")
    func invalidTask() async throws {
        try await World.run(tasks: ["a", "broken"]) { world in
            try await world.withOperator { _ in
                try await world.createJob()
                let job = try await world.waitForEnd()
                #expect(job.status?.trials?.completedIndexes?.description == "0" && job.status?.trials?.failedIndexes?.description == "1")
                #expect(world.node.seen.map(\.index) == [0])
                let record = try #require(try await world.records().first { $0["index"] == 1 })
                #expect(record.at("error", "type") == "task_invalid")
                try await world.expectRuns(2)
            }
        }
    }

    @Test("if a task's own repository lacks the ref, only that task fails")
    func taskRepositoryWithoutRef() async throws {
        try await World.run(tasks: ["a"]) { world in
            try await world.withOperator { _ in
                let repo = JSONValue.string("file://\(world.source)")
                try await world.createJob(with: [
                    "datasets": [
                        [
                            "name": "d",
                            "tasks": [
                                ["name": "good", "path": "tasks/a", "repo": repo],
                                ["name": "bad", "path": "tasks/a", "repo": repo, "ref": "nowhere"],
                                ["name": "bad2", "path": "tasks/a", "repo": repo, "ref": "nowhere"],
                            ],
                        ]
                    ]
                ])
                let job = try await world.waitForEnd()
                #expect(job.status?.trials?.completedIndexes?.description == "0" && job.status?.trials?.failedIndexes?.description == "1-2")
                let record = try #require(try await world.records().first { $0["index"] == 1 })
                #expect(record.at("error", "type") == "task_invalid")
                #expect(
                    record.at("error", "message")?.string?.contains("the task's repository: file://\(world.source) has no") == true, "\(record.text)")
            }
        }
    }

    static let stalled: [(String, [String: JSONValue], reason: String, says: String)] = [
        ("field", ["environment": ["forceBuild": true]], "UnsupportedField", "spec.environment.forceBuild"),
        ("ref", ["source": ["repo": "SOURCE", "ref": "nowhere"]], "RefNotFound", "spec.source.ref"),
        ("dataset", ["datasets": [["path": "nowhere"]]], "DatasetNotFound", "spec.datasets[0].path"),
        ("nothing", ["datasets": [["path": "tasks", "include": ["zzz"]]]], "NoTrials", "include"),
        ("default-branch", ["artifacts": ["backend": "git", "git": ["remote": "REMOTE", "branch": "main"]]], "BranchIsDefault", "default branch"),
        ("local", ["artifacts": ["backend": "local"]], "NoResultsVolume", "spec.artifacts.backend"),
    ]

    @Test("what a spec must change for is Stalled, with the field's path")
    func stalls() async throws {
        try await World.run { world in
            try await world.withOperator { _ in
                for (name, changes, reason, says) in Self.stalled {
                    let text = JSONValue.object(changes).text.replacing("SOURCE", with: "file://\(world.source)").replacing(
                        "REMOTE", with: "file://\(world.remote)")
                    try await world.createJob(name, with: try JSONValue(parsing: text).object ?? [:])
                    let job = try await world.wait(name, name) {
                        $0.status?.conditions.contains { $0.type == "Stalled" && $0.status == "True" } == true
                    }
                    let condition = try #require(job.status?.conditions.first { $0.type == "Stalled" })
                    #expect(condition.reason == reason && condition.message?.contains(says) == true, "\(condition)")
                    #expect(job.status?.phase == .pending)
                }
                let told = try await eventuallyEvents(world, Set(Self.stalled.map(\.reason)))
                #expect(told)
                #expect(world.node.seen.isEmpty)
                // The spec changes: it goes on. What was looked up for the old one is forgotten.
                try await world.change("default-branch", to: ["artifacts": ["git": ["branch": .string(World.branch)]]])
                try await world.change("dataset", to: ["datasets": [["path": "tasks"]]])
                for name in ["default-branch", "dataset"] {
                    let job = try await world.waitForEnd(name)
                    #expect(job.status?.phase == .succeeded && job.status?.conditions.contains { $0.type == "Stalled" } == false)
                }
            }
        }
    }

    @Test("a target that is missing is waited for; one that goes during a run holds up new trials only")
    func target() async throws {
        try await World.run(tasks: ["a", "b"], fate: { _ in .never }) { world in
            let target = Build.object(.evalTargets, "lab", spec: ["type": "cluster"])
            let key = ObjectKey(namespace: "default", name: "lab")
            try await world.withOperator { _ in
                try await world.createJob(with: ["targetRef": ["name": "lab"], "parallelism": 1])
                try await world.wait { $0.status?.conditions.contains { $0.type == "TargetReady" && $0.status == "False" } == true }
                try await world.client.create(.evalTargets, target, namespace: "default")
                try await world.waitForPods(1)
                // Otherwise the condition from before could be taken for the next one.
                try await world.wait { $0.status?.conditions.contains { $0.type == "TargetReady" && $0.status == "True" } == true }
                _ = try await world.client.delete(.evalTargets, key)
                try await world.wait { $0.status?.conditions.contains { $0.type == "TargetReady" && $0.status == "False" } == true }
                try await world.node.play(world.node.seen[0], .success(1))
                try await world.wait { $0.status?.trials?.completed == 1 }
                #expect(world.node.seen.count == 1)
                try await world.client.create(.evalTargets, target, namespace: "default")
                try await world.waitForPods(2)
                try await world.node.play(world.node.seen[1], .success(1))
                let job = try await world.waitForEnd()
                #expect(job.status?.trials?.completed == 2)
                #expect(job.status?.conditions.first { $0.type == "TargetReady" }?.status == "True")
            }
        }
    }
}
