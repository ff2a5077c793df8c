import AssayAPI
import Base
import EvalModel
import Testing
import TrialRuntime

@testable import TrialPods

@Suite("The network of a trial")
struct TrialNetworkTests {
    /// One row: what task, job and agent ask for, and what each phase may reach.
    struct Row: Sendable, CustomTestStringConvertible {
        var task: (base: TaskNetwork, agent: TaskNetwork?, verifier: TaskNetwork?) = (TaskNetwork(.public), nil, nil)
        var mode: NetworkSpec.Mode?
        var hosts: [String] = []
        var agentHosts: [String] = []
        var phases: [TaskNetwork]
        var isWidened = false
        var testDescription: String { "task \(task.base.mode) \(task.base.allowedHosts), job \(mode?.rawValue ?? "-") \(hosts), agent \(agentHosts)" }
    }

    static let open = TaskNetwork(.public)
    static let closed = TaskNetwork(.none)
    static func only(_ hosts: String...) -> TaskNetwork { TaskNetwork(.allowlist, allowedHosts: hosts) }

    static let rows: [Row] = [
        Row(phases: [open, open, open]),
        // Without a restriction the lists add nothing.
        Row(hosts: ["a.example"], agentHosts: ["model.example"], phases: [open, open, open]),
        Row(mode: .public, phases: [open, open, open]),
        // The job is stricter than the task.
        Row(mode: .noNetwork, phases: [closed, closed, closed]),
        Row(mode: .noNetwork, agentHosts: ["model.example"], phases: [only("model.example"), only("model.example"), closed]),
        Row(mode: .allowlist, hosts: ["a.example"], phases: [only("a.example"), only("a.example"), closed]),
        // The task is stricter than the job.
        Row(task: (closed, nil, nil), mode: .public, phases: [closed, closed, closed]),
        Row(task: (closed, nil, nil), agentHosts: ["model.example"], phases: [only("model.example"), only("model.example"), closed]),
        Row(task: (closed, nil, nil), hosts: ["a.example"], phases: [only("a.example"), only("a.example"), closed], isWidened: true),
        // A phase of the task with a network of its own.
        Row(task: (open, closed, nil), agentHosts: ["model.example"], phases: [open, only("model.example"), open]),
        Row(task: (open, nil, closed), phases: [open, open, closed]),
        Row(task: (closed, open, open), phases: [closed, open, open]),
        // The hosts of an allowlist task count in each of its phases that has the mode.
        Row(
            task: (only("a.example"), only("b.example"), nil), agentHosts: ["model.example"],
            phases: [
                only("a.example", "b.example", "model.example"), only("a.example", "b.example", "model.example"), only("a.example", "b.example"),
            ]),
        Row(
            task: (only("a.example"), nil, nil), mode: .allowlist, hosts: ["a.example", "c.example"],
            phases: [only("a.example", "c.example"), only("a.example", "c.example"), only("a.example")], isWidened: true),
        Row(
            task: (only("a.example"), nil, nil), mode: .allowlist, hosts: ["a.example"],
            phases: [only("a.example"), only("a.example"), only("a.example")]),
        Row(task: (only("a.example"), nil, nil), mode: .noNetwork, phases: [closed, closed, closed]),
    ]

    @Test("the stricter mode of job and task holds, and hosts are added where they count", arguments: rows)
    func rules(row: Row) {
        let request = Self.request(row)
        let network = TrialNetwork(of: request.task, job: request.jobSpec, agent: request.agent)
        #expect([network.install, network.execute, network.verify] == row.phases)
        #expect(network.isWidened == row.isWidened)
        #expect(TrialProgram(request).network == network)
    }

    static func request(_ row: Row) -> TrialPodRequest {
        TrialPodBuilderTests.request {
            $0.task.environment.network = row.task.base
            $0.task.agent.network = row.task.agent
            $0.task.verifier.network = row.task.verifier
            $0.jobSpec.environment.network = NetworkSpec(mode: row.mode, allowedHosts: row.hosts.isEmpty ? nil : row.hosts)
            $0.agent.allowedHosts = row.agentHosts
        }
    }

    // MARK: The pod

    static let access = EgressAccess(proxy: "http://127.0.0.1:3128", tokens: [.install: "token-i", .execute: "token-e"])
    static let cache = CacheAccess(endpoint: .socket(directory: "/c"), token: "token-c")

