import Base
import EvalModel
import Foundation
import Testing
import YAML

@testable import assay

/// Numbers and names in pages that the code decides.
@Suite struct FactsTests {
    private func section(_ heading: String, of page: String) throws -> String {
        let text = try Checkout.text(page)
        return try #require(text.components(separatedBy: "\n## \(heading)\n").dropFirst().first, "\(page) has no \(heading)").components(
            separatedBy: "\n## ")[0]
    }

    /// The second cells of a table, by the first.
    private func cells(_ text: String) -> [String: String] {
        text.matches(of: /(?m)^\| ([^|]+) \| ([^|]+) \|/).reduce(into: [:]) { $0[String($1.output.1)] = String($1.output.2) }
    }

    private static func grouped(_ number: Int) -> String {
        let digits = Array(String(number))
        return digits.indices.map { ($0 > 0 && (digits.count - $0) % 3 == 0 ? "," : "") + String(digits[$0]) }.joined()
    }

    @Test("the limits in docs/operating.md")
    func limits() throws {
        let limits = cells(try section("Limits", of: "docs/operating.md"))
        #expect(limits["trials of a job"] == Self.grouped(TrialMatrix.maximumCount))
        let definition = try YAML.parseSingle(try Checkout.text("manifests/crds/evaljobs.yaml"))
        let schema = definition.at("spec", "versions")?[0]?.at("schema", "openAPIV3Schema", "properties", "spec", "properties")
        let parallelism = try #require(schema?["parallelism"])
        #expect(limits["running trials of a job"] == parallelism["maximum"]?.int.map(Self.grouped))
        #expect(try section("Limits", of: "docs/operating.md").contains("`spec.parallelism`, default \(parallelism["default"]?.int ?? 0) "))
        #expect(limits["overlays of a job"] == schema?.at("overlays", "maxItems")?.int.map(Self.grouped))
        for (row, option) in [
            ("jobs that are reconciled at the same time", "workers"), ("mirrors of sources", "cache-limit"),
            ("pushes to one branch", "push-interval"),
            ("time for an image that cannot be pulled", "image-pull-timeout"),
        ] {
            let help = try #require(OperatorCommand.syntax.options.first { $0.name == option }?.help)
            let number = try #require(help.firstMatch(of: /default: ([0-9]+)/)).output.1
            let words = try #require(limits[row]).split(separator: " ")
            #expect(words.contains(number), "docs/operating.md, Limits, \(row): the default of --\(option) is \(number)")
        }
    }

    @Test("the chart's resources in docs/operating.md")
    func sizing() throws {
        let values = try YAML.parseSingle(try Checkout.text("charts/assay/values.yaml"))
        let text = try section("Sizing", of: "docs/operating.md")
        for path in [["resources", "requests", "cpu"], ["resources", "requests", "memory"], ["resources", "limits", "memory"], ["stateSize"]] {
            let value = try #require(path.reduce(values["operator"]) { $0?[$1] }?.string)
            #expect(text.contains(value), "docs/operating.md, Sizing: operator.\(path.joined(separator: ".")) is \(value)")
        }
    }

    @Test("docs/formats.md has each variable of Compose files")
    func composeVariables() throws {
        let names = try Checkout.text("Sources/EvalFormats/Compose/ComposeVariables.swift").matches(of: /"([A-Z_]+)":/).map { String($0.output.1) }
        #expect(names.count > 10)
        let text = try section("Services", of: "docs/formats.md")
        for name in names { #expect(text.contains("`\(name)`"), "docs/formats.md, Services: \(name)") }
    }
}
