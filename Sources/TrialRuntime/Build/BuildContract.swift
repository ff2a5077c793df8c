import Base

/// The containers of a pod that builds an image, in the order in which they run.
public enum BuildRole: String, Sendable, Hashable, CaseIterable {
    /// Writes the context.
    case context = "repo-cache"
    /// The target's builder: writes the image as an archive. It never sees the Secret for pushing.
    case builder
    /// Stores the archive in the registry and reports the image's digest.
    case push

    public var containerName: String { rawValue }

    /// The command of a container that runs the operator's image; nil for the builder.
    public var command: [String]? {
        switch self {
        case .context: [ContainerRole.executable, "build-context"]
        case .push: [ContainerRole.executable, "push-image"]
        case .builder: nil
        }
    }
}

/// The volumes of a build pod, by name.
public enum BuildVolume: String, Sendable, Hashable, CaseIterable {
    case context
    case archive
    /// The builder's own storage.
    case storage
    /// The Secret with the credentials for fetching the context; mounted for `context` only.
    case credentials
    /// The socket of the cache service on one machine; mounted for `context` only.
    case cache = "repo-cache"
    /// The Secret for pushing; mounted for `push` only.
    case push
    /// The Secret for pulling base images; mounted for `builder` only.
    case pull
    /// The certificate authorities of the registry; mounted for `push` only.
    case authorities = "registry-ca"
}

/// The paths in a build pod's containers.
public struct BuildPaths: Sendable, Hashable {
    public let root: String

    public init(root: String = "") { self.root = root }

    public var context: String { root + "/assay/context" }
    public var archive: String { root + "/assay/archive" }
    public var image: String { archive + "/image.tar" }
    /// Where buildah and podman keep images when they run as root.
    public var storage: String { root + "/var/lib/containers" }
    public var push: String { root + "/assay/push" }
    public var pull: String { root + "/assay/pull" }
    public var authorities: String { root + "/assay/registry-ca" }
    /// The key of the ConfigMap with the registry's certificate authorities.
    public static let authoritiesKey = "ca.crt"
}

/// Environment variables of a build pod's containers.
public enum BuildVariables {
    /// A `BuildProgram` as JSON; for the containers of the operator's image.
    public static let program = "ASSAY_BUILD"
    /// The folder with the context.
    public static let context = "ASSAY_CONTEXT"
    /// The Dockerfile, in that folder.
    public static let dockerfile = "ASSAY_DOCKERFILE"
    /// The file that the builder writes.
    public static let archive = "ASSAY_ARCHIVE"
    /// Where tools look for logins of registries.
    public static let authFile = "REGISTRY_AUTH_FILE"
    public static let dockerConfig = "DOCKER_CONFIG"
}

/// What the containers of the operator's image do in a build pod.
public struct BuildProgram: Sendable, Hashable, Codable {
    /// What is built.
    public enum Context: Sendable, Hashable, Codable {
        /// A folder of a commit: `taskPath` of the delivery.
        case commit(TrialProgram.Delivery)
        /// Two lines, for a check of the target: a file is copied, and a program is run.
        case probe
    }

    public var context: Context
    /// The repository of images, as `ImageRepository` reads it.
    public var repository: String
    public var tag: String

    public init(context: Context, repository: String, tag: String) {
        self.context = context
        self.repository = repository
        self.tag = tag
    }
}
