import AssayAPI
import Base
import EvalModel
import KubeCore
import Testing

@testable import TrialPods
@testable import TrialRuntime

/// The pod of a trial with a verifier of its own, and what its states mean.
@Suite("Pods with a separate verifier")
struct SeparateVerifierTests {
    private typealias Builder = TrialPodBuilderTests

    private static func separate(_ request: inout TrialPodRequest) { request.jobSpec.verifier.environmentMode = .separate }

    @Test("nothing that the trial can write is mounted in the verifier, and no test in the trial")
    func mounts() throws {
        let pod = try Builder.pod {
            Self.separate(&$0)
            $0.task.artifacts = [TaskArtifact(source: "/app")]
        }
        #expect(
            Builder.mounts(try Builder.container(pod, "trial")) == [
                "gate=/assay/gate", "logs=/logs", "offered=/assay/offered", "scripts=/assay/scripts ro",
            ])
        #expect(
            Builder.mounts(try Builder.container(pod, "verifier")) == [
                "accepted=/assay/accepted ro", "scripts=/assay/scripts ro", "tests=/tests", "verifier-gate=/assay/verifier-gate",
                "verifier-logs=/logs/verifier",
            ])
        let collector = Builder.mounts(try Builder.container(pod, "collector"))
        #expect(collector.contains("offered=/assay/offered ro") && collector.contains("accepted=/assay/accepted"))
        #expect(collector.contains("verifier-logs=/assay/verifier-logs ro") && collector.contains("verifier-gate=/assay/verifier-gate"))
        let names = pod.at("spec", "containers")?.array?.compactMap { $0["name"]?.string }
        #expect(names == ["trial", "verifier", "collector"])
        #expect(pod.serialized().count < 6 * 1024, "\(pod.serialized().count) bytes")
        #expect(try Builder.container(pod, "verifier").at("command") == ["bash", "-p", "/assay/scripts/verifier/0/run.sh"])
    }

    @Test("the tests that an image brings are not mounted over")
    func bundled() throws {
        let pod = try Builder.pod { $0.task.verifier.environment = TaskEnvironment(dockerImage: "judge:1", workdir: "/judge") }
        let verifier = try Builder.container(pod, "verifier")
        #expect(verifier["image"] == "judge:1" && verifier["workingDir"] == "/judge")
        #expect(!Builder.mounts(verifier).contains { $0.hasPrefix("tests=") })
        let built = try Builder.pod {
            Self.separate(&$0)
            $0.task.verifier.hasDockerfile = true
            $0.builtImages = [.verifier(0): "localhost/v@sha256:1"]
        }
        #expect(try Builder.container(built, "verifier")["image"] == "localhost/v@sha256:1")
        #expect(throws: TrialError.self) {
            try Builder.pod {
                Self.separate(&$0)
                $0.task.verifier.hasDockerfile = true
            }
        }
    }

    @Test("resources: only what it needs beyond the trial's is requested, and its limits are its own")
    func resources() throws {
        let pod = try Builder.pod {
            $0.task.environment.cpus = 2
            $0.task.verifier.environment = TaskEnvironment(dockerImage: "v", cpus: 1.5, memoryMB: 5000, storageMB: 3000)
        }
        let resources = try Builder.container(pod, "verifier")["resources"]
        #expect(resources?["requests"] == ["cpu": "0", "memory": "2952Mi"])
        #expect(resources?["limits"] == ["memory": "5000Mi", "ephemeral-storage": "3000Mi"])
        let part = try #require(Builder.env(try Builder.container(pod, "repo-cache"))[TrialVariables.program]?.string)
        let program = try PodProgram(json: Builder.expanded(part).utf8, from: "test")
        #expect(program.handoverLimitBytes == (3000 << 20) / 2)
    }

    @Test("its environment is its own container's, and large ones come from a ConfigMap")
    func environment() throws {
        let change: (inout TrialPodRequest) -> Void = {
            Self.separate(&$0)
            $0.task.environment.env = ["A": "1", "B": "2"]
            $0.task.verifier.env = ["B": "$x", "PATH": "/bin"]
        }
        let pod = try Builder.pod(change)
        let env = Builder.env(try Builder.container(pod, "verifier"))
        #expect(env["A"] == "1" && env["B"]?.string.map(Builder.expanded) == "$x" && env[TrialVariables.phasePath] == "/bin" && env["PATH"] == nil)
        #expect(!Builder.env(try Builder.container(pod, "repo-cache")).keys.contains(TrialVariables.verifierEnvironment))
        let large: (inout TrialPodRequest) -> Void = {
            change(&$0)
            $0.task.verifier.env["LARGE"] = String(repeating: "x", count: 5000)
        }
        let map = try #require(Builder.request(large).shared.configMaps.first { $0.data["LARGE"] != nil })
        #expect(try Builder.container(try Builder.pod(large), "verifier").at("envFrom")?.array?.first?.at("configMapRef", "name")?.string == map.name)
    }

    @Test("a job that has no verification has no verifier, whatever its tasks say")
    func disabled() throws {
        let pod = try Builder.pod {
            Self.separate(&$0)
            $0.jobSpec.verifier.disable = true
        }
        #expect(pod.at("spec", "containers")?.array?.count == 2)
    }

    @Test("steps: each has a verifier of its own, with its image, its variables and its folders")
    func steps() throws {
        let pod = try Builder.pod {
            Self.separate(&$0)
            $0.task.verifier.env = ["A": "1", "B": "2"]
            $0.task.environment.memoryMB = 1000
            $0.task.steps = [
                TaskStep(name: "one", artifacts: [TaskArtifact(source: "/app")]),
                TaskStep(
                    name: "two",
                    verifier: TaskVerifier(
                        env: ["B": "3"], user: "judge", environment: TaskEnvironment(dockerImage: "judge:1", memoryMB: 3000, env: ["C": "4"]),
                        collect: [.init(command: "true")])),
                TaskStep(name: "three", verifier: TaskVerifier(hasDockerfile: true)),
            ]
            $0.builtImages = [.verifier(2): "localhost/three@sha256:1"]
        }
        let names = pod.at("spec", "containers")?.array?.compactMap { $0["name"]?.string }
        #expect(names == ["trial", "verifier", "verifier-2", "verifier-3", "collector"])
        let verifiers = try ["verifier", "verifier-2", "verifier-3"].map { try Builder.container(pod, $0) }
        #expect(
            verifiers.map { $0["image"]?.string } == [try Builder.container(pod, "trial")["image"]?.string, "judge:1", "localhost/three@sha256:1"])
        for (step, verifier) in verifiers.enumerated() {
            let folders = (verifier["volumeMounts"]?.array ?? []).filter { $0["name"] != "scripts" }.map { $0["subPath"]?.string }
            #expect(folders == Array(repeating: String(step), count: step == 0 ? 4 : 3))
            #expect(verifier.at("command") == ["bash", "-p", .string("/assay/scripts/verifier/\(step)/run.sh")])
        }
        #expect(Builder.env(verifiers[0]) == ["A": "1", "B": "2"] && Builder.env(verifiers[1]) == ["A": "1", "B": "3", "C": "4"])
        #expect(verifiers.map { $0.at("securityContext", "runAsUser")?.int } == [nil, 0, nil])
        // The trial's container is there while the verifiers of all but the last step work.
        #expect(verifiers.map { $0.at("resources", "requests", "memory")?.string } == ["3000Mi", "0Mi", "0Mi"])
        let part = try #require(Builder.env(try Builder.container(pod, "repo-cache"))[TrialVariables.program]?.string)
        let program = try PodProgram(json: Builder.expanded(part).utf8, from: "test")
        #expect(program.verifier.separate?.bringsTests == [false, true, true])
        #expect(program.steps.map { $0.artifacts?.count } == [1, nil, nil] && program.steps.map { $0.collect?.count } == [nil, 1, nil])
    }

    // MARK: Fates

    private static let now = PodFateTests.now

    private static func pod(_ verifier: PodSnapshot.State?, report: TrialReport? = nil, trial: PodSnapshot.State? = nil) -> PodSnapshot {
        PodFateTests.pod(trial: trial, report: report) {
            $0.images = [.trial: "t", .verifier(0): "v"]
            $0.containers[.verifier(0)] = verifier
        }
    }

    @Test("catalogue 72: a verifier's image that is gone: typed, an infrastructure failure, within its time")
    func imageGone() {
        for (reason, seconds) in [("ErrImagePull", 180.0), ("ImagePullBackOff", 180), ("ErrImageNeverPull", 20)] {
            let pod = Self.pod(.waiting(reason: reason, message: "no such image"))
            guard case .waiting = PodFate.of(pod, at: Self.now.adding(seconds: -49)) else {
                Issue.record("\(reason) is not waited for")
                continue
            }
            guard case .stuck(let end) = PodFate.of(pod, at: Self.now.adding(seconds: seconds)) else {
                Issue.record("\(reason) is waited for too long")
                continue
            }
            #expect(end.error?.type == .environmentImagePullFailed && end.error?.isInfrastructure == true)
            #expect(end.error?.message == "verifier: \(reason): no such image")
        }
    }

    @Test("a verifier without bash is the task's fault")
    func noBash() {
        let failed = PodSnapshot.State.terminated(
            .init(exitCode: 128, reason: "StartError", message: "exec: \"bash\": executable file not found in $PATH"))
        let end = PodFate.of(Self.pod(failed), at: Self.now).end
        #expect(
            end?.error?.type == .taskInvalid && end?.error?.message.contains("the verifier's image has no bash") == true, "\(String(describing: end))"
        )
    }

    @Test("the slot is free when trial, verifier and collector have ended")
    func slot() {
        let report = TrialReport(reward: 1, rewards: ["reward": 1], lastPhase: .execute)
        var pod = Self.pod(.running(startedAt: Self.now), report: report, trial: PodFateTests.ended(0, "Completed"))
        #expect(!pod.containersEnded)
        pod.containers[.verifier(0)] = PodFateTests.ended(0, "Completed")
        #expect(pod.containersEnded)
        #expect(PodFateTests.pod(trial: PodFateTests.ended(0), report: report).containersEnded, "in shared mode there is no verifier")
    }

    @Test("while the verifier works, a trial that has ended is no sign of a lost node")
    func longVerification() {
        var pod = Self.pod(.running(startedAt: Self.now), trial: PodFateTests.ended(0, "Completed"))
        #expect(PodFate.of(pod, at: Self.now.adding(seconds: 3600)) == .running(recheck: nil))
        pod.containers[.verifier(0)] = PodFateTests.ended(0, "Completed")
        #expect(PodFate.of(pod, at: Self.now.adding(seconds: 3600)).end?.error?.type == .environmentNodeLost)
    }

    @Test("a verifier that ran out of memory is an outcome of verification")
    func verifierOutOfMemory() {
        let report = TrialReport(
            error: TrialError(.verifierFailed, "the verifier's container ended before its time, during verify"), lastPhase: .execute)
        let end = PodFate.of(Self.pod(PodFateTests.ended(137, "OOMKilled"), report: report, trial: PodFateTests.ended(0)), at: Self.now).end
        #expect(end?.error?.type == .verifierFailed && end?.error?.message.contains("the verifier ran out of its memory limit (OOMKilled)") == true)
    }

    @Test("a trial that was killed keeps the reward that its verifier gave, with the agent's error beside it")
    func killedTrial() {
        var report = TrialReport(
            reward: 1, rewards: ["reward": 1], error: TrialError(.agentExecutionFailed, "ended before its time"), lastPhase: .execute, trialDied: true
        )
        let verifier = PodFateTests.ended(0, "Completed")
        let end = PodFate.of(Self.pod(verifier, report: report, trial: PodFateTests.ended(137, "OOMKilled")), at: Self.now).end
        #expect(end?.outcome.reward?.value == 1 && end?.error?.type == .agentExecutionFailed)
        #expect(end?.error?.message.contains("OOMKilled") == true)
        report.reward = nil
        report.rewards = [:]
        let other = PodFate.of(Self.pod(verifier, report: report, trial: PodFateTests.ended(137, "OOMKilled")), at: Self.now).end
        #expect(other?.error?.message.contains("OOMKilled") == true && other?.outcome.reward == nil)
    }
}
