/// A resource type of the API server: the path of its collection and the kind of its objects.
public struct ResourceType: Hashable, Sendable {
    /// The API group; empty for the core group.
    public let group: String
    /// The version within the group, for example `v1`.
    public let version: String
    /// The lower-case plural used in paths, for example `pods`.
    public let plural: String
    /// The `kind` that objects carry, for example `Pod`.
    public let kind: String
    /// Whether objects belong to a namespace.
    public let namespaced: Bool

    public init(group: String, version: String, plural: String, kind: String, namespaced: Bool) {
        self.group = group
        self.version = version
        self.plural = plural
        self.kind = kind
        self.namespaced = namespaced
    }

    /// The `apiVersion` of objects of this type: `v1`, or `group/version`.
    public var apiVersion: String { group.isEmpty ? version : "\(group)/\(version)" }

    /// The path of the group and version: `/api/v1`, or `/apis/group/version`.
    public var basePath: String { group.isEmpty ? "/api/\(version)" : "/apis/\(group)/\(version)" }

    /// The kind of a list of this type, for example `PodList`.
    public var listKind: String { kind + "List" }
}

extension ResourceType: CustomStringConvertible {
    /// As the API server's errors name it: `pods`, or `leases.coordination.k8s.io`.
    public var description: String { group.isEmpty ? plural : "\(plural).\(group)" }
}

// The built-in types that Assay uses.
extension ResourceType {
    public static let pods = core("pods", "Pod")
    public static let secrets = core("secrets", "Secret")
    public static let configMaps = core("configmaps", "ConfigMap")
    public static let events = core("events", "Event")
    public static let serviceAccounts = core("serviceaccounts", "ServiceAccount")
    public static let services = core("services", "Service")
    public static let persistentVolumeClaims = core("persistentvolumeclaims", "PersistentVolumeClaim")
    public static let namespaces = core("namespaces", "Namespace", namespaced: false)
    public static let nodes = core("nodes", "Node", namespaced: false)
    public static let leases = ResourceType(
        group: "coordination.k8s.io", version: "v1", plural: "leases", kind: "Lease", namespaced: true)
    public static let networkPolicies = ResourceType(
        group: "networking.k8s.io", version: "v1", plural: "networkpolicies", kind: "NetworkPolicy", namespaced: true)
    public static let endpointSlices = ResourceType(
        group: "discovery.k8s.io", version: "v1", plural: "endpointslices", kind: "EndpointSlice", namespaced: true)
    public static let deployments = ResourceType(
        group: "apps", version: "v1", plural: "deployments", kind: "Deployment", namespaced: true)
    public static let daemonSets = ResourceType(
        group: "apps", version: "v1", plural: "daemonsets", kind: "DaemonSet", namespaced: true)
    public static let jobs = ResourceType(
        group: "batch", version: "v1", plural: "jobs", kind: "Job", namespaced: true)
    public static let customResourceDefinitions = ResourceType(
        group: "apiextensions.k8s.io", version: "v1", plural: "customresourcedefinitions",
        kind: "CustomResourceDefinition", namespaced: false)

    private static func core(_ plural: String, _ kind: String, namespaced: Bool = true) -> ResourceType {
        ResourceType(group: "", version: "v1", plural: plural, kind: kind, namespaced: namespaced)
    }
}
