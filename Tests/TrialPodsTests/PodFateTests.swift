import Base
import EvalModel
import KubeCore
import Testing
import TrialRuntime
import TrialPods

/// Fates that depend on a collector's report, or that a single node cannot produce.
@Suite("Fates with reports")
struct PodFateTests {
    static let now = Timestamp(seconds: 1_800_000_000)

    static func pod(
        trial: PodSnapshot.State? = nil, report: TrialReport? = nil, message: String? = nil,
        change: (inout PodSnapshot) -> Void = { _ in }
    ) -> PodSnapshot {
        var pod = PodSnapshot(
            metadata: ObjectMeta(name: "p", namespace: "n", uid: "u", creationTimestamp: now.adding(seconds: -60)),
            phase: "Running", nodeName: "node1", startTime: now.adding(seconds: -60))
        pod.delivery = .terminated(.init(exitCode: 0, reason: "Completed", finishedAt: now.adding(seconds: -50)))
        pod.trial = trial ?? .running(startedAt: now.adding(seconds: -40))
        pod.collector = .running(startedAt: now.adding(seconds: -40))
        if let text = message ?? report.map({ String(decoding: $0.terminationMessage(), as: UTF8.self) }) {
            pod.collector = .terminated(
                .init(exitCode: 0, reason: "Completed", message: text, finishedAt: now.adding(seconds: -1)))
        }
        change(&pod)
        return pod
    }

    static func ended(_ code: Int, _ reason: String = "Error", message: String = "") -> PodSnapshot.State {
        .terminated(.init(exitCode: code, reason: reason, message: message, finishedAt: now.adding(seconds: -5)))
    }

    static let passed = TrialReport(reward: 1, rewards: ["reward": 1], lastPhase: .verify)

    @Test("a verdict takes precedence over the pod's phase")
    func verdict() {
        for phase in ["Running", "Succeeded", "Failed", "Unknown"] {
            let pod = Self.pod(trial: Self.ended(0, "Completed"), report: Self.passed) { $0.phase = phase }
            guard case .ended(let end) = PodFate.of(pod, at: Self.now) else {
                Issue.record("\(phase) is no end")
                continue
            }
            #expect(end.error == nil)
            #expect(end.outcome.reward?.value == 1)
        }
    }

    @Test("a reward stays beside the error of an agent that the kernel killed for memory", arguments: ["Completed", "OOMKilled"])
    func killedAgentWithReward(_ reason: String) {
        var report = Self.passed
        report.error = TrialError(.agentExecutionFailed, "execute exited with 137")
        report.exitCodes = ["execute": 137, "verify": 0]
        let end = PodFate.of(Self.pod(trial: Self.ended(0, reason), report: report), at: Self.now).end
        #expect(end?.outcome.reward?.value == 1 && end?.outcome.outcomeClass == .completed)
        #expect(end?.error?.type == .agentExecutionFailed && end?.error?.message.contains("OOMKilled") == (reason == "OOMKilled"))
    }

    @Test("a script that was killed for memory while its runner survived is reported as out of memory")
    func killedScript() {
        var report = TrialReport(error: TrialError(.agentExecutionFailed, "execute exited with 137"), lastPhase: .execute)
        report.exitCodes = ["execute": 137]
        let end = PodFate.of(Self.pod(trial: Self.ended(0, "OOMKilled"), report: report), at: Self.now).end
        #expect(end?.error?.type == .agentExecutionFailed)
        #expect(end?.error?.message.contains("OOMKilled") == true)
        #expect(PodFate.of(Self.pod(report: report), at: Self.now) == .running(recheck: Self.now.adding(seconds: 14)), "its end is not known yet")
        let other = PodFate.of(Self.pod(trial: Self.ended(0, "Completed"), report: report), at: Self.now).end
        #expect(other?.error?.message == "execute exited with 137")
    }

