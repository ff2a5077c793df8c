import AssayTesting
import Base
import Foundation
import Subprocess
import Testing
import YAML

/// What Helm's engine makes of the chart.
@Suite struct RenderingTests {
    @Test("README, manifests/ and golden files are what the chart gives")
    func current() async throws {
        let result = try await Command("\(ChartFiles.root)/scripts/render-chart", ["--check"], deadlineSeconds: 120).run()
        #expect(result.succeeded, "\(result.stderrText)")
    }

    @Test func theMatrixIsWide() {
        #expect(ChartFiles.matrix.count >= 12)
        for name in ["repo-cache-off.yaml", "tool-server-off.yaml"] { #expect(ChartFiles.matrix.contains(name)) }
    }

    @Test("helm lint has no finding, and each object has a kind, a name and a namespace", arguments: ChartFiles.matrix)
    func lint(file: String) async throws {
        let path = "\(ChartFiles.values)/\(file)"
        let result = try await ChartFiles.helm(["lint", ChartFiles.helm.chart, "-n", "assay-system", "-f", path])
        #expect(result.succeeded, "\(result.stderrText)")
        let rendered = try await ChartFiles.helm.template([path])
        let objects = try ChartFiles.objects(rendered)
        #expect(objects.count >= 5)
        for object in objects {
            let kind = try #require(object["kind"]?.string)
            #expect(object.at("metadata", "name")?.string?.isEmpty == false, "\(kind)")
            let isClusterWide = ["Namespace", "ClusterRole", "ClusterRoleBinding"].contains(kind)
            #expect((object.at("metadata", "namespace") == nil) == isClusterWide, "\(kind)")
        }
        let names = objects.map { "\($0["kind"] ?? .null) \($0.at("metadata", "namespace") ?? .null) \($0.at("metadata", "name") ?? .null)" }
        #expect(Set(names).count == names.count, "an object is there twice: \(names)")
        #expect(try await ChartFiles.helm.template([path]) == rendered, "the same in each rendering")
    }

    @Test("no template asks the cluster, the clock or chance: GitOps would never settle")
    func nothingRandom() throws {
        let folder = "\(ChartFiles.root)/charts/assay/templates"
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
            let words = try Set(ChartFiles.text("charts/assay/templates/\(name)").split { !$0.isLetter && !$0.isNumber }.map(String.init))
            let forbidden: Set = [
                "randAlphaNum", "randAlpha", "randNumeric", "randAscii", "randBytes", "randInt", "uuidv4", "genCA", "genPrivateKey",
                "genSelfSignedCert",
                "genSignedCert", "now", "date", "ago", "lookup", "shuffle", "htpasswd", "bcrypt", "Revision", "IsInstall", "IsUpgrade",
            ]
            #expect(words.isDisjoint(with: forbidden), "\(name): \(words.intersection(forbidden))")
        }
    }

    @Test("overlays.sources and toolServer give the same bytes")
    func compatibility() async throws {
        let written = try await ChartFiles.helm.template(["\(ChartFiles.values)/overlays-written-out.yaml"])
        let mapped = try await ChartFiles.helm.template(["\(ChartFiles.values)/tool-server.yaml"])
        #expect(try ChartFiles.objects("OverlaySource", in: written).count == 3)
        #expect(written == mapped)
        #expect(try ChartFiles.objects("OverlaySource", in: await ChartFiles.helm.template(["\(ChartFiles.values)/tool-server-off.yaml"])).isEmpty)
        let beside = try await ChartFiles.helm.template(["\(ChartFiles.values)/tool-server-beside-overlays.yaml"])
        #expect(beside == (try await ChartFiles.helm.template(["{overlays: {sources: [{repo: acme/overlays}]}}"])))
    }

