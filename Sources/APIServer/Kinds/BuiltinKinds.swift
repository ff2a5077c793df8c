/// The kinds that are served without a definition.
enum BuiltinKinds {
    static let all: [ServedKind] = core + coordination + apps + rbac + networking + discovery + policy + authentication + authorization + extensions

    private static let statusVerbs = ["get", "patch", "update"]

    private static func make(
        _ group: String, _ plural: String, _ kind: String, namespaced: Bool = true, short: [String] = [],
        categories: [String] = [],
        singular: String? = nil, status: Bool = false, more: [ServedKind.Subresource] = [],
        verbs: [String] = ServedKind.builtinVerbs,
        _ strategy: any KindStrategy
    ) -> ServedKind {
        var subresources = more
        if status { subresources.append(.init(name: "status", kind: kind, group: group, version: "v1", verbs: statusVerbs)) }
        return ServedKind(
            group: group, version: "v1", plural: plural, singular: singular ?? kind.lowercased(), kind: kind,
            listKind: "\(kind)List",
            isNamespaced: namespaced, shortNames: short, categories: categories, verbs: verbs, subresources: subresources,
            shape: .named(kind), strategy: strategy)
    }

    private static let core: [ServedKind] = [
        make("", "configmaps", "ConfigMap", short: ["cm"], ConfigStrategy(isSecret: false)),
        make("", "events", "Event", short: ["ev"], EventStrategy()),
        make("", "limitranges", "LimitRange", short: ["limits"], PlainStrategy()),
        make(
            "", "namespaces", "Namespace", namespaced: false, short: ["ns"], status: true,
            more: [.init(name: "finalize", kind: "Namespace", group: "", version: "v1", verbs: ["update"])],
            verbs: ServedKind.builtinVerbs.filter { $0 != "deletecollection" }, NamespaceStrategy()),
        make("", "nodes", "Node", namespaced: false, short: ["no"], status: true, PlainStrategy()),
        make("", "persistentvolumeclaims", "PersistentVolumeClaim", short: ["pvc"], status: true, PlainStrategy()),
        make(
            "", "pods", "Pod", short: ["po"], categories: ["all"], status: true,
            more: [
                .init(name: "binding", kind: "Binding", group: "", version: "v1", verbs: ["create"]),
                .init(name: "eviction", kind: "Eviction", group: "policy", version: "v1", verbs: ["create"]),
                .init(name: "log", kind: "Pod", group: "", version: "v1", verbs: ["get"]),
            ], PodStrategy()),
        make("", "resourcequotas", "ResourceQuota", short: ["quota"], status: true, PlainStrategy()),
        make("", "secrets", "Secret", ConfigStrategy(isSecret: true)),
        make(
            "", "serviceaccounts", "ServiceAccount", short: ["sa"],
            more: [.init(name: "token", kind: "TokenRequest", group: "authentication.k8s.io", version: "v1", verbs: ["create"])], PlainStrategy()),
        make("", "services", "Service", short: ["svc"], categories: ["all"], status: true, PlainStrategy(hasStatus: true)),
    ]

    private static let coordination = [make("coordination.k8s.io", "leases", "Lease", LeaseStrategy())]

    private static let apps = [
        make("apps", "daemonsets", "DaemonSet", short: ["ds"], categories: ["all"], status: true, WorkloadStrategy()),
        make("apps", "deployments", "Deployment", short: ["deploy"], categories: ["all"], status: true, WorkloadStrategy()),
    ]

    private static let rbac = [
        make(
            "rbac.authorization.k8s.io", "clusterrolebindings", "ClusterRoleBinding", namespaced: false,
            PlainStrategy(hasFreeNames: true)),
        make("rbac.authorization.k8s.io", "clusterroles", "ClusterRole", namespaced: false, PlainStrategy(hasFreeNames: true)),
        make("rbac.authorization.k8s.io", "rolebindings", "RoleBinding", PlainStrategy(hasFreeNames: true)),
        make("rbac.authorization.k8s.io", "roles", "Role", PlainStrategy(hasFreeNames: true)),
    ]

    private static let networking = [
        make("networking.k8s.io", "networkpolicies", "NetworkPolicy", short: ["netpol"], PlainStrategy(countsGenerations: true))
    ]

    private static let discovery = [make("discovery.k8s.io", "endpointslices", "EndpointSlice", PlainStrategy())]

    private static let policy = [
        make(
            "policy", "poddisruptionbudgets", "PodDisruptionBudget", short: ["pdb"], status: true,
            PlainStrategy(countsGenerations: true, hasStatus: true))
    ]

    private static let authorization = [
        make(
            "authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced: false, verbs: ["create"],
            PlainStrategy()),
        make(
            "authorization.k8s.io", "selfsubjectrulesreviews", "SelfSubjectRulesReview", namespaced: false, verbs: ["create"],
            PlainStrategy()),
    ]

    private static let authentication = [
        make("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview", namespaced: false, verbs: ["create"], PlainStrategy())
    ]

    private static let extensions = [
        make(
            "apiextensions.k8s.io", "customresourcedefinitions", "CustomResourceDefinition", namespaced: false,
            short: ["crd", "crds"],
            categories: ["api-extensions"], status: true, DefinitionStrategy())
    ]
}
