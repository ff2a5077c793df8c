import AssayAPI
import Base
import EvalModel
import KubeCore
import Testing

@testable import TrialPods
@testable import TrialRuntime

@Suite("Trials on the host of a vm target")
struct RemotePodTests {
    private static func change(_ request: inout TrialPodRequest) {
        request.target = EvalTargetSpec(
            type: .vm,
            host: HostSpec(
                address: "vm.example", port: 2222, sshSecretRef: LocalReference(name: "key"), knownHostsRef: LocalReference(name: "hosts")))
        request.jobSpec.environment.image = HostRules.ownPrograms
        request.task.environment.cpus = 0.5
        request.jobSpec.environment.overrideMemoryMB = 64
    }

    @Test("the pod's trial container connects to the host with the task's limits, and alone mounts the key")
    func pod() throws {
        let pod = try TrialPodBuilderTests.pod(Self.change)
        let trial = try TrialPodBuilderTests.container(pod, "trial")
        #expect(trial["command"] == ["/usr/local/bin/assay", "remote-trial"] && trial["image"] == "assay:1")
        let host = try RemoteHost(json: try #require(TrialPodBuilderTests.env(trial)[TrialVariables.remoteHost]?.string))
        #expect(host.login == HostLogin(address: "vm.example", port: 2222, user: "root"))
        #expect(host.image == nil && host.workdir == "/work")
        #expect(host.limits == RemoteHost.Limits(cpus: 0.5, memoryMB: 64, storageMB: 10240))
        for container in (pod.at("spec", "initContainers")?.array ?? []) + (pod.at("spec", "containers")?.array ?? []) {
            let mounts = (container["volumeMounts"]?.array ?? []).compactMap { $0["name"]?.string }
            #expect(mounts.contains(TrialVolume.hostKey.rawValue) == (container["name"] == "trial"))
        }
    }

    @Test("an image brings its own working directory, and is allowed as long as the host may have what runs it")
    func image() throws {
        let change: (inout TrialPodRequest) -> Void = {
            Self.change(&$0)
            $0.jobSpec.environment.image = "debian:12"
        }
        let trial = try TrialPodBuilderTests.container(try TrialPodBuilderTests.pod(change), "trial")
        let host = try RemoteHost(json: try #require(TrialPodBuilderTests.env(trial)[TrialVariables.remoteHost]?.string))
        #expect(trial["image"] == "assay:1" && host.image == "debian:12" && host.workdir == nil)
        let request = TrialPodBuilderTests.request(change)
        for runsImages in [nil, true] as [Bool?] {
            let ability = HostAbility(runsImages: runsImages)
            #expect(HostRules.refusal(of: request.task, images: request.images, agent: request.agent, job: request.jobSpec, on: ability) == nil)
        }
    }

    struct Row: Sendable, CustomTestStringConvertible {
        let words: String
        let change: @Sendable (inout TrialPodRequest) -> Void
        var testDescription: String { words }
    }

    static let rows = [
        Row(words: "neither podman nor docker") { $0.jobSpec.environment.image = "debian:12" },
        Row(words: "its image is built from its Dockerfile") {
            $0.jobSpec.environment.image = nil
            $0.task.environment.hasDockerfile = true
        },
        Row(words: "its verifier has a container of its own") { $0.task.verifier.givenMode = .separate },
        Row(words: "it names users") { $0.task.agent.user = "agent" },
        Row(words: "it asks for GPUs") { $0.task.environment.gpus = 1 },
        Row(words: "its network is restricted") { $0.jobSpec.environment.network.mode = .noNetwork },
        Row(words: "agent \"solver\" is an image") { $0.agent.image = "agent:1" },
    ]

    @Test("what is not enforced there is refused by name", arguments: rows)
    func refusals(row: Row) throws {
        func refusal(_ change: (inout TrialPodRequest) -> Void) -> TrialError? {
            let request = TrialPodBuilderTests.request(change)
            return HostRules.refusal(
                of: request.task, images: request.images, agent: request.agent, job: request.jobSpec, on: HostAbility(runsImages: false))
        }
        #expect(refusal(Self.change) == nil)
        let error = refusal {
            Self.change(&$0)
            row.change(&$0)
        }
        #expect(error?.type == .taskInvalid && error?.message.contains(row.words) == true, "\(String(describing: error))")
    }
}
