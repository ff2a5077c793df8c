import AssayTesting
import Base
import Foundation
import Testing
import YAML

/// The chart's parts fit each other, and the program.
@Suite struct ConsistencyTests {
    @Test("chart and program have one version")
    func version() throws {
        let chart = try YAML.parseSingle(try ChartFiles.text("charts/assay/Chart.yaml"))
        let version = try ChartFiles.text("VERSION").trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(chart["version"]?.string == version && chart["appVersion"]?.string == version)
    }

    @Test("the definitions of the chart are those of manifests/crds", arguments: ["evaljobs", "evaltargets", "overlaysources"])
    func definitions(name: String) throws {
        #expect(try ChartFiles.text("charts/assay/crds/\(name).yaml") == ChartFiles.text("manifests/crds/\(name).yaml"), "run `make generate`")
    }

    @Test("each file of manifests/operator is applied")
    func kustomization() throws {
        let listed = try ChartFiles.text("manifests/operator/kustomization.yaml").split(separator: "\n")
        for file in try FileManager.default.contentsOfDirectory(atPath: "\(ChartFiles.root)/manifests/operator") where file != "kustomization.yaml" {
            #expect(listed.contains("- \(file)"), "\(file)")
        }
    }

    /// The paths of an object's leaves; maps and lists that users fill are leaves.
    private func leaves(_ value: JSONValue, _ path: String = "", _ known: Set<String>) -> Set<String> {
        guard !known.contains(path), let object = value.object, !object.isEmpty else { return [path] }
        return object.reduce(into: []) { $0.formUnion(leaves($1.value, path.isEmpty ? $1.key : "\(path).\($1.key)", known)) }
    }

    /// The paths that the schema knows, as far as it lists properties.
    private func paths(_ schema: JSONValue, _ path: String = "") -> Set<String> {
        guard let properties = schema["properties"]?.object else { return [path] }
        #expect(schema["additionalProperties"] == false, "\(path) takes any key")
        return properties.reduce(into: []) { $0.formUnion(paths($1.value, path.isEmpty ? $1.key : "\(path).\($1.key)")) }
    }

    @Test("values.schema.json knows each value of values.yaml, and no other")
    func schema() throws {
        let values = try YAML.parseSingle(try ChartFiles.text("charts/assay/values.yaml"))
        let schema = try JSONValue(parsing: Array(try ChartFiles.text("charts/assay/values.schema.json").utf8))
        // Filled by Helm itself for charts that are part of another one, and parts of a container's resources.
        let resources = ["operator.resources", "egress.resources", "repoCache.nodes.resources"]
        let known = paths(schema).subtracting(["global"] + resources.flatMap { ["\($0).requests", "\($0).limits", "\($0).claims"] }).union(resources)
        #expect(known == leaves(values, "", known))
    }

    @Test("the rules and the dashboard ask for metrics that exist")
    func metrics() async throws {
        let names = Set(
            MetricDefinition.all.flatMap { $0.kind == .histogram ? ["\($0.name)_bucket", "\($0.name)_sum", "\($0.name)_count"] : [$0.name] })
        let rendered = try await ChartFiles.helm.template(["\(ChartFiles.values)/monitoring.yaml"])
        let asked = Set(rendered.matches(of: /assay_[a-z_]+/).map { String($0.output) }.filter { $0 != "assay_" })
        #expect(asked.count >= 10)
        #expect(asked.subtracting(names).isEmpty, "\(asked.subtracting(names))")
        let map = try #require(try ChartFiles.objects("ConfigMap", in: rendered).first { $0.at("metadata", "name") == "assay-dashboard" })
        let dashboard = try JSONValue(parsing: Array(try #require(map.at("data", "assay.json")?.string).utf8))
        #expect((dashboard["panels"]?.array?.count ?? 0) >= 8)
    }

    @Test("docs/metrics.md has each alert with its severity and its time, and no other")
    func alerts() async throws {
        let rendered = try await ChartFiles.helm.template(["\(ChartFiles.values)/monitoring.yaml"])
        let rules = try ChartFiles.objects("PrometheusRule", in: rendered).flatMap { $0.at("spec", "groups")?.array ?? [] }
            .flatMap { $0["rules"]?.array ?? [] }
        let rows = try ChartFiles.text("docs/metrics.md").matches(of: /(?m)^\| `(Assay\w+)` \| (\w+), (\d+) min \| [^|]+ \| [^|]+ \|$/)
        let documented = rows.map { "\($0.1) \($0.2) \($0.3)m" }
        #expect(Set(documented).count == rows.count)
        #expect(
            documented.sorted()
                == rules.map { "\($0["alert"]?.string ?? "") \($0.at("labels", "severity")?.string ?? "") \($0["for"]?.string ?? "")" }.sorted())
    }

    /// The YAML documents of a page's examples.
    private func examples(_ page: String) throws -> [JSONValue] {
        try ChartFiles.text(page).components(separatedBy: "```yaml\n").dropFirst()
            .flatMap { try YAML.parse($0.components(separatedBy: "\n```").first ?? "") }
    }

    @Test("the values in the chart's README are taken")
    func readme() async throws {
        let values = try examples("charts/assay/README.md")
        #expect(values.count == 1)
        for one in values { _ = try await ChartFiles.helm.template([one.serializedText]) }
    }

    @Test("docs/gitops.md: the values of the HelmRelease and of the Application are taken, and each kind has a health script")
    func gitops() async throws {
        let documents = try examples("docs/gitops.md")
        let release = try #require(documents.first { $0["kind"] == "HelmRelease" })
        let application = try #require(documents.first { $0["kind"] == "Application" })
        for values in [release.at("spec", "values"), application.at("spec", "source", "helm", "valuesObject")] {
            let rendered = try await ChartFiles.helm.template([try #require(values).serializedText])
            #expect(rendered.contains("registry.example.com/assay@sha256:"))
        }
        let chart = [release.at("spec", "chart", "spec", "chart")?.string, application.at("spec", "source", "path")?.string]
        #expect(chart == ["./charts/assay", "charts/assay"])
        let scripts = documents.first { $0["kind"] == "ConfigMap" }?["data"]?.object?.keys.sorted() ?? []
        #expect(scripts == ["EvalJob", "EvalTarget", "OverlaySource"].map { "resource.customizations.health.assay.dev_\($0)" })
    }

    @Test("NOTES.txt ends nowhere without a command")
    func notes() async throws {
        let notes = try await ChartFiles.helm.template(["{watchNamespace: team}"], notes: true)
        #expect(notes.contains("kubectl --namespace assay-system rollout status deployment/assay-operator"))
        #expect(notes.contains("kubectl --namespace team apply -f examples/hello-world.yaml"))
    }
}

extension JSONValue {
    fileprivate var serializedText: String { String(decoding: serialized(), as: UTF8.self) }
}
