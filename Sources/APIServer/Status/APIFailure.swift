import Base
import HTTPServing
import KubeSchema

/// An error in the form of the Kubernetes API: a `Status` with a code, a reason and details.
struct APIFailure: Error, Sendable {
    var code: Int
    var reason: String
    var message: String
    var details: JSONValue?
    /// The value of `metadata.continue`: after a 410 on a page, a token for the rest of the list in its current state.
    var continueToken: String?
    var retryAfterSeconds: Int?
    /// Warnings about the request that were found before it failed, for example unknown fields.
    var warnings: [String] = []

    init(_ code: Int, _ reason: String, _ message: String, details: JSONValue? = nil) {
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
    }

    func warning(_ warnings: [String]) -> APIFailure {
        var copy = self
        copy.warnings += warnings
        return copy
    }

    var object: JSONValue {
        var status: JSONValue = [
            "kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Failure",
            "message": .string(message), "code": JSONValue(code),
        ]
        if !reason.isEmpty { status["reason"] = .string(reason) }
        if let details { status["details"] = details }
        if let retryAfterSeconds {
            var extended = details ?? [:]
            extended["retryAfterSeconds"] = JSONValue(retryAfterSeconds)
            status["details"] = extended
        }
        if let continueToken { status["metadata"] = ["continue": .string(continueToken)] }
        return status
    }

    var body: [UInt8] { object.serialized() + [10] }
}

// MARK: Common failures

extension APIFailure {
    private static func details(group: String, kind: String, name: String = "", causes: [JSONValue] = []) -> JSONValue {
        var details: JSONValue = [:]
        if !name.isEmpty { details["name"] = .string(name) }
        if !group.isEmpty { details["group"] = .string(group) }
        if !kind.isEmpty { details["kind"] = .string(kind) }
        if !causes.isEmpty { details["causes"] = .array(causes) }
        return details
    }

    private static func qualified(_ name: String, _ group: String) -> String { group.isEmpty ? name : "\(name).\(group)" }

    static func notFound(_ group: String, _ resource: String, _ name: String) -> APIFailure {
        APIFailure(
            404, "NotFound", "\(qualified(resource, group)) \"\(name)\" not found",
            details: details(group: group, kind: resource, name: name))
    }

    static func alreadyExists(_ group: String, _ resource: String, _ name: String) -> APIFailure {
        APIFailure(
            409, "AlreadyExists", "\(qualified(resource, group)) \"\(name)\" already exists",
            details: details(group: group, kind: resource, name: name))
    }

    static func conflict(_ group: String, _ resource: String, _ name: String, _ why: String) -> APIFailure {
        APIFailure(
            409, "Conflict", "Operation cannot be fulfilled on \(qualified(resource, group)) \"\(name)\": \(why)",
            details: details(group: group, kind: resource, name: name))
    }

    static let modified = "the object has been modified; please apply your changes to the latest version and try again"

    static func badRequest(_ message: String) -> APIFailure { APIFailure(400, "BadRequest", message) }

    static func forbidden(_ group: String, _ resource: String, _ name: String, _ why: String, causes: [JSONValue] = [])
        -> APIFailure
    {
        APIFailure(
            403, "Forbidden", "\(qualified(resource, group)) \"\(name)\" is forbidden: \(why)",
            details: details(group: group, kind: resource, name: name, causes: causes))
    }

    static func invalid(_ group: String, _ kind: String, _ name: String, _ faults: [FieldError]) -> APIFailure {
        // A fault that was found twice appears once in the message and twice in the causes (apimachinery `ErrorList.ToAggregate`).
        var seen: Set<String> = []
        let words = faults.map(\.description).filter { seen.insert($0).inserted }
        let list = words.count == 1 ? words[0] : "[\(words.joined(separator: ", "))]"
        return APIFailure(
            422, "Invalid", "\(qualified(kind, group)) \"\(name)\" is invalid: \(list)",
            details: details(group: group, kind: kind, name: name, causes: faults.map(\.cause)))
    }

    /// An error without a reason of its own, which a real server answers as an internal error.
    static func unexpected(_ message: String) -> APIFailure { APIFailure(500, "", message) }

    /// An operation that the kind supports, but not at this path.
    static func notSupported(_ operation: String, _ group: String, _ resource: String) -> APIFailure {
        APIFailure(
            405, "MethodNotAllowed", "\(operation) is not supported on resources of kind \"\(qualified(resource, group))\"",
            details: details(group: group, kind: resource))
    }

    /// A patch whose result is not an object.
    static func invalidPatch(_ patched: JSONValue, _ why: String) -> APIFailure {
        invalid("", "", "", [.invalid("patch", .string(patched.text), why)])
    }

    /// A patch that cannot be applied to the object as it is.
    static let unappliablePatch = APIFailure(
        422, "Invalid", "the server rejected our request due to an error in our request", details: [:])

    static let unauthorized = APIFailure(401, "Unauthorized", "Unauthorized")

    static let methodNotAllowed = APIFailure(
        405, "MethodNotAllowed", "the server does not allow this method on the requested resource", details: [:])

    static func unsupportedMediaType(_ accepted: [String]) -> APIFailure {
        APIFailure(
            415, "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: \(accepted.joined(separator: ", "))"
        )
    }

    /// A protobuf body of a kind that is only read as JSON.
    static let unsupportedProtobuf = APIFailure(
        415, "UnsupportedMediaType",
        "this server does not read protobuf for this kind - accepted media types include: application/json, application/yaml "
            + "(with client-go: leave ContentType of rest.Config empty, or set it to application/json)")

    static func notAcceptable(_ accepted: [String]) -> APIFailure {
        APIFailure(406, "NotAcceptable", "only the following media types are accepted: \(accepted.joined(separator: ", "))")
    }

    static func expired(_ message: String) -> APIFailure { APIFailure(410, "Expired", message) }

    static func internalError(_ message: String) -> APIFailure {
        APIFailure(
            500, "InternalError", "Internal error occurred: \(message)", details: ["causes": [["message": .string(message)]]])
    }

    /// The requested version is newer than the newest version of this server.
    static func tooLargeVersion(_ wanted: UInt64, current: UInt64) -> APIFailure {
        var failure = APIFailure(
            504, "Timeout", "Timeout: Too large resource version: \(wanted), current: \(current)",
            details: ["causes": [["reason": "ResourceVersionTooLarge", "message": "Too large resource version"]]])
        failure.retryAfterSeconds = 1
        return failure
    }

    /// The connection received bytes that are not an acceptable HTTP request.
    static func refused(_ error: HTTPRequestError) -> APIFailure {
        switch error.status {
        case 413: APIFailure(413, "RequestEntityTooLarge", error.message)
        case 503: APIFailure(503, "ServiceUnavailable", error.message)
        default: APIFailure(error.status, "BadRequest", error.message)
        }
    }
}
