import Base
import KubeSchema

/// The kinds that are served now: the built-in ones and those of the stored definitions.
final class KindRegistry: Sendable {
    struct GroupVersion: Hashable, Sendable {
        var group: String
        var version: String
        var text: String { group.isEmpty ? version : "\(group)/\(version)" }
    }

    private struct State {
        var byPath: [GroupVersion: [String: ServedKind]] = [:]
        /// Counts the changes of the served kinds; discovery and OpenAPI documents are made once for each value.
        var generation = 0
        /// Custom kinds, in the order of their definitions' names.
        var custom: [ServedKind] = []
    }

    private let state = Locked(State())

    init() {
        state.withLock { state in
            for kind in BuiltinKinds.all { Self.add(kind, to: &state) }
        }
    }

    private static func add(_ kind: ServedKind, to state: inout State) {
        state.byPath[GroupVersion(group: kind.group, version: kind.version), default: [:]][kind.plural] = kind
    }

    func kind(_ group: String, _ version: String, _ plural: String) -> ServedKind? {
        state.withLock { $0.byPath[GroupVersion(group: group, version: version)]?[plural] }
    }

    func serves(_ group: String, _ version: String) -> Bool {
        state.withLock { $0.byPath[GroupVersion(group: group, version: version)] != nil }
    }

    /// The kind through which the server itself works on a collection; for custom kinds, any served version.
    func kind(of resource: ResourceID) -> ServedKind? { all.first { $0.id == resource } }

    /// Every kind, in the order of discovery: core, built-in, then custom kinds by name.
    var all: [ServedKind] {
        BuiltinKinds.all + state.withLock { $0.custom }
    }

    var generation: Int { state.withLock { $0.generation } }

    /// Replaces the custom kinds by those of the stored definitions.
    func setDefinitions(_ definitions: [StoredObject]) {
        let kinds = definitions.flatMap(Self.kinds)
        let builtin = Set(BuiltinKinds.all.map(\.group))
        state.withLock { state in
            state.byPath = [:]
            for kind in BuiltinKinds.all { Self.add(kind, to: &state) }
            state.custom = kinds.filter { !builtin.contains($0.group) }
            for kind in state.custom { Self.add(kind, to: &state) }
            state.generation += 1
        }
    }

    /// The kinds that one definition defines.
    private static func kinds(_ definition: StoredObject) -> [ServedKind] {
        let value = definition.value
        let spec = value["spec"] ?? [:]
        guard let group = spec["group"]?.string, let names = spec["names"], let plural = names["plural"]?.string,
            let kind = names["kind"]?.string
        else { return [] }
        let strings = { (name: String) in (names[name]?.array ?? []).compactMap(\.string) }
        let storage = (spec["versions"]?.array ?? []).first { $0["storage"]?.bool == true }?["name"]?.string ?? ""
        return (spec["versions"]?.array ?? []).compactMap { version in
            guard version["served"]?.bool == true, let name = version["name"]?.string,
                let raw = version.at("schema", "openAPIV3Schema"), let schema = try? StructuralSchema(raw)
            else { return nil }
            let hasStatus = version.at("subresources", "status") != nil
            let columns = version["additionalPrinterColumns"]?.array.map { $0.compactMap(CustomColumn.init) }
            let custom = CustomVersion(
                definition: definition.name, schema: schema, rawSchema: raw, columns: columns ?? [.age],
                selectable: (version["selectableFields"]?.array ?? []).compactMap { $0["jsonPath"]?.string?.drop { $0 == "." } }
                    .map(String.init),
                warning: version["deprecated"]?.bool == true
                    ? version["deprecationWarning"]?.string ?? "\(group)/\(name) \(kind) is deprecated" : nil,
                isTerminating: definition.isDeleting,
                storageVersionHash: Base64.encode(SHA256Digest.of("\(group)/\(storage)/\(kind)").prefix(8)))
            let verbs = ["get", "patch", "update"]
            return ServedKind(
                group: group, version: name, plural: plural, singular: names["singular"]?.string ?? kind.lowercased(), kind: kind,
                listKind: names["listKind"]?.string ?? "\(kind)List", isNamespaced: spec["scope"]?.string == "Namespaced",
                shortNames: strings("shortNames"), categories: strings("categories"),
                verbs: ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"],
                subresources: hasStatus ? [.init(name: "status", kind: kind, group: group, version: name, verbs: verbs)] : [],
                shape: .customResource(raw), strategy: CustomStrategy(schema: schema, hasStatus: hasStatus), custom: custom)
        }
    }
}

private enum SHA256Digest {
    static func of(_ text: String) -> [UInt8] {
        var hash = SHA256()
        hash.update(Array(text.utf8))
        return hash.finalize()
    }
}
