import Base

/// The few kinds that kubectl always sends as protobuf, whatever the server says it accepts (`kubectl create configmap`, `auth can-i`). A client that
/// sends another kind as protobuf is told to send JSON, which is what client-go does unless its `rest.Config` asks for protobuf.
///
/// Field numbers: the `generated.proto` files of k8s.io/api and apimachinery.
enum ProtobufObject {
    private indirect enum Field: Sendable {
        case string(String), int(String), bool(String), bytes(String), message(String, [UInt64: Field]), strings(String)
        case map(String, isBytes: Bool), messages(String, [UInt64: Field]), time(String)
    }

    private static let metadata = Field.message(
        "metadata",
        [
            1: .string("name"), 2: .string("generateName"), 3: .string("namespace"), 5: .string("uid"),
            6: .string("resourceVersion"),
            11: .map("labels", isBytes: false), 12: .map("annotations", isBytes: false), 14: .strings("finalizers"),
            13: .messages(
                "ownerReferences",
                [
                    5: .string("apiVersion"), 1: .string("kind"), 3: .string("name"), 4: .string("uid"), 6: .bool("controller"),
                    7: .bool("blockOwnerDeletion"),
                ]),
        ])

    private static let reference: [UInt64: Field] = [
        1: .string("kind"), 2: .string("namespace"), 3: .string("name"), 4: .string("uid"), 5: .string("apiVersion"),
    ]

    private static let deleteOptions: [UInt64: Field] = [
        1: .int("gracePeriodSeconds"), 2: .message("preconditions", [1: .string("uid"), 2: .string("resourceVersion")]),
        3: .bool("orphanDependents"), 4: .string("propagationPolicy"), 5: .strings("dryRun"),
    ]

    private static let kinds: [String: [UInt64: Field]] = [
        "ConfigMap": [1: metadata, 2: .map("data", isBytes: false), 3: .map("binaryData", isBytes: true), 4: .bool("immutable")],
        "Secret": [
            1: metadata, 2: .map("data", isBytes: true), 3: .string("type"), 4: .map("stringData", isBytes: false),
            5: .bool("immutable"),
        ],
        "Namespace": [1: metadata, 2: .message("spec", [1: .strings("finalizers")])],
        "ServiceAccount": [
            1: metadata, 2: .messages("secrets", reference), 3: .messages("imagePullSecrets", [1: .string("name")]),
            4: .bool("automountServiceAccountToken"),
        ],
        "Lease": [1: metadata],
        "Binding": [1: metadata, 2: .message("target", reference)],
        "Eviction": [1: metadata, 2: .message("deleteOptions", deleteOptions)],
        "DeleteOptions": deleteOptions,
        "Role": [1: metadata, 2: rules],
        "ClusterRole": [1: metadata, 2: rules],
        "RoleBinding": [1: metadata, 2: subjects, 3: roleReference],
        "ClusterRoleBinding": [1: metadata, 2: subjects, 3: roleReference],
        "SelfSubjectReview": [1: metadata],
        "SelfSubjectRulesReview": [1: metadata, 2: .message("spec", [1: .string("namespace")])],
        "TokenRequest": [
            1: metadata,
            2: .message(
                "spec",
                [
                    1: .strings("audiences"), 4: .int("expirationSeconds"),
                    3: .message("boundObjectRef", [1: .string("kind"), 2: .string("apiVersion"), 3: .string("name"), 4: .string("uid")]),
                ]),
        ],
        "SelfSubjectAccessReview": [
            1: metadata,
            2: .message(
                "spec",
                [
                    1: .message(
                        "resourceAttributes",
                        [
                            1: .string("namespace"), 2: .string("verb"), 3: .string("group"), 4: .string("version"),
                            5: .string("resource"),
                            6: .string("subresource"), 7: .string("name"),
                        ]),
                    2: .message("nonResourceAttributes", [1: .string("path"), 2: .string("verb")]),
                ]),
        ],
    ]

    private static let rules = Field.messages(
        "rules",
        [
            1: .strings("verbs"), 2: .strings("apiGroups"), 3: .strings("resources"), 4: .strings("resourceNames"),
            5: .strings("nonResourceURLs"),
        ])
    private static let subjects = Field.messages(
        "subjects",
        [
            1: .string("kind"), 2: .string("apiGroup"), 3: .string("name"), 4: .string("namespace"),
        ])
    private static let roleReference = Field.message("roleRef", [1: .string("apiGroup"), 2: .string("kind"), 3: .string("name")])

