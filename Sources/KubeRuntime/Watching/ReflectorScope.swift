import KubeClient
import KubeCore

/// The resource that a reflector follows, and the two calls for it. Nothing is retried here; the watcher decides.
struct ReflectorScope: Sendable {
    let client: KubeClient
    let type: ResourceType
    /// nil for all namespaces.
    let namespace: String?
    let labelSelector: String?
    let fieldSelector: String?
    /// The part of each object that is decoded.
    let projection: ObjectProjection

    /// The resource version stays unset, which makes it a quorum read. Only quorum reads are paged and never older than an earlier read.
    func list(limit: Int?, continueToken: String?) async throws(KubeError) -> ListPage {
        try await client.list(
            type, namespace: namespace,
            options: ListOptions(
                labelSelector: labelSelector, fieldSelector: fieldSelector, limit: limit, continueToken: continueToken),
            keeping: projection)
    }

    func watch(version: String?, sendsInitialEvents: Bool, timeoutSeconds: Int) async throws(KubeError) -> WatchLines {
        try await client.watch(
            type, namespace: namespace,
            options: WatchOptions(
                labelSelector: labelSelector, fieldSelector: fieldSelector, resourceVersion: version,
                resourceVersionMatch: sendsInitialEvents ? .notOlderThan : nil, timeoutSeconds: timeoutSeconds,
                allowBookmarks: true, sendInitialEvents: sendsInitialEvents ? true : nil))
    }
}
