import AssayAPI
import AssayTesting
import Base
import Foundation
import KubeClient
import KubeCore
import Testing
import YAML

/// The chart on the API server: applied, installed, upgraded. The operator runs in this process, where the Deployment's pods would.
@Suite("The chart on a cluster")
struct ChartInstallTests {
    private static let values = "\(PermissionsTests.root)/Tests/ChartTests/Fixtures/values"
    private static let matrix = ((try? FileManager.default.contentsOfDirectory(atPath: values)) ?? []).filter { $0.hasSuffix(".yaml") }.sorted()

    /// Kinds that the server has only with the Prometheus operator.
    private static let monitoring: Set = ["PodMonitor", "PrometheusRule", "ServiceMonitor"]

    /// Generation and version of each object that kubectl finds in a file.
    private func states(_ world: World, _ file: String) async throws -> [String] {
        let found = try await world.kubectl("get", "-f", file, "-o", "json")
        try #require(found.ok, "\(found.err)")
        let list = try JSONValue(parsing: Array(found.out.utf8))
        return (list["items"]?.array ?? [list]).map { object in
            let meta = ObjectMeta(of: object)
            return
                "\(object["kind"]?.string ?? "") \(meta.namespace ?? "")/\(meta.name) generation \(meta.generation ?? 0) version \(meta.resourceVersion ?? "")"
        }
    }

