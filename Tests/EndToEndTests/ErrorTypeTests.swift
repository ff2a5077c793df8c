import AssayAPI
import Base
import EvalModel
import Foundation
import Glibc
import KubeCore
import Subprocess
import Testing
import TrialRuntime

extension EndToEnd {
    /// The error types that no trial brings about by itself. docs/reliability.md has the tests of all others.
    @Suite struct ErrorTypeTests {
        /// What a cluster says of a pod whose trial is lost, and what becomes of the trial.
        private struct Loss {
            var task: String
            var status: JSONValue
            var error: TrialErrorTypeName
            var reward: Double?

            enum TrialErrorTypeName: String {
                case evicted = "environment_evicted"
                case nodeLost = "environment_node_lost"
                case noRoom = "environment_resource_allocation_failed"
                case unknown = "internal_error"
                case truncated = "artifact_truncated"
                case unsynced = "source_sync_failed"
            }
        }

        private static let started = "2026-01-01T00:00:00Z"

        private static func ended(_ name: String, exit: Int, message: String? = nil) -> JSONValue {
            var state: JSONValue = [
                "exitCode": JSONValue(exit), "reason": exit == 0 ? "Completed" : "Error", "startedAt": .string(started),
                "finishedAt": .string(started),
            ]
            if let message { state["message"] = .string(message) }
            return ["name": .string(name), "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": ["terminated": state]]
        }

        private static let losses: [Loss] = [
            Loss(
                task: "evicted", status: ["phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory. "],
                error: .evicted),
            Loss(
                task: "lost",
                status: [
                    "phase": "Failed",
                    "conditions": [
                        ["type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC", "message": "PodGC: node no longer exists"]
                    ],
                ], error: .nodeLost),
            Loss(
                task: "refused",
                status: ["phase": "Failed", "reason": "OutOfcpu", "message": "Pod was rejected: Node didn't have enough resource: cpu"],
                error: .noRoom),
            Loss(
                task: "silent", status: ["phase": "Failed", "containerStatuses": [ended("trial", exit: 0), ended("collector", exit: 1)]],
                error: .unknown),
            Loss(
                task: "cut",
                status: [
                    "phase": "Succeeded",
                    "containerStatuses": [
                        ended("trial", exit: 0),
                        ended(
                            "collector", exit: 0,
                            message:
                                #"{"version":1,"reward":1,"rewards":{"reward":1},"trialDied":false,"interrupted":false,"lastPhase":"verify","pack":{"sha256":"\#(String(repeating: "a", count: 64))","bytes":5000000,"tree":"\#(String(repeating: "b", count: 40))"}}"#
                        ),
                    ],
                ], error: .truncated, reward: 1),
        ]

        /// Runs the delivery of a pod whose source has gone; returns how its container ends, as a node reports it.
        private static func deliveryWithoutItsSource(_ bench: Workbench) async throws -> JSONValue {
            let program = PodProgram(
                family: .harbor,
                delivery: .init(
                    source: .init(repo: "file://\(bench.directory)/gone", commit: String(repeating: "a", count: 40)), taskPath: "tasks/unsynced",
                    solution: true),
                steps: [
                    .init(name: "main", instruction: "instruction.md", tests: "tests", limits: .init(installSec: 1, executeSec: 1, verifySec: 1))
                ],
                verifier: .init(), instructionPath: "/tmp/instruction.md", gateTimeoutSec: 1, packLimitBytes: 1)
            try bench.write("delivery/tmp/x", "")
            let root = "\(bench.directory)/delivery"
            let result = try await Command(
                Workbench.executable(), ["repo-cache"],
                environment: .exact([
                    "ASSAY_ROOT": root, "ASSAY_TERMINATION_LOG": "\(root)/termination", "TMPDIR": "\(root)/tmp",
                    "ASSAY_PROGRAM": String(decoding: try program.json, as: UTF8.self), "PATH": "/usr/bin:/bin",
                ])
            ).run()
            guard case .code(let code) = result.exit else { throw Unexpected(description: "delivery: \(result.exit) \(result.stderrText)") }
            return ended("repo-cache", exit: Int(code), message: try bench.read("delivery/termination"))
        }

        private struct Unexpected: Error, CustomStringConvertible {
            let description: String
        }

