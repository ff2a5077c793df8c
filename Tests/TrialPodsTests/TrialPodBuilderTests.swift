import AssayAPI
import Base
import EvalModel
import KubeCore
import Testing
import TrialRuntime

@testable import TrialPods

@Suite("Trial pods")
struct TrialPodBuilderTests {
    static func request(_ change: (inout TrialPodRequest) -> Void = { _ in }) -> TrialPodRequest {
        var request = TrialPodRequest(
            job: EvalJob(
                metadata: ObjectMeta(name: "hello", namespace: "evals", uid: "0c4f1c7e-1111-2222-3333-444455556666"),
                spec: EvalJobSpec(source: SourceSpec(repo: "https://git.example/bench"))),
            target: EvalTargetSpec(image: TargetImageSpec(default: "debian:12")),
            task: EvalTask(name: "t1", schema: .rollout, schemaVersion: "1.0"),
            agent: AgentSpec(name: "solver", install: "apt install x", execute: "solve \"$(date)\" $HOME $$"),
            coordinate: TrialCoordinate(
                index: 7, agent: "solver", agentIndex: 1, dataset: "d", task: "t1", taskIndex: 3, attempt: 2),
            plan: DeliveryPlan(
                source: .init(repo: "https://git.example/bench", commit: String(repeating: "a", count: 40)), taskPath: "d/t1"))
        change(&request)
        return request
    }

    static let builder = TrialPodBuilder(TrialPodSettings(assayImage: "assay:1"))

    static func pod(_ change: (inout TrialPodRequest) -> Void = { _ in }) throws -> JSONValue {
        try builder.pod(for: request(change))
    }

    static func container(_ pod: JSONValue, _ name: String) throws -> JSONValue {
        let all = (pod.at("spec", "initContainers")?.array ?? []) + (pod.at("spec", "containers")?.array ?? [])
        return try #require(all.first { $0["name"]?.string == name })
    }

    static func env(_ container: JSONValue) -> [String: JSONValue] {
        Dictionary(
            (container["env"]?.array ?? []).map { ($0["name"]?.string ?? "", $0["value"] ?? $0["valueFrom"] ?? .null) },
            uniquingKeysWith: { _, last in last })
    }

    static func mounts(_ container: JSONValue) -> [String] {
        (container["volumeMounts"]?.array ?? []).map {
            "\($0["name"]?.string ?? "")=\($0["mountPath"]?.string ?? "")\($0["readOnly"]?.bool == true ? " ro" : "")"
        }.sorted()
    }

    /// What Kubernetes makes of a value.
    static func expanded(_ value: String) -> String {
        var out = ""
        var rest = value[...]
        while let first = rest.first {
            rest = rest.dropFirst()
            if first == "$", rest.first == "$" {
                out += "$"
                rest = rest.dropFirst()
            } else if first == "$", rest.first == "(" {
                return "EXPANDED"
            } else {
                out.append(first)
            }
        }
        return out
    }

