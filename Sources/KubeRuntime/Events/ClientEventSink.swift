import Base
import KubeClient
import KubeCore

/// Writes events to the API server.
struct ClientEventSink: EventSink {
    let client: KubeClient

    func create(_ event: JSONValue, namespace: String) async throws {
        do { try await client.create(.events, event, namespace: namespace, keeping: .metadata) } catch {
            // It exists already: the answer to an earlier attempt was lost.
            guard error.isAlreadyExists else { throw error }
        }
    }

    func patch(_ key: ObjectKey, _ change: JSONValue) async throws {
        try await client.patch(.events, key, .merge(change), keeping: .metadata)
    }
}

extension EventRecorder {
    /// - Parameters:
    ///   - component: the reporting program, such as `assay-operator`.
    ///   - instance: the reporting instance, such as the pod's name.
    ///   - capacity: the largest number of notes that may wait to be written.
    public convenience init(
        client: KubeClient, component: String, instance: String, time: any TimeSource = SystemTime(),
        settings: EventAggregator.Settings = EventAggregator.Settings(), capacity: Int = 1000,
        metrics: MetricsRegistry? = nil, log: Log = Log("events")
    ) {
        self.init(
            sink: ClientEventSink(client: client), component: component, instance: instance, time: time,
            settings: settings, capacity: capacity, metrics: metrics, log: log)
    }
}
