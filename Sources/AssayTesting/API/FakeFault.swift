import Base
import KubeCore

/// A fault of a fake API, and the requests that it affects.
public struct FakeFault: Sendable {
    /// The requests that are affected. Unset fields match anything.
    public struct Target: Sendable {
        public var method: String?
        public var plural: String?
        public var subresource: String?
        /// True: only watches. False: everything except watches.
        public var isWatch: Bool?
        /// True: only pages after the first. False: only first pages.
        public var isContinued: Bool?
        public var name: String?

        public init(
            method: String? = nil, plural: String? = nil, subresource: String? = nil, isWatch: Bool? = nil,
            isContinued: Bool? = nil, name: String? = nil
        ) {
            self.method = method
            self.plural = plural
            self.subresource = subresource
            self.isWatch = isWatch
            self.isContinued = isContinued
            self.name = name
        }
    }

    public enum Effect: Sendable {
        /// Send this answer and do nothing.
        case answer(ScriptedResponse)
        /// Perform the request, then close the connection without an answer.
        case loseResponse
        /// Answer a GET with the object's state before its last write.
        case staleRead
        /// Close a stream after this many events; with `midLine`, after half of the next one.
        case cutStream(afterEvents: Int, midLine: Bool)
        /// Send no bookmarks, not even the one that ends the initial events.
        case noBookmarks
    }

    public var target: Target
    /// The number of requests that are affected.
    public var times: Int
    public var effect: Effect

    public init(_ effect: Effect, on target: Target = Target(), times: Int = 1) {
        self.effect = effect
        self.target = target
        self.times = times
    }
}

/// A request as the fake API understands it.
struct FakeRoute: Sendable {
    var method: String
    var type: ResourceType
    /// nil: all namespaces.
    var namespace: String?
    var name: String?
    var subresource: String?
    var query: [String: String]

    var isWatch: Bool { ["true", "1"].contains(query["watch"] ?? "") }
    var key: ObjectKey { ObjectKey(namespace: namespace ?? "", name: name ?? "") }

    init?(_ request: ScriptedRequest, types: [ResourceType]) {
        method = request.method
        query = request.query
        var words = request.path.split(separator: "/").map(String.init)[...]
        let root = words.popFirst()
        let group = root == "apis" ? words.popFirst() : ""
        guard let group, root == "api" || root == "apis", let version = words.popFirst() else { return nil }
        if words.first == "namespaces", words.count >= 3 {
            namespace = words[words.startIndex + 1]
            words = words.dropFirst(2)
        }
        guard let plural = words.popFirst(),
            let type = types.first(where: { $0.plural == plural && $0.group == group && $0.version == version })
        else { return nil }
        self.type = type
        name = words.popFirst()
        subresource = words.popFirst()
        guard words.isEmpty else { return nil }
    }

    func isHit(by target: FakeFault.Target) -> Bool {
        let continued = !(query["continue"] ?? "").isEmpty
        return (target.method ?? method) == method && (target.plural ?? type.plural) == type.plural
            && (target.subresource == nil || target.subresource == subresource)
            && (target.isWatch ?? isWatch) == isWatch && (target.isContinued ?? continued) == continued
            && (target.name == nil || target.name == name)
    }

    /// Selected by namespace and by `a=b,c!=d,e` label selectors.
    func selects(_ object: JSONValue) -> Bool {
        if let namespace, object.at("metadata", "namespace")?.string != namespace { return false }
        let labels = object.at("metadata", "labels")
        for term in (query["labelSelector"] ?? "").split(separator: ",") {
            let isNegative = term.contains("!=")
            let parts = term.replacing("!=", with: "=").replacing("==", with: "=").split(separator: "=")
            guard let key = parts.first else { continue }
            let value = labels?[String(key)]?.string
            let matches = parts.count > 1 ? value == String(parts[1]) : value != nil
            if matches == isNegative { return false }
        }
        return true
    }
}
