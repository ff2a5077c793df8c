import Base

/// `resourceVersionMatch` of a list; see "Resource versions" in the Kubernetes API concepts.
public enum ResourceVersionMatch: String, Sendable, Hashable {
    case notOlderThan = "NotOlderThan"
    case exact = "Exact"
}

/// Options of a list request.
public struct ListOptions: Sendable, Hashable {
    /// For example `app=x,tier!=y`.
    public var labelSelector: String?
    /// For example `metadata.name=x`.
    public var fieldSelector: String?
    /// Items per page; nil for everything at once.
    public var limit: Int?
    /// From the previous page. When set, version parameters are left out: the server refuses both together (400).
    public var continueToken: String?
    /// Unset: the newest state. `0`: whatever the server has cached, which may be older than what was read before.
    public var resourceVersion: String?
    public var resourceVersionMatch: ResourceVersionMatch?

    /// client-go's default page size.
    public static let defaultLimit = 500

    public init(
        labelSelector: String? = nil, fieldSelector: String? = nil, limit: Int? = ListOptions.defaultLimit,
        continueToken: String? = nil, resourceVersion: String? = nil,
        resourceVersionMatch: ResourceVersionMatch? = nil
    ) {
        self.labelSelector = labelSelector
        self.fieldSelector = fieldSelector
        self.limit = limit
        self.continueToken = continueToken
        self.resourceVersion = resourceVersion
        self.resourceVersionMatch = resourceVersionMatch
    }
}

/// Options of a watch request.
public struct WatchOptions: Sendable, Hashable {
    public var labelSelector: String?
    public var fieldSelector: String?
    /// The resource version to continue from. Unset or `0`: the watch begins with ADDED events for existing objects.
    public var resourceVersion: String?
    public var resourceVersionMatch: ResourceVersionMatch?
    /// Seconds after which the server closes the watch. The client closes a stream that stays silent 5 s longer.
    public var timeoutSeconds: Int?
    public var allowBookmarks: Bool
    /// Requests a streaming list (WatchList); needs `resourceVersionMatch: .notOlderThan`.
    public var sendInitialEvents: Bool?

    public init(
        labelSelector: String? = nil, fieldSelector: String? = nil, resourceVersion: String? = nil,
        resourceVersionMatch: ResourceVersionMatch? = nil, timeoutSeconds: Int? = nil, allowBookmarks: Bool = true,
        sendInitialEvents: Bool? = nil
    ) {
        self.labelSelector = labelSelector
        self.fieldSelector = fieldSelector
        self.resourceVersion = resourceVersion
        self.resourceVersionMatch = resourceVersionMatch
        self.timeoutSeconds = timeoutSeconds
        self.allowBookmarks = allowBookmarks
        self.sendInitialEvents = sendInitialEvents
    }
}

/// Options for deleting an object or a collection.
public struct DeleteOptions: Sendable, Hashable {
    public enum Propagation: String, Sendable, Hashable {
        case background = "Background"
        case foreground = "Foreground"
        case orphan = "Orphan"
    }

    /// Seconds; 0 deletes the object at once. Unset: the type's default.
    public var gracePeriodSeconds: Int?
    public var propagation: Propagation?
    /// Delete only this incarnation. For a recreated object of the same name the server answers with a conflict.
    public var uid: String?
    /// Delete only this version.
    public var resourceVersion: String?
    public var dryRun: Bool

    public init(
        gracePeriodSeconds: Int? = nil, propagation: Propagation? = nil, uid: String? = nil,
        resourceVersion: String? = nil, dryRun: Bool = false
    ) {
        self.gracePeriodSeconds = gracePeriodSeconds
        self.propagation = propagation
        self.uid = uid
        self.resourceVersion = resourceVersion
        self.dryRun = dryRun
    }

    /// The request body; nil when no option is set.
    public var body: JSONValue? {
        var fields: [String: JSONValue] = [:]
        if let gracePeriodSeconds { fields["gracePeriodSeconds"] = .int(Int64(gracePeriodSeconds)) }
        if let propagation { fields["propagationPolicy"] = .string(propagation.rawValue) }
        var preconditions: [String: JSONValue] = [:]
        if let uid { preconditions["uid"] = .string(uid) }
        if let resourceVersion { preconditions["resourceVersion"] = .string(resourceVersion) }
        if !preconditions.isEmpty { fields["preconditions"] = .object(preconditions) }
        if dryRun { fields["dryRun"] = .array([.string("All")]) }
        guard !fields.isEmpty else { return nil }
        fields["kind"] = .string("DeleteOptions")
        fields["apiVersion"] = .string("v1")
        return .object(fields)
    }
}

/// A change to an object, in one of the formats of the API server.
public enum Patch: Sendable, Hashable {
    /// RFC 7386: null removes, lists are replaced.
    case merge(JSONValue)
    /// RFC 6902: a list of operations.
    case json(JSONValue)
    /// Built-in types only: lists merge by key.
    case strategic(JSONValue)
    /// Server-side apply: the fields that `manager` wants to own. `force` takes them from other managers.
    case apply(JSONValue, manager: String, force: Bool)

    public var contentType: String {
        switch self {
        case .merge: "application/merge-patch+json"
        case .json: "application/json-patch+json"
        case .strategic: "application/strategic-merge-patch+json"
        case .apply: "application/apply-patch+yaml"
        }
    }

    public var body: JSONValue {
        switch self {
        case .merge(let body), .json(let body), .strategic(let body), .apply(let body, _, _): body
        }
    }
}

/// Which part of a container's log to read.
public struct LogOptions: Sendable, Hashable {
    /// Keep streaming until the container ends.
    public var follow: Bool
    public var tailLines: Int?
    /// The most bytes, from the start of what the other options select.
    public var limitBytes: Int?
    public var sinceSeconds: Int?
    /// Only what was written after this RFC 3339 time.
    public var sinceTime: String?
    /// The log of the container's incarnation before the last restart.
    public var previous: Bool
    public var timestamps: Bool

    public init(
        follow: Bool = false, tailLines: Int? = nil, limitBytes: Int? = nil, sinceSeconds: Int? = nil,
        sinceTime: String? = nil, previous: Bool = false, timestamps: Bool = false
    ) {
        self.follow = follow
        self.tailLines = tailLines
        self.limitBytes = limitBytes
        self.sinceSeconds = sinceSeconds
        self.sinceTime = sinceTime
        self.previous = previous
        self.timestamps = timestamps
    }
}
