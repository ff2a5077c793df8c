import AssayAPI
import Base
import Foundation
import Glibc
import KubeClient
import KubeCore
import Subprocess
import Testing
import YAML

/// The API server with its node in one process and operators in others, as on a cluster, so that each can be killed separately.
final class ClusterProcesses: Sendable {
    let bench: Workbench
    let client: KubeClient
    let kubeconfig: String
    let token: String
    let server: String
    private let apiserver: RunningCommand

    private init(bench: Workbench, client: KubeClient, kubeconfig: String, server: String, token: String, apiserver: RunningCommand) {
        self.bench = bench
        self.client = client
        self.kubeconfig = kubeconfig
        self.server = server
        self.token = token
        self.apiserver = apiserver
    }

    /// - Parameter environment: variables to add, for the podman of the node.
    static func start(in bench: Workbench, node: String = "podman", environment: [String: String] = [:]) async throws -> ClusterProcesses {
        let data = "\(bench.directory)/control-plane"
        let variables = environment.map { "\($0.key)=\($0.value)" }
        let apiserver = try bench.start(
            "env", variables + [Workbench.executable(), "apiserver", "--data-dir", data, "--node", node], to: "apiserver.log")
        try await eventually("the API server serves") { (try? bench.read("apiserver.log").contains("kubeconfig ")) ?? false }
        let said = try bench.read("apiserver.log")
        try #require(said.contains("kubeconfig "), "\(said)")
        let kubeconfig = "\(data)/kubeconfig"
        let config = try KubeConfig.load(kubeconfigPath: kubeconfig)
        return ClusterProcesses(
            bench: bench, client: KubeClient(config: config), kubeconfig: kubeconfig, server: config.server,
            token: try bench.read("control-plane/token").trimmed, apiserver: apiserver)
    }

    /// A new operator. Each name has its own state directory, because several operators must not share one.
    func startOperator(_ name: String = "operator", election: Bool = false) async throws -> RunningCommand {
        try bench.start(
            [
                "operator", "--kubeconfig", kubeconfig, "--setting", "laptop", "--state-dir", "\(bench.directory)/\(name)-state",
                "--cache-dir", "\(bench.directory)/control-plane/cache", "--health-port", "0", "--push-interval", "1",
                "--leader-election", election ? "on" : "off", "--log-level", "debug",
            ], to: "\(name).log")
    }

    /// Ends the API server. The workbench removes what still runs.
    func stop() async {
        apiserver.signal(SIGTERM)
        _ = await apiserver.wait()
    }

    // MARK: Objects

    /// A job of test-dataset under another name, with its own bare repository for the results.
    func create(_ file: String, name: String, results: String, changing: (inout JSONValue) -> Void = { _ in }) async throws {
        let text = try String(contentsOfFile: "\(Workbench.root)/test-dataset/\(file)", encoding: .utf8)
        var job = try YAML.parseSingle(text)
        job.set(["metadata", "name"], to: .string(name))
        job.set(["metadata", "namespace"], to: "default")
        job.set(["spec", "source", "repo"], to: .string("file://\(bench.benchmark)"))
        job.set(["spec", "artifacts"], to: ["backend": "git", "git": ["remote": .string("file://\(bench.directory)/\(results)")]])
        changing(&job)
        try await bench.git("init", "--quiet", "--bare", "\(bench.directory)/\(results)", in: bench.directory)
        try await client.create(EvalJob.resource, job, fieldValidation: "Strict")
    }

    func job(_ name: String) async throws -> JSONValue {
        try await client.get(EvalJob.resource, ObjectKey(namespace: "default", name: name))
    }

    func isComplete(_ name: String) async throws -> Bool {
        let conditions = try await job(name).at("status", "conditions")?.array ?? []
        return conditions.contains { $0["type"]?.string == "Complete" && $0["status"]?.string == "True" }
    }

    func waitForCompletion(of name: String, seconds: Double) async throws {
        try await eventually("\(name) is complete", seconds: seconds) { try await isComplete(name) }
    }

    func pods() async throws -> [JSONValue] { try await client.listAll(.pods, namespace: "default").items }
}

/// The records of one job on an artifact branch, read with git.
struct RecordedJob {
    /// For each trial, by agent, task and attempt: its reward or its error.
    var verdicts: [String: String] = [:]
    /// The subjects of the commits that record runs.
    var runs: [String] = []
    /// The subjects of the commits that record the job.
    var jobs: [String] = []
    /// All other subjects.
    var others: [String] = []
    /// The folders in the tip's tree that contain a record, by the record's kind.
    var records: [String: [String]] = [:]
    /// Kept infrastructure retries: the path of each, and its error.
    var retries: [String] = []

    init(_ bench: Workbench, _ repository: String, branch: String = "assay/runs/v1") async throws {
        let repository = "\(bench.directory)/\(repository)"
        for subject in try await bench.git("log", "--format=%s", branch, in: repository).split(separator: "\n").map(String.init) {
            if subject.hasPrefix("Run: ") {
                runs.append(subject)
            } else if subject.hasPrefix("Job: ") {
                jobs.append(subject)
            } else {
                others.append(subject)
            }
        }
        for path in try await bench.git("ls-tree", "-r", "--name-only", branch, in: repository).split(separator: "\n").map(String.init) {
            guard path.hasSuffix("/metadata.json") else { continue }
            let record = try JSONValue(parsing: try await bench.git("show", "\(branch):\(path)", in: repository))
            if path.contains("/retries/") {
                retries.append("\(path): \(record["error"]?.text ?? "-")")
                continue
            }
            let kind = record["kind"]?.string ?? "?"
            records[kind, default: []].append(path)
            guard kind == "run" else { continue }
            let trial = "\(record["agent"]?.string ?? "?") \(record["task"]?.string ?? "?") \(record["attempt"]?.int ?? 0)"
            verdicts[trial] = record.at("error", "type")?.string ?? record["reward"]?.double.map { "reward \($0)" } ?? "?"
        }
    }
}
