import Base
import Foundation
import Testing
import YAML

@testable import KubeSchema

/// The definitions, examples and pages of the repository.
enum CRDFiles {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static let kinds = ["EvalJob": "evaljobs", "EvalTarget": "evaltargets", "OverlaySource": "overlaysources"]

    static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    static func definition(_ plural: String) throws -> JSONValue {
        try YAML.parseSingle(try text("manifests/crds/\(plural).yaml"))
    }

    static func openAPI(_ kind: String) throws -> JSONValue {
        let definition = try definition(try #require(kinds[kind]))
        return try #require(definition.at("spec", "versions")?[0]?.at("schema", "openAPIV3Schema"))
    }

    /// Read only once, because hundreds of test cases use them.
    private static let schemas = kinds.keys.reduce(into: [String: Result<StructuralSchema, any Error>]()) { schemas, kind in
        schemas[kind] = Result { try StructuralSchema(openAPI(kind)) }
    }

    static func schema(_ kind: String) throws -> StructuralSchema { try #require(schemas[kind]).get() }

    /// The object as the API server would store it, its pruned fields, and its faults.
    static func admit(_ object: JSONValue, old: JSONValue? = nil) throws -> (stored: JSONValue, unknown: [String], faults: [FieldError]) {
        let schema = try schema(try #require(object["kind"]?.string))
        var stored = object
        let unknown = schema.prune(&stored)
        schema.applyDefaults(&stored)
        var before = old
        if var value = old {
            schema.applyDefaults(&value)
            before = value
        }
        return (stored, unknown, schema.validate(stored, old: before))
    }

    /// Files below a folder with an extension, as paths relative to the root.
    static func files(in folder: String, ending: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: root.appending(path: folder).path).filter { $0.hasSuffix(ending) }.sorted()
            .map { folder + "/" + $0 }
    }
}
