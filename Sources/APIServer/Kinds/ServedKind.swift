import Base
import KubeSchema

/// A kind as one version of one group serves it.
final class ServedKind: Sendable {
    let group: String
    let version: String
    let plural: String
    let singular: String
    let kind: String
    let listKind: String
    let isNamespaced: Bool
    let shortNames: [String]
    let categories: [String]
    let verbs: [String]
    /// Paths below an object, in the order in which discovery lists them.
    let subresources: [Subresource]
    let shape: Shape
    let strategy: any KindStrategy
    /// Set for kinds that a definition brought.
    let custom: CustomVersion?

    /// A subresource of an object.
    struct Subresource: Sendable {
        var name: String
        /// The kind of the bodies; the object's own for `status`.
        var kind: String
        var group: String
        var version: String
        var verbs: [String]
    }

    static let builtinVerbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]

    init(
        group: String, version: String, plural: String, singular: String, kind: String, listKind: String, isNamespaced: Bool,
        shortNames: [String] = [], categories: [String] = [], verbs: [String] = builtinVerbs, subresources: [Subresource] = [],
        shape: Shape, strategy: any KindStrategy, custom: CustomVersion? = nil
    ) {
        self.group = group
        self.version = version
        self.plural = plural
        self.singular = singular
        self.kind = kind
        self.listKind = listKind
        self.isNamespaced = isNamespaced
        self.shortNames = shortNames
        self.categories = categories
        self.verbs = verbs
        self.subresources = subresources
        self.shape = shape
        self.strategy = strategy
        self.custom = custom
    }

    var id: ResourceID { ResourceID(plural, group: group) }
    var apiVersion: String { group.isEmpty ? version : "\(group)/\(version)" }
    var isCustom: Bool { custom != nil }
    /// Whether status is written through a path of its own, and only there.
    var hasStatus: Bool { subresources.contains { $0.name == "status" } }

    func subresource(_ name: String) -> Subresource? { subresources.first { $0.name == name } }

    // MARK: From the store to the wire

    /// `{"apiVersion":"v1","kind":"Pod",`: what the stored body lacks.
    var head: [UInt8] {
        Array("{\"apiVersion\":\(JSONValue.string(apiVersion).text),\"kind\":\(JSONValue.string(kind).text),".utf8)
    }

    func bytes(_ object: StoredObject) -> [UInt8] { head + object.body.dropFirst() }

    /// The object with `apiVersion` and `kind`.
    func full(_ object: StoredObject) -> JSONValue { full(object.value) }

    func full(_ value: JSONValue) -> JSONValue {
        var value = value
        value["apiVersion"] = .string(apiVersion)
        value["kind"] = .string(kind)
        return value
    }

    /// The object as it is stored.
    func stored(_ value: JSONValue) -> JSONValue {
        var value = value
        value["apiVersion"] = nil
        value["kind"] = nil
        return value
    }

    // MARK: Refusals in this kind's name

    func notFound(_ name: String) -> APIFailure { .notFound(group, plural, name) }
    func conflict(_ name: String, _ why: String = APIFailure.modified) -> APIFailure { .conflict(group, plural, name, why) }
    func invalid(_ name: String, _ faults: [FieldError]) -> APIFailure { .invalid(group, kind, name, faults) }
    /// A body that is not an object of this kind.
    func undecodable(_ why: String) -> APIFailure {
        .badRequest("\(kind) in version \"\(version)\" cannot be handled as a \(kind): \(why)")
    }
}

/// What a definition says about one version.
struct CustomVersion: Sendable {
    var definition: String
    var schema: StructuralSchema
    /// `openAPIV3Schema` as it was given, for OpenAPI documents.
    var rawSchema: JSONValue
    var columns: [CustomColumn]
    /// Paths of `selectableFields`, without the leading dot.
    var selectable: [String]
    var warning: String?
    /// The definition is being deleted: nothing may be created.
    var isTerminating: Bool
    var storageVersionHash: String
}
