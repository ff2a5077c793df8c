import AssayAPI
import Base
import EvalModel
import KubeCore
import Testing

@testable import TrialPods
@testable import TrialRuntime

@Suite("Trial pods")
struct TrialPodBuilderTests {
    static func request(_ change: (inout TrialPodRequest) -> Void = { _ in }) -> TrialPodRequest {
        var request = TrialPodRequest(
            job: JobIdentity(namespace: "evals", name: "hello", uid: "0c4f1c7e-1111-2222-3333-444455556666"),
            jobSpec: EvalJobSpec(source: SourceSpec(repo: "https://git.example/bench")),
            target: EvalTargetSpec(image: TargetImageSpec(default: "debian:12")),
            task: EvalTask(name: "t1", schema: .rollout, schemaVersion: "1.0"),
            agent: AgentSpec(name: "solver", install: "apt install x", execute: "solve \"$(date)\" $HOME $$"),
            coordinate: TrialCoordinate(
                index: 7, agent: "solver", agentIndex: 1, dataset: "d", task: "t1", taskIndex: 3, attempt: 2),
            source: .init(repo: "https://git.example/bench", commit: String(repeating: "a", count: 40)), taskPath: "d/t1")
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

    /// What Kubernetes expands a value to.
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
        let pod = try Self.pod {
            $0.retry = 2; $0.coordinate.rerun = 1
        }
        let hash = SHA256.hex(of: Array("0c4f1c7e-1111-2222-3333-444455556666".utf8)).prefix(8)
        #expect(pod.at("metadata", "name")?.string == "hello-\(hash)-7-r1-t2")
        #expect(pod.at("metadata", "namespace")?.string == "evals")
        #expect(
            pod.at("metadata", "labels") == [
                "app.kubernetes.io/managed-by": "assay", "assay.dev/job": "hello",
                "assay.dev/job-uid": "0c4f1c7e-1111-2222-3333-444455556666", "assay.dev/index": "7", "assay.dev/rerun": "1",
                "assay.dev/retry": "2", "assay.dev/agent-index": "1", "assay.dev/network": "public",
            ])
        #expect(pod.at("metadata", "finalizers") == ["assay.dev/trial-tracking"])
        let owner = pod.at("metadata", "ownerReferences")?[0]
        #expect(owner?["controller"]?.bool == true)
        #expect(owner?["kind"]?.string == "EvalJob")
        #expect(owner?["apiVersion"]?.string == "assay.dev/v1alpha1")
        let identity = TrialPodIdentity(labels: PodSnapshot.project(pod)?.metadata.labels)
        #expect(identity?.index == 7 && identity?.retry == 2 && identity?.rerun == 1 && identity?.agentIndex == 1)
    }

    @Test("the same request gives the same pod")
    func deterministic() throws {
        #expect(try Self.pod().serialized() == Self.pod().serialized())
    }

    @Test(
        "long and unusual job names give valid pod names",
        arguments: [String(repeating: "a", count: 253), String(repeating: "a", count: 39) + ".b", "x.y-z", "a"])
    func names(_ job: String) {
        let name = TrialPodNames.name(job: job, jobUID: "u", index: 99_999, rerun: 12, retry: 3)
        #expect(name.utf8.count <= 63)
        #expect(!name.contains(".-"))
        let label = TrialPodNames.labels(
            job: job, jobUID: "u", coordinate: Self.request().coordinate, retry: 0)[AssayNames.jobLabel]
        #expect((label?.utf8.count ?? 99) <= 63)
    }

    @Test("volumes are mounted as documented")
    func mounts() throws {
        let pod = try Self.pod()
        #expect(
            Self.mounts(try Self.container(pod, "repo-cache")) == [
                "agent=/assay/agent ro", "gate=/assay/gate", "logs=/assay/logs", "scripts=/assay/scripts", "staged=/assay/staged",
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

    @Test("the solution is mounted for the oracle only")
    func oracle() throws {
        let pod = try Self.pod { $0.agent = AgentSpec(name: "oracle", install: "never", execute: "never") }
        let trial = Self.mounts(try Self.container(pod, "trial"))
        #expect(trial.contains("solution=/oracle ro") && trial.contains("solution=/solution ro"))
        #expect(Self.mounts(try Self.container(pod, "repo-cache")).contains("solution=/assay/solution"))
        #expect(try Self.program(pod).delivery.solution)
        #expect(!Self.mounts(try Self.container(pod, "repo-cache")).contains { $0.hasPrefix("agent") }, "it has no scripts of its own")
    }

    @Test("without a cache service, the source's credentials are mounted in repo-cache only")
    func credentials() throws {
        let pod = try Self.pod { $0.jobSpec.source.secretRef = LocalReference(name: "git-secret") }
        #expect(Self.mounts(try Self.container(pod, "repo-cache")).contains("credentials=/assay/credentials ro"))
        for name in ["trial", "collector"] { #expect(!Self.mounts(try Self.container(pod, name)).contains { $0.hasPrefix("cred") }) }
    }

    @Test(
        "the source's Secret is used only for the source's host, not for tasks from other hosts",
        arguments: [
            ("https://git.example/other", true), ("https://GIT.example/other", true), ("https://evil.example/other", false),
            ("https://git.example:8443/other", false), ("ssh://git.example/other", false),
        ])
    func foreignTask(repo: String, isGiven: Bool) throws {
        let pod = try Self.pod {
            $0.jobSpec.source.secretRef = LocalReference(name: "git-secret")
            $0.taskRepo = .init(repo: repo, commit: String(repeating: "b", count: 40))
        }
        #expect((pod.at("spec", "volumes")?.text.contains("git-secret") == true) == isGiven)
        #expect(Self.mounts(try Self.container(pod, "repo-cache")).contains("credentials=/assay/credentials ro") == isGiven)
    }

    /// The variables of the delivery container.
    static func program(_ pod: JSONValue) throws -> PodProgram {
        let text = try #require(env(try container(pod, "repo-cache"))["ASSAY_PROGRAM"]?.string)
        return try PodProgram(json: expanded(text).utf8, from: "the pod")
    }

    @Test("scripts are in a ConfigMap of the agent, unchanged; the pod contains neither them nor the runner")
    func scripts() throws {
        let request = Self.request()
        let pod = try Self.builder.pod(for: request)
        let map = try #require(request.shared.configMaps.first)
        #expect(request.shared.configMaps.count == 1)
        #expect(map.data == ["install": "apt install x", "execute": "solve \"$(date)\" $HOME $$"])
        #expect(map.name.hasPrefix("hello-") && map.name.contains("-agent-1-") && map.name.utf8.count <= 63)
        #expect(pod.at("spec", "volumes")?.array?.contains(["name": "agent", "configMap": ["name": .string(map.name)]]) == true)
        for text in ["assay_main", "apt install", "$(date)"] { #expect(!pod.text.contains(text), "\(text)") }
        for name in ["trial", "collector"] { #expect(!Self.mounts(try Self.container(pod, name)).contains { $0.hasPrefix("agent=") }) }
        let other = Self.request { $0.agent.execute = "another" }
        #expect(other.shared.configMaps.first?.name != map.name, "other scripts have another name")
        #expect(Self.request { $0.coordinate.index = 8 }.shared == request.shared, "trials share it")
        #expect(try Self.program(pod).delivery == TrialProgram(request).delivery)
    }

    @Test("a pod is at most 6 KB as posted, whatever the size of the scripts")
    func size() throws {
        var request = Self.request {
            $0.job = JobIdentity(namespace: $0.job.namespace, name: String(repeating: "j", count: 40), uid: $0.job.uid)
            $0.agent.install = String(repeating: "i", count: 60_000)
            $0.agent.execute = String(repeating: "\"$\n", count: 20_000)
            $0.agent.env = [EnvironmentVariable(name: "API_KEY", secret: SecretKeyReference(name: "agent-secret", key: "api-key"))]
            $0.jobSpec.source.secretRef = LocalReference(name: "git-secret")
            $0.task.environment.env = Dictionary(uniqueKeysWithValues: (0..<15).map { ("VARIABLE_\($0)", String(repeating: "v", count: 45)) })
            $0.task.verifier.env = ["JUDGE_MODEL": String(repeating: "m", count: 60)]
        }
        let pod = try Self.builder.pod(for: request)
        #expect(pod.serialized().count <= 6 * 1024, "\(pod.serialized().count) bytes")
        print("a pod of a job with scripts of 120,000 bytes: \(pod.serialized().count) bytes")
        // A larger environment is moved out of the pod.
        request.task.environment.env["LARGE"] = String(repeating: "$(x)", count: 5000)
        request.task.environment.env["odd name"] = "stays"
        request.task.verifier.env["LARGE"] = String(repeating: "y", count: 20_000)
        let small = try Self.builder.pod(for: request)
        #expect(small.serialized().count <= 6 * 1024)
        let maps = request.shared.configMaps
        #expect(maps.count == 3)
        let trial = try Self.container(small, "trial")
        let from = try #require(trial.at("envFrom")?[0]?.at("configMapRef", "name")?.string)
        let map = try #require(maps.first { $0.name == from })
        #expect(map.data["LARGE"] == request.task.environment.env["LARGE"] && map.data["odd name"] == nil)
        #expect(Self.env(trial)["odd name"]?.string == "stays" && Self.env(trial)["API_KEY"] != nil)
        #expect(Self.mounts(try Self.container(small, "repo-cache")).contains("verifier=/assay/verifier ro"))
        #expect(
            !maps.contains { $0.name == from && $0.data.values.contains { $0.contains("yyyy") } }, "the trial's ConfigMap has nothing of the verifier"
        )
    }

    @Test("the recorded and paid resources are those that the pod requests")
    func effective() throws {
        let request = Self.request {
            $0.target.podTemplate = PodTemplate(resources: .init(requests: ["cpu": "3"], limits: ["memory": "8Gi"]))
            $0.jobSpec.environment.podTemplate = PodTemplate(resources: .init(requests: ["cpu": "2500m"], limits: ["ephemeral-storage": "20G"]))
            $0.task.environment.workdir = "/srv"
            $0.task.environment.env = ["A": "1"]
            $0.agent.env = [EnvironmentVariable(name: "B", value: "2")]
        }
        let program = TrialProgram(request)
        let container = try #require(program[.trial])
        #expect(container.resources == .init(cpus: 2.5, memoryMB: 2048, memoryLimitMB: 8192, storageMB: 19074))
        #expect(container.image == "debian:12" && container.workdir == "/srv" && container.env == ["A", "B"])
        let asked = try Self.container(try Self.builder.pod(for: request), "trial")["resources"]
        #expect(
            asked == [
                "requests": ["cpu": "2500m", "memory": "2048Mi"], "limits": ["memory": "8Gi", "ephemeral-storage": "20G"],
            ])
        #expect(Quantity("1.5Gi").amount == 1_610_612_736 && Quantity("100m").amount == 0.1 && Quantity("many").amount == nil)
        let value = try JSONValueEncoder().encode(program)
        #expect(value["version"] == JSONValue(TrialProgram.currentVersion) && !value.text.contains("\"1\""), "names, no values")
        #expect(try JSONValueDecoder().decode(TrialProgram.self, from: value) == program)
    }

    @Test("no service account token, no credential of Assay, and baseline pod security")
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
        for volume in pod.at("spec", "volumes")?.array ?? [] { #expect(volume["emptyDir"] != nil || volume["configMap"] != nil) }
    }

    @Test("an agent's secrets: as references, for the trial, and for the collector under other names")
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
    }

    struct ResourceCase: Sendable {
        var cpus: Double
        var override: Double?
        var cpu: String
    }

    @Test(
        "resources: the task's, overridden by the job's",
        arguments: [
            ResourceCase(cpus: 1, cpu: "1"), ResourceCase(cpus: 0.5, cpu: "500m"), ResourceCase(cpus: 2, override: 1.25, cpu: "1250m"),
        ])
    func resources(_ it: ResourceCase) throws {
        let pod = try Self.pod {
            $0.task.environment.cpus = it.cpus
            $0.jobSpec.environment.overrideCPUs = it.override
            $0.jobSpec.environment.overrideMemoryMB = 512
        }
        #expect(
            try Self.container(pod, "trial")["resources"] == [
                "requests": ["cpu": .string(it.cpu), "memory": "512Mi"],
                "limits": ["memory": "512Mi", "ephemeral-storage": "10240Mi"],
            ])
    }

    @Test("limits: the task's, the job's, the multiplier, and a deadline longer than all of them")
    func limits() throws {
        let pod = try Self.pod {
            $0.task.timeouts = TaskTimeouts(agentSec: 100, installSec: 10, verifierSec: 1000)
            $0.jobSpec.timeoutMultiplier = 1.5
            $0.jobSpec.verifier.maxTimeoutSec = 20
        }
        #expect(try Self.program(pod).steps.map(\.limits) == [.init(installSec: 15, executeSec: 150, verifySec: 30)])
        #expect(pod.at("spec", "activeDeadlineSeconds")?.int == 195 + 5400)
        let endless = try Self.pod { $0.task.timeouts.agentSec = nil }
        #expect(endless.at("spec", "activeDeadlineSeconds") == nil)
        #expect(try Self.program(endless).steps[0].limits.executeSec == nil)
    }

    @Test("verification: disabled, with a rule, with variables, after ending the agent's processes")
    func verification() throws {
        let pod = try Self.pod {
            $0.jobSpec.verifier.disable = true
            $0.jobSpec.verifier.endAgentProcesses = true
            $0.rewardRule = .harbor
            $0.task.verifier.env = ["B": "2", "A": "$1"]
        }
        #expect(Self.env(try Self.container(pod, "trial")).isEmpty, "nothing of the verifier is in the trial's environment")
        let delivery = Self.env(try Self.container(pod, "repo-cache"))
        #expect(Self.expanded(delivery["ASSAY_VERIFIER_ENV"]?.string ?? "") == #"{"A":"$1","B":"2"}"#)
        let program = try Self.program(pod)
        #expect(program.verifier == .init(enabled: false, endAgentProcesses: true, env: ["A", "B"]) && program.family == .harbor)
        let collector = CollectorConfiguration(program, paths: TrialPaths())
        #expect(collector.family == .harbor && !collector.verify && collector.gateTimeout == 5400)
        #expect(collector.limits.pack == 7 << 20)
    }

    @Test("the PATH of a task or an agent is for the phases: it does not decide whether the container finds bash")
    func path() throws {
        let large = Dictionary(uniqueKeysWithValues: (0..<40).map { ("NAME_\($0)", String(repeating: "v", count: 50)) })
        for more in [[:], large] {
            let task = try Self.pod { $0.task.environment.env = more.merging(["PATH": "/opt/tool/bin"]) { $1 } }
            let env = Self.env(try Self.container(task, "trial"))
            #expect(env["ASSAY_PATH"] == "/opt/tool/bin" && env["PATH"] == nil)
            #expect(try Self.program(task).pathSetter == .task)
        }
        let agent = try Self.pod {
            $0.task.environment.env = ["PATH": "/opt/tool/bin"]
            $0.agent.env = [EnvironmentVariable(name: "PATH", secret: SecretKeyReference(name: "s", key: "path"))]
        }
        let env = Self.env(try Self.container(agent, "trial"))
        #expect(env["ASSAY_PATH"]?.at("secretKeyRef", "key") == "path" && env["PATH"] == nil)
        #expect(try Self.program(agent).pathSetter == .agent)
        #expect(try Self.program(try Self.pod { $0.task.environment.env = ["A": "1"] }).pathSetter == nil)
    }

    @Test("templates: the target's, then the job's; the parts that make it a trial pod are never overridden")
    func templates() throws {
        let pod = try Self.pod {
            $0.target.podTemplate = PodTemplate(
                labels: ["assay.dev/index": "0", "team": "a"], nodeSelector: ["disk": "ssd", "zone": "a"],
                tolerations: [.init(key: "gpu")], imagePullSecrets: [LocalReference(name: "pull")])
            $0.jobSpec.environment.podTemplate = PodTemplate(
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
                $0.jobSpec.environment.image = "job:1"
            } == "job:1")
        #expect(throws: TrialError.self) { try Self.pod { $0.target.image = nil } }
    }

    @Test("a request that no pod can express is refused with a message")
    func refusals() {
        #expect(throws: TrialError.self) { try Self.pod { $0.agent.execute = String(repeating: "x", count: 600_000) } }
        #expect(throws: TrialError.self) {
            try Self.pod { $0.agent.env = [EnvironmentVariable(name: "ASSAY_VERIFY", value: "0")] }
        }
        #expect(throws: TrialError.self) {
            try Self.pod {
                $0.task.environment.hasCompose = true; $0.task.environment.dockerImage = nil
            }
        }
    }
}
