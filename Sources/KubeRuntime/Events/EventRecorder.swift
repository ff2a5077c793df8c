import Base
import KubeCore

/// The place where Events are written. Both functions throw every error.
protocol EventSink: Sendable {
    func create(_ event: JSONValue, namespace: String) async throws
    func patch(_ key: ObjectKey, _ change: JSONValue) async throws
}

/// Reports events to users as core/v1 Events.
///
/// - Guarantees: `record` never blocks and never fails. Repeated notes increase a count. Events that cannot be queued or written are dropped and
///   counted.
/// - Caveat: Events are for people. No code may depend on their arrival.
public final class EventRecorder: Sendable {
    private let sink: any EventSink
    private let component: String
    private let instance: String
    private let time: any TimeSource
    private let log: Log
    private let dropped: MetricsRegistry.Counter?
    private let aggregator: Locked<EventAggregator>
    private let notes: AsyncStream<EventNote>
    private let intake: AsyncStream<EventNote>.Continuation

    init(
        sink: any EventSink, component: String, instance: String, time: any TimeSource = SystemTime(),
        settings: EventAggregator.Settings = EventAggregator.Settings(), capacity: Int = 1000,
        metrics: MetricsRegistry? = nil, log: Log = Log("events")
    ) {
        self.sink = sink
        self.component = component
        self.instance = instance
        self.time = time
        self.log = log
        dropped = metrics?.counter(.eventsDropped)
        aggregator = Locked(EventAggregator(settings: settings))
        (notes, intake) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(capacity))
    }

    /// Queues a note and returns at once.
    public func record(_ note: EventNote) {
        if case .enqueued = intake.yield(note) { return }
        dropped?.add()
    }

    /// Queues a note and returns at once.
    public func record(_ severity: EventSeverity, reason: String, message: String, on subject: EventSubject) {
        record(EventNote(subject, severity, reason: reason, message: message))
    }

    /// Accepts no more notes: `run` returns when the queued ones are written.
    public func finish() { intake.finish() }

    /// Writes the queued notes until `finish` is called or the task is cancelled. Call it once.
    public func run() async {
        for await note in notes {
            let now = time.now()
            switch aggregator.withLock({ $0.record(note, now: now) }) {
            case .drop: dropped?.add()
            case .create(let occurrence): await create(occurrence)
            case .count(let occurrence): await count(occurrence)
            }
        }
    }

    private func create(_ occurrence: EventAggregator.Occurrence) async {
        let event = EventObject.make(occurrence, component: component, instance: instance)
        let namespace = EventObject.namespace(of: occurrence.note.subject)
        await attempt(occurrence) { try await self.sink.create(event, namespace: namespace) }
    }

    private func count(_ occurrence: EventAggregator.Occurrence) async {
        let key = ObjectKey(namespace: EventObject.namespace(of: occurrence.note.subject), name: occurrence.name)
        await attempt(occurrence) {
            do {
                try await self.sink.patch(key, EventObject.countPatch(occurrence))
            } catch  where EventFailure(error) == .gone {
                let now = self.time.now()
                let renewed = self.aggregator.withLock { $0.renew(occurrence, now: now) }
                try await self.sink.create(
                    EventObject.make(renewed, component: self.component, instance: self.instance),
                    namespace: key.namespace)
            }
        }
    }

    private static let attempts = 3
    private static let backoff = BackoffPolicy(initialSeconds: 1, factor: 4, capSeconds: 4)

    /// At most three attempts: further ones would delay the next Events too long.
    private func attempt(_ occurrence: EventAggregator.Occurrence, _ write: () async throws -> Void) async {
        for attempt in 1...Self.attempts {
            do {
                try await write()
                return
            } catch {
                if Task.isCancelled { return }
                if attempt == Self.attempts || EventFailure(error) != .passing {
                    dropped?.add()
                    log.debug(
                        "an event was dropped",
                        [
                            "object": .string(occurrence.note.subject.key.description),
                            "reason": .string(occurrence.note.reason), "error": .string(String(describing: error)),
                        ])
                    return
                }
                try? await time.sleep(seconds: Self.backoff.seconds(afterFailures: attempt))
            }
        }
    }
}

/// What a failure to write an Event means.
enum EventFailure: Equatable {
    /// The Event no longer exists: the server deletes events after an hour.
    case gone
    /// A retry may succeed.
    case passing
    /// The server will not accept it: forbidden, invalid, or its namespace is being deleted.
    case refused

    init(_ error: any Error) {
        switch WatcherFailure(error) {
        case .rejected(404, _): self = .gone
        case .rejected: self = .refused
        default: self = .passing
        }
    }
}

/// core/v1 Events as JSON.
enum EventObject {
    /// Events about cluster-scoped objects are in `default`; the API server requires that.
    static func namespace(of subject: EventSubject) -> String {
        subject.key.namespace.isEmpty ? "default" : subject.key.namespace
    }

    static func make(_ occurrence: EventAggregator.Occurrence, component: String, instance: String) -> JSONValue {
        let note = occurrence.note
        var involved: [String: JSONValue] = [
            "apiVersion": .string(note.subject.apiVersion), "kind": .string(note.subject.kind),
            "name": .string(note.subject.key.name),
        ]
        if !note.subject.key.namespace.isEmpty { involved["namespace"] = .string(note.subject.key.namespace) }
        if !note.subject.uid.isEmpty { involved["uid"] = .string(note.subject.uid) }
        return [
            "apiVersion": "v1", "kind": "Event",
            "metadata": ["name": .string(occurrence.name), "namespace": .string(namespace(of: note.subject))],
            "involvedObject": .object(involved), "type": .string(note.severity.rawValue),
            "reason": .string(note.reason), "message": .string(note.message),
            "firstTimestamp": .string(occurrence.first.rfc3339), "lastTimestamp": .string(occurrence.last.rfc3339),
            "count": JSONValue(occurrence.count), "source": ["component": .string(component)],
            "reportingComponent": .string(component), "reportingInstance": .string(instance),
        ]
    }

    static func countPatch(_ occurrence: EventAggregator.Occurrence) -> JSONValue {
        [
            "count": JSONValue(occurrence.count), "lastTimestamp": .string(occurrence.last.rfc3339),
            "message": .string(occurrence.note.message),
        ]
    }
}