    /// Returns nil when the bytes are not a protobuf object, or not one of these kinds.
    static func decode(_ bytes: [UInt8]) -> JSONValue? {
        guard bytes.starts(with: Array("k8s\0".utf8)) else { return nil }
        // runtime.Unknown: typeMeta = 1 {apiVersion = 1, kind = 2}, raw = 2.
        var type: JSONValue = [:]
        var raw: ArraySlice<UInt8> = []
        var reader = ProtobufReader(bytes[4...])
        while let (number, value) = reader.next() {
            guard case .bytes(let content) = value else { continue }
            if number == 1 { type = message(content, [1: .string("apiVersion"), 2: .string("kind")]) ?? [:] }
            if number == 2 { raw = content }
        }
        guard let kind = type["kind"]?.string, let fields = kinds[kind], var object = message(raw, fields) else { return nil }
        object["kind"] = .string(kind)
        object["apiVersion"] = type["apiVersion"]
        return object
    }

    private static func message(_ bytes: ArraySlice<UInt8>, _ fields: [UInt64: Field]) -> JSONValue? {
        var members: [String: JSONValue] = [:]
        var reader = ProtobufReader(bytes)
        while let (number, value) = reader.next() {
            guard let field = fields[number] else { continue }
            switch (field, value) {
            case (.string(let name), .bytes(let content)): members[name] = .string(String(decoding: content, as: UTF8.self))
            case (.bytes(let name), .bytes(let content)): members[name] = .string(Base64.encode(content))
            case (.int(let name), .number(let number)): members[name] = .int(Int64(bitPattern: number))
            case (.bool(let name), .number(let number)): members[name] = .bool(number != 0)
            case (.strings(let name), .bytes(let content)):
                members[name] = .array((members[name]?.array ?? []) + [.string(String(decoding: content, as: UTF8.self))])
            case (.message(let name, let inner), .bytes(let content)): members[name] = message(content, inner)
            case (.messages(let name, let inner), .bytes(let content)):
                members[name] = .array((members[name]?.array ?? []) + [message(content, inner) ?? [:]])
            case (.map(let name, let isBytes), .bytes(let content)):
                guard let entry = message(content, [1: .string("key"), 2: isBytes ? .bytes("value") : .string("value")]) else {
                    return nil
                }
                var map = members[name]?.object ?? [:]
                map[entry["key"]?.string ?? ""] = entry["value"] ?? ""
                members[name] = .object(map)
            default: continue
            }
        }
        return reader.isBroken ? nil : .object(members)
    }
}

/// Reads the wire format of protocol buffers, field by field.
struct ProtobufReader {
    enum Value {
        case number(UInt64)
        case bytes(ArraySlice<UInt8>)
    }

    private var rest: ArraySlice<UInt8>
    private(set) var isBroken = false

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    mutating func next() -> (field: UInt64, value: Value)? {
        guard !rest.isEmpty else { return nil }
        guard let tag = varint() else { return broken() }
        switch tag & 7 {
        case 0:
            guard let number = varint() else { return broken() }
            return (tag >> 3, .number(number))
        case 1, 5:
            let size = tag & 7 == 1 ? 8 : 4
            guard rest.count >= size else { return broken() }
            defer { rest = rest.dropFirst(size) }
            return (tag >> 3, .bytes(rest.prefix(size)))
        case 2:
            guard let length = varint(), length <= UInt64(rest.count) else { return broken() }
            defer { rest = rest.dropFirst(Int(length)) }
            return (tag >> 3, .bytes(rest.prefix(Int(length))))
        default:
            return broken()
        }
    }

    private mutating func varint() -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = rest.popFirst() else { return nil }
            value |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
        }
        return nil
    }

    private mutating func broken() -> (field: UInt64, value: Value)? {
        isBroken = true
        rest = []
        return nil
    }
}

/// Encodes a `Status` in protobuf, to refuse a client that accepts nothing but protobuf.
enum ProtobufStatus {
    static func encode(_ failure: APIFailure) -> [UInt8] {
        func varint(_ value: UInt64) -> [UInt8] {
            var value = value
            var out: [UInt8] = []
            while value >= 0x80 {
                out.append(UInt8(value & 0x7F) | 0x80)
                value >>= 7
            }
            return out + [UInt8(value)]
        }
        func field(_ number: UInt8, _ content: [UInt8]) -> [UInt8] { [number << 3 | 2] + varint(UInt64(content.count)) + content }
        func text(_ number: UInt8, _ content: String) -> [UInt8] { field(number, Array(content.utf8)) }
        let listMeta = text(1, "") + text(2, "") + text(3, "")
        let status =
            field(1, listMeta) + text(2, "Failure") + text(3, failure.message) + text(4, failure.reason)
            + [6 << 3] + varint(UInt64(failure.code))
        let type = text(1, "v1") + text(2, "Status")
        return Array("k8s\0".utf8) + field(1, type) + field(2, status) + text(3, "") + text(4, "")
    }
}