    @Test("each rendering is applied by the server, and applied again it changes nothing: no generation, no version")
    func quiet() async throws {
        #expect(Self.matrix.count >= 12)
        try await World.run { world in
            for name in ["assay-system", "evaluations", "nightly"] { #expect(try await world.kubectl("create", "namespace", name).ok) }
            let definitions = try await world.kubectl(
                "apply", "--server-side", "--force-conflicts", "-f", "\(PermissionsTests.root)/charts/assay/crds")
            #expect(definitions.ok, "\(definitions.err)")
            for values in Self.matrix {
                let rendered = try await World.helm.template(["\(Self.values)/\(values)"])
                let documents = rendered.components(separatedBy: "---\n").filter { document in
                    let kind = (try? YAML.parseSingle(document))?["kind"]?.string
                    return kind.map { !Self.monitoring.contains($0) } ?? false
                }
                let file = "\(world.path)/\(values)"
                try documents.joined(separator: "---\n").write(toFile: file, atomically: true, encoding: .utf8)
                let first = try await world.kubectl("apply", "--server-side", "-f", file)
                #expect(first.ok, "\(values): \(first.err)")
                let before = try await states(world, file)
                #expect(before.count == documents.count)
                let second = try await world.kubectl("apply", "--server-side", "-f", file)
                #expect(second.ok, "\(values): \(second.err)")
                #expect(try await states(world, file) == before, "\(values)")
                let deleted = try await world.kubectl("delete", "-f", file, "--ignore-not-found", "--timeout=240s", seconds: 300)
                #expect(deleted.ok, "\(values): \(deleted.err)")
                if values == "operator-settings.yaml" { #expect(try await world.kubectl("create", "namespace", "assay-system").ok) }
            }
        }
    }

    @Test("the commands of docs/operating.md install the chart, upgrade it and take it away, while a job runs and is counted once")
    func lifeOfARelease() async throws {
        try await World.run(tasks: ["a", "b", "c"], fate: { $0.index < 2 ? .never : .success(1) }) { world in
            let install = try World.commands(
                of: "docs/operating.md", with: "helm install assay charts/assay --namespace assay-system --create-namespace"
            )
            .filter { !$0.hasPrefix("make") && !$0.hasPrefix("podman") }
            try #require(install.count == 2)
            let installed = try await world.session(install)
            try #require(installed.ok, "\(installed.err)")
            let deployment = try await world.kubectl(
                "get", "deployment", "assay-operator", "-n", "assay-system", "-o", "jsonpath={.spec.template.spec.containers[0].image}")
            #expect(deployment.out == "registry.example.com/assay:1")
            #expect(try await world.kubectl("create", "namespace", "team").ok)

            let first = try world.startOperator(token: try await token(world))
            try await world.createJob(namespace: "team", with: ["parallelism": 2])
            let runs = try await eventually { try await world.job(namespace: "team")?.status?.trials?.running == 2 }
            try #require(runs)
            let upgraded = try await world.session(try World.commands(of: "docs/operating.md", with: "--reset-then-reuse-values"))
            #expect(upgraded.ok, "\(upgraded.err)")
            let kept = try await world.kubectl(
                "get", "deployment", "assay-operator", "-n", "assay-system", "-o", "jsonpath={.spec.template.spec.containers[0].image}")
            #expect(kept.out == "registry.example.com/assay:1", "the values are kept")
            await first.stop()
            try await finish(world, token: try await token(world), trials: 3)
            let removed = try await world.helm(["uninstall", "assay", "-n", "assay-system"])
            #expect(removed.ok, "\(removed.err)")
            #expect(try await world.kubectl("get", "crd", "evaljobs.assay.dev").ok, "definitions and jobs stay")
            #expect(try await world.job(namespace: "team") != nil)
        }
    }

    @Test("from the manifests of the version before to the chart, with the commands of docs/operating.md, while a job runs and is counted once")
    func fromManifests() async throws {
        let old = "\(PermissionsTests.root)/Tests/ReconcilersTests/Chart/Fixtures/manifests-before-the-chart.yaml"
        try await World.run(tasks: ["a", "b", "c"], fate: { $0.index < 2 ? .never : .success(1) }) { world in
            let applied = try await world.kubectl("apply", "-f", old)
            try #require(applied.ok, "\(applied.err)")
            #expect(try await world.kubectl("create", "namespace", "team").ok)
            let first = try world.startOperator(token: try await token(world))
            try await world.createJob(namespace: "team", with: ["parallelism": 2])
            let runs = try await eventually { try await world.job(namespace: "team")?.status?.trials?.running == 2 }
            try #require(runs)
            let uid = try await world.kubectl("get", "deployment", "assay-operator", "-n", "assay-system", "-o", "jsonpath={.metadata.uid}").out

            let taken = try await world.session(try World.commands(of: "docs/operating.md", with: "meta.helm.sh/release-name=assay"))
            try #require(taken.ok, "\(taken.err)")
            let now = try await world.kubectl(
                "get", "deployment", "assay-operator", "-n", "assay-system", "-o", "jsonpath={.metadata.uid} {.spec.replicas}")
            #expect(now.out == "\(uid) 2", "the same Deployment")
            await first.stop()
            try await finish(world, token: try await token(world), trials: 3)
            // The release is a usual one: values change, and it goes.
            let changed = try await world.helm(["upgrade", "assay", World.helm.chart, "-n", "assay-system", "-f", "{operator: {replicas: 3}}"])
            #expect(changed.ok, "\(changed.err)")
            let removed = try await world.helm(["uninstall", "assay", "-n", "assay-system"])
            #expect(removed.ok, "\(removed.err)")
            #expect(try await world.kubectl("get", "deployments", "-n", "assay-system", "-o", "name").out.isEmpty)
        }
    }

    /// A token of the operator's service account: it may do only what the installed roles allow.
    private func token(_ world: World) async throws -> String {
        let issued = try await world.kubectl("create", "token", "assay-operator", "--namespace", "assay-system")
        try #require(issued.ok, "\(issued.err)")
        return issued.out.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Another operator goes on: the pods that ran end, and each trial is recorded once.
    private func finish(_ world: World, token: String, trials: Int) async throws {
        let before = world.node.seen.map(\.uid)
        for pod in world.node.seen { try await world.node.play(pod, .success(1)) }
        let next = try world.startOperator(state: "fresh", token: token)
        let waited = try await world.kubectl("wait", "-n", "team", "--for=condition=Finished", "evaljob/job", "--timeout=240s", seconds: 300)
        #expect(waited.ok, "\(waited.err)")
        #expect(try await world.job(namespace: "team")?.status?.trials?.completed == trials)
        #expect(Set(before).isSubset(of: Set(world.node.seen.map(\.uid))) && world.node.seen.count == trials, "no trial ran twice")
        try await world.expectRuns(trials)
        await next.stop()
    }
}