    @Test("each source of the list is one object in each namespace, in its order, under a name that depends on nothing else")
    func order() async throws {
        let rendered = try await ChartFiles.helm.template(["\(ChartFiles.values)/overlays.yaml"])
        let found = try ChartFiles.objects("OverlaySource", in: rendered).map {
            "\($0.at("metadata", "namespace")?.string ?? "")/\($0.at("metadata", "name")?.string ?? "") \($0.at("spec", "order")?.int ?? -1)"
        }
        let names = ["acme-tools 0", "git-example-com-team-skills 1", "prompts 2"]
        #expect(found == names.map { "evaluations/\($0)" } + names.map { "nightly/\($0)" })
        let long = String(repeating: "a-very-long-name-", count: 10)
        let one = try await ChartFiles.helm.template(["{overlays: {sources: [{repo: acme/\(long)x}, {repo: acme/\(long)y}]}}"])
        let two = try ChartFiles.objects("OverlaySource", in: one).compactMap { $0.at("metadata", "name")?.string }
        #expect(Set(two).count == 2 && two.allSatisfy { $0.count <= 63 }, "\(two)")
    }

    @Test("the same source twice is one overlay, at its last place")
    func twice() async throws {
        let rendered = try await ChartFiles.helm.template(["\(ChartFiles.values)/same-source-twice.yaml"])
        #expect(
            try ChartFiles.objects("OverlaySource", in: rendered).compactMap { $0.at("metadata", "name")?.string } == ["acme-skills", "acme-tools"])
    }

    @Test("the operator has each option and each variable that the chart sets", arguments: ChartFiles.matrix)
    func options(file: String) async throws {
        let rendered = try await ChartFiles.helm.template(["\(ChartFiles.values)/\(file)"])
        let help = try ChartFiles.text("Tests/assayTests/Help/operator.txt")
        let arguments = try ChartFiles.arguments(rendered)
        #expect(arguments.first == "operator")
        for option in arguments where option.hasPrefix("--") { #expect(help.contains("  \(option) "), "\(option)") }
        let command = try ["assay", "Tracing"].flatMap { target in
            try FileManager.default.subpathsOfDirectory(atPath: "\(ChartFiles.root)/Sources/\(target)").filter { $0.hasSuffix(".swift") }
                .map { try ChartFiles.text("Sources/\(target)/\($0)") }
        }.joined()
        let container = try ChartFiles.objects("Deployment", in: rendered).first?.at("spec", "template", "spec", "containers")?[0]
        for variable in container?["env"]?.array ?? [] {
            let name = try #require(variable["name"]?.string)
            #expect(["HOME", "HTTPS_PROXY"].contains(name) || command.contains("\"\(name)\""), "\(name)")
        }
    }

    @Test("a results volume has one writer: one replica, and the old pod ends first")
    func resultsVolume() async throws {
        for file in ["results-volume.yaml", "results-claim.yaml"] {
            let rendered = try await ChartFiles.helm.template(["\(ChartFiles.values)/\(file)"])
            let spec = try #require(try ChartFiles.objects("Deployment", in: rendered).first?["spec"])
            #expect(spec["replicas"] == 1 && spec.at("strategy", "type") == "Recreate" && spec.at("strategy", "rollingUpdate") == nil)
            #expect(try ChartFiles.objects("PersistentVolumeClaim", in: rendered).count == (file == "results-volume.yaml" ? 1 : 0))
        }
    }

    @Test("the image with a digest is that digest, for the operator and in trial pods")
    func digest() async throws {
        let rendered = try await ChartFiles.helm.template(["\(ChartFiles.values)/image-by-digest.yaml"])
        let container = try ChartFiles.objects("Deployment", in: rendered).first?.at("spec", "template", "spec", "containers")?[0]
        let image = try #require(container?["image"]?.string)
        #expect(image.hasPrefix("registry.example.com/assay@sha256:0123"))
        #expect(container?["env"]?.array?.first { $0["name"] == "ASSAY_IMAGE" }?["value"]?.string == image)
    }

    @Test("for one namespace there is no cluster role and no right elsewhere")
    func namespaced() async throws {
        let rendered = try await ChartFiles.helm.template(["\(ChartFiles.values)/namespaced.yaml"])
        #expect(!rendered.contains("ClusterRole"))
        #expect(try ChartFiles.arguments(rendered) == ["operator", "--namespace", "evaluations"])
        let roles = try ChartFiles.objects("Role", in: rendered).filter { $0.at("metadata", "namespace") == "evaluations" }
        #expect(roles.count == 1)
    }
}
