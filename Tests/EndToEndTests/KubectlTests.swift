import Base
import Foundation
import Glibc
import Subprocess
import Testing
import YAML

extension EndToEnd {
    /// `kubectl` with `assay apiserver` and an operator.
    @Suite struct KubectlTests {
        private static let job = """
            apiVersion: assay.dev/v1alpha1
            kind: EvalJob
            metadata: {name: watched}
            spec:
              source: {repo: "file://REPO"}
              datasets: [{path: test-dataset, include: [hello-world, reward-missing]}]
              agents:
              - name: greeter
                execute: "echo said by the agent; echo 'Hello, world!' > hello.txt"
              environment: {image: "rootfs:/", preserveEnv: Always}
              artifacts: {backend: git, git: {remote: "file://RESULTS"}}
            """

        @Test func aJobFromApplyToDelete() async throws {
            let bench = try Workbench("kubectl")
            try await bench.useTestDataset()
            let cluster = try await ClusterProcesses.start(in: bench)
            let kubectl = Kubectl(cluster)
            // The definitions exist already; they are applied because the README says so.
            try await kubectl("apply", "-f", "\(Workbench.root)/manifests/crds")
            try await kubectl("wait", "--for=condition=Established", "crd/evaljobs.assay.dev", "--timeout=120s")
            #expect(try await kubectl("apply", "-f", "\(Workbench.root)/examples/hello-world.yaml").contains("evaljob.assay.dev/hello-world created"))
            // No operator runs yet: the job can be read, and is deleted at once.
            #expect(try await kubectl("get", "evaljobs", "-o", "name").trimmed == "evaljob.assay.dev/hello-world")
            try await kubectl("delete", "ej", "hello-world", "--timeout=120s")

            let worker = try await cluster.startOperator()
            let watch = try bench.start(kubectl.executable, kubectl.arguments(["get", "evaljobs", "-w", "--v=6"]), to: "watch.log")
            // Its log of requests names a request when its answer has begun.
            try await eventually("kubectl watches") { try bench.read("watch.log").contains("watch=true") }
            try bench.write(
                "watched.yaml",
                Self.job.replacing("REPO", with: bench.benchmark).replacing("RESULTS", with: bench.results))
            #expect(try await kubectl("apply", "-f", "watched.yaml").contains("evaljob.assay.dev/watched created"))
            #expect(try await kubectl("wait", "--for=condition=Complete", "evaljob/watched", "--timeout=120s").contains("condition met"))

            let rows = try await kubectl("get", "evaljobs").split(separator: "\n").map { columns(String($0)) }
            #expect(rows.first == ["NAME", "PHASE", "COMPLETED", "RUNNING", "FAILED", "PASS RATE", "MEAN REWARD", "AGE"])
            #expect(rows.last?.dropLast() == ["watched", "Succeeded", "2/2", "0", "1", "0.5", "1"])
            let stored = try YAML.parseSingle(try await kubectl("get", "ej", "watched", "-o", "yaml"))
            #expect(stored.at("status", "phase") == "Succeeded" && stored.at("spec", "parallelism") == 4)
            #expect(stored.at("status", "source", "commit")?.string?.count == 40)
            let described = try await kubectl("describe", "evaljob", "watched")
            #expect(described.contains("Pass Rate:    0.5"), "\(described)")
            // Events are written after the status.
            for reason in ["TrialsRunning", "TrialsComplete"] {
                try await eventually("describe shows \(reason)") { try await kubectl("describe", "evaljob", "watched").contains("Normal  \(reason)") }
            }
            // The output of `get -w` meanwhile.
            try await eventually("the watch shows the end") { try bench.read("watch.log").contains("Succeeded") }
            watch.signal(SIGTERM)
            _ = await watch.wait()
            let shown = try bench.read("watch.log")
            #expect(shown.contains("Running") && shown.contains("0/2"), "\(shown)")

            // preserveEnv: Always keeps the pods and their logs.
            let pods = try await kubectl("get", "pods", "-l", "assay.dev/job=watched", "-o", "name").split(separator: "\n").map(String.init)
            #expect(pods.count == 2)
            let pod = try #require(pods.first)
            #expect(try await kubectl("logs", pod, "-c", "trial").contains("said by the agent"))
            #expect(try await kubectl("logs", pod) == kubectl("logs", pod, "-c", "trial"), "the trial's is the default container")
            #expect(try await kubectl("logs", pod, "-c", "collector").contains("-----BEGIN ASSAY PACK"))

            try await kubectl("delete", "evaljob", "watched", "--timeout=120s")
            try await eventually("its pods are gone with it") { try await cluster.pods().isEmpty }
            worker.signal(SIGTERM)
            #expect(await worker.wait() == .code(0))
            await cluster.stop()
            await bench.remove()
        }

