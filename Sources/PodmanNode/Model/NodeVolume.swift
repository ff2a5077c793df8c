import Base

/// A volume of a pod, for the kinds of volume that the node supports.
struct NodeVolume: Sendable, Hashable {
    /// A file that a secret, config map, downward API or projected volume puts into the volume.
    struct Item: Sendable, Hashable {
        var key: String
        var path: String
        var mode: Int?
    }

    /// One source of the files in a volume.
    enum FileSource: Sendable, Hashable {
        case secret(name: String, items: [Item]?, optional: Bool)
        case configMap(name: String, items: [Item]?, optional: Bool)
        case fields([Item])
        case unsupported(String)
    }

    enum Kind: Sendable, Hashable {
        case emptyDirectory(inMemory: Bool, sizeLimit: String?)
        case files([FileSource], defaultMode: Int)
        case hostPath(String)
        case unsupported(String)
    }

    var name: String
    var kind: Kind

    init(_ spec: JSONValue) {
        name = spec["name"]?.string ?? ""
        if let source = spec["emptyDir"] {
            kind = .emptyDirectory(
                inMemory: source["medium"]?.string == "Memory", sizeLimit: source["sizeLimit"].flatMap(Self.text))
        } else if let source = spec["secret"] {
            kind = .files(
                [.secret(name: source["secretName"]?.string ?? "", items: Self.items(source), optional: source["optional"]?.bool ?? false)],
                defaultMode: source["defaultMode"]?.int ?? 0o644)
        } else if let source = spec["configMap"] {
            kind = .files(
                [.configMap(name: source["name"]?.string ?? "", items: Self.items(source), optional: source["optional"]?.bool ?? false)],
                defaultMode: source["defaultMode"]?.int ?? 0o644)
        } else if let source = spec["downwardAPI"] {
            kind = .files([.fields(Self.fields(source))], defaultMode: source["defaultMode"]?.int ?? 0o644)
        } else if let source = spec["projected"] {
            kind = .files((source["sources"]?.array ?? []).map(Self.projected), defaultMode: source["defaultMode"]?.int ?? 0o644)
        } else if let source = spec["hostPath"] {
            kind = .hostPath(source["path"]?.string ?? "")
        } else {
            kind = .unsupported(spec.object?.keys.filter { $0 != "name" }.sorted().first ?? "emptyDir")
            // A volume without any source is an emptyDir.
            if case .unsupported("emptyDir") = kind { kind = .emptyDirectory(inMemory: false, sizeLimit: nil) }
        }
    }

    private static func projected(_ source: JSONValue) -> FileSource {
        if let secret = source["secret"] {
            return .secret(name: secret["name"]?.string ?? "", items: items(secret), optional: secret["optional"]?.bool ?? false)
        }
        if let map = source["configMap"] {
            return .configMap(name: map["name"]?.string ?? "", items: items(map), optional: map["optional"]?.bool ?? false)
        }
        if let downward = source["downwardAPI"] { return .fields(fields(downward)) }
        return .unsupported(source.object?.keys.sorted().first ?? "")
    }

    private static func items(_ source: JSONValue) -> [Item]? {
        source["items"]?.array.map { items in
            items.map { Item(key: $0["key"]?.string ?? "", path: $0["path"]?.string ?? "", mode: $0["mode"]?.int) }
        }
    }

    private static func fields(_ source: JSONValue) -> [Item] {
        (source["items"]?.array ?? []).map {
            Item(key: $0.at("fieldRef", "fieldPath")?.string ?? "", path: $0["path"]?.string ?? "", mode: $0["mode"]?.int)
        }
    }

    private static func text(_ value: JSONValue) -> String? { value.string ?? value.int.map(String.init) }
}