        /// The test stands in for kubelet, node controller and scheduler, whose words are those of Kubernetes 1.36.
        @Test func whatAClusterSaysOfAPodBecomesATypedError() async throws {
            let bench = try Workbench("losses")
            let unsynced = Loss(
                task: "unsynced",
                status: ["phase": "Failed", "initContainerStatuses": [try await Self.deliveryWithoutItsSource(bench)]],
                error: .unsynced)
            let losses = Self.losses + [unsynced]
            for loss in losses { try bench.task(loss.task) }
            try await bench.commitBenchmark()
            let cluster = try await ClusterProcesses.start(in: bench, node: "none")
            let worker = try await cluster.startOperator()
            try await cluster.create("job.yaml", name: "losses", results: "losses.git") { job in
                job.set(["spec", "datasets"], to: [["path": "tasks", "name": "tasks"]])
                job.set(["spec", "parallelism"], to: JSONValue(losses.count))
                job.set(["spec", "retry"], to: ["maxAttempts": 1])
            }
            try await eventually("each trial has a pod") { try await cluster.pods().count == losses.count }
            for pod in try await cluster.pods() {
                let key = try #require(ObjectKey(of: pod))
                let loss = try #require(losses.first { $0.task == pod.at("metadata", "annotations", "assay.dev/task")?.string })
                var status = loss.status
                status["startTime"] = .string(Self.started)
                try await cluster.client.patch(.pods, key, .merge(["status": status]), subresource: "status")
            }
            try await eventually("the job is over", seconds: 600) {
                try await cluster.job("losses").at("status", "completionTime") != nil
            }
            let branch = try await bench.branch(of: "\(bench.directory)/losses.git")
            for loss in losses {
                let run = try #require(branch.runs(task: loss.task).first, "\(loss.task)")
                #expect(run.at("error", "type")?.string == loss.error.rawValue && run["reward"]?.double == loss.reward, "\(run.text)")
                #expect(run["outcome"]?.string == (loss.reward == nil ? "infrastructure" : "completed"), "\(run.text)")
            }
            worker.signal(SIGTERM)
            _ = await worker.wait()
            await cluster.stop()
            await bench.remove()
        }

        @Test func aTrialThatIsStoppedIsCancelled() async throws {
            let bench = try Workbench("stopped")
            try bench.task("slow", toml: "[agent]\ntimeout_sec = 900.0\n")
            try await bench.commitBenchmark()
            let cluster = try await ClusterProcesses.start(in: bench)
            let worker = try await cluster.startOperator()
            try await cluster.create("job.yaml", name: "stopped", results: "stopped.git") { job in
                job.set(["spec", "datasets"], to: [["path": "tasks"]])
                job.set(["spec", "agents"], to: [["name": "sleeper", "execute": "sleep 800"]])
            }
            try await eventually("the trial runs", seconds: 180) { try await cluster.job("stopped").at("status", "trials", "running")?.int == 1 }
            let key = ObjectKey(namespace: "default", name: "stopped")
            _ = try await cluster.client.patch(EvalJob.resource, key, .merge(["spec": ["cancel": true]]))
            try await eventually("the job is over", seconds: 180) { try await cluster.job("stopped").at("status", "completionTime") != nil }
            let branch = try await bench.branch(of: "\(bench.directory)/stopped.git")
            #expect(branch.errorType(task: "slow") == "cancelled" && branch.runs(task: "slow").first?["outcome"] == "skipped", "\(branch.runs)")
            worker.signal(SIGTERM)
            _ = await worker.wait()
            await cluster.stop()
            await bench.remove()
        }

        /// The list of tasks has no name of its own: it is `tasks` in the records.
        @Test func aTaskThatIsNotThereIsTold() async throws {
            try await Workbench.with("not-found") { bench in
                try bench.task("one")
                try await bench.commitBenchmark()
                try bench.write(
                    "job.yaml",
                    JobFiles.job("absent", datasets: "[{tasks: [{name: absent, path: tasks/absent}, {name: one, path: tasks/one}]}]"))
                try await bench.assay("run", "job.yaml")
                let branch = try await bench.branch()
                #expect(branch.errorType(task: "absent") == "task_not_found" && branch.runs(task: "absent").first?["outcome"] == "infrastructure")
                let run = try #require(branch.runs(task: "one").first)
                #expect(run["reward"]?.double == 1 && run["dataset"] == "tasks", "\(run.text)")
            }
        }
    }
}
