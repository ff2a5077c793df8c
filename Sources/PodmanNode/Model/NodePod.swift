import Base
import KubeCore

/// The part of a pod that the node needs, read once from the object and not changed afterwards.
struct NodePod: Sendable, Hashable {
    /// Names that the pod's hosts file gives an address.
    struct HostAlias: Sendable, Hashable {
        var address: String
        var names: [String]
    }

    enum RestartPolicy: String, Sendable { case always = "Always", onFailure = "OnFailure", never = "Never" }

    var key: ObjectKey
    var uid: String
    var version: ResourceVersion?
    var generation: Int
    var creation: Timestamp?
    var deletion: Timestamp?
    var deletionGraceSeconds: Int?
    var labels: [String: String]
    var annotations: [String: String]

    var nodeName: String
    var schedulerName: String
    var nodeSelector: [String: String]
    var hasRequiredNodeAffinity: Bool
    var restartPolicy: RestartPolicy
    var activeDeadlineSeconds: Int?
    var terminationGraceSeconds: Int
    var serviceAccountName: String
    var hostNamespaces: [String]
    var fsGroup: Int?
    var runAsUser: Int?
    var runAsGroup: Int?
    var supplementalGroups: [Int]
    /// The content of resolv.conf with the policy `None`; nil for the other policies, which leave it to podman.
    var resolver: String?
    var initContainers: [NodeContainer]
    var containers: [NodeContainer]
    var volumes: [NodeVolume]
    var hostAliases: [HostAlias]
    /// The status that the API server last sent. From it the conditions of other writers and the transition times are kept.
    var status: JSONValue

    /// - Throws: `JSONDecodingError` that names the field that cannot be read.
    init(_ object: JSONValue) throws(JSONDecodingError) {
        guard let name = object.at("metadata", "name")?.string, let uid = object.at("metadata", "uid")?.string else {
            throw JSONDecodingError(path: "metadata", message: "a pod must have a name and a uid")
        }
        let metadata = object["metadata"] ?? [:]
        let spec = object["spec"] ?? [:]
        key = ObjectKey(namespace: metadata["namespace"]?.string ?? "default", name: name)
        self.uid = uid
        version = metadata["resourceVersion"]?.string.flatMap(ResourceVersion.init)
        generation = metadata["generation"]?.int ?? 1
        creation = metadata["creationTimestamp"]?.string.flatMap(Timestamp.init(rfc3339:))
        deletion = metadata["deletionTimestamp"]?.string.flatMap(Timestamp.init(rfc3339:))
        deletionGraceSeconds = metadata["deletionGracePeriodSeconds"]?.int
        labels = strings(metadata["labels"])
        annotations = strings(metadata["annotations"])
        nodeName = spec["nodeName"]?.string ?? ""
        schedulerName = spec["schedulerName"]?.string ?? "default-scheduler"
        nodeSelector = strings(spec["nodeSelector"])
        hasRequiredNodeAffinity =
            spec.at("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution") != nil
        restartPolicy = RestartPolicy(rawValue: spec["restartPolicy"]?.string ?? "Always") ?? .always
        activeDeadlineSeconds = spec["activeDeadlineSeconds"]?.int
        terminationGraceSeconds = spec["terminationGracePeriodSeconds"]?.int ?? 30
        serviceAccountName = spec["serviceAccountName"]?.string ?? "default"
        hostNamespaces = ["hostNetwork", "hostPID", "hostIPC"].filter { spec[$0]?.bool == true }
        let security = spec["securityContext"] ?? [:]
        fsGroup = security["fsGroup"]?.int
        runAsUser = security["runAsUser"]?.int
        runAsGroup = security["runAsGroup"]?.int
        supplementalGroups = (security["supplementalGroups"]?.array ?? []).compactMap(\.int)
        if spec["dnsPolicy"]?.string == "None" {
            func texts(_ name: String) -> [String] { (spec.at("dnsConfig", name)?.array ?? []).compactMap(\.string) }
            let searches = texts("searches")
            resolver = (texts("nameservers").map { "nameserver \($0)" } + (searches.isEmpty ? [] : ["search \(searches.joined(separator: " "))"]))
                .map { $0 + "\n" }.joined()
        }
        initContainers = (spec["initContainers"]?.array ?? []).map(NodeContainer.init)
        containers = (spec["containers"]?.array ?? []).map(NodeContainer.init)
        volumes = (spec["volumes"]?.array ?? []).map(NodeVolume.init)
        hostAliases = (spec["hostAliases"]?.array ?? []).map {
            HostAlias(address: $0["ip"]?.string ?? "", names: ($0["hostnames"]?.array ?? []).compactMap(\.string))
        }
        status = object["status"] ?? [:]
    }

    var allContainers: [NodeContainer] { initContainers + containers }

    func container(_ name: String) -> NodeContainer? { allContainers.first { $0.name == name } }

    func isOlder(than other: NodePod) -> Bool {
        guard let version, let newer = other.version else { return false }
        return version < newer
    }

    var phase: String { status["phase"]?.string ?? "Pending" }
    var hasEnded: Bool { phase == "Succeeded" || phase == "Failed" }
}

