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

    /// An escape hatch, which is kept out of what users read first. HouseTests hold all pages to that.
    private static let undocumented = "spec.syncOptions.advanced"

    @Test("every field is documented in the page of its kind", arguments: kinds)
    func documented(kind: String) throws {
        let page = try CRDFiles.text("docs/resources/\(kind.lowercased()).md")
        let parts = page.components(separatedBy: "\n## Status\n")
        #expect(parts.count == 2)
        for (part, text) in zip(["spec", "status"], parts) {
            let schema = try #require(try CRDFiles.openAPI(kind).at("properties", part))
            walk(schema, "") { _, path in
                if path.isEmpty || path.hasSuffix("[]") || path.hasSuffix("{}") || (part + path).hasPrefix(Self.undocumented) { return }
                #expect(text.contains("| `\(path.dropFirst())` |"), "\(part)\(path) is not in the page")
            }
        }
    }

    @Test("the API server accepts the examples in files and pages")
    func examples() throws {
        var texts: [(String, String)] = []
        for path in try CRDFiles.files(in: "examples", ending: ".yaml") { texts.append((path, try CRDFiles.text(path))) }
        for page in try CRDFiles.files(in: "docs/resources", ending: ".md") + ["docs/overlays.md"] {
            for block in try CRDFiles.blocks(of: page) { texts.append((page, block)) }
        }
        var kinds: Set<String> = []
        for (path, text) in texts {
            for document in try YAML.parse(text) {
                let kind = try #require(document["kind"]?.string, "\(path)")
                kinds.insert(kind)
                let result = try CRDFiles.admit(document)
                #expect(result.unknown == [], "\(path)")
                #expect(result.faults == [], "\(path)")
            }
        }
        #expect(kinds == Set(CRDFiles.kinds.keys))
    }
}
