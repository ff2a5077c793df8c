import AssayAPI
import Base
import KubeCore
import Testing
import TrialPods
import TrialRuntime

@Suite("Pods that build images")
struct BuildPodTests {
    private static func pod(_ change: (inout BuildPodRequest) -> Void = { _ in }) throws -> JSONValue {
        var request = BuildPodRequest(
            name: "assay-build-1", namespace: "ns", owners: [], target: EvalTargetSpec(),
            build: BuildSpec(registry: "r.example.com/t", builderImage: "b:1"),
            program: BuildProgram(context: .probe, repository: "r.example.com/t", tag: "tag"), timeoutSec: 600)
        change(&request)
        return try BuildPodBuilder(TrialPodSettings(assayImage: "assay:1")).pod(for: request)
    }

    private static func container(_ pod: JSONValue, _ name: String) throws -> JSONValue {
        let all = (pod.at("spec", "initContainers")?.array ?? []) + (pod.at("spec", "containers")?.array ?? [])
        return try #require(all.first { $0["name"]?.string == name })
    }

    @Test("context, builder and push run one after the other, and only push mounts the Secret for pushing")
    func secrets() throws {
        let pod = try Self.pod { request in
            request.build.pushSecretRef = LocalReference(name: "push-secret")
            request.build.pullSecretRef = LocalReference(name: "pull-secret")
            request.sourceSecret = LocalReference(name: "git-secret")
            request.build.caRef = LocalReference(name: "authorities")
        }
        #expect(pod.at("spec", "initContainers")?.array?.map { $0["name"]?.string } == ["repo-cache", "builder"])
        #expect(pod.at("spec", "containers")?.array?.map { $0["name"]?.string } == ["push"])
        let secrets = ["push": ["push"], "builder": ["pull"], "repo-cache": ["credentials"]]
        for (name, expected) in secrets {
            let mounts = try Self.container(pod, name)["volumeMounts"]?.array?.compactMap { $0["name"]?.string } ?? []
            #expect(mounts.filter(["push", "pull", "credentials"].contains) == expected)
        }
        #expect(!pod.text.contains("seccompProfile"))
        #expect(pod.at("spec", "automountServiceAccountToken")?.bool == false)
    }

    @Test("build arguments arrive as they are, after the target's own command too")
    func command() throws {
        let words =
            try Self.container(Self.pod { $0.arguments = ["B": "$(HOME) $$", "A": "1"] }, "builder")["command"]?.array?.compactMap(\.string) ?? []
        #expect(words.prefix(2) == ["buildah", "bud"])
        #expect(words.suffix(4) == ["--build-arg", "A=1", "--build-arg", "B=$$(HOME) $$$$"])
        let own = try Self.container(
            Self.pod {
                $0.build.command = ["/kaniko/executor", "--tar-path=$(ASSAY_ARCHIVE)"]
                $0.build.securityContext = ["runAsUser": 1000]
                $0.arguments = ["A": "1"]
            }, "builder")
        #expect(own["command"] == ["/kaniko/executor", "--tar-path=$(ASSAY_ARCHIVE)", "--build-arg", "A=1"])
        #expect(own["securityContext"] == ["runAsUser": 1000])
    }

    @Test("resources of the target take the place of the defaults, and a request is never above its limit")
    func resources() throws {
        let pod = try Self.pod { $0.build.resources = .init(limits: ["memory": "512Mi", "ephemeral-storage": "2Gi"]) }
        let resources = try Self.container(pod, "builder")["resources"]
        #expect(resources?.at("requests", "memory")?.string == "512Mi" && resources?.at("limits", "memory")?.string == "512Mi")
        #expect(pod.at("spec", "volumes")?.array?.first { $0["name"]?.string == "storage" }?.at("emptyDir", "sizeLimit")?.string == "2Gi")
    }

    // MARK: Fates

    private static let start = Timestamp(seconds: 1_000_000)
    private static let digest = "sha256:" + String(repeating: "a", count: 64)

    private static func ended(_ name: String, _ code: Int, _ message: String = "", reason: String = "Error") -> JSONValue {
        ["name": .string(name), "state": ["terminated": ["exitCode": JSONValue(code), "reason": .string(reason), "message": .string(message)]]]
    }

    private static func state(_ name: String, running since: Timestamp) -> JSONValue {
        ["name": .string(name), "state": ["running": ["startedAt": .string(since.rfc3339)]]]
    }

    private static func waiting(_ name: String, _ reason: String) -> JSONValue {
        ["name": .string(name), "state": ["waiting": ["reason": .string(reason), "message": "why"]]]
    }