    @Test("a restricted trial's pod says so by its label, resolves no names, and has its tokens in delivery's environment only")
    func pod() throws {
        let request = Self.request(Row(mode: .noNetwork, agentHosts: ["model.example"], phases: []))
        let pod = try TrialPodBuilderTests.builder.pod(for: request, cache: Self.cache, egress: Self.access)
        #expect(pod.at("metadata", "labels", "assay.dev/network")?.string == "proxied")
        #expect(pod.at("spec", "dnsPolicy")?.string == "None" && pod.at("spec", "dnsConfig", "nameservers") == ["127.0.0.1"])
        let delivery = try TrialPodBuilderTests.container(pod, "repo-cache")
        #expect(TrialPodBuilderTests.env(delivery)["ASSAY_EGRESS"]?.string == (try Self.access.json))
        for name in ["trial", "collector"] { #expect(!(try TrialPodBuilderTests.container(pod, name).text.contains("token-"))) }
        #expect(pod.serialized().count <= 6 << 10)
    }

    @Test("a public trial's pod is as before, but for its label, whatever the operator offers")
    func publicPod() throws {
        let pod = try TrialPodBuilderTests.builder.pod(for: TrialPodBuilderTests.request { _ in }, cache: Self.cache, egress: Self.access)
        #expect(pod.at("metadata", "labels", "assay.dev/network")?.string == "public")
        #expect(pod.at("spec", "dnsPolicy") == nil && !pod.text.contains("ASSAY_EGRESS") && !pod.text.contains("token-e"))
    }

    @Test("a restricted trial is never built without cache service and proxy")
    func neverWithout() {
        let request = Self.request(Row(mode: .noNetwork, phases: []))
        #expect(throws: TrialError.self) { try TrialPodBuilderTests.builder.pod(for: request, cache: Self.cache) }
        #expect(throws: TrialError.self) { try TrialPodBuilderTests.builder.pod(for: request, egress: Self.access) }
    }

    // MARK: Refusals

    @Test("what cannot be enforced is refused with the reason, and a public trial never is")
    func refusals() throws {
        func refusal(_ row: Row, ability: NetworkAbility = .enforced, change: (inout TrialPodRequest) -> Void = { _ in }) -> String? {
            var request = Self.request(row)
            change(&request)
            let found = TrialNetworkRules.refusal(of: request.task, agent: request.agent, job: request.jobSpec, ability: ability)
            #expect(found.map { $0.type == .taskInvalid } ?? true)
            return found?.message
        }
        let restricted = Row(mode: .noNetwork, agentHosts: ["model.example"], phases: [])
        #expect(refusal(restricted) == nil)
        #expect(refusal(restricted, ability: .missing("there is no proxy"))?.contains("there is no proxy") == true)
        #expect(refusal(Row(phases: []), ability: .missing("there is no proxy")) == nil)
        let bad = Row(mode: .noNetwork, agentHosts: ["https://model.example/v1"], phases: [])
        #expect(refusal(bad)?.contains("\"https://model.example/v1\" is a URL") == true)
        for host in ["localhost", "LOCALHOST:11434", "127.0.0.1:11434", "[::1]:80", "::1"] {
            for row in [Row(mode: .noNetwork, agentHosts: [host], phases: []), Row(mode: .allowlist, hosts: [host], phases: [])] {
                #expect(refusal(row)?.contains("\"\(host)\" is the trial's own container") == true, "\(host): \(refusal(row) ?? "-")")
            }
        }
        #expect(refusal(Row(mode: .noNetwork, agentHosts: ["127.0.0.2:80", "10.0.0.1"], phases: [])) == nil)
        for name in ["HTTPS_PROXY", "http_proxy", "No_Proxy", "ALL_PROXY", "NODE_USE_ENV_PROXY"] {
            let agent = refusal(restricted) { $0.agent.env = [EnvironmentVariable(name: name, value: "x")] }
            let task = refusal(restricted) { $0.task.environment.env[name] = "x" }
            let verifier = refusal(restricted) { $0.task.verifier.env[name] = "x" }
            let environment = refusal(restricted) { $0.task.verifier.environment = TaskEnvironment(env: [name: "x"]) }
            let step = refusal(restricted) { $0.task.steps = [TaskStep(name: "s", verifier: TaskVerifier(env: [name: "x"]))] }
            for message in [agent, task, verifier, environment, step] { #expect(message?.contains(name) == true, "\(name)") }
            // A Compose file passes it on if the job has it.
            #expect(refusal(restricted) { $0.task.environment.passedEnv = [name] } == nil)
            #expect(refusal(Row(phases: [])) { $0.agent.env = [EnvironmentVariable(name: name, value: "x")] } == nil)
        }
    }
}
