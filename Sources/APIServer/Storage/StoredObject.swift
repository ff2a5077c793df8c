import Base

/// Which collection an object lies in.
struct ResourceID: Hashable, Sendable, CustomStringConvertible {
    var group: String
    var plural: String

    init(_ plural: String, group: String = "") {
        self.plural = plural
        self.group = group
    }

    /// `widgets.contract.assay.dev`; `pods` in the core group.
    init(qualified: String) {
        let dot = qualified.firstIndex(of: ".")
        plural = String(qualified[..<(dot ?? qualified.endIndex)])
        group = dot.map { String(qualified[qualified.index(after: $0)...]) } ?? ""
    }

    var description: String { group.isEmpty ? plural : "\(plural).\(group)" }

    static let namespaces = ResourceID("namespaces")
    static let pods = ResourceID("pods")
    static let events = ResourceID("events")
    static let customResourceDefinitions = ResourceID("customresourcedefinitions", group: "apiextensions.k8s.io")
}

/// Which object of a collection. Its text orders as etcd's keys do: by namespace, then name.
struct StoreKey: Hashable, Comparable, Sendable {
    /// `namespace/name`, or the name of an object without namespace.
    let text: String

    init(namespace: String, name: String) { text = namespace.isEmpty ? name : "\(namespace)/\(name)" }
    init(text: String) { self.text = text }

    var namespace: String { text.firstIndex(of: "/").map { String(text[..<$0]) } ?? "" }
    var name: String { text.firstIndex(of: "/").map { String(text[text.index(after: $0)...]) } ?? text }

    static func < (a: StoreKey, b: StoreKey) -> Bool { a.text < b.text }
}

/// An object of any kind, wherever it lies.
struct ObjectReference: Hashable, Sendable {
    var resource: ResourceID
    var key: StoreKey
}

/// One version of one object. It holds the bytes that every reader is sent, and the few fields that are looked at without parsing.
///
/// `apiVersion` and `kind` are not part of it: they belong to the version that a request asks for, and are written in front.
final class StoredObject: Sendable {
    let key: StoreKey
    let revision: UInt64
    /// JSON, from `{` to `}`, without `apiVersion` and `kind`.
    let body: [UInt8]
    let uid: String
    let labels: [String: String]
    /// The values of `SelectableFields` of its resource.
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

    /// The object, parsed anew each time: ten thousand trees would take many times the memory of their bytes.
    var value: JSONValue {
        // The bytes came from `serialized()`, or from a journal whose checksums and syntax were checked when it was read.
        (try? JSONValue(parsing: body)) ?? .object([:])
    }
}

/// The fields besides the name that a field selector may ask for, by resource.
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
            // An event's `source` selects by the component that it names.
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
