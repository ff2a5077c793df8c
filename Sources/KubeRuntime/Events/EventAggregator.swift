import Base
import KubeCore

/// What an Event is about.
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

/// Something that happened and that a user may ask about.
public struct EventNote: Sendable, Hashable {
    public let subject: EventSubject
    public let severity: EventSeverity
    /// CamelCase, for programs.
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

/// Which notes become Events, which only raise the count of one, and which are dropped (client-go `tools/record`).
///
/// The same note raises a count. More than `similarLimit` different messages with one reason about one object within
/// `similarSeconds` become one Event that says so. Per object there is a bucket of `burst` events that fills again at one in
/// `refillSeconds`. Memory is bounded by `capacity` remembered events.
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
        /// Write the event as a new object.
        case create(Occurrence)
        /// Raise the count of the object that was created for it.
        case count(Occurrence)
        case drop
    }

    /// An event with its history so far.
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

    /// The object that was counted on is gone (events live for an hour): the next write makes a new one.
    public mutating func renew(_ occurrence: Occurrence, now: Timestamp) -> Occurrence {
        remember(occurrence.note, count: 1, first: now, now: now)
    }

    private mutating func remember(_ note: EventNote, count: Int, first: Timestamp, now: Timestamp) -> Occurrence {
        serial += 1
        // client-go names events by time too; the serial keeps those of one nanosecond apart.
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
        // Forgetting costs a duplicate Event at worst, so everything old goes at once instead of one by one.
        if known.count >= settings.capacity {
            let order = known.values.sorted { $0.last < $1.last }
            for occurrence in order.prefix(settings.capacity / 2) { known.removeValue(forKey: occurrence.note) }
        }
        if similar.count >= settings.capacity { similar = [:] }
        if buckets.count >= settings.capacity { buckets = [:] }
    }
}
