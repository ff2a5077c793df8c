import Base

/// Decides what a container mounts from the pod's volumes, and whether the pod's volumes can be provided.
enum MountPlan {
    /// A directory or file of the host, mounted at a path of the container.
    struct Bind: Sendable, Hashable {
        var source: String
        var target: String
        var readOnly: Bool
    }

    /// The only volume that may be a directory of the host, and only if the node is configured with a directory for it.
    static let cacheVolume = "repo-cache"

    /// Why this node can never provide the pod's volumes; nil when it can.
    static func refusal(of pod: NodePod, cacheDirectory: String?) -> String? {
        for volume in pod.volumes {
            switch volume.kind {
            case .hostPath where volume.name != cacheVolume:
                return "volume \"\(volume.name)\": hostPath is not supported on this node, except for the volume \"\(cacheVolume)\""
            case .hostPath where cacheDirectory == nil:
                return "volume \"\(volume.name)\": this node has no cache directory"
            case .unsupported(let kind):
                return "volume \"\(volume.name)\": \(kind) is not supported on this node"
            case .files(let sources, _):
                for case .unsupported(let kind) in sources {
                    return "volume \"\(volume.name)\": a projected \(kind) is not supported on this node"
                }
            default: continue
            }
        }
        return nil
    }

    /// - Parameter directory: returns the directory of a pod's volume on the host.
    static func binds(
        of container: NodeContainer, variables: [String: String], directory: (String) -> String?
    ) throws(ContainerConfigError) -> [Bind] {
        var binds: [Bind] = []
        for mount in container.mounts {
            guard var source = directory(mount.volume) else {
                throw ContainerConfigError(message: "volume \"\(mount.volume)\" is not a volume of the pod")
            }
            guard mount.path.hasPrefix("/"), !mount.path.contains(":"), !mount.path.contains("\0") else {
                throw ContainerConfigError(message: "mountPath \"\(mount.path)\" must be absolute and without a colon")
            }
            if let subPath = mount.subPathExpr.map({ text in EnvExpansion.expand(text) { variables[$0] } }) ?? mount.subPath {
                let parts = subPath.split(separator: "/")
                guard !subPath.hasPrefix("/"), !parts.contains("..") else {
                    throw ContainerConfigError(message: "subPath \"\(subPath)\" must be relative and without \"..\"")
                }
                source += "/" + subPath
            }
            binds.append(Bind(source: source, target: mount.path, readOnly: mount.readOnly))
        }
        // A mount inside another mount's path must come after that mount.
        return binds.sorted { $0.target.count < $1.target.count }
    }
}
