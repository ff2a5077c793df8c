import Base

/// One line of a watch.
public enum WatchEvent: Sendable, Hashable {
    case added(JSONValue)
    case modified(JSONValue)
    /// The last state of a deleted object; its resource version is that of the deletion.
    case deleted(JSONValue)
    /// Only advances the version. `initialEventsEnd` marks the end of the initial events of a streaming list.
    case bookmark(resourceVersion: String, initialEventsEnd: Bool)
    /// The watch ended; the status says why.
    case error(KubeStatus)

    /// The annotation of the bookmark that ends the initial events of a streaming list (KEP-3157).
    public static let initialEventsEndAnnotation = "k8s.io/initial-events-end"

    /// Reads one complete line, without its line feed.
    ///
    /// A bare `Status` counts as an error event: servers and proxies send it when a watch fails late. An `ERROR` event
    /// whose object is not a `Status` becomes an error with code 500.
    ///
    /// - Parameter projection: the part that is kept of an added, modified or deleted object. Other events are read whole.
    public init(line: [UInt8], keeping projection: ObjectProjection = .whole) throws(WatchLineError) {
        var json = try Self.parse(line, .only(["type": .everything, "object": projection.json]))
        if !Self.typesOfChanges.contains(json["type"]?.string ?? "") { json = try Self.parse(line, .everything) }
        guard let type = json["type"]?.string else {
            guard let status = KubeStatus(json: json) else {
                throw WatchLineError(message: "the line has no event type and is not a Status")
            }
            self = .error(status)
            return
        }
        guard let object = json["object"], object.object != nil else {
            throw WatchLineError(message: "the \(type) event has no object")
        }
        switch type {
        case "ADDED": self = .added(object)
        case "MODIFIED": self = .modified(object)
        case "DELETED": self = .deleted(object)
        case "BOOKMARK":
            guard let version = object.at("metadata", "resourceVersion")?.string else {
                throw WatchLineError(message: "the BOOKMARK event has no resourceVersion")
            }
            let end = object.at("metadata", "annotations", Self.initialEventsEndAnnotation)?.string == "true"
            self = .bookmark(resourceVersion: version, initialEventsEnd: end)
        case "ERROR":
            self = .error(
                KubeStatus(json: object)
                    ?? KubeStatus(code: 500, message: "the watch ended with an error that is not a Status"))
        default:
            throw WatchLineError(message: "the event type \(type.prefix(40)) is not known")
        }
    }

    private static let typesOfChanges: Set = ["ADDED", "MODIFIED", "DELETED"]

    private static func parse(_ line: [UInt8], _ projection: JSONProjection) throws(WatchLineError) -> JSONValue {
        do { return try JSONValue(parsing: line, keeping: projection) } catch { throw WatchLineError(message: "\(error)") }
    }

    /// The resource version to continue from after this event; nil when it has none.
    public var resourceVersion: String? {
        switch self {
        case .added(let object), .modified(let object), .deleted(let object):
            object.at("metadata", "resourceVersion")?.string
        case .bookmark(let version, _): version
        case .error: nil
        }
    }
}

/// A line of a watch is not an event: the rest of the stream cannot be trusted.
public struct WatchLineError: Error, Sendable, Hashable, CustomStringConvertible {
    public let message: String

    public init(message: String) { self.message = message }

    public var description: String { "malformed watch event: \(message)" }
}