    private static func fate(_ status: JSONValue, metadata: JSONValue = [:], after seconds: Double = 0) -> BuildPodFate {
        var pod: JSONValue = ["metadata": ["name": "p", "creationTimestamp": .string(start.rfc3339)], "spec": ["nodeName": "n"], "status": status]
        for (key, value) in metadata.object ?? [:] { pod.set(["metadata", key], to: value) }
        return .of(pod, at: start.adding(seconds: seconds), timeoutSec: 100)
    }

    @Test("how a build pod ends")
    func ends() {
        let built: JSONValue = [
            "initContainerStatuses": [Self.ended("builder", 0)], "containerStatuses": [Self.ended("push", 0, "{\"digest\":\"\(Self.digest)\"}")],
        ]
        #expect(Self.fate(built) == .built(digest: Self.digest))
        #expect(
            Self.fate(["phase": "Failed", "initContainerStatuses": [Self.ended("repo-cache", 0), Self.ended("builder", 125)]])
                == .failed(.builder(exitCode: 125)))
        let refused = "{\"error\":{\"type\":\"environment_build_failed\",\"message\":\"denied\"}}"
        #expect(Self.fate(["phase": "Failed", "containerStatuses": [Self.ended("push", 1, refused)]]) == .failed(.other("denied")))
        let missing = "{\"error\":{\"type\":\"task_not_found\",\"message\":\"no folder\"}}"
        #expect(Self.fate(["phase": "Failed", "initContainerStatuses": [Self.ended("repo-cache", 1, missing)]]) == .failed(.other("no folder")))
    }

    @Test("what is tried again: eviction, lack of memory, a lost node, a source that cannot be reached, a deletion")
    func interruptions() {
        let unreachable = "{\"error\":{\"type\":\"source_sync_failed\",\"message\":\"no route\"}}"
        let cases: [(JSONValue, JSONValue)] = [
            (["phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."], [:]),
            (["phase": "Failed", "initContainerStatuses": [Self.ended("builder", 137, reason: "OOMKilled")]], [:]),
            (["phase": "Failed", "initContainerStatuses": [Self.ended("repo-cache", 1, unreachable)]], [:]),
            (["phase": "Failed", "reason": "NodeLost"], [:]), (["phase": "Unknown"], [:]), (["phase": "Failed"], [:]),
            (["phase": "Running"], ["deletionTimestamp": .string(Self.start.rfc3339)]),
            (["phase": "Failed", "reason": "Preempting", "message": "by a pod of higher priority"], [:]),
            (["phase": "Succeeded", "containerStatuses": [Self.ended("push", 0, "what?")]], [:]),
        ]
        for (status, metadata) in cases {
            guard case .interrupted = Self.fate(status, metadata: metadata) else {
                Issue.record("\(status.text)")
                continue
            }
        }
    }

    @Test("a build that writes more than it may fails, and is not tried again")
    func disk() {
        let fate = Self.fate(["phase": "Failed", "reason": "Evicted", "message": "Usage of EmptyDir volume \"storage\" exceeds the limit \"2Gi\". "])
        guard case .failed(.other(let why)) = fate else {
            Issue.record("\(fate)")
            return
        }
        #expect(why.contains("spec.image.build.resources") && why.contains("exceeds the limit"))
    }

    @Test("the time of a build is the builder's own")
    func time() {
        let running: JSONValue = [
            "phase": "Pending",
            "initContainerStatuses": [Self.ended("repo-cache", 0), Self.state("builder", running: Self.start.adding(seconds: 1000))],
        ]
        #expect(Self.fate(running, after: 1099) == .underWay)
        #expect(Self.fate(running, after: 1100) == .timedOut)
        #expect(Self.fate(["phase": "Failed", "reason": "DeadlineExceeded", "initContainerStatuses": [Self.ended("builder", 137)]]) == .timedOut)
    }

    @Test("a container that cannot start is named after a while")
    func waiting() {
        let status: JSONValue = ["phase": "Pending", "initContainerStatuses": [Self.waiting("builder", "ImagePullBackOff")]]
        #expect(Self.fate(status, after: 179) == .underWay)
        #expect(Self.fate(status, after: 181) == .failed(.other("the builder container cannot start: ImagePullBackOff: why")))
    }

    @Test(
        "what keeps a builder from working at all is named",
        arguments: [
            ("Error during unshare(CLONE_NEWUSER): Operation not permitted\n", true),
            ("Error: while running runtime: fork/exec /proc/self/exe: operation not permitted\n", true),
            ("STEP 2/2: RUN make\nError: exit status 2\n", false),
        ])
    func refusals(output: String, isRefused: Bool) {
        var log = BuildLog()
        log.append(Array(output.utf8))
        #expect((BuildRefusal.reason(log)?.contains("securityContext") == true) == isRefused)
    }
}
