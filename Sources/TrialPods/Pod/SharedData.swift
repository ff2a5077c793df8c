import AssayAPI
import Base
import EvalModel
import TrialRuntime

/// Data that the trials of a job share and that is not in their pods: immutable ConfigMaps that the job owns.
///
/// Pure: the same job, agent and task give the same data. A name ends in a hash of the data, so that different data has a different name
/// and a pod never mounts data that it was not made for.
public struct SharedData: Sendable, Hashable {
    public struct ConfigMap: Sendable, Hashable {
        public var name: String
        public var data: [String: String]

        init(_ part: String, _ data: [String: String], _ request: TrialPodRequest) {
            let text = JSONValue.object(data.mapValues { .string($0) }).serialized()
            name = TrialPodNames.configMap(
                job: request.job.name, jobUID: request.job.uid, part: "\(part)-\(SHA256.hex(of: text).prefix(8))")
            self.data = data
        }
    }

    /// The most bytes of a task's or a verifier's environment that are kept in the pod itself.
    static let literalBytes = 1024
    /// The limit for the keys and values of one ConfigMap, in bytes. The API server takes 1 MiB of JSON, in which text may be twice as
    /// long.
    public static let maximumBytes = 512 * 1024

    /// The agent's scripts; mounted for delivery only.
    var agent: ConfigMap?
    /// The verifier's environment, if it is too large for the pod; mounted for delivery only.
    var verifier: ConfigMap?
    /// The task's environment, if it is too large for the pod; the trial container reads it by `envFrom`.
    var environment: ConfigMap?
    /// The task's variables that are kept in the pod itself.
    var literals: [String: String]
    /// The variables of separate verifiers, in the order of their steps; empty in shared mode.
    private(set) var separate: [Variables] = []

    /// Variables of a container: those in the pod itself, and the others in a ConfigMap that the container reads by `envFrom`.
    struct Variables: Sendable, Hashable {
        var literals: [String: String]
        var map: ConfigMap?

        /// Secrets are never shared: the pod refers to them.
        init(_ values: [String: TaskValue], _ part: String, _ request: TrialPodRequest) {
            let variables = values.compactMapValues(\.literal)
            guard SharedData.size(variables) > SharedData.literalBytes else {
                literals = variables
                return
            }
            literals = variables.filter { !SharedData.isShared($0.key) }
            map = ConfigMap(part, variables.filter { SharedData.isShared($0.key) }, request)
        }
    }

    /// The ConfigMaps that must exist before the pod is created.
    public var configMaps: [ConfigMap] {
        // Steps whose variables are the same have the same ConfigMap.
        ([agent, verifier, environment] + separate.map(\.map)).compactMap { $0 }.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    init(_ request: TrialPodRequest) {
        if !request.agent.agent.isOracle {
            let scripts = [AgentScript.install.rawValue: request.agent.install, AgentScript.execute.rawValue: request.agent.execute]
                .compactMapValues { $0 }.filter { !$0.value.isEmpty }
            if !scripts.isEmpty { agent = ConfigMap("agent-\(request.coordinate.agentIndex)", scripts, request) }
        }
        let task = request.coordinate.taskIndex
        if request.isVerifiedSeparately {
            separate = request.separateVerifierVariables.map { Variables($0, "verifier-env-\(task)", request) }
        } else {
            let values = VerifierVariables.json(DeliveredValues(request).verifier)
            if values.utf8.count > Self.literalBytes { verifier = ConfigMap("verifier-\(task)", [VerifierVariables.key: values], request) }
        }
        let variables = Variables(request.taskVariables, "env-\(task)", request)
        (literals, environment) = (variables.literals, variables.map)
    }

    /// Whether a variable of a large environment may come from the ConfigMap. PATH has another name in the pod (`TrialVariables.phasePath`).
    private static func isShared(_ name: String) -> Bool { isKey(name) && name != TrialVariables.path }

    private static func size(_ variables: [String: String]) -> Int { variables.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count } }

    /// Keys of ConfigMaps allow fewer characters than names of variables.
    private static func isKey(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 253
            && name.utf8.allSatisfy {
                UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= $0
                    || UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".")
            }
            && name != "." && !name.hasPrefix("..")
    }

    /// - Throws: `internal_error` for data that no ConfigMap can hold.
    func check(_ request: TrialPodRequest) throws(TrialError) {
        for (map, what) in [
            (agent, "the scripts of agent \"\(request.agent.name)\""), (verifier, "the verifier's environment"),
            (environment, "the task's environment"),
        ] + separate.map({ ($0.map, "the verifier's environment") }) {
            guard let map, Self.size(map.data) > Self.maximumBytes else { continue }
            throw TrialError(
                .internalError, "\(what): \(Self.size(map.data)) bytes, more than \(Self.maximumBytes); keep them in the image or fetch them")
        }
    }
}
