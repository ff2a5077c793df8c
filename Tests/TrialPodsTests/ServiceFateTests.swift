import Base
import EvalModel
import KubeCore
import Testing

@testable import TrialPods
import TrialRuntime

/// A service that dies is told apart from an agent that fails.
@Suite("Fates of trials with services")
struct ServiceFateTests {
    private static let now = PodFateTests.now

    private static func ended(_ code: Int, _ reason: String = "Error", from: Double = -45, to: Double = -20) -> PodSnapshot.Termination {
        .init(exitCode: code, reason: reason, startedAt: now.adding(seconds: from), finishedAt: now.adding(seconds: to))
    }

    /// `db` with a health check of 20 s, then `web` without one.
    private static func waiting(_ change: (inout PodSnapshot) -> Void) -> PodFate {
        let pod = PodFateTests.pod {
            $0.phase = "Pending"
            $0.trial = .waiting(reason: "PodInitializing", message: "")
            $0.collector = .waiting(reason: "PodInitializing", message: "")
            $0.services = [.init(name: "db", checkSeconds: 20), .init(name: "web")]
            change(&$0)
        }
        return PodFate.of(pod, at: now)
    }

    @Test("a service has its health check's time and 60 s to start")
    func bound() {
        func fate(runningSince seconds: Double) -> PodFate {
            Self.waiting { $0.services[0].state = .running(startedAt: Self.now.adding(seconds: seconds)) }
        }
        #expect(
            fate(runningSince: -30) == .waiting(reason: "PodInitializing", message: "service-db is not ready", recheck: Self.now.adding(seconds: 50)))
        let late = fate(runningSince: -80).end?.error
        #expect(late?.type == .environmentServiceFailed)
        #expect(late?.message == "the service \"db\": its health check did not succeed within 80 s")
        #expect(late?.isInfrastructure == true && late?.isRetryable == true)
    }

    @Test("one that failed its health check twice is not waited for, and one that ran out of memory says so")
    func twice() {
        func fate(restarts: Int, _ reason: String = "Error") -> PodFate {
            Self.waiting {
                $0.services[0].state = .waiting(reason: "CrashLoopBackOff", message: "")
                $0.services[0].last = Self.ended(137, reason)
                $0.services[0].restarts = restarts
            }
        }
        #expect(fate(restarts: 1).end == nil)
        #expect(fate(restarts: 2).end?.error?.type == .environmentServiceFailed)
        let memory = fate(restarts: 2, "OOMKilled").end?.error?.message
        #expect(memory?.contains("with 2 restarts") == true && memory?.contains("raise deploy.resources.limits.memory") == true)
    }

    @Test("its image and its container's creation have the limits of any container")
    func image() {
        let pull = Self.waiting { $0.services[0].state = .waiting(reason: "ImagePullBackOff", message: "no such image") }
        #expect(pull == .waiting(reason: "ImagePullBackOff", message: "no such image", recheck: Self.now.adding(seconds: -50 + 180)))
        let gone = Self.waiting { $0.services[0].state = .waiting(reason: "ErrImageNeverPull", message: "not here") }.end?.error
        #expect(gone?.type == .environmentImagePullFailed && gone?.message.contains("service-db") == true)
    }

    @Test("a command that the image does not have is said")
    func start() {
        let error = Self.waiting {
            $0.services[0].state = .waiting(reason: "CrashLoopBackOff", message: "")
            $0.services[0].last = .init(
                exitCode: 128, reason: "StartError", message: "exec: \"serve\": not found", finishedAt: Self.now.adding(seconds: -30))
        }.end?.error
        #expect(error?.type == .environmentServiceFailed && error?.message.contains("cannot start: exec: \"serve\": not found") == true)
    }

    @Test("a service that starts again holds up nothing when a later one has begun, nor does one without a health check that has run")
    func later() {
        let fate = Self.waiting {
            $0.services[0].state = .waiting(reason: "CrashLoopBackOff", message: "")
            $0.services[0].last = Self.ended(1)
            $0.services[0].restarts = 5
            $0.services[1].state = .running(startedAt: Self.now)
            $0.services[1].hasStarted = true
        }
        #expect(fate.end == nil)
        let crashing = Self.waiting {
            $0.services[0].state = .running(startedAt: Self.now)
            $0.services[0].hasStarted = true
            $0.services[1].state = .waiting(reason: "CrashLoopBackOff", message: "")
            $0.services[1].last = Self.ended(1)
            $0.services[1].restarts = 5
        }
        #expect(crashing.end == nil)
    }

    @Test("a one-shot service that fails is the end of its trial")
    func oneShot() {
        let fate = Self.waiting {
            $0.services = [.init(name: "seed", isServer: false)]
            $0.services[0].state = .terminated(Self.ended(3))
        }
        #expect(fate == .ended(.init(error: TrialError(.environmentServiceFailed, "the service \"seed\": it ended with 3 before the agent began"))))
        let done = Self.waiting {
            $0.services = [.init(name: "seed", isServer: false)]
            $0.services[0].state = .terminated(Self.ended(0))
        }
        #expect(done.end == nil)
    }

    // MARK: While the trial runs (-40 s to -5 s; the collector ends at -1 s)

    private static let failed = TrialReport(error: TrialError(.agentExecutionFailed, "execute exited with 1"), lastPhase: .execute)
    private static let zero = TrialReport(reward: 0, rewards: ["reward": 0], lastPhase: .verify)

    private static func judged(_ report: TrialReport, _ change: (inout PodSnapshot.Service) -> Void) -> PodFate.End? {
        var trial = PodSnapshot.Termination(exitCode: 0, reason: "Completed", finishedAt: now.adding(seconds: -5))
        trial.startedAt = now.adding(seconds: -40)
        let pod = PodFateTests.pod(trial: .terminated(trial), report: report) {
            $0.services = [.init(name: "db")]
            $0.services[0].state = .running(startedAt: now.adding(seconds: -45))
            $0.services[0].hasStarted = true
            change(&$0.services[0])
        }
        return PodFate.of(pod, at: now).end
    }

    @Test("a failed trial whose service died has the service's error")
    func died() {
        let end = Self.judged(Self.failed) { $0.last = Self.ended(139) }
        #expect(end?.error?.type == .environmentServiceFailed)
        #expect(
            end?.error?.message
                == "the service \"db\": it ended with 139 while the trial ran; the trial then ended with agent_execution_failed: execute exited with 1"
        )
        let tests = Self.judged(Self.zero) { $0.last = Self.ended(1) }
        #expect(tests?.error?.type == .environmentServiceFailed && tests?.outcome.reward == nil)
        #expect(tests?.error?.message.hasSuffix("the trial then failed its tests") == true)
        // It has ended, and is not started again yet.
        #expect(Self.judged(Self.failed) { $0.state = .terminated(Self.ended(1)) }?.error?.type == .environmentServiceFailed)
    }

    @Test("a trial that passed keeps its reward, and an agent that failed by itself its error")
    func untouched() {
        #expect(Self.judged(PodFateTests.passed) { $0.last = Self.ended(1) }?.outcome.isPass == true)
        #expect(Self.judged(Self.failed) { _ in }?.error?.type == .agentExecutionFailed)
        // It ended in order, before the trial, or after the collector.
        #expect(Self.judged(Self.failed) { $0.last = Self.ended(0, "Completed") }?.error?.type == .agentExecutionFailed)
        #expect(Self.judged(Self.failed) { $0.last = Self.ended(1, to: -41) }?.error?.type == .agentExecutionFailed)
        #expect(Self.judged(Self.failed) { $0.state = .terminated(Self.ended(143, to: -1)) }?.error?.type == .agentExecutionFailed)
        #expect(Self.judged(Self.zero) { _ in }?.outcome.reward?.value == 0)
    }

    @Test("a pod's services are read from its spec and status")
    func project() throws {
        let object: JSONValue = [
            "metadata": ["name": "p"],
            "spec": [
                "initContainers": [
                    ["name": "repo-cache", "image": "assay:1"],
                    [
                        "name": "service-db", "image": "postgres:17", "restartPolicy": "Always",
                        "startupProbe": ["periodSeconds": 2, "failureThreshold": 5, "timeoutSeconds": 3],
                    ],
                    ["name": "service-seed", "image": "seed:1"],
                ]
            ],
            "status": [
                "initContainerStatuses": [
                    [
                        "name": "service-db", "restartCount": 2, "started": true, "imageID": "id",
                        "state": ["running": ["startedAt": "2026-01-01T00:00:00Z"]],
                        "lastState": ["terminated": ["exitCode": 1, "reason": "Error"]],
                    ]
                ]
            ],
        ]
        let pod = try #require(PodSnapshot.project(try JSONValue(parsing: object.serialized(), keeping: PodSnapshot.projection.json)))
        #expect(pod.services.map(\.name) == ["db", "seed"] && pod.services.map(\.isServer) == [true, false])
        #expect(pod.services[0].checkSeconds == 13 && pod.services[0].restarts == 2 && pod.services[0].last?.exitCode == 1 && pod.services[0].isReady)
        #expect(pod.images[.service("seed")] == "seed:1" && pod.imageIDs[.service("db")] == "id")
    }
}
