import AssayAPI
import Base
import KubeCore
import TrialRuntime

/// Everything that decides a build pod.
public struct BuildPodRequest: Sendable {
    public var name: String
    public var namespace: String
    public var owners: [OwnerReference]
    public var target: EvalTargetSpec
    public var build: BuildSpec
    public var program: BuildProgram
    public var arguments: [String: String]
    /// Relative to the context.
    public var dockerfile: String
    /// The stage to stop at; nil for the last.
    public var stage: String?
    public var timeoutSec: Double
    /// The Secret that the context is fetched with.
    public var sourceSecret: LocalReference?
    /// How the context is read from the cache service; nil: it is fetched from its origin, with the Secret.
    public var cache: CacheAccess?

    public init(
        name: String, namespace: String, owners: [OwnerReference], target: EvalTargetSpec, build: BuildSpec, program: BuildProgram,
        arguments: [String: String] = [:], dockerfile: String = "Dockerfile", stage: String? = nil, timeoutSec: Double,
        sourceSecret: LocalReference? = nil
    ) {
        self.dockerfile = dockerfile
        self.stage = stage
        self.name = name
        self.namespace = namespace
        self.owners = owners
        self.target = target
        self.build = build
        self.program = program
        self.arguments = arguments
        self.timeoutSec = timeoutSec
        self.sourceSecret = sourceSecret
    }
}

/// Makes the pod that builds an image. Its containers run one after the other: context, builder, push. Pure.
public struct BuildPodBuilder: Sendable {
    public let settings: TrialPodSettings

    public init(_ settings: TrialPodSettings) { self.settings = settings }

    /// buildah without a daemon and without privileges: every layer is a plain copy, and a RUN step is confined by chroot and namespaces only. Docker's
    /// format keeps SHELL for the steps that follow.
    public static let defaultCommand = [
        "buildah", "bud", "--storage-driver", "vfs", "--isolation", "chroot", "--format", "docker", "--tag",
        "oci-archive:$(\(BuildVariables.archive))",
    ]

    /// On a build pod, the first digits of its image's key.
    public static let label = "assay.dev/build"