/// One container of a pod.
struct NodeContainer: Sendable, Hashable {
    struct Mount: Sendable, Hashable {
        var volume: String
        var path: String
        var readOnly: Bool
        var subPath: String?
        var subPathExpr: String?
    }

    var name: String
    var image: String
    /// Always, IfNotPresent or Never; nil means that the tag of the image decides.
    var pullPolicy: String?
    var command: [String]
    var arguments: [String]
    var workingDirectory: String?
    var environment: [NodeEnvironmentEntry]
    var environmentSources: [NodeEnvironmentSource]
    var mounts: [Mount]
    /// Copied from the spec; the status repeats it.
    var resources: JSONValue
    var terminationMessagePath: String
    var terminationMessageFallsBackToLogs: Bool
    /// Whether this is an init container that keeps running beside the others (`restartPolicy: Always`).
    var isSidecar: Bool
    var security: JSONValue
    /// nil: the container has started as soon as it runs.
    var startupProbe: NodeProbe?

    init(_ spec: JSONValue) {
        name = spec["name"]?.string ?? ""
        image = spec["image"]?.string ?? ""
        pullPolicy = spec["imagePullPolicy"]?.string
        command = (spec["command"]?.array ?? []).compactMap(\.string)
        arguments = (spec["args"]?.array ?? []).compactMap(\.string)
        workingDirectory = spec["workingDir"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        environment = (spec["env"]?.array ?? []).map(NodeEnvironmentEntry.init)
        environmentSources = (spec["envFrom"]?.array ?? []).compactMap(NodeEnvironmentSource.init)
        mounts = (spec["volumeMounts"]?.array ?? []).map {
            Mount(
                volume: $0["name"]?.string ?? "", path: $0["mountPath"]?.string ?? "",
                readOnly: $0["readOnly"]?.bool ?? false, subPath: $0["subPath"]?.string.flatMap { $0.isEmpty ? nil : $0 },
                subPathExpr: $0["subPathExpr"]?.string.flatMap { $0.isEmpty ? nil : $0 })
        }
        resources = spec["resources"] ?? [:]
        terminationMessagePath = spec["terminationMessagePath"]?.string ?? "/dev/termination-log"
        terminationMessageFallsBackToLogs = spec["terminationMessagePolicy"]?.string == "FallbackToLogsOnError"
        isSidecar = spec["restartPolicy"]?.string == "Always"
        security = spec["securityContext"] ?? [:]
        startupProbe = spec["startupProbe"].flatMap { NodeProbe($0, ports: spec["ports"]?.array ?? []) }
    }

    /// Whether the container runs and its startup probe, if it has one, has succeeded.
    func hasStarted(_ record: ContainerRecord?) -> Bool {
        guard let record, record.isRunning else { return false }
        return startupProbe == nil || record.startedAt != nil
    }

    func limit(_ resource: String) -> ResourceQuantity? {
        resources.at("limits", resource).flatMap(ResourceQuantity.init)
    }

    func request(_ resource: String) -> ResourceQuantity? {
        resources.at("requests", resource).flatMap(ResourceQuantity.init) ?? limit(resource)
    }
}

struct NodeEnvironmentEntry: Sendable, Hashable {
    enum Source: Sendable, Hashable {
        case value(String)
        case secretKey(name: String, key: String, optional: Bool)
        case configMapKey(name: String, key: String, optional: Bool)
        case field(path: String)
        case resource(container: String?, resource: String, divisor: String?)
        case unsupported(String)
    }

    var name: String
    var source: Source

    init(_ spec: JSONValue) {
        name = spec["name"]?.string ?? ""
        guard let from = spec["valueFrom"], !from.isNull else {
            source = .value(spec["value"]?.string ?? "")
            return
        }
        if let reference = from["secretKeyRef"] {
            source = .secretKey(
                name: reference["name"]?.string ?? "", key: reference["key"]?.string ?? "",
                optional: reference["optional"]?.bool ?? false)
        } else if let reference = from["configMapKeyRef"] {
            source = .configMapKey(
                name: reference["name"]?.string ?? "", key: reference["key"]?.string ?? "",
                optional: reference["optional"]?.bool ?? false)
        } else if let path = from.at("fieldRef", "fieldPath")?.string {
            source = .field(path: path)
        } else if let reference = from["resourceFieldRef"] {
            source = .resource(
                container: reference["containerName"]?.string, resource: reference["resource"]?.string ?? "",
                divisor: reference["divisor"]?.string)
        } else {
            source = .unsupported(from.object?.keys.sorted().joined(separator: ", ") ?? "")
        }
    }
}

struct NodeEnvironmentSource: Sendable, Hashable {
    enum Kind: Sendable { case secret, configMap }
    var kind: Kind
    var name: String
    var optional: Bool
    var prefix: String

    init?(_ spec: JSONValue) {
        prefix = spec["prefix"]?.string ?? ""
        if let reference = spec["secretRef"] {
            kind = .secret
            name = reference["name"]?.string ?? ""
            optional = reference["optional"]?.bool ?? false
        } else if let reference = spec["configMapRef"] {
            kind = .configMap
            name = reference["name"]?.string ?? ""
            optional = reference["optional"]?.bool ?? false
        } else {
            return nil
        }
    }
}

private func strings(_ value: JSONValue?) -> [String: String] { (value?.object ?? [:]).compactMapValues(\.string) }
