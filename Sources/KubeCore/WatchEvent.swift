import Base

/// One line of a watch.
public enum WatchEvent: Sendable, Hashable {
    case added(JSONValue)
    case modified(JSONValue)
    /// The last state of an object that is gone; its version is that of the deletion.
    case deleted(JSONValue)
    /// Only moves the version. `initialEventsEnd` marks the end of the initial events of a streaming list.
    case bookmark(resourceVersion: String, initialEventsEnd: Bool)
    /// The watch is over; the status says why.
    case error(KubeStatus)

    /// The annotation of the bookmark that ends the initial events of a streaming list (KEP-3157).
    public static let initialEventsEndAnnotation = "k8s.io/initial-events-end"

    /// Reads one complete line, without its line feed.
    ///
    /// A bare `Status` is accepted as an error: servers and proxies send it when the watch fails late. An `ERROR` event whose object
    /// is no `Status` becomes an error of code 500.
    public init(line: [UInt8]) throws(WatchLineError) {
        let json: JSONValue
        do { json = try JSONValue(parsing: line) } catch { throw WatchLineError(message: "\(error)") }
        guard let type = json["type"]?.string else {
            guard let status = KubeStatus(json: json) else {
                throw WatchLineError(message: "the line has no event type and is no Status")
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
                    ?? KubeStatus(code: 500, message: "the watch ended with an error that is no Status"))
        default:
            throw WatchLineError(message: "the event type \(type.prefix(40)) is not known")
        }
    }

    /// The version to go on from after this event; nil when it carries none.
    public var resourceVersion: String? {
        switch self {
        case .added(let object), .modified(let object), .deleted(let object):
            object.at("metadata", "resourceVersion")?.string
        case .bookmark(let version, _): version
        case .error: nil
        }
    }
}

/// A line of a watch that is no event: the stream cannot be trusted any further.
public struct WatchLineError: Error, Sendable, Hashable, CustomStringConvertible {
    public let message: String

    public init(message: String) { self.message = message }

    public var description: String { "malformed watch event: \(message)" }
}
