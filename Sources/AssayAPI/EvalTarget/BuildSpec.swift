import Base

/// How images are built from a task's Dockerfile: by a pod that runs the builder and stores the image in a registry.
public struct BuildSpec: Codable, Sendable, Hashable {
    /// The repository that images are stored in, `[http://]HOST[:PORT][/PATH]`.
    public var registry: String
    public var builderImage: String
    /// The builder's command; nil: `defaultCommand`. Build arguments are added at its end as `--build-arg NAME=VALUE`.
    public var command: [String]?
    /// Of the builder's container, as in a pod; nil: the node's defaults.
    public var securityContext: JSONValue?
    /// Of the builder's container, in place of the defaults. The limit of `ephemeral-storage` is also that of its image storage.
    public var resources: PodTemplate.Resources?
    /// A Secret of type `kubernetes.io/dockerconfigjson`. The builder never sees it.
    public var pushSecretRef: LocalReference?
    /// A Secret of type `kubernetes.io/dockerconfigjson` for pulling base images, and for trials to pull what was built. The builder, and so what a
    /// Dockerfile runs, can read it.
    public var pullSecretRef: LocalReference?
    /// A ConfigMap with the registry's certificate authorities as `ca.crt`; nil: those of the system.
    public var caRef: LocalReference?

    public init(
        registry: String, builderImage: String, command: [String]? = nil, securityContext: JSONValue? = nil, resources: PodTemplate.Resources? = nil,
        pushSecretRef: LocalReference? = nil, pullSecretRef: LocalReference? = nil, caRef: LocalReference? = nil
    ) {
        self.registry = registry
        self.builderImage = builderImage
        self.command = command
        self.securityContext = securityContext
        self.resources = resources
        self.pushSecretRef = pushSecretRef
        self.pullSecretRef = pullSecretRef
        self.caRef = caRef
    }
}
