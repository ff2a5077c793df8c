import APIServer
import AssayAPI
import AssayTesting
import Base
import Foundation
import Glibc
import KubeClient
import KubeCore
import Subprocess
import TrialRuntime
import YAML

/// An API server without a node, an operator, and a repository on a server.
final class DeliveryCluster: Sendable {
    struct Figures {
        /// From the creation of the job to the last task.
        var seconds = 0.0
        /// Of each delivery.
        var deliveries: [Double] = []
        var bytes = 0
        var fetches = 0
    }

    private let origin: GitWebServer
    private let directory: String
    private let assay: String
    private let api: APIServer
    private let client: KubeClient
    private let operating: RunningCommand

    init(_ origin: GitWebServer, _ directory: String, assay: String) async throws {
        (self.origin, self.directory, self.assay) = (origin, directory, assay)
        try Directory.make(directory)
        let token = String(UInt64.random(in: .min ... .max), radix: 16)
        api = APIServer(configuration: .init(port: 0, token: token, dataDirectory: nil))
        let server = "http://127.0.0.1:\(try await api.start())"
        client = KubeClient(config: .direct(server: server, token: token))
        for text in CustomResourceDefinitions.documents {
            try await client.apply(.customResourceDefinitions, try YAML.parseSingle(text), manager: "bench")
        }
        try await TestGit.run(directory, ["init", "--quiet", "--bare", "results.git"])
        let kubeconfig: JSONValue = [
            "apiVersion": "v1", "kind": "Config", "current-context": "bench",
            "clusters": [["name": "bench", "cluster": ["server": .string(server)]]],
            "users": [["name": "bench", "user": ["token": .string(token)]]],
            "contexts": [["name": "bench", "context": ["cluster": "bench", "user": "bench"]]],
        ]
        try FileWriting.replace("\(directory)/kubeconfig", with: Array(YAML.emit(kubeconfig).utf8), durable: false)
        let secret: JSONValue = [
            "apiVersion": "v1", "kind": "Secret", "metadata": ["name": "origin", "namespace": "default"],
            "stringData": ["username": "bench", "password": "password", "caFile": .string(String(decoding: origin.authority, as: UTF8.self))],
        ]
        _ = try await client.create(.secrets, secret)
        let target: JSONValue = [
            "apiVersion": .string(EvalTarget.resource.apiVersion), "kind": "EvalTarget", "metadata": ["name": "default", "namespace": "default"],
            "spec": ["type": "cluster", "syncOptions": ["mode": "sparse", "sparsePaths": ["tasks"]]],
        ]
        _ = try await client.create(.evalTargets, target)
        let log = open("\(directory)/operator.log", O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        operating = try RunningCommand.start(
            Command(
                assay,
                [
                    "operator", "--kubeconfig", "\(directory)/kubeconfig", "--setting", "laptop", "--state-dir", "\(directory)/state",
                    "--health-port", "0", "--leader-election", "off",
                ]),
            onStderr: { chunk in _ = chunk.withUnsafeBytes { write(log, $0.baseAddress, $0.count) } })
        guard await eventually(within: 60, { FileEntry.exists(self.socket) }) else { throw BenchmarkError("no operator: \(directory)/operator.log") }
    }

    private var socket: String { "\(directory)/state/cache/socket/\(TrialPaths.cacheSocketName)" }

    /// Of the operator.
    var memory: ProcessFigures { ProcessFigures(pid: operating.pid) }

    /// Runs a job of so many trials until each has its task.
    func deliver(trials: Int) async throws -> Figures {
        var figures = Figures()
        let (bytes, fetches) = (try origin.bytes(), origin.fetches())
        figures.seconds = try await seconds {
            let pods = try await startJob("job", trials: trials)
            try await withThrowingTaskGroup(of: Double.self) { group in
                for pod in pods { group.addTask { try await self.deliver(pod) } }
                for try await time in group { figures.deliveries.append(time) }
            }
        }
        (figures.bytes, figures.fetches) = (try origin.bytes() - bytes, origin.fetches() - fetches)
        return figures
    }

    /// - Returns: the pods of a new job.
    func startJob(_ name: String, trials: Int) async throws -> [JSONValue] {
        let job: JSONValue = [
            "apiVersion": .string(EvalJob.resource.apiVersion), "kind": .string(EvalJob.resource.kind),
            "metadata": ["name": .string(name), "namespace": "default"],
            "spec": [
                "source": ["repo": .string(origin.url("large.git")), "ref": "main", "secretRef": ["name": "origin"]],
                "datasets": [["path": "tasks"]], "agents": [["name": "oracle"]], "attempts": JSONValue(trials), "parallelism": JSONValue(trials),
                "artifacts": ["backend": "git", "git": ["remote": .string("file://\(directory)/results.git")]],
            ],
        ]
        _ = try await client.create(EvalJob.resource, job)
        let options = ListOptions(labelSelector: "\(AssayNames.jobLabel)=\(name)", limit: nil)
        let found = Locked<[JSONValue]>([])
        let came = try await eventually(within: 300) {
            let pods = try await self.client.list(.pods, namespace: "default", options: options).items
            found.withLock { $0 = pods }
            return pods.count == trials
        }
        guard came else { throw BenchmarkError("\(found.withLock { $0.count }) of \(trials) pods came: \(directory)/operator.log") }
        return found.withLock { $0 }
    }

    /// Does what the pod's first container does.
    /// - Returns: seconds.
    func deliver(_ pod: JSONValue) async throws -> Double {
        let name = pod.at("metadata", "name")?.string ?? ""
        let root = "\(directory)/pods/\(name)"
        guard let container = pod.at("spec", "initContainers")?.array?.first else { throw BenchmarkError("the pod \(name) has no delivery") }
        for mount in container["volumeMounts"]?.array ?? [] { try Directory.make(root + (mount["mountPath"]?.string ?? "")) }
        var environment = ["PATH": "/usr/bin:/bin"]
        for variable in container["env"]?.array ?? [] { environment[variable["name"]?.string ?? ""] = variable["value"]?.string }
        environment[TrialVariables.cacheAddress] = "unix:\(socket)"
        environment[TrialVariables.root] = root
        environment[TrialVariables.terminationLog] = "\(root)/message"
        let command = Command(assay, ["repo-cache"], environment: .exact(environment))
        let begin = SystemTime().monotonic()
        let result = try await command.run()
        let time = SystemTime().monotonic() - begin
        guard result.succeeded else { throw BenchmarkError("the delivery of \(name): \(result.stderrText.suffix(500))") }
        let data = "\(root)/assay/staged"
        guard FileEntry.isDirectory(data) || FileEntry.isDirectory("\(root)/tests") else { throw BenchmarkError("\(name) has no task below \(root)") }
        return time
    }

    func stop() async {
        operating.signal(SIGTERM)
        _ = await operating.wait()
        await api.stop()
    }
}
