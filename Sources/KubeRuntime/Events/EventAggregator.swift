import Base
import KubeCore

/// The object that an Event is about.
public struct EventSubject: Sendable, Hashable {
    public let apiVersion: String
    public let kind: String
    public let key: ObjectKey
    public let uid: String

    public init(apiVersion: String, kind: String, key: ObjectKey, uid: String) {
        self.apiVersion = apiVersion
        self.kind = kind
        self.key = key
        self.uid = uid
    }

    public init(_ type: ResourceType, _ key: ObjectKey, uid: String) {
        self.init(apiVersion: type.apiVersion, kind: type.kind, key: key, uid: uid)
    }
}

public enum EventSeverity: String, Sendable, Hashable {
    case normal = "Normal"
    case warning = "Warning"
}

/// Something that happened and that users may want to know.
public struct EventNote: Sendable, Hashable {
    public let subject: EventSubject
    public let severity: EventSeverity
    /// A CamelCase word, for programs.
    public let reason: String
    public let message: String

    public init(_ subject: EventSubject, _ severity: EventSeverity, reason: String, message: String) {
        self.subject = subject
        self.severity = severity
        self.reason = reason
        // The API server refuses messages over 1 KiB.
        self.message = message.utf8.count <= 1024 ? message : String(decoding: message.utf8.prefix(1000), as: UTF8.self) + "..."
    }
}

/// Decides which notes become new Events, which increase the count of an existing one, and which are dropped (client-go `tools/record`).
///
/// A repeated note increases the count. More than `similarLimit` different messages with the same reason about the same object within
/// `similarSeconds` are combined into one Event. Each object has a bucket of `burst` events, which refills at one per `refillSeconds`. At most
/// `capacity` events are remembered.
public struct EventAggregator: Sendable {
    public struct Settings: Sendable {
        public var burst = 25.0
        public var refillSeconds = 300.0
        public var similarLimit = 10
        public var similarSeconds = 600.0
        public var capacity = 4096

        public init() {}
    }

    public enum Action: Sendable, Equatable {
        /// Create a new Event.
        case create(Occurrence)
        /// Increase the count of the existing Event.
        case count(Occurrence)
        case drop
    }

    /// An Event with its history so far.
    public struct Occurrence: Sendable, Hashable {
        public let note: EventNote
        public let name: String
        public let count: Int
        public let first: Timestamp
        public let last: Timestamp
    }

    private struct Similar {
        var messages: Set<String> = []
        var last: Timestamp
    }

    private struct Group: Hashable {
        let subject: EventSubject
        let severity: EventSeverity
        let reason: String
    }

    private struct Bucket {
        var tokens: Double
        var at: Timestamp
    }

    private let settings: Settings
    private var known: [EventNote: Occurrence] = [:]
    private var similar: [Group: Similar] = [:]
    private var buckets: [EventSubject: Bucket] = [:]
    private var serial = 0

    public init(settings: Settings = Settings()) { self.settings = settings }

    var rememberedCount: Int { known.count }

    public mutating func record(_ note: EventNote, now: Timestamp) -> Action {
        trim()
        guard spend(note.subject, now: now) else { return .drop }
        let note = combined(note, now: now)
        if let before = known[note] {
            let occurrence = Occurrence(
                note: note, name: before.name, count: before.count + 1, first: before.first, last: now)
            known[note] = occurrence
            return .count(occurrence)
        }
        return .create(remember(note, count: 1, first: now, now: now))
    }

    /// Reports that the counted Event no longer exists (the server deletes events after an hour). The next note creates a new one.
    public mutating func renew(_ occurrence: Occurrence, now: Timestamp) -> Occurrence {
        remember(occurrence.note, count: 1, first: now, now: now)
    }

    private mutating func remember(_ note: EventNote, count: Int, first: Timestamp, now: Timestamp) -> Occurrence {
        serial += 1
        // client-go also uses the time in names of events. The serial number distinguishes events of the same nanosecond.
        let stamp = UInt64(bitPattern: now.seconds &* 1_000_000_000 &+ Int64(now.nanoseconds)) &+ UInt64(serial)
        let occurrence = Occurrence(
            note: note, name: "\(note.subject.key.name.prefix(230)).\(String(stamp, radix: 16))", count: count,
            first: first, last: now)
        known[note] = occurrence
        return occurrence
    }

    private mutating func combined(_ note: EventNote, now: Timestamp) -> EventNote {
        let group = Group(subject: note.subject, severity: note.severity, reason: note.reason)
        var seen = similar[group] ?? Similar(last: now)
        if now - seen.last > settings.similarSeconds { seen = Similar(last: now) }
        seen.last = now
        if seen.messages.count <= settings.similarLimit { seen.messages.insert(note.message) }
        similar[group] = seen
        guard seen.messages.count > settings.similarLimit else { return note }
        return EventNote(
            note.subject, note.severity, reason: note.reason, message: "(combined from similar events)")
    }

    private mutating func spend(_ subject: EventSubject, now: Timestamp) -> Bool {
        var bucket = buckets[subject] ?? Bucket(tokens: settings.burst, at: now)
        bucket.tokens = min(settings.burst, bucket.tokens + max(0, now - bucket.at) / settings.refillSeconds)
        bucket.at = now
        defer { buckets[subject] = bucket }
        guard bucket.tokens >= 1 else { return false }
        bucket.tokens -= 1
        return true
    }

    private mutating func trim() {
        // Dropping them can at worst lead to a duplicate Event, so all old entries are removed at once.
        if known.count >= settings.capacity {
            let order = known.values.sorted { $0.last < $1.last }
            for occurrence in order.prefix(settings.capacity / 2) { known.removeValue(forKey: occurrence.note) }
        }
        if similar.count >= settings.capacity { similar = [:] }
        if buckets.count >= settings.capacity { buckets = [:] }
    }
}
