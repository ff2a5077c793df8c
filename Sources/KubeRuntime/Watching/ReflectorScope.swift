import KubeClient
import KubeCore

/// What a reflector follows, and the two calls that this takes. Nothing is retried here: the watcher decides.
struct ReflectorScope: Sendable {
    let client: KubeClient
    let type: ResourceType
    /// nil for all.
    let namespace: String?
    let labelSelector: String?
    let fieldSelector: String?
    /// The part of each object that is built.
    let projection: ObjectProjection

    /// The version stays unset: a quorum read, which alone is paged and alone cannot go back in time.
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
