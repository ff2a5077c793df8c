import AssayAPI
import Base
import EvalModel
import TrialRuntime

/// The environment variables of a trial pod's containers.
struct PodEnvironment {
    let request: TrialPodRequest
    let shared: SharedData

    /// A secret of the agent's environment, and the variable that carries it to the collector.
    struct Secret: Sendable, Hashable {
        /// The variable's name in the agent's environment.
        var name: String
        var variable: String
        var reference: SecretKeyReference
    }

    static func secrets(of agent: AgentSpec) -> [Secret] {
        agent.env.compactMap { variable in
            variable.valueFrom?.secretKeyRef.map { (variable.name, $0) }
        }.enumerated().map { index, secret in
            // Not passed under the agent's own name, because the collector may itself depend on a variable of that name.
            Secret(name: secret.0, variable: "\(TrialVariables.secret)\(index)", reference: secret.1)
        }
    }

    func delivery(_ program: PodProgram, _ cache: CacheAccess?) throws(TrialError) -> [JSONValue] {
        let json: [UInt8]
        do { json = try program.json } catch { throw TrialError(.internalError, "the trial's program cannot be written: \(error)") }
        var env = [Self.literal(TrialVariables.program, String(decoding: json, as: UTF8.self))]
        if shared.verifier == nil, shared.separate == nil, !request.task.verifier.env.isEmpty {
            env.append(Self.literal(TrialVariables.verifierEnvironment, VerifierVariables.json(request.task.verifier.env)))
        }
        if let cache {
            env.append(Self.literal(TrialVariables.cacheAddress, cache.endpoint.address.description))
            env.append(Self.literal(TrialVariables.cacheToken, cache.token))
        }
        return env
    }

    /// The task's and the agent's own variables. The runner needs none of ours, because it reads a file.
    func trial() -> [JSONValue] {
        var env = shared.literals.sorted { $0.key < $1.key }.map { Self.literal(Self.inContainer($0.key), $0.value) }
        for variable in request.agent.env {
            if let reference = variable.valueFrom?.secretKeyRef {
                env.append(Self.reference(Self.inContainer(variable.name), reference))
            } else {
                env.append(Self.literal(Self.inContainer(variable.name), variable.value ?? ""))
            }
        }
        return env
    }

    /// A separate verifier's own variables.
    func verifier() -> [JSONValue] {
        (shared.separate?.literals ?? [:]).sorted { $0.key < $1.key }.map { Self.literal(Self.inContainer($0.key), $0.value) }
    }

    private static func inContainer(_ name: String) -> String { name == TrialVariables.path ? TrialVariables.phasePath : name }

    /// Only secrets: all other data for the collector is in its volume.
    func collector(_ secrets: [Secret]) -> [JSONValue] {
        guard !secrets.isEmpty else { return [] }
        let names = secrets.map { "\($0.variable):\($0.name)" }.joined(separator: ",")
        return [Self.literal(TrialVariables.redact, names)] + secrets.map { Self.reference($0.variable, $0.reference) }
    }

    /// Kubernetes expands `$(NAME)` in values and reads `$$` as a dollar. Each dollar is doubled, so that the value arrives unchanged.
    static func literal(_ name: String, _ value: String) -> JSONValue {
        ["name": .string(name), "value": .string(value.split(separator: "$", omittingEmptySubsequences: false).joined(separator: "$$"))]
    }

    private static func reference(_ name: String, _ reference: SecretKeyReference) -> JSONValue {
        var key: JSONValue = ["name": .string(reference.name), "key": .string(reference.key)]
        if let optional = reference.optional { key["optional"] = .bool(optional) }
        return ["name": .string(name), "valueFrom": ["secretKeyRef": key]]
    }
}
