import Base

/// The API server's `Status`, which reports a failure (and, after some deletes, success).
///
/// Every failed response gives one, even if its body is not a `Status`: proxies and servers that shut down answer with
/// text, HTML or nothing.
public struct KubeStatus: Sendable, Hashable, Error {
    /// One of several reasons, with the field it is about.
    public struct Cause: Sendable, Hashable {
        /// Machine-readable, for example `FieldValueInvalid`.
        public var reason: String
        public var message: String
        /// The path of the field, for example `spec.attempts`; empty when the cause is not about a field.
        public var field: String

        public init(reason: String, message: String, field: String) {
            self.reason = reason
            self.message = message
            self.field = field
        }
    }

    /// The HTTP status code.
    public var code: Int
    /// The machine-readable reason, for example `NotFound`; derived from the code when the body has none.
    public var reason: String
    /// For people.
    public var message: String
    /// The name, group and kind (or plural) of the object it is about; empty when unknown.
    public var name: String
    public var group: String
    public var kind: String
    public var uid: String
    public var causes: [Cause]
    /// Seconds to wait before the next attempt, from the `Retry-After` header or the body's details.
    public var retryAfterSeconds: Int?

    public init(
        code: Int, reason: String = "", message: String = "", name: String = "", group: String = "",
        kind: String = "", uid: String = "", causes: [Cause] = [], retryAfterSeconds: Int? = nil
    ) {
        self.code = code
        self.reason = reason.isEmpty ? Self.reason(forCode: code) : reason
        self.message = message
        self.name = name
        self.group = group
        self.kind = kind
        self.uid = uid
        self.causes = causes
        self.retryAfterSeconds = retryAfterSeconds
    }

    public var isNotFound: Bool { reason == "NotFound" }
    /// The object changed since it was read. `AlreadyExists`, which is a 409 too, does not count.
    public var isConflict: Bool { reason == "Conflict" }
    public var isAlreadyExists: Bool { reason == "AlreadyExists" }
    /// The requested resource version or continue token is too old: list again.
    public var isGone: Bool { reason == "Expired" || reason == "Gone" }
    /// The requested resource version is newer than what this server has seen yet.
    public var isResourceVersionTooLarge: Bool {
        reason == "Timeout" && causes.contains { $0.reason == "ResourceVersionTooLarge" }
    }
    /// The object or the request is invalid: sending it again gives the same answer.
    public var isInvalid: Bool { reason == "Invalid" || reason == "BadRequest" }
    public var isUnauthorized: Bool { reason == "Unauthorized" }
    public var isForbidden: Bool { reason == "Forbidden" }
    public var isTooManyRequests: Bool { reason == "TooManyRequests" }
    /// The namespace is being deleted: nothing can be created in it.
    public var isNamespaceTerminating: Bool { causes.contains { $0.reason == "NamespaceTerminating" } }
    /// The failure is the server's, not the request's: trying again later may work.
    public var isServerTrouble: Bool { code >= 500 || isTooManyRequests }

    /// The API server's default reason for a code (apimachinery `NewGenericServerResponse`).
    static func reason(forCode code: Int) -> String {
        switch code {
        case 400: "BadRequest"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "NotFound"
        case 405: "MethodNotAllowed"
        case 406: "NotAcceptable"
        case 409: "Conflict"
        case 410: "Gone"
        case 413: "RequestEntityTooLarge"
        case 415: "UnsupportedMediaType"
        case 422: "Invalid"
        case 429: "TooManyRequests"
        case 500: "InternalError"
        case 503: "ServiceUnavailable"
        case 504: "Timeout"
        default: "Unknown"
        }
    }
}

extension KubeStatus {
    /// Reads a JSON `Status`. Nil when the value is something else.
    public init?(json: JSONValue) {
        guard json["kind"]?.string == "Status" else { return nil }
        // Only the core `Status`: a custom resource may have the kind Status too.
        if let apiVersion = json["apiVersion"]?.string, apiVersion != "v1" { return nil }
        let details = json["details"]
        self.init(
            code: json["code"]?.int ?? (json["status"]?.string == "Success" ? 200 : 500),
            reason: json["reason"]?.string ?? "",
            message: json["message"]?.string ?? "",
            name: details?["name"]?.string ?? "",
            group: details?["group"]?.string ?? "",
            kind: details?["kind"]?.string ?? "",
            uid: details?["uid"]?.string ?? "",
            causes: details?["causes"]?.array?.map {
                Cause(
                    reason: $0["reason"]?.string ?? "", message: $0["message"]?.string ?? "",
                    field: $0["field"]?.string ?? "")
            } ?? [],
            retryAfterSeconds: details?["retryAfterSeconds"]?.int)
    }

    /// Reads a failed response.
    ///
    /// - Parameters:
    ///   - httpCode: the status code of the response; wins over the one in the body.
    ///   - body: the body. If it is not a `Status`, its text is quoted: shortened, with control characters replaced.
    ///   - retryAfter: the value of the `Retry-After` header. Only whole seconds count, as in client-go.
    ///   - request: for the message when the body has none, for example `GET /api/v1/pods`.
    public init(httpCode: Int, body: [UInt8], retryAfter: String? = nil, request: String) {
        let seconds = retryAfter.flatMap { Int($0.filter { $0 != " " && $0 != "\t" }) }.flatMap { $0 < 0 ? nil : $0 }
        if let json = try? JSONValue(parsing: body), let status = KubeStatus(json: json) {
            self = status
            code = httpCode
            if json["reason"]?.string ?? "" == "" { reason = Self.reason(forCode: httpCode) }
            if let seconds { retryAfterSeconds = seconds }
            if message.isEmpty { message = "the server answered \(httpCode) to \(request)" }
            return
        }
        let quoted = Self.quote(body)
        self.init(
            code: httpCode,
            message: "the server answered \(httpCode) to \(request)" + (quoted.isEmpty ? "" : ": \(quoted)"),
            retryAfterSeconds: seconds)
    }

    /// At most 300 bytes of a body, on one line and without control characters.
    private static func quote(_ body: [UInt8]) -> String {
        let limit = 300
        var line = String(decoding: body.prefix(limit), as: UTF8.self)
            .split(whereSeparator: \.isNewline).joined(separator: " ").replacingControls
        while line.hasSuffix(" ") { line.removeLast() }
        return body.count > limit ? line + "..." : line
    }
}

extension KubeStatus: CustomStringConvertible {
    /// `message (reason, code)`; the server's messages already name the object and the field.
    public var description: String {
        "\(message.isEmpty ? "the server refused the request" : message) (\(reason), \(code))"
    }
}
