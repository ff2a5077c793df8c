import Base

/// The part of `metadata` that Assay reads or writes. Unknown fields are dropped: change an object that others also write
/// with a patch, not by sending back a decoded copy.
public struct ObjectMeta: Codable, Sendable, Hashable {
    /// Empty until the server has generated one from `generateName`.
    public var name: String
    public var generateName: String?
    public var namespace: String?
    public var uid: String?
    public var resourceVersion: String?
    public var generation: Int?
    public var creationTimestamp: Timestamp?
    public var deletionTimestamp: Timestamp?
    /// Seconds.
    public var deletionGracePeriodSeconds: Int?
    public var labels: [String: String]?
    public var annotations: [String: String]?
    public var finalizers: [String]?
    public var ownerReferences: [OwnerReference]?

    public init(
        name: String = "", generateName: String? = nil, namespace: String? = nil, uid: String? = nil,
        resourceVersion: String? = nil, generation: Int? = nil, creationTimestamp: Timestamp? = nil,
        deletionTimestamp: Timestamp? = nil, deletionGracePeriodSeconds: Int? = nil,
        labels: [String: String]? = nil, annotations: [String: String]? = nil, finalizers: [String]? = nil,
        ownerReferences: [OwnerReference]? = nil
    ) {
        self.name = name
        self.generateName = generateName
        self.namespace = namespace
        self.uid = uid
        self.resourceVersion = resourceVersion
        self.generation = generation
        self.creationTimestamp = creationTimestamp
        self.deletionTimestamp = deletionTimestamp
        self.deletionGracePeriodSeconds = deletionGracePeriodSeconds
        self.labels = labels
        self.annotations = annotations
        self.finalizers = finalizers
        self.ownerReferences = ownerReferences
    }

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case name, generateName, namespace, uid, resourceVersion, generation, creationTimestamp, deletionTimestamp
        case deletionGracePeriodSeconds, labels, annotations, finalizers, ownerReferences
    }

    public init(from decoder: any Decoder) throws {
        let c = try decoder.container(keyedBy: CodingKeys.self)
        name = try c.decodeIfPresent(String.self, forKey: .name) ?? ""
        generateName = try c.decodeIfPresent(String.self, forKey: .generateName)
        namespace = try c.decodeIfPresent(String.self, forKey: .namespace)
        uid = try c.decodeIfPresent(String.self, forKey: .uid)
        resourceVersion = try c.decodeIfPresent(String.self, forKey: .resourceVersion)
        generation = try c.decodeIfPresent(Int.self, forKey: .generation)
        creationTimestamp = try c.decodeIfPresent(Timestamp.self, forKey: .creationTimestamp)
        deletionTimestamp = try c.decodeIfPresent(Timestamp.self, forKey: .deletionTimestamp)
        deletionGracePeriodSeconds = try c.decodeIfPresent(Int.self, forKey: .deletionGracePeriodSeconds)
        labels = try c.decodeIfPresent([String: String].self, forKey: .labels)
        annotations = try c.decodeIfPresent([String: String].self, forKey: .annotations)
        finalizers = try c.decodeIfPresent([String].self, forKey: .finalizers)
        ownerReferences = try c.decodeIfPresent([OwnerReference].self, forKey: .ownerReferences)
    }

    public func encode(to encoder: any Encoder) throws {
        var c = encoder.container(keyedBy: CodingKeys.self)
        // The server would refuse an empty name beside `generateName`.
        if !name.isEmpty { try c.encode(name, forKey: .name) }
        try c.encodeIfPresent(generateName, forKey: .generateName)
        try c.encodeIfPresent(namespace, forKey: .namespace)
        try c.encodeIfPresent(uid, forKey: .uid)
        try c.encodeIfPresent(resourceVersion, forKey: .resourceVersion)
        try c.encodeIfPresent(generation, forKey: .generation)
        try c.encodeIfPresent(creationTimestamp, forKey: .creationTimestamp)
        try c.encodeIfPresent(deletionTimestamp, forKey: .deletionTimestamp)
        try c.encodeIfPresent(deletionGracePeriodSeconds, forKey: .deletionGracePeriodSeconds)
        try c.encodeIfPresent(labels, forKey: .labels)
        try c.encodeIfPresent(annotations, forKey: .annotations)
        try c.encodeIfPresent(finalizers, forKey: .finalizers)
        try c.encodeIfPresent(ownerReferences, forKey: .ownerReferences)
    }

    /// The key of the object this belongs to.
    public var key: ObjectKey { ObjectKey(namespace: namespace ?? "", name: name) }

    /// True when the object is deleted and only waits for its finalizers.
    public var isDeleting: Bool { deletionTimestamp != nil }

    /// The owner marked as controller, if any.
    public var controller: OwnerReference? { ownerReferences?.first { $0.controller == true } }

    /// Identifies one incarnation of an object: a deleted and recreated object has another uid.
    public func isSameIncarnation(as other: ObjectMeta) -> Bool { uid != nil && uid == other.uid }
}

extension ObjectMeta {
    /// The fields of `metadata` that `ObjectMeta` has. It leaves out `managedFields`, which is often larger than all others.
    public static let projection = JSONProjection.only(
        Dictionary(CodingKeys.allCases.map { ($0.stringValue, .everything) }, uniquingKeysWith: { first, _ in first }))

    /// Reads `metadata` from an object as the server sends it. Lenient, because the server has already validated it: a
    /// field of the wrong type reads as absent.
    public init(of object: JSONValue) {
        self.init(metadata: object["metadata"] ?? .null)
    }

    /// Reads the value of a `metadata` field; see ``init(of:)``.
    public init(metadata m: JSONValue) {
        self.init(
            name: m["name"]?.string ?? "",
            generateName: m["generateName"]?.string,
            namespace: m["namespace"]?.string,
            uid: m["uid"]?.string,
            resourceVersion: m["resourceVersion"]?.string,
            generation: m["generation"]?.int,
            creationTimestamp: m["creationTimestamp"]?.string.flatMap { Timestamp(rfc3339: $0) },
            deletionTimestamp: m["deletionTimestamp"]?.string.flatMap { Timestamp(rfc3339: $0) },
            deletionGracePeriodSeconds: m["deletionGracePeriodSeconds"]?.int,
            labels: m["labels"]?.object?.compactMapValues { $0.string },
            annotations: m["annotations"]?.object?.compactMapValues { $0.string },
            finalizers: m["finalizers"]?.array?.compactMap { $0.string },
            ownerReferences: m["ownerReferences"]?.array?.map { OwnerReference(json: $0) })
    }
}

/// A link from a dependent object to its owner, which the garbage collector follows.
public struct OwnerReference: Codable, Sendable, Hashable {
    public var apiVersion: String
    public var kind: String
    public var name: String
    public var uid: String
    public var controller: Bool?
    public var blockOwnerDeletion: Bool?

    public init(
        apiVersion: String, kind: String, name: String, uid: String, controller: Bool? = nil,
        blockOwnerDeletion: Bool? = nil
    ) {
        self.apiVersion = apiVersion
        self.kind = kind
        self.name = name
        self.uid = uid
        self.controller = controller
        self.blockOwnerDeletion = blockOwnerDeletion
    }

    /// Lenient reading; see ``ObjectMeta/init(of:)``.
    public init(json: JSONValue) {
        self.init(
            apiVersion: json["apiVersion"]?.string ?? "",
            kind: json["kind"]?.string ?? "",
            name: json["name"]?.string ?? "",
            uid: json["uid"]?.string ?? "",
            controller: json["controller"]?.bool,
            blockOwnerDeletion: json["blockOwnerDeletion"]?.bool)
    }
}
