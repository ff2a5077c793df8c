import AssayTesting
import Base
import Foundation
import Glibc
import Subprocess
import Testing
import YAML

extension EndToEnd {
    /// The executable, started as the chart's Deployment starts it.
    @Suite struct ChartOperatorTests {
        @Test("helm install, the operator with the Deployment's arguments, probes and rights, a job, helm upgrade, helm uninstall")
        func aRelease() async throws {
            let bench = try Workbench("chart")
            try await bench.useTestDataset()
            let cluster = try await ClusterProcesses.start(in: bench)
            let kubectl = Kubectl(cluster)
            let helm = Helm(root: Workbench.root)
            func release(_ verb: String, _ words: String...) async throws {
                let result = try await helm([verb, "assay"] + words + ["-n", "assay-system", "--kubeconfig", cluster.kubeconfig])
                try #require(result.succeeded, "helm \(verb): \(result.stderrText)")
            }
            // The server has definitions of its own. Helm does not take over those of another owner that differ.
            try await kubectl("apply", "--server-side", "--force-conflicts", "-f", "\(helm.chart)/crds")
            // One machine has no pod network: trials get their tasks without the cache service.
            let values = "{repoCache: {enabled: false}, operator: {pushInterval: 1, logLevel: debug}}"
            try await release("install", helm.chart, "--create-namespace", "-f", values)

            let operators = try await start(cluster, kubectl, names: ["first", "second"])
            try await cluster.create("job.yaml", name: "job", results: "job.git") { job in
                job.set(["spec", "environment"], to: ["image": "rootfs:/"])
            }
            try await cluster.waitForCompletion(of: "job", seconds: 240)
            let recorded = try await RecordedJob(bench, "job.git")
            #expect(recorded.jobs.count == 1 && !recorded.runs.isEmpty && Set(recorded.runs).count == recorded.runs.count)

            // Without an operator nobody removes the finalizer.
            try await eventually("the job has no finalizer") { try await (cluster.job("job").at("metadata", "finalizers")?.array ?? []).isEmpty }

            try await release("upgrade", helm.chart, "-f", values, "-f", "{operator: {workers: 2}}")
            let arguments = try await container(kubectl)["args"]?.array?.compactMap(\.string) ?? []
            #expect(arguments.contains("--workers"))
            for one in operators { one.signal(SIGTERM) }
            for one in operators { #expect(await one.wait() == .code(0)) }
            try await kubectl("delete", "evaljob", "job", "--timeout=120s")
            try await release("uninstall")
            #expect(try await kubectl("get", "deployments", "-A", "-o", "name").isEmpty)
            await cluster.stop()
            await bench.remove()
        }

        private func container(_ kubectl: Kubectl) async throws -> JSONValue {
            let text = try await kubectl("get", "deployment", "assay-operator", "-n", "assay-system", "-o", "json")
            return try #require(try YAML.parseSingle(text).at("spec", "template", "spec", "containers")?[0])
        }

        /// Replicas of the Deployment: its arguments, its probes, its service account's token; ready when this returns. The setting `laptop` allows
        /// repositories of this machine and its podman.
        private func start(_ cluster: ClusterProcesses, _ kubectl: Kubectl, names: [String]) async throws -> [RunningCommand] {
            let bench = cluster.bench
            let container = try await container(kubectl)
            let token = try await kubectl("create", "token", "assay-operator", "-n", "assay-system").trimmed
            var config = try YAML.parseSingle(try String(contentsOfFile: cluster.kubeconfig, encoding: .utf8))
            config.set(["users"], to: [["name": "operator", "user": ["token": .string(token)]]])
            let context = try #require(config["contexts"]?[0]?["context"]?["cluster"])
            config.set(["contexts"], to: [["name": "operator", "context": ["cluster": context, "user": "operator"]]])
            config.set(["current-context"], to: "operator")
            try bench.write("operator-kubeconfig", String(decoding: config.serialized(), as: UTF8.self))
            let arguments = container["args"]?.array?.compactMap(\.string) ?? []
            try #require(arguments.first == "operator")
            var running: [RunningCommand] = []
            for (name, port) in zip(names, try freePorts(names.count)) {
                running.append(
                    try bench.start(
                        arguments + [
                            "--kubeconfig", "\(bench.directory)/operator-kubeconfig", "--setting", "laptop", "--state-dir",
                            "\(bench.directory)/\(name)-state", "--cache-dir", "\(bench.directory)/control-plane/cache", "--lease-namespace",
                            "assay-system", "--health-port", "\(port)",
                        ], to: "\(name).log"))
                for probe in ["readinessProbe", "livenessProbe"] {
                    let path = try #require(container.at(probe, "httpGet", "path")?.string)
                    try await eventually("\(name) answers \(path)", seconds: 120) {
                        let answer = try await Command(
                            "python3", ["-c", "import sys, urllib.request; urllib.request.urlopen(sys.argv[1])", "http://127.0.0.1:\(port)\(path)"],
                            deadlineSeconds: 30
                        ).run()
                        return answer.succeeded
                    }
                }
            }
            return running
        }
    }
}
