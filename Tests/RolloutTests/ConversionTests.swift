import AssayAPI
import AssayTesting
import Base
import EvalFormats
import EvalModel
import Foundation
import Testing

@testable import Rollout

@Suite("From Rollout's job file to resources")
struct ConversionTests {
    let bench: Workbench

    init() throws { bench = try Workbench() }

    private func evalJob(_ job: RolloutJob, _ place: RolloutJob.Place = .machine) throws -> EvalJob {
        try EvalJob(json: try #require(job.resources(for: place).last))
    }

    @Test func everyKeyHasItsField() async throws {
        try await bench.dataset("tasks", tasks: ["b", "a"])
        let job = try await bench.job(
            """
            name: whole
            n_attempts: 3
            n_concurrent_trials: 8
            timeout_multiplier: 1.5
            instruction_path: /work/in.md
            retry: {max_attempts: 5, initial_delay_ms: 10, max_delay_ms: 100, multiplier: 3}
            environment: {force_build: true, preserve_env: on_failure, override_cpus: 2, override_memory: 2G, override_storage_mb: 100}
            verifier: {override_timeout_sec: 30, max_timeout_sec: 60, disable: true}
            metrics: [{type: mean}, {type: max}, {type: mean}]
            agents: [{name: oracle}, {name: Claude Code, description: d, install: i, execute: e, env: {K: "${KEY}", P: plain}}]
            datasets: [{path: tasks}]
            """)
        let spec = try evalJob(job).spec
        #expect(job.objectName == "whole")
        #expect(spec.attempts == 3 && spec.parallelism == 8 && spec.timeoutMultiplier == 1.5 && spec.instructionPath == "/work/in.md")
        #expect(spec.retry == RetrySpec(maxAttempts: 5, initialDelayMs: 10, maxDelayMs: 100, multiplier: 3))
        #expect(
            spec.environment
                == EnvironmentSpec(forceBuild: true, preserveEnv: .onFailure, overrideCPUs: 2, overrideMemoryMB: 2048, overrideStorageMB: 100))
        #expect(spec.verifier == VerifierSpec(overrideTimeoutSec: 30, maxTimeoutSec: 60, disable: true))
        #expect(spec.metricTypes == [.mean, .max])
        #expect(spec.agents.map(\.name) == ["oracle", "Claude Code"])
        #expect(
            spec.agents[1].env == [
                EnvironmentVariable(name: "K", secret: SecretKeyReference(name: "whole-env", key: "1.K")),
                EnvironmentVariable(name: "P", value: "plain"),
            ])
        #expect(spec.datasets == [DatasetSpec(path: ".", name: "tasks", defaultFormat: .rollout)])
        #expect(spec.source.repo == "file://\(bench.path)/tasks")
        #expect(try await spec.source.ref == bench.git("tasks", "rev-parse", "HEAD"))
        #expect(spec.artifacts.backend == .local && spec.overlays == [])
        let plain = try await bench.job("agents: [{name: oracle}]\ndatasets: [{path: tasks}]\n")
        #expect(plain.resources(for: .machine)[0].at("spec", "verifier") == nil, "what is not set is not written")
        #expect(job.notes(for: .machine) == [])
    }

    @Test func noValueOfAVariableIsInTheResources() async throws {
        try await bench.dataset("tasks", tasks: ["a"])
        let job = try await bench.job(
            "name: s\nagents: [{name: a, execute: x, env: {K: \"${KEY}\", U: \"https://${HOST:-h}/$x\"}}, {name: b, execute: x, env: {K: \"${OTHER}\"}}]\n"
                + "datasets: [{path: tasks}]\n")
        let secret = job.resources(for: .machine)[0]
        #expect(secret["data"] == nil && secret["stringData"] == nil)
        #expect(EnvironmentSecret.templates(of: secret) == ["0.K": "${KEY}", "0.U": "https://${HOST:-h}/$x", "1.K": "${OTHER}"])
        let filled = try EnvironmentSecret.filled(secret, from: ["KEY": "k-1", "OTHER": "o"])
        #expect(filled["stringData"] == ["0.K": "k-1", "0.U": "https://h/$x", "1.K": "o"])
        let missing = #expect(throws: EnvironmentSecret.MissingVariables.self) { try EnvironmentSecret.filled(secret, from: [:]) }
        #expect(missing?.names == ["KEY", "OTHER"])
        #expect(try EnvironmentSecret.filled(["kind": "Secret"], from: [:]) == ["kind": "Secret"])
    }

    @Test(
        "names that Kubernetes takes",
        arguments: [
            ("plain-1", "plain-1"), ("My Run", "my-run-"), ("2026-01-02__03-04-05", "2026-01-02-03-04-05-"), ("ü", "job-"), ("a/b", "a-b-"),
            ("a.b", "a-b-"), ("-x-", "x-"),
        ])
    func names(name: String, begins: String) {
        let object = RolloutJob.objectName(name)
        #expect(object.hasPrefix(begins) && object.utf8.count <= 253)
        #expect(object.wholeMatch(of: /[a-z0-9]([-a-z0-9]*[a-z0-9])?/) != nil)
        #expect((object == name) == (name == begins), "a changed name has a hash, so that two stay two")
    }

    @Test func aFolderInNoRepositoryAndOneWithChangesAreTakenAsTheyAre() async throws {
        try await bench.dataset("plain", tasks: ["a"], committed: false)
        try await bench.dataset("changed", tasks: ["b"])
        let head = try await bench.git("changed", "rev-parse", "HEAD")
        try bench.write("changed/b/task.toml", "version = \"1.0\"\n# changed\n")
        let job = try await bench.job("agents: [{name: oracle}]\ndatasets: [{path: plain}, {path: ./changed/}]\n")
        let spec = try evalJob(job).spec
        #expect(spec.source.repo.hasPrefix("file://\(bench.path)/snapshots/"))
        #expect(spec.datasets.map(\.name) == ["plain", "changed"])
        let task = try #require(spec.datasets[1].tasks?.first)
        #expect(task.name == "b" && task.path == "b" && task.repo?.hasPrefix("file://\(bench.path)/snapshots/") == true)
        #expect(job.heads == [try #require(spec.source.ref): nil, try #require(task.ref): head])
        #expect(
            job.notes(for: .machine) == [
                "\(bench.path)/plain is in no git repository: the job uses a snapshot of it as it is now",
                "\(bench.path)/changed has changes that are not committed: the job uses a snapshot of it as it is now",
            ])
        #expect(try await bench.job("agents: [{name: oracle}]\ndatasets: [{path: plain}, {path: ./changed/}]\n") == job, "nothing changed")
    }

    @Test func twoFoldersOfOneRepositoryAreTwoPaths() async throws {
        try await bench.dataset("bench", tasks: ["one/a", "two/b"])
        let spec = try evalJob(try await bench.job("agents: [{name: oracle}]\ndatasets: [{path: bench/one}, {path: bench/two}]\n")).spec
        #expect(spec.datasets.map(\.path) == ["one", "two"] && spec.datasets.allSatisfy { $0.tasks == nil })
    }

    @Test func aRegistryBecomesAListOfItsTasks() async throws {
        try await bench.dataset("own", tasks: ["x"])
        try bench.write(
            "own/registry.json",
            """
            [{"name": "d", "version": "1.0", "tasks": [{"name": "old", "path": "x"}]},
             {"name": "d", "version": "1.10", "tasks": [{"name": "here", "path": "x"},
               {"name": "there", "git_url": "https://example.com/r.git", "git_commit_id": "0123456789012345678901234567890123456789", "path": "t/there"},
               {"name": "head", "git_url": "https://example.com/r.git", "path": "t/head"}]},
             {"name": "broken", "version": "1", "tasks": [{"path": "../x"}]}]
            """)
        try await bench.git("own", "add", "--all")
        try await bench.git("own", "commit", "--quiet", "--message", "registry")
        let spec = try evalJob(try await bench.job("agents: [{name: oracle}]\ndatasets: [{registry: {path: own/registry.json}, name: d}]\n")).spec
        let head = try await bench.git("own", "rev-parse", "HEAD")
        #expect(spec.source == SourceSpec(repo: "file://\(bench.path)/own", ref: head))
        #expect(
            spec.datasets == [
                DatasetSpec(
                    tasks: [
                        TaskSpec(name: "here", repo: "file://\(bench.path)/own", ref: head, path: "x"),
                        TaskSpec(
                            name: "there", repo: "https://example.com/r.git", ref: "0123456789012345678901234567890123456789", path: "t/there"),
                        TaskSpec(name: "head", repo: "https://example.com/r.git", path: "t/head"),
                    ], name: "d", defaultFormat: .rollout)
            ])
    }

    @Test(
        "a registry beside its tasks, and the folder where the command runs: the snapshots and outputs in it are no part of the tasks",
        arguments: [
            ("plain", "{registry: {path: registry.json}, name: d}"), ("committed", "{registry: {path: registry.json}, name: d}"),
            ("changed", "{registry: {path: regs/registry.json}, name: d}"), ("plain", "{path: .}"), ("changed", "{path: .}"),
        ])
    func tasksBesideTheStore(state: String, dataset: String) async throws {
        let registry = "[{\"name\": \"d\", \"version\": \"1\", \"tasks\": [{\"path\": \"a\"}]}]"
        for file in ["registry.json", "regs/registry.json"] { try bench.write(file, registry) }
        try bench.write("a/task.toml", "version = \"1.0\"\n")
        if state != "plain" {
            try await bench.git(".", "init", "--quiet")
            try await bench.git(".", "add", "--all")
            try await bench.git(".", "commit", "--quiet", "--message", "tasks")
        }
        if state == "changed" { try bench.write("a/new", "1") }
        let job = try await bench.job("agents: [{name: oracle}]\ndatasets: [\(dataset)]\n")
        let source = try evalJob(job).spec.source
        #expect(source.repo.hasPrefix("file://\(bench.path)/snapshots/") == (state != "committed"))
        let repository = String(source.repo.dropFirst("file://".count + bench.path.count + 1))
        let files = try await bench.git(
            repository.isEmpty ? "." : repository, "ls-tree", "-r", "--name-only", try #require(source.ref), "a", "snapshots", "jobs")
        #expect(files == (state == "changed" ? "a/new\na/task.toml" : "a/task.toml"))
        try bench.write("jobs/first/result.json", "{}")
        #expect(try await bench.job("agents: [{name: oracle}]\ndatasets: [\(dataset)]\n") == job, "outputs change nothing")
    }

    @Test(
        "what is wrong with a dataset is named",
        arguments: [
            ("{path: none}", "datasets[0].path: there is no directory"),
            ("{registry: {path: none.json}, name: d}", "datasets[0].registry.path: cannot read"),
            ("{registry: {path: r.json}, name: x}", "the registry has no dataset \"x\": it has broken, d, empty"),
            ("{registry: {path: r.json}, name: d, version: '9'}", "the registry has no version \"9\" of dataset \"d\": it has 1"),
            ("{registry: {path: r.json}, name: broken}", "path \"../x\" must not contain .."),
            ("{registry: {path: r.json}, name: empty}", "dataset \"empty\" has no tasks"),
            ("{registry: {url: 'ftp://h/r'}, name: d}", "datasets[0].registry.url: must be an https:// address"),
        ])
    func wrong(dataset: String, message: String) async throws {
        try bench.write(
            "r.json",
            "[{\"name\": \"d\", \"version\": \"1\", \"tasks\": [{\"path\": \"x\"}]}, {\"name\": \"broken\", \"version\": \"1\", \"tasks\": [{\"path\": \"../x\"}]},"
                + "{\"name\": \"empty\", \"version\": \"1\"}]")
        let error = await #expect(throws: DatasetError.self) { try await bench.job("agents: [{name: oracle}]\ndatasets: [\(dataset)]\n") }
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
    }

    @Test func aLongListIsSeveralOfTheSameName() throws {
        let tasks = (0..<2500).map { TaskReference(name: "t\($0)", path: "t\($0)", repo: "https://example.com/r.git") }
        let file = try JobFile.parse(Array("agents: [{name: oracle}]\ndatasets: [{path: x}]\n".utf8))
        let spec = try evalJob(RolloutJob(file, name: "n", datasets: [.tasks(name: "d", tasks: tasks)])).spec
        #expect(spec.datasets.map { $0.tasks?.count } == [1000, 1000, 500] && spec.datasets.allSatisfy { $0.name == "d" })
    }

    @Test func forAClusterFoldersBecomeTheirRemotes() async throws {
        try await bench.dataset("tasks", tasks: ["a"])
        try await bench.git("tasks", "remote", "add", "origin", "https://example.com/tasks.git")
        let text = """
            name: k
            environment: {type: k8s, provider_config: {namespace: evals, service_account: runner, node_selector: {disk: ssd}}}
            agents: [{name: a, execute: x, env: {K: "${KEY}"}}]
            datasets: [{path: tasks}]
            """
        let job = try await bench.job(text)
        let cluster = try evalJob(job, .cluster)
        #expect(cluster.metadata.namespace == "evals")
        #expect(job.resources(for: .cluster)[0].at("metadata", "namespace") == "evals")
        #expect(cluster.spec.source.repo == "https://example.com/tasks.git")
        #expect(cluster.spec.artifacts.git?.remote == "https://example.com/tasks.git")
        #expect(cluster.spec.environment.podTemplate == PodTemplate(serviceAccountName: "runner", nodeSelector: ["disk": "ssd"]))

        let here = try evalJob(job, .machine)
        #expect(here.metadata.namespace == nil && here.spec.environment.podTemplate == nil && here.spec.source.repo.hasPrefix("file://"))
        #expect(job.notes(for: .machine).contains { $0.hasPrefix("environment.type is k8s: `assay run` runs the trials on this machine") })
    }
}
