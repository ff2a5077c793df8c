import AssayAPI
import Base
import EvalModel
import TrialRuntime

/// The environments of a trial pod's containers.
enum TrialEnvironment {
    /// A secret of the agent's environment, and the variable that carries it to the collector.
    struct Secret: Sendable, Hashable {
        /// What the agent calls it.
        var name: String
        var variable: String
        var reference: SecretKeyReference
    }

    static func secrets(of agent: AgentSpec) -> [Secret] {
        agent.env.compactMap { variable in
            variable.valueFrom?.secretKeyRef.map { (variable.name, $0) }
        }.enumerated().map { index, secret in
            // Not under the agent's own name, which may be one that the collector itself depends on.
            Secret(name: secret.0, variable: "\(TrialVariables.secret)\(index)", reference: secret.1)
        }
    }

    static func delivery(_ request: TrialPodRequest) -> [JSONValue] {
        let plan = (try? JSONValueEncoder().encode(request.plan).text) ?? "{}"
        var env = [literal(TrialVariables.plan, plan)]
        if request.agent.agent.isOracle {
            env.append(literal(TrialVariables.execute, Runner.oracleExecute))
            return env
        }
        if let install = request.agent.install, !install.isEmpty { env.append(literal(TrialVariables.install, install)) }
        if let execute = request.agent.execute, !execute.isEmpty { env.append(literal(TrialVariables.execute, execute)) }
        return env
    }

    static func trial(_ request: TrialPodRequest) -> [JSONValue] {
        let task = request.task
        let timeouts = request.timeouts
        let agentNames = Set(request.agent.env.map(\.name))
        // The agent's own variables win over the task's: they are the newer decision.
        var env = task.environment.env.sorted { $0.key < $1.key }
            .filter { !agentNames.contains($0.key) && !$0.key.hasPrefix(TrialVariables.reservedPrefix) }
            .map { literal($0.key, $0.value) }
        for variable in request.agent.env {
            if let reference = variable.valueFrom?.secretKeyRef {
                env.append(self.reference(variable.name, reference))
            } else {
                env.append(literal(variable.name, variable.value ?? ""))
            }
        }
        let verifier = request.job.spec.verifier
        env.append(literal(TrialVariables.instructionPath, request.job.spec.instructionPath))
        env.append(literal(TrialVariables.installTimeout, milliseconds(timeouts.installSec)))
        env.append(literal(TrialVariables.agentTimeout, milliseconds(timeouts.agentSec)))
        env.append(literal(TrialVariables.verifierTimeout, milliseconds(timeouts.verifierSec)))
        env.append(literal(TrialVariables.verify, verifier.disable ? "0" : "1"))
        if verifier.endAgentProcesses { env.append(literal(TrialVariables.endAgentProcesses, "1")) }
        for (index, entry) in task.verifierEnv.sorted(by: { $0.key < $1.key }).enumerated() {
            env.append(literal("\(TrialVariables.verifierVariable)\(index)", "\(entry.key)=\(entry.value)"))
        }
        return env
    }

    static func collector(_ request: TrialPodRequest, _ settings: TrialPodSettings, _ secrets: [Secret]) -> [JSONValue] {
        var env = [
            literal(TrialVariables.rewardRule, (request.rewardRule ?? request.task.rewardRule).rawValue),
            literal(TrialVariables.verify, request.job.spec.verifier.disable ? "0" : "1"),
            literal(TrialVariables.installTimeout, milliseconds(request.timeouts.installSec)),
            literal(TrialVariables.agentTimeout, milliseconds(request.timeouts.agentSec)),
            literal(TrialVariables.verifierTimeout, milliseconds(request.timeouts.verifierSec)),
            // The operator ends a pod that cannot start before this; it is for when there is no operator.
            literal(TrialVariables.gateTimeout, String(settings.slackSeconds)),
            literal(TrialVariables.packLimit, String(settings.packLimitBytes)),
        ]
        guard !secrets.isEmpty else { return env }
        env.append(
            literal(TrialVariables.redact, secrets.map { "\($0.variable):\($0.name)" }.joined(separator: ",")))
        env.append(contentsOf: secrets.map { reference($0.variable, $0.reference) })
        return env
    }

    /// At least one millisecond: 0 stands for no limit.
    private static func milliseconds(_ seconds: Double?) -> String {
        guard let seconds, seconds.isFinite, seconds < 1e9 else { return "0" }
        return String(max(1, Int((seconds * 1000).rounded(.up))))
    }

    /// Kubernetes expands `$(NAME)` in values and reads `$$` as a dollar; ours are meant as they stand.
    private static func literal(_ name: String, _ value: String) -> JSONValue {
        ["name": .string(name), "value": .string(value.split(separator: "$", omittingEmptySubsequences: false).joined(separator: "$$"))]
    }

    private static func reference(_ name: String, _ reference: SecretKeyReference) -> JSONValue {
        var key: JSONValue = ["name": .string(reference.name), "key": .string(reference.key)]
        if let optional = reference.optional { key["optional"] = .bool(optional) }
        return ["name": .string(name), "valueFrom": ["secretKeyRef": key]]
    }
}
