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

    /// The agent's, and the job's that the task asks for.
    static func secrets(of request: TrialPodRequest) -> [Secret] {
        var found = request.agent.env.compactMap { variable in variable.valueFrom?.secretKeyRef.map { (variable.name, $0) } }
        let verifiers = request.isVerifiedSeparately ? request.separateVerifierVariables : request.verifierVariables
        let services = request.task.environment.services.services.map { request.variables(of: $0) }
        for table in [request.taskVariables, request.solutionVariables] + verifiers + services {
            for (name, value) in table.sorted(by: { $0.key < $1.key }) {
                guard let reference = value.secret, !found.contains(where: { $0.1 == reference }) else { continue }
                found.append((name, reference))
            }
        }
        return found.enumerated().map { index, secret in
            // Not passed under the agent's own name, because the collector may itself depend on a variable of that name.
            Secret(name: secret.0, variable: "\(TrialVariables.secret)\(index)", reference: secret.1)
        }
    }

    func delivery(_ program: PodProgram, _ cache: CacheAccess?, _ egress: EgressAccess?) throws(TrialError) -> [JSONValue] {
        let json: [UInt8]
        var access: String?
        do {
            json = try program.json
            access = try egress?.json
        } catch { throw TrialError(.internalError, "the trial's program cannot be written: \(error)") }
        var env = [Self.literal(TrialVariables.program, String(decoding: json, as: UTF8.self))]
        let values = DeliveredValues(request)
        if shared.verifier == nil, !values.verifier.allSatisfy(\.isEmpty) {
            env.append(Self.literal(TrialVariables.verifierEnvironment, VerifierVariables.json(values.verifier)))
        }
        if !values.solution.isEmpty { env.append(Self.literal(TrialVariables.solutionEnvironment, VerifierVariables.json([values.solution]))) }
        if let access { env.append(Self.literal(TrialVariables.egress, access)) }
        return env + values.secrets.map { Self.reference($0.variable, $0.reference) } + (cache.map(Self.cache) ?? [])
    }

    /// How a container reads from the cache service.
    static func cache(_ access: CacheAccess) -> [JSONValue] {
        [literal(TrialVariables.cacheAddress, access.endpoint.address.description)]
            + (access.node.map { [literal(TrialVariables.nodeCacheAddress, $0)] } ?? []) + [literal(TrialVariables.cacheToken, access.token)]
    }

    /// The task's and the agent's own variables. The runner needs none of ours, because it reads a file.
    func trial() -> [JSONValue] {
        var env = shared.literals.sorted { $0.key < $1.key }.map { Self.literal(Self.inContainer($0.key), $0.value) }
        env += Self.references(in: request.taskVariables)
        for variable in request.agent.env {
            if let reference = variable.valueFrom?.secretKeyRef {
                env.append(Self.reference(Self.inContainer(variable.name), reference))
            } else {
                env.append(Self.literal(Self.inContainer(variable.name), variable.value ?? ""))
            }
        }
        return env
    }

    /// The same for a trial on a host: the variables under names that change no program of the container, and the host.
    func remote(_ host: HostSpec, _ workdir: String?) -> [JSONValue] {
        let resources = TrialResources(request)
        let remote = RemoteHost(
            login: host.login,
            trial: "\(request.job.uid.prefix(36)).\(request.coordinate.index).\(request.coordinate.rerun).\(request.retry)",
            image: request.image == HostRules.ownPrograms ? nil : request.image, workdir: workdir,
            limits: RemoteHost.Limits(cpus: resources.cpus, memoryMB: resources.memoryLimitMB, storageMB: resources.storageMB))
        let variables = trial().map { variable in
            var variable = variable
            variable["name"] = .string(TrialVariables.given + (variable["name"]?.string ?? ""))
            return variable
        }
        return [Self.literal(TrialVariables.remoteHost, (try? remote.json) ?? "")] + variables
    }

    /// The variables of a step's separate verifier.
    func verifier(ofStep step: Int) -> [JSONValue] {
        shared.separate[step].literals.sorted { $0.key < $1.key }.map { Self.literal(Self.inContainer($0.key), $0.value) }
            + Self.references(in: request.separateVerifierVariables(ofStep: step))
    }

    /// A service's variables.
    func service(_ service: TaskService) -> [JSONValue] {
        request.variables(of: service).sorted { $0.key < $1.key }.map { name, value in
            switch value {
            case .literal(let text): Self.literal(name, text)
            case .secret(let reference): Self.reference(name, reference)
            }
        }
    }

    /// The variables whose value is a secret of the job.
    private static func references(in variables: [String: TaskValue]) -> [JSONValue] {
        variables.sorted { $0.key < $1.key }.compactMap { name, value in value.secret.map { reference(inContainer(name), $0) } }
    }

    private static func inContainer(_ name: String) -> String { name == TrialVariables.path ? TrialVariables.phasePath : name }

    /// Only secrets: all other data for the collector is in its volume.
    func collector(_ secrets: [Secret]) -> [JSONValue] {
        guard !secrets.isEmpty else { return [] }
        let names = secrets.map { "\($0.variable):\($0.name)" }.joined(separator: ",")
        return [Self.literal(TrialVariables.redact, names)] + secrets.map { Self.reference($0.variable, $0.reference) }
    }

    /// Kubernetes expands `$(NAME)` in values and reads `$$` as a dollar. Each dollar is doubled, so that the value arrives unchanged.
    static func literal(_ name: String, _ value: String) -> JSONValue { ["name": .string(name), "value": .string(escaped(value))] }

    /// The same for the words of a command.
    static func escaped(_ text: String) -> String { text.split(separator: "$", omittingEmptySubsequences: false).joined(separator: "$$") }

    private static func reference(_ name: String, _ reference: SecretKeyReference) -> JSONValue {
        var key: JSONValue = ["name": .string(reference.name), "key": .string(reference.key)]
        if let optional = reference.optional { key["optional"] = .bool(optional) }
        return ["name": .string(name), "valueFrom": ["secretKeyRef": key]]
    }
}
