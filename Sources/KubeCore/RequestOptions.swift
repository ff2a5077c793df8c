import Base

/// How a resource version in a list is meant; see "Resource versions" in the Kubernetes API concepts.
public enum ResourceVersionMatch: String, Sendable, Hashable {
    case notOlderThan = "NotOlderThan"
    case exact = "Exact"
}

/// What a list asks for.
public struct ListOptions: Sendable, Hashable {
    /// For example `app=x,tier!=y`.
    public var labelSelector: String?
    /// For example `metadata.name=x`.
    public var fieldSelector: String?
    /// Items a page; nil asks for everything at once.
    public var limit: Int?
    /// From the page before. Version parameters are dropped when it is set: together they are a 400.
    public var continueToken: String?
    /// Unset: the newest, read with quorum. `0`: whatever the server has cached, which may go back in time.
    public var resourceVersion: String?
    public var resourceVersionMatch: ResourceVersionMatch?

    /// The page size of client-go.
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

/// What a watch asks for.
public struct WatchOptions: Sendable, Hashable {
    public var labelSelector: String?
    public var fieldSelector: String?
    /// The version to go on from. Unset or `0`: the watch begins with ADDED events for what exists.
    public var resourceVersion: String?
    public var resourceVersionMatch: ResourceVersionMatch?
    /// Seconds after which the server closes the watch; a stream that is silent for 5 s longer is given up.
    public var timeoutSeconds: Int?
    public var allowBookmarks: Bool
    /// Asks for a streaming list (WatchList); needs `resourceVersionMatch: .notOlderThan`.
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

/// How an object, or a collection, is deleted.
public struct DeleteOptions: Sendable, Hashable {
    public enum Propagation: String, Sendable, Hashable {
        case background = "Background"
        case foreground = "Foreground"
        case orphan = "Orphan"
    }

    /// Seconds; 0 removes the object at once. Unset: the type's default.
    public var gracePeriodSeconds: Int?
    public var propagation: Propagation?
    /// Delete only this incarnation: a recreated object of the same name answers with a conflict.
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

    /// The request body, or nil when nothing is asked for.
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

/// A change to an object, in one of the forms that the API server takes.
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

/// What part of a container's log is asked for.
public struct LogOptions: Sendable, Hashable {
    /// Go on until the container ends.
    public var follow: Bool
    public var tailLines: Int?
    /// Bytes from the start of what is left after the other options.
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
