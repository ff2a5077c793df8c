import KubeCore

/// Identifies an EvalJob by namespace, name and UID. A job that is deleted and created again under the same name has another identity.
///
/// It is made once, from the object that the API server sent, so that other code need not handle jobs without a namespace or a UID.
public struct JobIdentity: Sendable, Hashable, CustomStringConvertible {
    public let namespace: String
    public let name: String
    public let uid: String

    public init(namespace: String, name: String, uid: String) {
        self.namespace = namespace
        self.name = name
        self.uid = uid
    }

    /// nil for metadata that no API server has completed: without a namespace, a name or a UID.
    public init?(_ metadata: ObjectMeta) {
        guard let namespace = metadata.namespace, !namespace.isEmpty, !metadata.name.isEmpty, let uid = metadata.uid, !uid.isEmpty else { return nil }
        self.init(namespace: namespace, name: metadata.name, uid: uid)
    }

    public var key: ObjectKey { ObjectKey(namespace: namespace, name: name) }
    public var description: String { key.description }

    /// For objects that the job owns: they are deleted with it, and by a foreground deletion before it.
    public var ownerReference: OwnerReference {
        OwnerReference(
            apiVersion: ResourceType.evalJobs.apiVersion, kind: ResourceType.evalJobs.kind, name: name, uid: uid, controller: true,
            blockOwnerDeletion: true)
    }
}

extension EvalJob {
    /// nil for an object that did not come from an API server.
    public var identity: JobIdentity? { JobIdentity(metadata) }
}
