import AssayAPI
import Base
import EvalModel
import Testing

@testable import TrialPods
@testable import TrialRuntime

@Suite("What tasks ask for, in their pods")
struct TaskFeatureTests {
    private func container(_ name: String, _ list: String = "containers", of pod: JSONValue) throws -> JSONValue {
        try #require(pod.at("spec", list)?.array?.first { $0["name"]?.string == name })
    }

    @Test("a task that names a user begins as root; one that names none keeps its image's user")
    func users() throws {
        #expect(try container("trial", of: TrialPodBuilderTests.pod())["securityContext"] == nil)
        let pod = try TrialPodBuilderTests.pod { $0.task.verifier.user = "judge" }
        #expect(try container("trial", of: pod).at("securityContext", "runAsUser")?.int == 0)
        let program = TrialProgram(TrialPodBuilderTests.request { $0.task.verifier.user = "judge" })
        #expect(program.users == ["agent": "root", "verifier": "judge"] && program.steps[0].agentUser == "root")
        #expect(TrialProgram(TrialPodBuilderTests.request()).users == nil)
    }

    @Test("${VAR} resolves against the job's variables; a Secret is a reference wherever it is needed, and a value in no program")
    func variables() throws {
        let secret = SecretKeyReference(name: "judge", key: "k")
        let change: (inout TrialPodRequest) -> Void = { request in
            request.jobSpec.environment.env = [
                EnvironmentVariable(name: "MODE", value: "fast"), EnvironmentVariable(name: "KEY", secret: secret),
            ]
            request.task.environment.env = ["A": "${MODE}", "B": "${KEY}", "C": "${NONE:-x}", "D": "$MODE ${MODE}", "E": "${EMPTY:-}"]
            request.task.verifier.env = ["JUDGE": "${KEY}", "M": "${MODE}"]
            request.task.solutionEnv = ["S": "${KEY}"]
        }
        let pod = try TrialPodBuilderTests.pod(change)
        let env = try container("trial", of: pod)["env"]?.array ?? []
        func entry(_ name: String) -> JSONValue? { env.first { $0["name"]?.string == name } }
        #expect(
            entry("A")?["value"] == "fast" && entry("C")?["value"] == "x" && entry("D")?["value"] == "$$MODE $${MODE}" && entry("E")?["value"] == "")
        #expect(entry("B")?.at("valueFrom", "secretKeyRef", "name") == "judge" && entry("B")?["value"] == nil)
        #expect(entry("S") == nil, "the solution's are for the oracle")
        let delivery = try container("repo-cache", "initContainers", of: pod)["env"]?.array ?? []
        let values = delivery.first { $0["name"]?.string == "ASSAY_VERIFIER_ENV" }?["value"]?.string
        #expect(values == #"{"JUDGE":{"variable":"ASSAY_VALUE_0"},"M":"fast"}"#)
        #expect(delivery.first { $0["name"]?.string == "ASSAY_VALUE_0" }?.at("valueFrom", "secretKeyRef", "key") == "k")
        let collector = try container("collector", of: pod)["env"]?.array ?? []
        #expect(collector.contains { $0.at("valueFrom", "secretKeyRef", "name") == "judge" }, "it redacts the value")

        let oracle = try TrialPodBuilderTests.pod {
            change(&$0)
            $0.agent = AgentSpec(name: "oracle")
        }
        let solution = try container("repo-cache", "initContainers", of: oracle)["env"]?.array?.first { $0["name"]?.string == "ASSAY_SOLUTION_ENV" }
        #expect(solution?["value"] == #"{"S":{"variable":"ASSAY_VALUE_0"}}"#)
    }

    @Test("steps: each with its own limits, users and variables; the solution's folders are the runner's to fill")
    func steps() throws {
        let request = TrialPodBuilderTests.request {
            $0.agent = AgentSpec(name: "oracle")
            $0.task.timeouts = TaskTimeouts(agentSec: 10, installSec: 20, verifierSec: 30)
            $0.task.verifier.env = ["A": "1", "B": "1"]
            $0.task.steps = [
                TaskStep(name: "one", agentTimeoutSec: 5, agent: TaskAgent(user: "a"), verifier: TaskVerifier(env: ["B": "2"])),
                TaskStep(name: "two"),
            ]
        }
        let steps = TrialProgram(request).steps
        #expect(steps.map(\.limits.installSec) == [20, nil] && steps.map(\.limits.executeSec) == [5, 10])
        #expect(steps.map(\.limits.verifySec) == [600, 600], "the task's limit does not count, as for Harbor")
        #expect(steps.map(\.agentUser) == ["a", "root"] && steps.map(\.verifierEnv) == [["A", "B"], ["A", "B"]])
        let pod = try TrialPodBuilderTests.builder.pod(for: request)
        let delivery = try container("repo-cache", "initContainers", of: pod)["env"]?.array ?? []
        let values = delivery.first { $0["name"]?.string == "ASSAY_VERIFIER_ENV" }?["value"]?.string
        #expect(values == #"[{"A":"1","B":"2"},{"A":"1","B":"1"}]"#)
        let mounts = try container("trial", of: pod)["volumeMounts"]?.array ?? []
        #expect(mounts.filter { $0["name"]?.string == "solution" }.allSatisfy { $0["readOnly"] == nil })
        #expect(try container("collector", of: pod)["volumeMounts"]?.array?.contains { $0["mountPath"] == "/assay/scripts" } == true)
    }

    @Test("GPUs are a limit; their types are labels of nodes, combined with what templates ask for")
    func gpus() throws {
        let affinity: JSONValue = [
            "nodeAffinity": [
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    "nodeSelectorTerms": [["matchExpressions": [["key": "zone", "operator": "Exists"]]]]
                ]
            ]
        ]
        let pod = try TrialPodBuilderTests.pod {
            $0.task.environment.gpus = 2
            $0.task.environment.gpuTypes = ["H100", "A100"]
            $0.target.podTemplate = PodTemplate(affinity: affinity)
        }
        #expect(try container("trial", of: pod).at("resources", "limits", "nvidia.com/gpu") == "2")
        let terms = pod.at("spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")?.array ?? []
        #expect(terms.count == GPUNodes.labels.count)
        for term in terms {
            let expressions = term["matchExpressions"]?.array ?? []
            #expect(expressions.count == 2 && expressions[0]["key"] == "zone" && expressions[1]["values"] == ["H100", "A100"])
        }
        let any = try TrialPodBuilderTests.pod { $0.task.environment.gpus = 1 }
        #expect(any.at("spec", "affinity") == nil)
    }
}
