import Base

/// Identifies a collection of objects.
struct ResourceID: Hashable, Sendable, CustomStringConvertible {
    var group: String
    var plural: String

    init(_ plural: String, group: String = "") {
        self.plural = plural
        self.group = group
    }

    /// Parses `widgets.contract.assay.dev`, or `pods` for the core group.
    init(qualified: String) {
        let dot = qualified.firstIndex(of: ".")
        plural = String(qualified[..<(dot ?? qualified.endIndex)])
        group = dot.map { String(qualified[qualified.index(after: $0)...]) } ?? ""
    }

    var description: String { group.isEmpty ? plural : "\(plural).\(group)" }

    static let namespaces = ResourceID("namespaces")
    static let pods = ResourceID("pods")
    static let serviceAccounts = ResourceID("serviceaccounts")
    static let events = ResourceID("events")
    static let customResourceDefinitions = ResourceID("customresourcedefinitions", group: "apiextensions.k8s.io")
}

/// Identifies an object in a collection. Keys sort by namespace, then name, as etcd's keys do.
struct StoreKey: Hashable, Comparable, Sendable {
    /// `namespace/name`, or the name of an object without namespace.
    let text: String

    init(namespace: String, name: String) { text = namespace.isEmpty ? name : "\(namespace)/\(name)" }
    init(text: String) { self.text = text }

    var namespace: String { text.firstIndex(of: "/").map { String(text[..<$0]) } ?? "" }
    var name: String { text.firstIndex(of: "/").map { String(text[text.index(after: $0)...]) } ?? text }

    static func < (a: StoreKey, b: StoreKey) -> Bool { a.text < b.text }
}

/// Identifies an object of any kind.
struct ObjectReference: Hashable, Sendable {
    var resource: ResourceID
    var key: StoreKey
}

/// One version of one object. It holds the bytes that are sent to readers, and the few fields that are needed without parsing.
///
/// It does not include `apiVersion` and `kind`: they depend on the version that a request asks for, and are written in front of the bytes.
final class StoredObject: Sendable {
    let key: StoreKey
    let revision: UInt64
    /// JSON, from `{` to `}`, without `apiVersion` and `kind`.
    let body: [UInt8]
    let uid: String
    let labels: [String: String]
    /// The values of the fields that `SelectableFields` lists for its resource.
    let fields: [String: String]
    let owners: [String]
    let isDeleting: Bool

    /// - Parameter value: the object without `apiVersion` and `kind`; its `metadata.resourceVersion` is replaced.
    init(resource: ResourceID, key: StoreKey, revision: UInt64, value: JSONValue) {
        var value = value
        value.set(["metadata", "resourceVersion"], to: .string(String(revision)))
        self.key = key
        self.revision = revision
        body = value.serialized()
        let metadata = value["metadata"]
        uid = metadata?["uid"]?.string ?? ""
        labels = (metadata?["labels"]?.object ?? [:]).compactMapValues(\.string)
        owners = (metadata?["ownerReferences"]?.array ?? []).compactMap { $0["uid"]?.string }
        isDeleting = metadata?["deletionTimestamp"]?.string != nil
        fields = SelectableFields.values(of: value, in: resource)
    }

    var namespace: String { key.namespace }
    var name: String { key.name }

    /// The object, parsed at every call: keeping ten thousand parsed trees would take many times the memory of their bytes.
    var value: JSONValue {
        // The bytes came from `serialized()`, or from a journal whose checksums and syntax were checked when it was read.
        (try? JSONValue(parsing: body)) ?? .object([:])
    }

    /// The JSON of `metadata`, without parsing the object.
    var metadata: [UInt8] {
        var found = Array("{}".utf8)
        var reader = JSONReader(body)
        try? reader.object { key, reader throws(JSONSyntaxError) in
            if key == "metadata" { found = Array(try reader.rawValue()) } else { try reader.skip() }
        }
        return found
    }
}

/// The fields other than the name that a field selector may use, by resource.
enum SelectableFields {
    static let paths: [ResourceID: [String]] = [
        .pods: [
            "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
            "status.phase", "status.podIP", "status.nominatedNodeName",
        ],
        .events: [
            "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
            "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason",
            "reportingComponent",
            "source", "type",
        ],
        ResourceID("secrets"): ["type"],
        .namespaces: ["status.phase"],
        ResourceID("nodes"): ["spec.unschedulable"],
    ]

    static func values(of value: JSONValue, in resource: ResourceID) -> [String: String] {
        guard let paths = paths[resource] else { return [:] }
        var found: [String: String] = [:]
        for path in paths {
            var at: JSONValue? = value
            for step in path.split(separator: ".") { at = at?[String(step)] }
            // The field `source` of an event is compared by its component.
            if path == "source" { at = at?["component"] }
            switch at {
            case .string(let text): found[path] = text
            case .bool(let flag): found[path] = String(flag)
            default: found[path] = path == "spec.hostNetwork" || path == "spec.unschedulable" ? "false" : ""
            }
        }
        return found
    }
}
