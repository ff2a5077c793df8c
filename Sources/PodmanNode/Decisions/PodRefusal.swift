import Base

/// Refuses pods that need what this node does not support, before anything is started.
enum PodRefusal {
    /// Why the container is refused; nil when this node supports it.
    static func refusal(of container: NodeContainer, in pod: NodePod) -> String? {
        if let namespace = pod.hostNamespaces.first { return "\(namespace) is not supported on this node" }
        if container.security["privileged"]?.bool == true { return "privileged containers are not supported on this node" }
        if container.security["runAsNonRoot"]?.bool == true, userID(of: container, in: pod) == 0 {
            return
                "container's runAsUser breaks non-root policy (pod: \"\(pod.key.name)_\(pod.key.namespace)(\(pod.uid))\", container: \(container.name))"
        }
        return nil
    }

    static func userID(of container: NodeContainer, in pod: NodePod) -> Int? {
        container.security["runAsUser"]?.int ?? pod.runAsUser
    }

    /// `uid[:gid]` for podman; nil means the image's user.
    static func user(of container: NodeContainer, in pod: NodePod) -> String? {
        let group = container.security["runAsGroup"]?.int ?? pod.runAsGroup
        guard let user = userID(of: container, in: pod) else { return group.map { "0:\($0)" } }
        return group.map { "\(user):\($0)" } ?? String(user)
    }
}
