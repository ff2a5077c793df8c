import AssayAPI
import Base
import EvalFormats
import Rollout
import Testing
import YAML

/// Configurations of agentv as resources.
@Suite struct AgentVTests {
    static let text = """
        artifacts: {backend: git, git: {remote: origin, branch: runs, path: evals}}
        source:
          repo: https://github.com/org/eval-benchmarks
          ref: main
          fixtures: {manifest: evals/fixtures.lock, cache_path: .agentv/cache}
        targets:
          local: {type: local, sync: noop}
          ci: {type: gha-runner, sync: oneshot}
          vm-eastus:
            type: azure-vm
            host: eval-vm-1.eastus.example.com
            workdir: /srv/agentv/repo
            sync: continuous
            sync_options: {mode: sparse, sparse_paths: [evals/, tests/], refresh_interval: 60s, colour: red}
        """

    private func resources(_ text: String) throws -> AgentVResources {
        let document = try YAML.parseSingle(text)
        #expect(AgentVConfig.isConfig(document))
        return AgentVResources(try AgentVConfig(document, file: "config.yaml"))
    }

    @Test("the whole example: each target, the source and the artifacts")
    func whole() throws {
        let found = try resources(Self.text)
        #expect(found.documents.map { $0["kind"]?.string } == ["EvalTarget", "EvalTarget", "EvalTarget", "EvalJob"])
        let targets = try found.documents.dropLast().map { try EvalTarget(json: $0) }
        #expect(targets.map(\.metadata.name) == ["ci", "local", "vm-eastus"])
        #expect(targets.map(\.spec.type) == [.ci, .local, .vm] && targets.map(\.spec.sync) == [.oneshot, .noop, .continuous])
        #expect(targets[2].spec.host?.address == "eval-vm-1.eastus.example.com" && targets[2].spec.workdir == "/srv/agentv/repo")
        #expect(targets[2].spec.syncOptions?.sparsePaths == ["evals", "tests"])
        let job = try EvalJob(json: try #require(found.documents.last))
        #expect(job.metadata.name == "eval-benchmarks" && job.spec.source.ref == "main" && job.spec.targetRef?.name == "ci")
        #expect(job.spec.source.fixtures == FixturesSpec(manifest: "evals/fixtures.lock"))
        #expect(job.spec.artifacts.backend == .git && job.spec.artifacts.git?.branch == "runs" && job.spec.artifacts.git?.path == "evals")
        for word in [
            "unknown key targets.vm-eastus.sync_options.colour is left out", "EvalTarget vm-eastus: spec.host.sshSecretRef",
            "EvalTarget local: spec.workdir", ".agentv/cache", "spec.datasets and spec.agents",
        ] { #expect(found.notes.contains { $0.contains(word) }, "\(word): \(found.notes)") }
        #expect(!found.notes.contains { $0.hasPrefix("EvalTarget ci:") })
    }

    @Test("a target of an unknown type is written as it is, with a note")
    func unknownType() throws {
        let found = try resources("targets: {x: {type: mainframe}}")
        #expect(found.documents.count == 1 && found.notes.contains { $0.contains("EvalTarget x:") && $0.contains("mainframe") }, "\(found.notes)")
    }

    @Test(
        "mistakes are named with their place",
        arguments: [
            ("source: {ref: main}", "source.repo"), ("targets: {a: 3}", "targets.a"), ("targets: {a: {sync: noop}}", "targets.a.type"),
            ("targets: {a: {type: vm, sync_options: {sparse_paths: [1]}}}", "sparse_paths[0]"), ("artifacts: []", "artifacts"),
        ])
    func mistakes(text: String, place: String) throws {
        let document = try YAML.parseSingle(text)
        let error = #expect(throws: FileFormatError.self) { try AgentVConfig(document, file: "config.yaml") }
        #expect(error?.description.contains(place) == true, "\(error?.description ?? "")")
    }

    @Test("other files are none")
    func others() throws {
        for text in ["apiVersion: v1\nkind: Secret\nsource: x", "agents: []\nsource: {}", "a: b", "[]"] {
            #expect(!AgentVConfig.isConfig(try YAML.parseSingle(text)), "\(text)")
        }
    }
}
