import AssayAPI
import Base
import EvalModel
import Testing
import TrialPods
import TrialRuntime

@Suite("Agents that come in an image")
struct AgentImageTests {
    @Test("an init container of the image copies /opt/agent to where the trial finds it, read-only")
    func pod() throws {
        let pod = try TrialPodBuilderTests.pod { $0.agent.image = "agents/packed:1" }
        let containers = pod.at("spec", "initContainers")?.array ?? []
        #expect(containers.map { $0["name"]?.string } == ["repo-cache", "agent"])
        #expect(containers.last?["image"]?.string == "agents/packed:1")
        #expect(containers.last?["command"] == ["cp", "-RPp", "/opt/agent/.", "/assay/agent-files/"])
        #expect(TrialPodBuilderTests.mounts(try TrialPodBuilderTests.container(pod, "trial")).contains("agent-files=/opt/agent ro"))
        #expect(!TrialPodBuilderTests.mounts(try TrialPodBuilderTests.container(pod, "collector")).contains { $0.contains("agent-files") })
    }

    @Test("the oracle has none, nor has an agent without an image")
    func none() throws {
        for pod in [try TrialPodBuilderTests.pod(), try TrialPodBuilderTests.pod { $0.agent = AgentSpec(name: "oracle", image: "agents/packed:1") }] {
            #expect(pod.at("spec", "initContainers")?.array?.count == 1)
            #expect(!pod.text.contains("agent-files"))
        }
    }

    @Test(
        "how it fails",
        arguments: [
            (
                PodSnapshot.Termination(exitCode: 1, reason: "Error", message: "cp: cannot stat '/opt/agent/.': No such file or directory"),
                TrialErrorType.taskInvalid
            ),
            (.init(exitCode: 128, reason: "StartError", message: "exec: \"cp\": executable file not found in $PATH"), .taskInvalid),
            (.init(exitCode: 128, reason: "StartError", message: "exec format error"), .environmentStartFailed),
            (.init(exitCode: 1, reason: "Error", message: "cp: error writing 'x': No space left on device"), .environmentResourceAllocationFailed),
            (.init(exitCode: 137, reason: "OOMKilled"), .environmentStartFailed), (.init(exitCode: 137, reason: "Error"), .environmentStartFailed),
        ])
    func failures(ended: PodSnapshot.Termination, type: TrialErrorType) {
        var snapshot = PodSnapshot(metadata: .init(name: "p"), nodeName: "n")
        snapshot.containers = [
            .delivery: .terminated(.init(exitCode: 0)), .agent: .terminated(ended), .trial: .waiting(reason: "PodInitializing", message: ""),
        ]
        let fate = PodFate.of(snapshot, at: Timestamp(seconds: 0))
        #expect(fate.end?.error?.type == type, "\(fate)")
    }

    @Test("an image that cannot be pulled ends the trial after a bound, as the task's own does")
    func pull() {
        let start = Timestamp(seconds: 1000)
        var snapshot = PodSnapshot(metadata: .init(name: "p", creationTimestamp: start), nodeName: "n", startTime: start)
        snapshot.containers = [
            .delivery: .terminated(.init(exitCode: 0, finishedAt: start)), .agent: .waiting(reason: "ImagePullBackOff", message: "no such image"),
            .trial: .waiting(reason: "PodInitializing", message: ""),
        ]
        guard case .waiting("ImagePullBackOff", _, let recheck) = PodFate.of(snapshot, at: start) else {
            Issue.record("not waiting")
            return
        }
        #expect(recheck == start.adding(seconds: PodFateBounds().imagePull))
        let end = PodFate.of(snapshot, at: start.adding(seconds: 181)).end
        #expect(end?.error?.type == .environmentImagePullFailed && end?.error?.message.contains("agent: ImagePullBackOff") == true)
    }
}