        @Test func badJobsAreRefusedWithTheFieldsPath() async throws {
            let bench = try Workbench("bad-jobs")
            let cluster = try await ClusterProcesses.start(in: bench, node: "none")
            let kubectl = Kubectl(cluster)
            for (change, message) in [
                ("attempts: 0", "spec.attempts"),
                ("attempts: many", "spec.attempts"),
                ("paralellism: 2", "unknown field \"spec.paralellism\""),
                ("agents: [{nam: x}]", "unknown field \"spec.agents[0].nam\""),
                ("datasets: [{path: ../secrets}]", "spec.datasets[0].path"),
                ("artifacts: {backend: git}", "spec.artifacts"),
                ("agents: [{name: a, execute: x}, {name: a, execute: y}]", "spec.agents[1]"),
            ] {
                let field = change.prefix { $0 != ":" }
                var lines = Self.job.split(separator: "\n").map(String.init)
                if field == "agents" { lines.removeAll { $0.hasPrefix("  - name") || $0.hasPrefix("    execute") } }
                lines.removeAll { $0.hasPrefix("  \(field):") }
                try bench.write("bad.yaml", (lines + ["  \(change)"]).joined(separator: "\n"))
                let result = try await kubectl.run(["apply", "-f", "bad.yaml"])
                #expect(!result.succeeded && result.stderrText.contains(message), "\(change): \(result.stdoutText)\(result.stderrText)")
            }
            #expect(try await kubectl("get", "evaljobs", "-o", "name") == "")
            await cluster.stop()
            await bench.remove()
        }

        @Test func theManifestsApplyAsTheyAreAndTheFieldsAreExplained() async throws {
            let bench = try Workbench("manifests")
            let cluster = try await ClusterProcesses.start(in: bench, node: "none")
            let kubectl = Kubectl(cluster)
            let applied = try await kubectl("apply", "-k", "\(Workbench.root)/manifests/")
            #expect(applied.contains("deployment.apps/assay-operator created") && applied.contains("namespace/assay-system created"), "\(applied)")
            let again = try await kubectl("apply", "-k", "\(Workbench.root)/manifests/")
            #expect(again.split(separator: "\n").allSatisfy { $0.hasSuffix("unchanged") || $0.hasSuffix("configured") }, "\(again)")
            #expect(try await kubectl("explain", "evaljob.spec").contains("parallelism\t<integer>"))
            #expect(try await kubectl("explain", "ej.spec.artifacts.git.branch").contains("<string>"))
            for example in try FileManager.default.contentsOfDirectory(atPath: "\(Workbench.root)/examples").sorted() where example.hasSuffix(".yaml")
            {
                try await kubectl("apply", "--dry-run=server", "-f", "\(Workbench.root)/examples/\(example)")
            }
            await cluster.stop()
            await bench.remove()
        }

        /// Columns are separated by two or more spaces; their names may contain single ones.
        private func columns(_ row: String) -> [String] {
            row.replacing("  ", with: "\t").split(separator: "\t").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
        }
    }
}

/// kubectl with the cluster's kubeconfig and none of the user's settings.
struct Kubectl: Sendable {
    let cluster: ClusterProcesses
    /// `KUBECTL`, or the one in PATH.
    let executable = currentEnvironment()["KUBECTL"] ?? "kubectl"

    init(_ cluster: ClusterProcesses) { self.cluster = cluster }

    func arguments(_ words: [String]) -> [String] {
        ["--kubeconfig", cluster.kubeconfig, "--cache-dir", "\(cluster.bench.directory)/kubectl-cache"] + words
    }

    func run(_ words: [String]) async throws -> CommandResult {
        try await Command(executable, arguments(words), workingDirectory: cluster.bench.directory, deadlineSeconds: 180).run()
    }

    /// Its output; the test fails when kubectl fails.
    @discardableResult
    func callAsFunction(_ words: String...) async throws -> String {
        let result = try await run(words)
        try #require(result.succeeded, "kubectl \(words.joined(separator: " ")): \(result.stdoutText)\(result.stderrText)")
        return result.stdoutText
    }
}
