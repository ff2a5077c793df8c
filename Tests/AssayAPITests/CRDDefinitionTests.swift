import Base
import Foundation
import Testing
import YAML

@testable import KubeSchema

@Suite("Custom resource definitions")
struct CRDDefinitionTests {
    static let kinds = CRDFiles.kinds.keys.sorted()

    @Test("they are structural, and every rule compiles", arguments: kinds)
    func structural(kind: String) throws {
        #expect(try CRDFiles.schema(kind).compileErrors() == [])
    }

    @Test(
        "names, columns and subresource",
        arguments: [
            ("evaljobs", "ej", ["Phase", "Completed", "Running", "Failed", "Pass Rate", "Mean Reward", "Age", "Status"]),
            ("evaltargets", "et", ["Type", "Sync", "Ready", "Lag", "Active", "Age"]),
            ("overlaysources", "ovs", ["Repo", "Order", "Revision", "Ready", "Age"]),
        ])
    func names(plural: String, short: String, columns: [String]) throws {
        let definition = try CRDFiles.definition(plural)
        #expect(definition.at("metadata", "name")?.string == plural + ".assay.dev")
        #expect(definition.at("spec", "names", "shortNames") == [.string(short)])
        #expect(definition.at("spec", "names", "categories") == ["assay"])
        let version = try #require(definition.at("spec", "versions")?[0])
        #expect(version.at("subresources", "status") == [:])
        #expect(version["additionalPrinterColumns"]?.array?.compactMap { $0["name"]?.string } == columns)
    }

    /// Calls `visit` with each schema of a field and its path.
    private func walk(_ schema: JSONValue, _ path: String, _ visit: (JSONValue, String) -> Void) {
        visit(schema, path)
        for (name, property) in schema["properties"]?.object ?? [:] { walk(property, path + "." + name, visit) }
        if let items = schema["items"] { walk(items, path + "[]", visit) }
        if let value = schema["additionalProperties"], value.object != nil { walk(value, path + "{}", visit) }
    }

    @Test("every field has a description, and a limit if users write it", arguments: kinds)
    func described(kind: String) throws {
        walk(try CRDFiles.openAPI(kind), "") { schema, path in
            let description = schema["description"]?.string ?? ""
            if path != ".metadata" { #expect(!description.isEmpty, "\(path) has no description") }
            guard path.hasPrefix(".spec") else { return }
            switch schema["type"]?.string {
            case "string" where schema["enum"] == nil: #expect(schema["maxLength"] != nil, "\(path) may be of any length")
            case "array": #expect(schema["maxItems"] != nil, "\(path) may have any number of items")
            case "object" where schema["additionalProperties"] != nil: #expect(schema["maxProperties"] != nil, "\(path) may be of any size")
            case "integer", "number":
                // Kubernetes' own fields have no limit either, and Assay does not compute with them.
                if path.hasSuffix("tolerationSeconds") { break }
                #expect(schema["minimum"] != nil && schema["maximum"] != nil, "\(path) may be any number")
            default: break
            }
        }
    }

    /// The type of a field in words, as the pages have it.
    private static func type(of schema: JSONValue) -> String {
        if let values = schema["enum"]?.array { return values.map { $0 == "" ? "`\"\"`" : "`\($0.string ?? "")`" }.joined(separator: ", ") }
        if schema["x-kubernetes-int-or-string"] == true { return "quantity" }
        if schema["format"] == "date-time" { return "time" }
        switch schema["type"]?.string {
        case "array": return "list of \(type(of: schema["items"] ?? [:]))"
        case "object":
            guard let value = schema["additionalProperties"], value.object != nil else { return "object" }
            return "map of \(type(of: value))"
        case let type: return type ?? ""
        }
    }

    private static func fallback(of schema: JSONValue, isRequired: Bool) -> String {
        if isRequired { return "required" }
        switch schema["default"] {
        case nil, .object?, .array?: return ""
        case .string(let text)?: return text.isEmpty ? "`\"\"`" : "`\(text)`"
        case let value?: return "`\(String(decoding: value.serialized(), as: UTF8.self))`"
        }
    }

    /// The rows of a page's table for the fields below a schema, in the order of their paths.
    private static func rows(_ schema: JSONValue, _ path: String) -> [String] {
        let required = schema["required"]?.array ?? []
        return (schema["properties"]?.object ?? [:]).sorted { $0.key < $1.key }.flatMap { name, property -> [String] in
            let fallback = fallback(of: property, isRequired: required.contains(.string(name)))
            let meaning = (property["description"]?.string ?? "").replacing("|", with: "\\|")
            let own = "| `\(path)\(name)` | \(type(of: property)) | \(fallback) | \(meaning) |"
            var (inner, suffix) = (property, "")
            while inner["type"] == "array", let items = inner["items"] { (inner, suffix) = (items, suffix + "[]") }
            return [own] + rows(inner, "\(path)\(name)\(suffix).")
        }
    }

    /// An escape hatch, which is kept out of what users read first. HouseTests hold all pages to that.
    private static let undocumented = "| `syncOptions.advanced"

    @Test("the tables in the page of a kind have each field with its type, default and description, and no other", arguments: kinds)
    func documented(kind: String) throws {
        let page = try CRDFiles.text("docs/resources/\(kind.lowercased()).md")
        let parts = page.components(separatedBy: "\n## Status\n")
        try #require(parts.count == 2)
        let spec = try #require(parts[0].components(separatedBy: "\n## Spec\n").dropFirst().last)
        for (part, text) in [("spec", spec), ("status", parts[1])] {
            let expected = Self.rows(try #require(try CRDFiles.openAPI(kind).at("properties", part)), "").filter { !$0.hasPrefix(Self.undocumented) }
            let rows = text.components(separatedBy: "\n").filter { $0.hasPrefix("| `") }
            for row in expected where !rows.contains(row) { Issue.record("\(kind)'s page lacks the row of \(part)\n\(row)") }
            for row in rows where !expected.contains(row) {
                Issue.record("\(kind)'s page has a row of \(part) that the definition does not have\n\(row)")
            }
            #expect(rows.count == expected.count, "a row of \(part) is in \(kind)'s page twice")
        }
    }

    @Test("the API server accepts the objects in examples")
    func examples() throws {
        var kinds: Set<String> = []
        for path in try CRDFiles.files(in: "examples", ending: ".yaml") {
            for document in try YAML.parse(try CRDFiles.text(path)) {
                let kind = try #require(document["kind"]?.string, "\(path)")
                kinds.insert(kind)
                let result = try CRDFiles.admit(document)
                #expect(result.unknown == [], "\(path)")
                #expect(result.faults == [], "\(path)")
            }
        }
        #expect(kinds.isSuperset(of: ["EvalJob", "EvalTarget"]))
    }
}
