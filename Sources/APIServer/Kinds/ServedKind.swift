import Base
import KubeSchema

/// A kind as it is served in one version of one group.
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
    /// The subresources of an object, in the order in which discovery lists them.
    let subresources: [Subresource]
    let shape: Shape
    let strategy: any KindStrategy
    /// Set for kinds that come from a definition.
    let custom: CustomVersion?

    /// A subresource of an object.
    struct Subresource: Sendable {
        var name: String
        /// The kind of the request and response bodies; for `status` the object's own kind.
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
    /// Whether status can be written only through a path of its own.
    var hasStatus: Bool { subresources.contains { $0.name == "status" } }

    func subresource(_ name: String) -> Subresource? { subresources.first { $0.name == name } }

    // MARK: From the store to the wire

    /// `{"apiVersion":"v1","kind":"Pod",`: the part that the stored body lacks.
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

    /// The object in the form in which it is stored, without `apiVersion` and `kind`.
    func stored(_ value: JSONValue) -> JSONValue {
        var value = value
        value["apiVersion"] = nil
        value["kind"] = nil
        return value
    }

    // MARK: Refusals that name this kind

    func notFound(_ name: String) -> APIFailure { .notFound(group, plural, name) }
    func conflict(_ name: String, _ why: String = APIFailure.modified) -> APIFailure { .conflict(group, plural, name, why) }
    func invalid(_ name: String, _ faults: [FieldError]) -> APIFailure { .invalid(group, kind, name, faults) }
    /// The failure for a body that is not an object of this kind.
    func undecodable(_ why: String) -> APIFailure {
        .badRequest("\(kind) in version \"\(version)\" cannot be handled as a \(kind): \(why)")
    }
}

/// The part of a definition that concerns one version.
struct CustomVersion: Sendable {
    var definition: String
    var schema: StructuralSchema
    /// `openAPIV3Schema` as the author wrote it, for OpenAPI documents.
    var rawSchema: JSONValue
    var columns: [CustomColumn]
    /// The paths of `selectableFields`, without the leading dot.
    var selectable: [String]
    var warning: String?
    /// Whether the definition is being deleted, so that no object may be created.
    var isTerminating: Bool
    var storageVersionHash: String
}
