import Foundation
import Testing

/// The direction of imports: a target imports only targets that docs/design.md lists above it. SwiftPM refuses cycles and, with
/// `--explicit-target-dependency-import-check error`, undeclared imports. This test checks the declarations themselves.
@Suite struct DirectionTests {
    /// From top to bottom, as in docs/design.md.
    static let order = [
        "CCurl", "CYAML", "CShims", "Base", "Subprocess", "HTTPTransport", "Tracing", "Dependencies", "Registry", "HTTPServing", "Egress", "YAML",
        "TOML",
        "KubeCore",
        "KubeClient",
        "KubeRuntime",
        "EvalModel", "EvalFormats", "Git", "SourceSync", "Artifacts", "Dashboard", "TrialRuntime", "AssayAPI", "TrialPods", "Planning", "Reconcilers",
        "Rollout", "CEL",
        "KubeSchema", "APIServer", "PodmanNode", "Operations", "AssayTesting", "assay",
    ]
    static let sources = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Sources")

    /// The targets of this package that each target's files import.
    static func imports() throws -> [String: Set<String>] {
        var found: [String: Set<String>] = [:]
        for target in try FileManager.default.contentsOfDirectory(atPath: sources.path) {
            var names = Set<String>()
            let files = FileManager.default.enumerator(atPath: sources.appending(path: target).path)
            while let file = files?.nextObject() as? String {
                guard file.hasSuffix(".swift") else { continue }
                let text = try String(contentsOf: sources.appending(path: target).appending(path: file), encoding: .utf8)
                for line in text.split(separator: "\n") {
                    let words = line.split(separator: " ")
                    guard let i = words.firstIndex(of: "import"), words[..<i].allSatisfy({ $0.hasPrefix("@") || $0 == "public" || $0 == "internal" }),
                        let module = words[(i + 1)...].last
                    else { continue }
                    names.insert(String(module.split(separator: ".")[0]))
                }
            }
            found[target] = names
        }
        return found
    }

    @Test func everyTargetHasItsPlace() throws {
        #expect(Set(try Self.imports().keys) == Set(Self.order))
    }

    @Test func noTargetImportsDownwards() throws {
        let place = Dictionary(uniqueKeysWithValues: Self.order.enumerated().map { ($1, $0) })
        for (target, names) in try Self.imports() {
            for name in names {
                guard let above = place[name], let own = place[target] else { continue }
                #expect(above < own, "\(target) imports \(name), which stands below it")
            }
        }
    }

    /// The embedded control plane replaces a cluster, so it must not depend on evaluations.
    static let controlPlane = ["CEL", "KubeSchema", "APIServer", "PodmanNode"]

    @Test(arguments: controlPlane)
    func theControlPlaneKnowsNoEvaluation(target: String) throws {
        let names = try #require(try Self.imports()[target])
        #expect(names.isDisjoint(with: ["Reconcilers", "AssayAPI", "TrialPods", "Artifacts", "EvalModel"]))
    }

    @Test func whatRunsInsideATrialKnowsNoKubernetes() throws {
        let names = try #require(try Self.imports()["TrialRuntime"])
        #expect(names.isDisjoint(with: ["KubeCore", "KubeClient", "KubeRuntime", "AssayAPI"]))
    }

    /// Like a kubelet, the node communicates with the API server only over the network.
    @Test func theNodeImportsNoServer() throws {
        let names = try #require(try Self.imports()["PodmanNode"])
        #expect(names.isDisjoint(with: ["APIServer", "HTTPServing", "KubeSchema", "CEL"]))
    }

    /// The operator on a cluster has health and metrics endpoints without the embedded control plane.
    @Test func operationsImportsNoControlPlane() throws {
        let names = try #require(try Self.imports()["Operations"])
        #expect(names.isDisjoint(with: Self.controlPlane))
    }

    @Test func onlyTestsImportTheTestingKit() throws {
        for (target, names) in try Self.imports() where target != "AssayTesting" { #expect(!names.contains("AssayTesting")) }
    }
}
