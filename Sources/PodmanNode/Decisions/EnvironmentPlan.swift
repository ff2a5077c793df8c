import Base

/// Why a container cannot be made as its spec says; shown as `CreateContainerConfigError`.
struct ContainerConfigError: Error, Sendable, Hashable {
    var message: String
}

/// The environment, command and arguments of a container.
struct EnvironmentPlan: Sendable, Hashable {
    var variables: [String: String]
    var command: [String]
    var arguments: [String]

    /// The objects from which a container's environment takes values.
    struct References: Sendable, Hashable {
        var secrets: Set<String> = []
        var configMaps: Set<String> = []
    }

    static func references(of container: NodeContainer) -> References {
        var references = References()
        for source in container.environmentSources {
            if source.kind == .secret { references.secrets.insert(source.name) } else { references.configMaps.insert(source.name) }
        }
        for entry in container.environment {
            if case .secretKey(let name, _, _) = entry.source { references.secrets.insert(name) }
            if case .configMapKey(let name, _, _) = entry.source { references.configMaps.insert(name) }
        }
        return references
    }

    /// The data of the referenced objects; a name that is missing was not found.
    struct Values: Sendable {
        var secrets: [String: [String: [UInt8]]] = [:]
        var configMaps: [String: [String: [UInt8]]] = [:]
        var fields = PodFields()
    }

}

extension EnvironmentPlan {
    /// Source of the rules: kubelet `makeEnvironmentVariables`. Sources are applied first and entries override them in order; each entry can
    /// refer to the variables before it.
    init(_ container: NodeContainer, of pod: NodePod, values: Values) throws(ContainerConfigError) {
        var variables: [String: String] = [:]
        for source in container.environmentSources {
            let table = source.kind == .secret ? values.secrets : values.configMaps
            let kind = source.kind == .secret ? "secret" : "configmap"
            guard let data = table[source.name] else {
                if source.optional { continue }
                throw ContainerConfigError(message: "\(kind) \"\(source.name)\" not found")
            }
            for (key, value) in data where Self.isName(source.prefix + key) {
                variables[source.prefix + key] = String(decoding: value, as: UTF8.self)
            }
        }
        for entry in container.environment {
            if let value = try Self.value(of: entry, in: container, of: pod, values: values, before: variables) {
                variables[entry.name] = value
            }
        }
        let known = variables
        self.variables = variables
        command = container.command.map { EnvExpansion.expand($0) { known[$0] } }
        arguments = container.arguments.map { EnvExpansion.expand($0) { known[$0] } }
    }

    /// The variables whose value is written in the spec. In the command of a probe only these are replaced (kubelet
    /// `ExpandContainerCommandOnlyStatic`).
    static func literals(of container: NodeContainer) -> [String: String] {
        var found: [String: String] = [:]
        for entry in container.environment {
            if case .value(let text) = entry.source { found[entry.name] = text }
        }
        return found
    }

    private static func value(
        of entry: NodeEnvironmentEntry, in container: NodeContainer, of pod: NodePod, values: Values, before: [String: String]
    ) throws(ContainerConfigError) -> String? {
        switch entry.source {
        case .value(let text):
            return EnvExpansion.expand(text) { before[$0] }
        case .secretKey(let name, let key, let optional):
            return try lookUp("secret", "Secret", values.secrets[name], name, key, optional, pod.key.namespace)
        case .configMapKey(let name, let key, let optional):
            return try lookUp("configmap", "ConfigMap", values.configMaps[name], name, key, optional, pod.key.namespace)
        case .field(let path):
            guard let value = values.fields.value(of: path, in: pod) else {
                throw ContainerConfigError(message: "unsupported fieldPath: \(path)")
            }
            return value
        case .resource(let name, let resource, let divisor):
            guard let value = values.fields.resource(resource, of: name.flatMap(pod.container) ?? container, divisor: divisor) else {
                throw ContainerConfigError(message: "unsupported container resource: \(resource)")
            }
            return value
        case .unsupported(let kind):
            throw ContainerConfigError(message: "environment variable \"\(entry.name)\": this node does not support valueFrom.\(kind)")
        }
    }

    private static func lookUp(
        _ kind: String, _ title: String, _ data: [String: [UInt8]]?, _ name: String, _ key: String, _ optional: Bool, _ namespace: String
    ) throws(ContainerConfigError) -> String? {
        if let value = data?[key] { return String(decoding: value, as: UTF8.self) }
        if optional { return nil }
        throw ContainerConfigError(
            message: data == nil ? "\(kind) \"\(name)\" not found" : "couldn't find key \(key) in \(title) \(namespace)/\(name)")
    }

    private static func isName(_ text: String) -> Bool {
        guard let first = text.utf8.first, !(48...57).contains(first) else { return false }
        return text.utf8.allSatisfy { $0 > 32 && $0 != UInt8(ascii: "=") && $0 < 127 }
    }
}

/// The downward API: the fields of a pod that its containers can read.
struct PodFields: Sendable {
    var nodeName = ""
    var hostIP = ""
    var podIP = ""
    var allocatableCPU = 1
    var allocatableMemory = 0

    func value(of path: String, in pod: NodePod) -> String? {
        switch path {
        case "metadata.name": return pod.key.name
        case "metadata.namespace": return pod.key.namespace
        case "metadata.uid": return pod.uid
        case "metadata.labels": return Self.lines(pod.labels)
        case "metadata.annotations": return Self.lines(pod.annotations)
        case "spec.nodeName": return nodeName
        case "spec.serviceAccountName": return pod.serviceAccountName
        case "status.hostIP", "status.hostIPs": return hostIP
        case "status.podIP", "status.podIPs": return podIP
        default: break
        }
        for (prefix, table) in [("metadata.labels['", pod.labels), ("metadata.annotations['", pod.annotations)]
        where path.hasPrefix(prefix) && path.hasSuffix("']") {
            return table[String(path.dropFirst(prefix.count).dropLast(2))] ?? ""
        }
        return nil
    }

    /// A resource amount in units of the divisor, rounded up; for a limit that is not set, the node's amount.
    func resource(_ name: String, of container: NodeContainer, divisor: String?) -> String? {
        let parts = name.split(separator: ".", maxSplits: 1).map(String.init)
        guard parts.count == 2, ["cpu", "memory", "ephemeral-storage"].contains(parts[1]) else { return nil }
        let amount: ResourceQuantity?
        switch parts[0] {
        case "limits":
            amount =
                container.limit(parts[1])
                ?? (parts[1] == "cpu"
                    ? ResourceQuantity(allocatableCPU) : parts[1] == "memory" ? ResourceQuantity(allocatableMemory) : ResourceQuantity(0))
        case "requests": amount = container.request(parts[1]) ?? ResourceQuantity(0)
        default: return nil
        }
        guard let amount else { return nil }
        let unit = divisor.flatMap { ResourceQuantity($0) }?.thousandths ?? 1000
        guard unit > 0 else { return String(amount.whole) }
        return String(amount.thousandths / unit + (amount.thousandths % unit > 0 ? 1 : 0))
    }

    private static func lines(_ table: [String: String]) -> String {
        table.sorted { $0.key < $1.key }.map { "\($0.key)=\"\($0.value)\"" }.joined(separator: "\n")
    }
}