    @Test("a trial container whose runner never began is waited for less long than a collector that packs")
    func neverTheRunner() {
        let pod = Self.pod(trial: Self.ended(1, message: "exec format error"))
        #expect(PodFate.of(pod, at: Self.now) == .running(recheck: Self.now.adding(seconds: 25)))
        guard case .stuck(let end) = PodFate.of(pod, at: Self.now.adding(seconds: 25)) else {
            Issue.record("it is not stuck")
            return
        }
        #expect(end.error?.type == .environmentStartFailed)
        #expect(end.error?.message.contains("exec format error") == true)
        #expect(
            PodFate.of(Self.pod(trial: Self.ended(0, "Completed")), at: Self.now.adding(seconds: 60)).end == nil, "a collector may pack for a while")
    }

    @Test("catalogue 21: a pod that succeeded and was then evicted is a success only with a report")
    func evictedAfterwards() {
        let evicted: (inout PodSnapshot) -> Void = {
            $0.phase = "Failed"
            $0.reason = "Evicted"
            $0.message = "The node was low on resource: memory."
        }
        let with = PodFate.of(Self.pod(trial: Self.ended(0, "Completed"), report: Self.passed, change: evicted), at: Self.now)
        #expect(with.end?.outcome.reward?.value == 1)
        let without = PodFate.of(Self.pod(trial: Self.ended(0, "Completed"), message: "", change: evicted), at: Self.now)
        #expect(without.end?.error?.type == .environmentEvicted)
        let wiped = PodFate.of(
            Self.pod(change: {
                evicted(&$0)
                $0.trial = nil
                $0.collector = nil
            }), at: Self.now)
        #expect(wiped.end?.error?.type == .environmentEvicted)
        let succeeded = PodFate.of(Self.pod(trial: Self.ended(0, "Completed"), message: "{\"reward\":1}"), at: Self.now)
        #expect(succeeded.end?.error?.type == .internalError)
        #expect(succeeded.end?.outcome.reward == nil)
    }

    @Test("catalogue 22: an init container that runs out of memory, and one with a typed error")
    func initContainer() {
        let oom = Self.pod {
            $0.delivery = Self.ended(137, "OOMKilled")
            $0.trial = .waiting(reason: "PodInitializing", message: "")
            $0.collector = .waiting(reason: "PodInitializing", message: "")
            $0.phase = "Pending"
        }
        #expect(PodFate.of(oom, at: Self.now).end?.error?.type == .sourceSyncFailed)
        #expect(PodFate.of(oom, at: Self.now).end?.error?.message.contains("OOMKilled") == true)
        var typed = oom
        typed.delivery = Self.ended(
            1, message: #"{"error":{"type":"task_not_found","message":"no task at tasks/x in 0123"}}"#)
        #expect(PodFate.of(typed, at: Self.now).end?.error == TrialError(.taskNotFound, "no task at tasks/x in 0123"))
        typed.delivery = Self.ended(1, message: #"{"error":{"type":"never_heard_of","message":"x"}}"#)
        #expect(PodFate.of(typed, at: Self.now).end?.error?.type == .sourceSyncFailed)
    }

    struct Death: Sendable {
        var phase: TrialPhase?
        var type: TrialErrorType
    }

    @Test(
        "running out of memory is an outcome of the phase",
        arguments: [
            Death(phase: .install, type: .agentInstallFailed), Death(phase: .execute, type: .agentExecutionFailed),
            Death(phase: .verify, type: .verifierFailed), Death(phase: .setup, type: .environmentStartFailed),
        ])
    func outOfMemory(_ death: Death) {
        let report = TrialReport(
            error: TrialError(.agentExecutionFailed, "the collector's own guess"), lastPhase: death.phase, trialDied: true)
        let end = PodFate.of(Self.pod(trial: Self.ended(137, "OOMKilled"), report: report), at: Self.now).end
        #expect(end?.error?.type == death.type)
        #expect(end?.error?.message.contains("OOMKilled") == true)
        #expect(end?.report != nil)
    }

    @Test("when the trial died, its status is waited for, for a short time")
    func settling() {
        let report = TrialReport(error: TrialError(.agentExecutionFailed, "died"), lastPhase: .execute, trialDied: true)
        let pod = Self.pod(report: report)
        guard case .running(let recheck) = PodFate.of(pod, at: Self.now) else {
            Issue.record("did not wait")
            return
        }
        #expect(recheck == Self.now.adding(seconds: 14))
        #expect(PodFate.of(pod, at: Self.now.adding(seconds: 20)).end?.error == TrialError(.agentExecutionFailed, "died"))
    }

    struct Interruption: Sendable {
        var reason: String
        var message: String
        var phase: TrialPhase
        var type: TrialErrorType
    }

    @Test(
        "an interrupted collector reports the phase, and the pod's status the reason",
        arguments: [
            Interruption(
                reason: "Evicted", message: "Usage of EmptyDir volume \"logs\" exceeds the limit \"10Mi\". ", phase: .verify,
                type: .verifierFailed),
            Interruption(
                reason: "Evicted", message: "Container trial exceeded its local ephemeral storage limit \"1Gi\". ",
                phase: .install, type: .agentInstallFailed),
            Interruption(
                reason: "Evicted", message: "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ",
                phase: .execute, type: .agentExecutionFailed),
            Interruption(
                reason: "Evicted", message: "The node was low on resource: ephemeral-storage.", phase: .execute,
                type: .environmentEvicted),
            Interruption(reason: "DeadlineExceeded", message: "", phase: .execute, type: .agentExecutionTimeout),
            Interruption(reason: "DeadlineExceeded", message: "", phase: .install, type: .agentInstallTimeout),
            Interruption(reason: "DeadlineExceeded", message: "", phase: .verify, type: .verifierTimeout),
            Interruption(reason: "Terminated", message: "node shutdown", phase: .execute, type: .environmentEvicted),
        ])
    func interruption(_ it: Interruption) {
        let report = TrialReport(lastPhase: it.phase, interrupted: true)
        let pod = Self.pod(trial: Self.ended(143), report: report) {
            $0.phase = "Failed"
            $0.reason = it.reason
            $0.message = it.message
        }
        let end = PodFate.of(pod, at: Self.now).end
        #expect(end?.error?.type == it.type, "\(String(describing: end?.error))")
    }

    @Test("a stop that nobody requested is a failure of the phase")
    func stopped() {
        let report = TrialReport(lastPhase: .execute, interrupted: true)
        let end = PodFate.of(Self.pod(trial: Self.ended(143), report: report), at: Self.now).end
        #expect(end?.error?.type == .agentExecutionFailed)
    }

    @Test("an image without bash is an error of the task, with the message of any runtime; another missing command is not")
    func noBash() {
        let words = [
            "exec: \"bash\": executable file not found in $PATH",
            "crun: executable file `bash` not found in $PATH: No such file or directory: OCI runtime attempted to invoke a "
                + "command that was not found",
            "exec: \"/bin/bash\": stat /bin/bash: no such file or directory: unknown",
        ]
        for text in words {
            let pod = Self.pod(trial: Self.ended(128, "StartError", message: text))
            guard case .stuck(let end) = PodFate.of(pod, at: Self.now) else {
                Issue.record("the collector waits without end, so the pod must be ended")
                continue
            }
            #expect(end.error?.type == .taskInvalid)
            #expect(end.error?.message.contains("bash") == true)
        }
        let other = Self.pod(trial: Self.ended(128, "StartError", message: "exec format error"))
        #expect(PodFate.of(other, at: Self.now).end?.error?.type == .environmentStartFailed)
    }

    @Test("the pod's status explains a gate that never opened, if it can")
    func neverOpened() {
        let report = TrialReport(error: TrialError(.environmentStartFailed, "did not start within 10 s"))
        let image = Self.pod(trial: .waiting(reason: "ImagePullBackOff", message: "Back-off"), report: report)
        #expect(PodFate.of(image, at: Self.now).end?.error?.type == .environmentImagePullFailed)
        let nothing = Self.pod(trial: .waiting(reason: "ContainerCreating", message: ""), report: report)
        #expect(PodFate.of(nothing, at: Self.now).end?.error?.type == .environmentStartFailed)
    }

    @Test("a collector that does not end after its trial is stopped waiting for")
    func silentCollector() {
        let pod = Self.pod(trial: Self.ended(0, "Completed"))
        guard case .running(let recheck) = PodFate.of(pod, at: Self.now) else {
            Issue.record("not running")
            return
        }
        #expect(recheck == Self.now.adding(seconds: 595))
        #expect(PodFate.of(pod, at: Self.now.adding(seconds: 600)).end?.error?.type == .environmentNodeLost)
        let crashed = Self.pod { $0.collector = Self.ended(137, "OOMKilled") }
        #expect(PodFate.of(crashed, at: Self.now).end?.error?.type == .internalError)
    }

    @Test("a lost node, in each form in which it is reported")
    func nodeLost() {
        let taint = Self.pod {
            $0.metadata.deletionTimestamp = Self.now.adding(seconds: -10)
        }
        #expect(PodFate.of(taint, at: Self.now).end == nil)
        #expect(PodFate.of(taint, at: Self.now.adding(seconds: 200)).end?.error?.type == .environmentNodeLost)
        let unknown = Self.pod {
            $0.phase = "Unknown"
            $0.ready = .init(isTrue: false, reason: "Whatever", since: Self.now)
        }
        #expect(PodFate.of(unknown, at: Self.now.adding(seconds: 119)).end == nil)
        #expect(PodFate.of(unknown, at: Self.now.adding(seconds: 120)).end?.error?.type == .environmentNodeLost)
        let collected = Self.pod {
            $0.phase = "Failed"
            $0.disruption = .init(isTrue: true, reason: "DeletionByPodGC", message: "node gone")
        }
        #expect(PodFate.of(collected, at: Self.now).end?.error?.type == .environmentNodeLost)
    }

    @Test("a running pod is left alone")
    func running() {
        #expect(PodFate.of(Self.pod(), at: Self.now) == .running(recheck: nil))
    }
}