    public func pod(for request: BuildPodRequest) throws -> JSONValue {
        var spec: JSONValue = [
            "restartPolicy": "Never", "automountServiceAccountToken": false, "enableServiceLinks": false, "terminationGracePeriodSeconds": 5,
            // The operator ends a build that takes too long. This limit is for when no operator runs.
            "activeDeadlineSeconds": JSONValue(Int(min(request.timeoutSec, 1e8).rounded(.up)) + settings.slackSeconds),
            "volumes": .array(volumes(request)),
            "initContainers": [try context(request), builder(request)],
            "containers": [try push(request)],
        ]
        var metadata: JSONValue = [
            "namespace": .string(request.namespace), "name": .string(request.name),
            "labels": .object([
                AssayNames.managedByLabel: .string(AssayNames.managedByValue), "app.kubernetes.io/component": "image-build",
                // With this one, a NetworkPolicy of trials holds for builds too: they run what a task says.
                AssayNames.networkLabel: .string(PodNetwork.public.rawValue),
                Self.label: .string(String(request.program.tag.prefix(40))),
            ]),
            "annotations": ["kubectl.kubernetes.io/default-container": .string(BuildRole.builder.containerName)],
        ]
        if !request.owners.isEmpty { metadata["ownerReferences"] = .array(try request.owners.map { try JSONValueEncoder().encode($0) }) }
        if let template = request.target.podTemplate { TemplateMerge.apply(template, metadata: &metadata, spec: &spec) }
        return ["apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec]
    }

    // MARK: Volumes

    private func volumes(_ request: BuildPodRequest) -> [JSONValue] {
        let limit = Self.diskLimit(request.build)
        var volumes = [
            volume(.context, "emptyDir", ["sizeLimit": "4Gi"]), volume(.archive, "emptyDir", ["sizeLimit": .string(limit)]),
            volume(.storage, "emptyDir", ["sizeLimit": .string(limit)]),
        ]
        switch request.cache?.endpoint {
        case .service: break
        case .socket(let directory): volumes.append(volume(.cache, "hostPath", ["path": .string(directory), "type": "Directory"]))
        case nil:
            if let secret = request.sourceSecret { volumes.append(volume(.credentials, "secret", ["secretName": .string(secret.name)])) }
        }
        for (name, secret, file) in [
            (BuildVolume.push, request.build.pushSecretRef, ".dockerconfigjson"), (.pull, request.build.pullSecretRef, "config.json"),
        ] {
            guard let secret else { continue }
            let items: JSONValue = [["key": ".dockerconfigjson", "path": .string(file)]]
            volumes.append(volume(name, "secret", ["secretName": .string(secret.name), "items": items]))
        }
        if let map = request.build.caRef { volumes.append(volume(.authorities, "configMap", ["name": .string(map.name)])) }
        return volumes
    }

    private func volume(_ volume: BuildVolume, _ kind: String, _ source: JSONValue) -> JSONValue {
        ["name": .string(volume.rawValue), kind: source]
    }

    private func mount(_ volume: BuildVolume, _ path: String, readOnly: Bool = false) -> JSONValue {
        var mount: JSONValue = ["name": .string(volume.rawValue), "mountPath": .string(path)]
        if readOnly { mount["readOnly"] = true }
        return mount
    }

    // MARK: Containers

    private func ours(_ role: BuildRole, _ request: BuildPodRequest, _ mounts: [JSONValue]) throws -> JSONValue {
        let program = try JSONValueEncoder().encode(request.program).serialized()
        var container: JSONValue = [
            "name": .string(role.containerName), "image": .string(settings.assayImage), "command": .array((role.command ?? []).map { .string($0) }),
            "env": [PodEnvironment.literal(BuildVariables.program, String(decoding: program, as: UTF8.self))], "volumeMounts": .array(mounts),
            "securityContext": TrialPodBuilder.security,
            "resources": [
                "requests": ["cpu": "50m", "memory": "128Mi", "ephemeral-storage": "64Mi"], "limits": ["memory": "1Gi", "ephemeral-storage": "4Gi"],
            ],
            "terminationMessagePath": .string(TrialPaths().terminationLog), "terminationMessagePolicy": "File",
        ]
        if let policy = settings.imagePullPolicy { container["imagePullPolicy"] = .string(policy) }
        return container
    }

    private func context(_ request: BuildPodRequest) throws -> JSONValue {
        var mounts = [mount(.context, BuildPaths().context)]
        switch request.cache?.endpoint {
        case .service: break
        case .socket: mounts.append(mount(.cache, TrialPaths().cache, readOnly: true))
        case nil: if request.sourceSecret != nil { mounts.append(mount(.credentials, TrialPaths().credentials, readOnly: true)) }
        }
        var container = try ours(.context, request, mounts)
        if let cache = request.cache { container["env"] = .array((container["env"]?.array ?? []) + PodEnvironment.cache(cache)) }
        return container
    }

    private func builder(_ request: BuildPodRequest) -> JSONValue {
        let (build, paths) = (request.build, BuildPaths())
        var mounts = [mount(.context, paths.context), mount(.archive, paths.archive), mount(.storage, paths.storage)]
        var env = [
            PodEnvironment.literal(BuildVariables.context, paths.context),
            PodEnvironment.literal(BuildVariables.dockerfile, "\(paths.context)/\(request.dockerfile)"),
            PodEnvironment.literal(BuildVariables.archive, paths.image),
        ]
        if build.pullSecretRef != nil {
            mounts.append(mount(.pull, paths.pull, readOnly: true))
            env += [
                PodEnvironment.literal(BuildVariables.authFile, paths.pull + "/config.json"),
                PodEnvironment.literal(BuildVariables.dockerConfig, paths.pull),
            ]
        }
        // Kubernetes expands $(NAME) in a command; a dollar of a build argument is doubled, so that it arrives unchanged.
        var arguments = request.arguments.sorted { $0.key < $1.key }.flatMap { name, value in
            ["--build-arg", PodEnvironment.escaped("\(name)=\(value)")]
        }
        if let stage = request.stage { arguments += ["--target", PodEnvironment.escaped(stage)] }
        // A target's own command takes the file from its variable.
        if build.command == nil, request.dockerfile != "Dockerfile" { arguments += ["--file", "$(\(BuildVariables.dockerfile))"] }
        var container: JSONValue = [
            "name": .string(BuildRole.builder.containerName), "image": .string(build.builderImage),
            "command": .array(((build.command ?? Self.defaultCommand) + arguments).map { .string($0) }), "workingDir": .string(paths.context),
            "env": .array(env), "volumeMounts": .array(mounts), "resources": Self.resources(build),
        ]
        if let context = build.securityContext { container["securityContext"] = context }
        return container
    }

    private func push(_ request: BuildPodRequest) throws -> JSONValue {
        var mounts = [mount(.archive, BuildPaths().archive)]
        if request.build.pushSecretRef != nil { mounts.append(mount(.push, BuildPaths().push, readOnly: true)) }
        if request.build.caRef != nil { mounts.append(mount(.authorities, BuildPaths().authorities, readOnly: true)) }
        return try ours(.push, request, mounts)
    }

    private static let defaultRequests = ["cpu": "500m", "memory": "1Gi", "ephemeral-storage": "4Gi"]
    private static let defaultLimits = ["memory": "8Gi", "ephemeral-storage": "40Gi"]

    private static func diskLimit(_ build: BuildSpec) -> String {
        build.resources?.limits?["ephemeral-storage"]?.text ?? defaultLimits["ephemeral-storage"] ?? "40Gi"
    }

    private static func resources(_ build: BuildSpec) -> JSONValue {
        var limits = defaultLimits
        for (name, quantity) in build.resources?.limits ?? [:] { limits[name] = quantity.text }
        var requests = defaultRequests
        // A request above the limit is refused by the API server.
        for (name, text) in requests {
            guard let limit = limits[name], let most = Quantity(limit).amount, let amount = Quantity(text).amount, amount > most else { continue }
            requests[name] = limit
        }
        for (name, quantity) in build.resources?.requests ?? [:] { requests[name] = quantity.text }
        return ["requests": .object(requests.mapValues { .string($0) }), "limits": .object(limits.mapValues { .string($0) })]
    }
}