    @Test("identity: name, labels, owner, finalizer")
    func identity() throws {
        let pod = try Self.pod { $0.retry = 2; $0.coordinate.rerun = 1 }
        let hash = SHA256.hex(of: Array("0c4f1c7e-1111-2222-3333-444455556666".utf8)).prefix(8)
        #expect(pod.at("metadata", "name")?.string == "hello-\(hash)-7-r1-t2")
        #expect(pod.at("metadata", "namespace")?.string == "evals")
        #expect(
            pod.at("metadata", "labels") == [
                "app.kubernetes.io/managed-by": "assay", "assay.dev/job": "hello",
                "assay.dev/job-uid": "0c4f1c7e-1111-2222-3333-444455556666", "assay.dev/index": "7", "assay.dev/rerun": "1",
                "assay.dev/retry": "2", "assay.dev/agent-index": "1",
            ])
        #expect(pod.at("metadata", "finalizers") == ["assay.dev/trial-tracking"])
        let owner = pod.at("metadata", "ownerReferences")?[0]
        #expect(owner?["controller"]?.bool == true)
        #expect(owner?["kind"]?.string == "EvalJob")
        #expect(owner?["apiVersion"]?.string == "assay.dev/v1alpha1")
        let identity = TrialPodIdentity(labels: PodSnapshot.project(pod)?.metadata.labels)
        #expect(identity?.index == 7 && identity?.retry == 2 && identity?.rerun == 1 && identity?.agentIndex == 1)
    }

    @Test("the same request is the same pod")
    func deterministic() throws {
        #expect(try Self.pod().serialized() == Self.pod().serialized())
    }

    @Test(
        "long and odd job names make valid pod names",
        arguments: [String(repeating: "a", count: 253), String(repeating: "a", count: 39) + ".b", "x.y-z", "a"])
    func names(_ job: String) {
        let name = TrialPodNames.name(job: job, jobUID: "u", index: 99_999, rerun: 12, retry: 3)
        #expect(name.utf8.count <= 63)
        #expect(!name.contains(".-"))
        let label = TrialPodNames.labels(
            job: job, jobUID: "u", coordinate: Self.request().coordinate, retry: 0)[AssayNames.jobLabel]
        #expect((label?.utf8.count ?? 99) <= 63)
    }

    @Test("volumes are mounted as the contract says")
    func mounts() throws {
        let pod = try Self.pod()
        #expect(
            Self.mounts(try Self.container(pod, "repo-cache")) == [
                "gate=/assay/gate", "logs=/assay/logs", "scripts=/assay/scripts", "staged=/assay/staged",
            ])
        #expect(
            Self.mounts(try Self.container(pod, "trial")) == [
                "gate=/assay/gate", "logs=/logs", "scripts=/assay/scripts ro", "tests=/tests",
            ])
        #expect(
            Self.mounts(try Self.container(pod, "collector")) == [
                "gate=/assay/gate", "logs=/assay/logs ro", "staged=/assay/staged ro", "tests=/assay/tests", "work=/assay/work",
            ])
        let volumes = pod.at("spec", "volumes")?.text ?? ""
        #expect(!volumes.contains("solution") && !volumes.contains("hostPath"))
    }

    @Test("the solution is mounted for the oracle, and only for it")
    func oracle() throws {
        let pod = try Self.pod { $0.agent = AgentSpec(name: "oracle", install: "never", execute: "never") }
        let trial = Self.mounts(try Self.container(pod, "trial"))
        #expect(trial.contains("solution=/oracle ro") && trial.contains("solution=/solution ro"))
        #expect(Self.mounts(try Self.container(pod, "repo-cache")).contains("solution=/assay/solution"))
        let env = Self.env(try Self.container(pod, "repo-cache"))
        #expect(env["ASSAY_INSTALL"] == nil)
        #expect(Self.expanded(env["ASSAY_EXECUTE"]?.string ?? "") == Runner.oracleExecute)
    }

    @Test("credentials and the node's cache reach repo-cache only")
    func credentials() throws {
        let pod = try TrialPodBuilder(TrialPodSettings(assayImage: "assay:1", cacheHostPath: "/var/cache/assay")).pod(
            for: Self.request { $0.job.spec.source.secretRef = LocalReference(name: "git-secret") })
        let cache = Self.mounts(try Self.container(pod, "repo-cache"))
        #expect(cache.contains("credentials=/assay/credentials ro") && cache.contains("repo-cache=/assay/cache"))
        for name in ["trial", "collector"] {
            #expect(!Self.mounts(try Self.container(pod, name)).contains { $0.hasPrefix("cred") || $0.hasPrefix("repo-c") })
        }
    }

    @Test("the source's Secret is for the source's host: not for a task that lies elsewhere", arguments: [
        ("https://git.example/other", true), ("https://GIT.example/other", true), ("https://evil.example/other", false),
        ("https://git.example:8443/other", false), ("ssh://git.example/other", false),
    ])
    func foreignTask(repo: String, isGiven: Bool) throws {
        let pod = try Self.pod {
            $0.job.spec.source.secretRef = LocalReference(name: "git-secret")
            $0.plan.taskRepo = .init(repo: repo, commit: String(repeating: "b", count: 40))
        }
        #expect((pod.at("spec", "volumes")?.text.contains("git-secret") == true) == isGiven)
        #expect(Self.mounts(try Self.container(pod, "repo-cache")).contains("credentials=/assay/credentials ro") == isGiven)
    }

    @Test("scripts and plan arrive as they are written, and the runner does not travel")
    func scripts() throws {
        let env = Self.env(try Self.container(try Self.pod(), "repo-cache"))
        #expect(Self.expanded(env["ASSAY_EXECUTE"]?.string ?? "") == "solve \"$(date)\" $HOME $$")
        #expect(Self.expanded(env["ASSAY_INSTALL"]?.string ?? "") == "apt install x")
        #expect(!(try Self.pod()).text.contains("assay_main"), "the runner is delivered from the image, not by the pod")
        let plan = try JSONValueDecoder().decode(
            DeliveryPlan.self, from: JSONValue(parsing: Self.expanded(env["ASSAY_PLAN"]?.string ?? "")))
        #expect(plan == Self.request().plan)
    }

    @Test("no credential of ours, no token, and baseline pod security")
    func security() throws {
        let pod = try Self.pod()
        #expect(pod.at("spec", "automountServiceAccountToken")?.bool == false)
        #expect(pod.at("spec", "enableServiceLinks")?.bool == false)
        #expect(pod.at("spec", "restartPolicy")?.string == "Never")
        #expect(pod.at("spec", "securityContext", "seccompProfile", "type")?.string == "RuntimeDefault")
        for name in ["repo-cache", "collector"] {
            let context = try Self.container(pod, name)["securityContext"]
            #expect(context?["allowPrivilegeEscalation"]?.bool == false)
            #expect(context?.at("capabilities", "drop") == ["ALL"])
        }
        #expect(try Self.container(pod, "trial")["securityContext"] == nil)
        for forbidden in ["hostNetwork", "hostPID", "hostIPC", "privileged"] { #expect(!pod.text.contains(forbidden)) }
        for volume in pod.at("spec", "volumes")?.array ?? [] { #expect(volume["emptyDir"] != nil) }
    }

    @Test("an agent's secrets: by reference to the trial, and to the collector under names of its own")
    func secrets() throws {
        let pod = try Self.pod {
            $0.agent.env = [
                EnvironmentVariable(name: "MODE", value: "fast $(X)"),
                EnvironmentVariable(name: "PATH", secret: SecretKeyReference(name: "s", key: "p")),
                EnvironmentVariable(name: "KEY", secret: SecretKeyReference(name: "s", key: "k", optional: true)),
            ]
        }
        let trial = Self.env(try Self.container(pod, "trial"))
        #expect(Self.expanded(trial["MODE"]?.string ?? "") == "fast $(X)")
        #expect(trial["KEY"] == ["secretKeyRef": ["name": "s", "key": "k", "optional": true]])
        let collector = Self.env(try Self.container(pod, "collector"))
        #expect(collector["PATH"] == nil)
        #expect(collector["ASSAY_REDACT"]?.string == "ASSAY_SECRET_0:PATH,ASSAY_SECRET_1:KEY")
        #expect(collector["ASSAY_SECRET_0"] == ["secretKeyRef": ["name": "s", "key": "p"]])
        #expect(try !Self.container(pod, "repo-cache").text.contains("secretKeyRef"))
        let configuration = CollectorConfiguration(environment: [
            "ASSAY_REDACT": "ASSAY_SECRET_0:PATH,ASSAY_SECRET_1:KEY", "ASSAY_SECRET_0": "value",
        ])
        #expect(configuration.secrets == [.init(name: "PATH", value: "value")])
    }

    struct ResourceCase: Sendable {
        var cpus: Double
        var override: Double?
        var cpu: String
    }

    @Test(
        "resources: the task's, under the job's overrides",
        arguments: [
            ResourceCase(cpus: 1, cpu: "1"), ResourceCase(cpus: 0.5, cpu: "500m"), ResourceCase(cpus: 2, override: 1.25, cpu: "1250m"),
        ])
    func resources(_ it: ResourceCase) throws {
        let pod = try Self.pod {
            $0.task.environment.cpus = it.cpus
            $0.job.spec.environment.overrideCPUs = it.override
            $0.job.spec.environment.overrideMemoryMB = 512
        }
        #expect(
            try Self.container(pod, "trial")["resources"] == [
                "requests": ["cpu": .string(it.cpu), "memory": "512Mi"],
                "limits": ["memory": "512Mi", "ephemeral-storage": "10240Mi"],
            ])
    }

    @Test("limits: the task's, the job's, the multiplier, and a deadline beyond them all")
    func limits() throws {
        let pod = try Self.pod {
            $0.task.timeouts = TaskTimeouts(agentSec: 100, installSec: 10, verifierSec: 1000)
            $0.job.spec.timeoutMultiplier = 1.5
            $0.job.spec.verifier.maxTimeoutSec = 20
        }
        let env = Self.env(try Self.container(pod, "trial"))
        #expect(env["ASSAY_AGENT_TIMEOUT_MS"]?.string == "150000")
        #expect(env["ASSAY_INSTALL_TIMEOUT_MS"]?.string == "15000")
        #expect(env["ASSAY_VERIFIER_TIMEOUT_MS"]?.string == "30000")
        #expect(pod.at("spec", "activeDeadlineSeconds")?.int == 195 + 5400)
        let endless = try Self.pod { $0.task.timeouts.agentSec = nil }
        #expect(endless.at("spec", "activeDeadlineSeconds") == nil)
        #expect(Self.env(try Self.container(endless, "trial"))["ASSAY_AGENT_TIMEOUT_MS"]?.string == "0")
    }

    @Test("verification: disabled, with a rule, with variables, after ending the agent's processes")
    func verification() throws {
        let pod = try Self.pod {
            $0.job.spec.verifier.disable = true
            $0.job.spec.verifier.endAgentProcesses = true
            $0.rewardRule = .harbor
            $0.task.verifierEnv = ["B": "2", "A": "$1"]
        }
        let trial = Self.env(try Self.container(pod, "trial"))
        #expect(trial["ASSAY_VERIFY"]?.string == "0")
        #expect(trial["ASSAY_END_AGENT_PROCESSES"]?.string == "1")
        #expect(trial["ASSAY_VERIFIER_ENV_0"]?.string == "A=$$1")
        #expect(trial["ASSAY_VERIFIER_ENV_1"]?.string == "B=2")
        let collector = CollectorConfiguration(
            environment: Self.env(try Self.container(pod, "collector")).compactMapValues(\.string))
        #expect(collector.rule == .harbor && !collector.verify && collector.gateTimeout == 5400)
        #expect(collector.limits.pack == 7 << 20)
    }

    @Test("templates: the target's, then the job's, never over what makes it a trial pod")
    func templates() throws {
        let pod = try Self.pod {
            $0.target.podTemplate = PodTemplate(
                labels: ["assay.dev/index": "0", "team": "a"], nodeSelector: ["disk": "ssd", "zone": "a"],
                tolerations: [.init(key: "gpu")], imagePullSecrets: [LocalReference(name: "pull")])
            $0.job.spec.environment.podTemplate = PodTemplate(
                annotations: ["note": "n"], serviceAccountName: "runner", nodeSelector: ["zone": "b"],
                tolerations: [.init(key: "spot")], runtimeClassName: "gvisor",
                resources: .init(limits: ["nvidia.com/gpu": "1"]))
        }
        #expect(pod.at("metadata", "labels")?["assay.dev/index"]?.string == "7")
        #expect(pod.at("metadata", "labels", "team")?.string == "a")
        #expect(pod.at("metadata", "annotations", "note")?.string == "n")
        #expect(pod.at("spec", "nodeSelector") == ["disk": "ssd", "zone": "b"])
        #expect(pod.at("spec", "tolerations") == [["key": "gpu"], ["key": "spot"]])
        #expect(pod.at("spec", "imagePullSecrets") == [["name": "pull"]])
        #expect(pod.at("spec", "runtimeClassName")?.string == "gvisor")
        #expect(pod.at("spec", "serviceAccountName")?.string == "runner")
        #expect(pod.at("spec", "automountServiceAccountToken")?.bool == false)
        #expect(try Self.container(pod, "trial")["resources"]?["limits"]?["nvidia.com/gpu"]?.string == "1")
    }

    @Test("the image: the job's, the task's, the target's, in this order")
    func image() throws {
        func image(_ change: (inout TrialPodRequest) -> Void) throws -> String? {
            try Self.container(try Self.pod(change), "trial")["image"]?.string
        }
        #expect(try image { _ in } == "debian:12")
        #expect(try image { $0.task.environment.dockerImage = "task:1" } == "task:1")
        #expect(
            try image {
                $0.task.environment.dockerImage = "task:1"
                $0.job.spec.environment.image = "job:1"
            } == "job:1")
        #expect(throws: TrialError.self) { try Self.pod { $0.target.image = nil } }
    }

    @Test("what no pod can carry is refused with words")
    func refusals() {
        #expect(throws: TrialError.self) { try Self.pod { $0.agent.execute = String(repeating: "x", count: 200_000) } }
        #expect(throws: TrialError.self) {
            try Self.pod { $0.agent.env = [EnvironmentVariable(name: "ASSAY_VERIFY", value: "0")] }
        }
        #expect(throws: TrialError.self) {
            try Self.pod { $0.task.unsupported = [UnsupportedFeature(.compose, "docker-compose.yaml is not done")] }
        }
    }
}
