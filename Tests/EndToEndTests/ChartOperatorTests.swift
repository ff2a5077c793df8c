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
        @Test(
            "helm install, the operator with the Deployment's arguments, probes and rights, a job, overlays by values and a git push, helm upgrade, uninstall"
        )
        func aRelease() async throws {
            let bench = try Workbench("chart")
            try bench.task("hello")
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
            func waitForFinalizer(of name: String) async throws {
                try await eventually("\(name) has no finalizer") { try await (cluster.job(name).at("metadata", "finalizers")?.array ?? []).isEmpty }
            }
            try await waitForFinalizer(of: "job")

            // Values name an overlay; then it is pushed to and values name one more. Each next job has it: nothing is restarted, no image is built.
            func commit(_ name: String, _ tool: String, prints text: String) async throws -> String {
                let path = "\(bench.directory)/\(name)"
                if !FileManager.default.fileExists(atPath: path) { try await bench.git("init", "--quiet", path, in: bench.directory) }
                try bench.write("\(name)/tools/\(tool)", "#!/bin/sh\necho \(text)\n", executable: true)
                try await bench.git("add", "--all", in: path)
                try await bench.git("commit", "--quiet", "--message", "more", in: path)
                return try await bench.git("rev-parse", "HEAD", in: path)
            }
            func run(_ name: String, _ script: String) async throws -> [String?] {
                try await cluster.create("job.yaml", name: name, results: "\(name).git") { job in
                    job.set(["spec", "datasets"], to: [["path": "tasks"]])
                    job.set(["spec", "agents"], to: [["name": "a", "execute": .string(script)]])
                    job.set(["spec", "environment"], to: ["image": "rootfs:/"])
                    job.set(["spec", "overlays"], to: .null)
                }
                try await cluster.waitForCompletion(of: name, seconds: 240)
                #expect(Array(try await RecordedJob(bench, "\(name).git").verdicts.values) == ["reward 1.0"], "\(name)")
                return try await cluster.job(name).at("status", "overlays")?.array?.map { $0["revision"]?.string } ?? []
            }
            let generation = try await kubectl(
                "get", "deployment", "assay-operator", "-n", "assay-system", "-o", "jsonpath={.metadata.generation}")
            let first = try await commit("base", "search", prints: "first")
            func sources(_ names: String...) -> String {
                let list = names.map { "{repo: \"file://\(bench.directory)/\($0)\", name: \($0), interval: 1h}" }.joined(separator: ", ")
                return "{overlays: {namespaces: [default], sources: [\(list)]}}"
            }
            try await release("upgrade", helm.chart, "-f", values, "-f", sources("base"))
            #expect(try await run("overlay", #"[ "$("$ASSAY_TOOL_DIRS/search")" = first ]"#) == [first])
            let pushed = try await commit("base", "search", prints: "pushed")
            let team = try await commit("team", "lint", prints: "team")
            try await release("upgrade", helm.chart, "-f", values, "-f", sources("base", "team"))
            let script = #"IFS=: read -ra d <<<"$ASSAY_TOOL_DIRS"; [ "$("${d[0]}/search")" = pushed ] && [ "$("${d[1]}/lint")" = team ]"#
            #expect(try await run("overlays", script) == [pushed, team])
            for name in ["overlay", "overlays"] { try await waitForFinalizer(of: name) }
            #expect(
                try await kubectl("get", "deployment", "assay-operator", "-n", "assay-system", "-o", "jsonpath={.metadata.generation}")
                    == generation)

            try await release("upgrade", helm.chart, "-f", values, "-f", "{operator: {workers: 2}}")
            let arguments = try await container(kubectl)["args"]?.array?.compactMap(\.string) ?? []
            #expect(arguments.contains("--workers"))
            for one in operators { one.signal(SIGTERM) }
            for one in operators { #expect(await one.wait() == .code(0)) }
            try await kubectl("delete", "evaljob", "job", "overlay", "overlays", "--timeout=120s")
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
