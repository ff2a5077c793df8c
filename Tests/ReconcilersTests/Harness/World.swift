import APIServer
import AssayAPI
import AssayTesting
import Base
import EvalModel
import Foundation
import Git
import KubeClient
import KubeCore
import KubeRuntime
import Planning
import Reconcilers
import SourceSync
import Testing
import Tracing
import TrialPods
import YAML

/// A cluster of one process: a real API server over HTTP, a real benchmark repository, a real remote for results, and a node that
/// plays the lives of pods. Operators come and go.
final class World: Sendable {
    let path: String
    let port: Int
    let client: KubeClient
    let node: FakeNode
    private let server: APIServer

    static let branch = "assay/runs/v1"
    var source: String { "\(path)/source" }
    var remote: String { "\(path)/results.git" }

    private init(path: String, port: Int, client: KubeClient, node: FakeNode, server: APIServer) {
        self.path = path
        self.port = port
        self.client = client
        self.node = node
        self.server = server
    }

    /// Runs a test in a world of its own, and cleans up behind it.
    static func run(
        tasks: [String] = ["a", "b"], binds: Bool = true, fate: @escaping @Sendable (FakeNode.Pod) -> Fate = { _ in .success(1) },
        _ body: (World) async throws -> Void
    ) async throws {
        await Turnstile.worlds.enter()
        let result: Result<Void, any Error>
        do { result = .success(try await runNow(tasks, binds, fate, body)) } catch { result = .failure(error) }
        await Turnstile.worlds.leave()
        try result.get()
    }

    private static func runNow(
        _ tasks: [String], _ binds: Bool, _ fate: @escaping @Sendable (FakeNode.Pod) -> Fate, _ body: (World) async throws -> Void
    ) async throws {
        let path = "\(NSTemporaryDirectory())/assay-world-\(UUID().uuidString)".replacingOccurrences(of: "//", with: "/")
        try Directory.make(path)
        defer { Directory.removeTree(path) }
        let server = APIServer(configuration: .init())
        let port = Int(try await server.start())
        let client = KubeClient(config: .direct(server: "http://127.0.0.1:\(port)"))
        let node = FakeNode(client, pack: try await TestPack.make(in: path), binds: binds, fate: fate)
        server.podLogs = node
        let world = World(path: path, port: port, client: client, node: node, server: server)
        let result: Result<Void, any Error>
        do {
            try await world.prepare(tasks)
            result = .success(try await body(world))
        } catch {
            result = .failure(error)
        }
        await node.stop()
        await server.stop()
        try result.get()
    }

    private func prepare(_ tasks: [String]) async throws {
        try await git(path, "init", "-q", "-b", "main", source)
        for name in tasks { try writeTask(name) }
        try await git(source, "add", "-A")
        try await git(source, "commit", "-q", "-m", "tasks")
        try await git(path, "init", "-q", "--bare", "-b", "main", remote)
        for text in CustomResourceDefinitions.documents {
            try await client.apply(.customResourceDefinitions, try YAML.parseSingle(Array(text.utf8)), manager: "test")
        }
        for type in [ResourceType.evalJobs, .evalTargets, .overlaySources] {
            let served = await eventually { (try? await client.list(type, namespace: nil)) != nil }
            try #require(served)
        }
        node.start()
    }

    /// A task of the name `build-<content>-<anything>` has a Dockerfile instead of an image; those of one content have the same one. `judged-<content>`
    /// has an image and a separate verifier with a Dockerfile.
    private func writeTask(_ name: String) throws {
        let folder = "\(source)/tasks/\(name)"
        let limits = "version = \"1.0\"\n[agent]\ntimeout_sec = 60.0\n[verifier]\ntimeout_sec = 60.0\n"
        let content = name.hasPrefix("build-") ? name.split(separator: "-").dropFirst().first.map(String.init) : nil
        let judge = name.hasPrefix("judged-") ? ("tests/Dockerfile", "FROM base:1\nRUN echo \(name)\n") : nil
        let own = content.map { ("environment/Dockerfile", "FROM base:1\nRUN echo \($0)\n") }
        let files = [
            "task.toml": own == nil
                ? "\(limits)\(judge == nil ? "" : "environment_mode = \"separate\"\n")[environment]\ndocker_image = \"x:1\"\n" : limits,
            "instruction.md": "Do it.\n", "tests/test.sh": "#!/bin/bash\necho 1 > /logs/verifier/reward.txt\n",
            "solution/solve.sh": "#!/bin/bash\ntrue\n",
        ]
        for (file, text) in files.merging([own, judge].compactMap { $0 }, uniquingKeysWith: { $1 })
        where !(name.hasPrefix("broken") && file == "tests/test.sh") {
            try Directory.make(Path.parent(of: "\(folder)/\(file)"))
            try FileWriting.replace("\(folder)/\(file)", with: Array(text.utf8), mode: 0o755)
        }
    }

    @discardableResult
    func git(_ directory: String, _ arguments: String...) async throws -> String {
        String(decoding: try await TestGit.run(directory, arguments), as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    // MARK: Operators

    final class RunningOperator: Sendable {
        private let metrics: MetricsRegistry
        private let task: Task<Void, Never>

        init(_ subject: OperatorReplica, _ metrics: MetricsRegistry) {
            self.metrics = metrics
            task = Task { await subject.run(nil) }
        }

        var metricsText: String { metrics.prometheusText() }

        func stop() async {
            task.cancel()
            await task.value
        }
    }

    /// - Parameters:
    ///   - state: the operator's own directory; another name is an operator that remembers nothing.
    ///   - server: instead of the API server itself.
    ///   - token: of a service account, which may do only what its roles allow; nil: the operator may do everything.
    ///   - namespace: the only one to watch.
    func startOperator(
        _ setting: OperatorConfiguration.Setting = .cluster, state: String = "operator", server: String? = nil, time: any TimeSource = SystemTime(),
        pushInterval: Double = 0.02, policy: GitURL.Policy = .local, token: String? = nil, namespace: String? = nil,
        builder: (any ImageBuilder)? = nil, cache: SourceCache? = nil, network: ClusterNetworkSettings? = nil, networks: TrialNetworks? = nil,
        traces: TraceExporter? = nil, programs: ProgramCheck = ProgramCheck(), repositories: String? = nil,
        releaseQuietSeconds: Double = 0
    ) throws -> RunningOperator {
        var config = KubeConfig.direct(server: server ?? "http://127.0.0.1:\(port)", token: token)
        config.rateLimit = nil
        let metrics = MetricsRegistry()
        var configuration = OperatorConfiguration(
            setting: setting, namespace: namespace, stateDirectory: "\(path)/\(state)", cacheDirectory: "\(path)/cache",
            resultsDirectory: setting == .laptop ? "\(path)/local" : nil,
            pods: TrialPodSettings(assayImage: "assay:test"), defaultTarget: EvalTargetSpec(type: .cluster),
            pushInterval: pushInterval, committer: try .init(name: "assay", email: "assay@localhost"), urlPolicy: policy)
        configuration.cache = cache
        configuration.clusterNetwork = network
        configuration.networks = networks
        configuration.traces = traces
        configuration.repositoriesFile = repositories
        configuration.imageBuilder = builder
        configuration.programs = programs
        configuration.releaseQuietSeconds = releaseQuietSeconds
        return RunningOperator(
            OperatorReplica(
                client: KubeClient(config: config, metrics: RequestMetrics(metrics)), configuration: configuration,
                instance: "test-\(UUID().uuidString)", metrics: metrics, liveness: Liveness(time: time), time: time),
            metrics)
    }

    /// A cache service for an operator. Nothing connects to it.
    func sourceCache() -> SourceCache {
        SourceCache(
            store: TreeStore(directory: "\(path)/trees"), key: [UInt8](repeating: 3, count: 32),
            endpoint: .service("http://assay-cache.assay-system:8081"), uploads: "\(path)/claims")
    }

    /// With an operator while the body runs.
    func withOperator(
        _ setting: OperatorConfiguration.Setting = .cluster, state: String = "operator", server: String? = nil, time: any TimeSource = SystemTime(),
        policy: GitURL.Policy = .local, builder: (any ImageBuilder)? = nil, cache: SourceCache? = nil,
        _ body: (RunningOperator) async throws -> Void
    ) async throws {
        let running = try startOperator(setting, state: state, server: server, time: time, policy: policy, builder: builder, cache: cache)
        let result: Result<Void, any Error>
        do { result = .success(try await body(running)) } catch { result = .failure(error) }
        await running.stop()
        try result.get()
    }

    // MARK: Jobs

    /// Tasks a and b, one scripted agent; retries without a wait.
    func spec(_ changes: [String: JSONValue] = [:]) -> JSONValue {
        var spec: JSONValue = [
            "source": ["repo": .string("file://\(source)"), "ref": "main"], "datasets": [["path": "tasks"]],
            "agents": [["name": "scripted", "execute": "true"]], "overlays": [],
            "retry": ["maxAttempts": 3, "initialDelayMs": 0, "maxDelayMs": 0],
            "artifacts": ["backend": "git", "git": ["remote": .string("file://\(remote)"), "branch": .string(Self.branch)]],
        ]
        for (name, value) in changes { spec[name] = value }
        return spec
    }

    @discardableResult
    func createJob(_ name: String = "job", namespace: String = "default", with changes: [String: JSONValue] = [:]) async throws -> EvalJob {
        let object = Build.object(.evalJobs, name, namespace: namespace, spec: spec(changes))
        return try EvalJob(json: try await client.create(.evalJobs, object, namespace: namespace))
    }

    func job(_ name: String = "job", namespace: String = "default") async throws -> EvalJob? {
        do { return try EvalJob(json: try await client.get(.evalJobs, ObjectKey(namespace: namespace, name: name))) } catch let error as KubeError {
            guard error.isNotFound else { throw error }
            return nil
        }
    }

    func change(_ name: String = "job", to spec: JSONValue) async throws {
        _ = try await client.patch(.evalJobs, ObjectKey(namespace: "default", name: name), .merge(["spec": spec]))
    }

    /// Waits until the job is as asked for, and returns it.
    @discardableResult
    func wait(
        _ name: String = "job", within seconds: Double = 120, _ what: String = "", location: SourceLocation = #_sourceLocation,
        until condition: @escaping @Sendable (EvalJob) -> Bool
    ) async throws -> EvalJob {
        let last = Locked<EvalJob?>(nil)
        let held = try await eventually(within: seconds) {
            guard let job = try await self.job(name) else { return false }
            last.withLock { $0 = job }
            return condition(job)
        }
        let job = last.withLock { $0 }
        try #require(held, "\(what) \(job.map { "\($0.status as Any)" } ?? "no job")", sourceLocation: location)
        return try #require(job, sourceLocation: location)
    }

    @discardableResult
    func waitForEnd(_ name: String = "job", within seconds: Double = 120, location: SourceLocation = #_sourceLocation) async throws -> EvalJob {
        try await wait(name, within: seconds, "the job does not end:", location: location) { $0.status?.isOver == true }
    }

    func waitForPods(_ count: Int, within seconds: Double = 120, location: SourceLocation = #_sourceLocation) async throws {
        let held = await eventually(within: seconds) { self.node.settledCount >= count }
        try #require(held, "only \(node.settledCount) pods came", sourceLocation: location)
    }

    /// No pod is left, and so no finalizer.
    func expectNoPods(within seconds: Double = 60, location: SourceLocation = #_sourceLocation) async throws {
        let client = client
        let gone = try await eventually(within: seconds) { try await client.list(.pods, namespace: nil).items.isEmpty }
        #expect(gone, "pods are left", sourceLocation: location)
    }

    func eventMessages(_ reason: String) async throws -> [String] {
        try await client.list(.events, namespace: nil).items.filter { $0["reason"]?.string == reason }.compactMap { $0["message"]?.string }
    }

    func events() async throws -> [String] {
        try await client.list(.events, namespace: nil).items.compactMap { $0["reason"]?.string }
    }

    /// The remote answers, and takes nothing, as one that is out of space or down for maintenance.
    func refusePushes(_ refuses: Bool) async throws {
        if refuses { try breakRemote() } else { Directory.removeTree("\(remote)/hooks/pre-receive") }
    }

    func breakRemote() throws {
        try Directory.make("\(remote)/hooks")
        try FileWriting.replace("\(remote)/hooks/pre-receive", with: Array("#!/bin/sh\necho x >> refused\nexit 1\n".utf8), mode: 0o755)
    }

    func pushesRefused() throws -> Int {
        (try? String(contentsOfFile: "\(remote)/refused", encoding: .utf8))?.split(separator: "\n").count ?? 0
    }

    /// The source is gone, and so is every mirror of it: nothing but the cluster knows what a job runs.
    func loseSource() throws {
        try FileManager.default.moveItem(atPath: source, toPath: "\(path)/source-elsewhere")
        Directory.removeTree("\(path)/cache")
    }

    /// The remote is at its place, or not.
    func moveRemote(away: Bool) throws {
        try FileManager.default.moveItem(atPath: away ? remote : "\(path)/elsewhere", toPath: away ? "\(path)/elsewhere" : remote)
    }

    // MARK: Results

    /// The subjects of the branch's commits; none when there is no branch.
    func subjects() async throws -> [String] {
        guard try await !git(remote, "branch", "--list", Self.branch).isEmpty else { return [] }
        return try await git(remote, "log", "--format=%s", Self.branch).split(separator: "\n").map(String.init)
    }

    func records() async throws -> [JSONValue] {
        guard try await !git(remote, "branch", "--list", Self.branch).isEmpty else { return [] }
        var found: [JSONValue] = []
        for file in try await git(remote, "ls-tree", "-r", "--name-only", Self.branch).split(separator: "\n") where file.hasSuffix("metadata.json") {
            found.append(try JSONValue(parsing: try await TestGit.run(remote, ["show", "\(Self.branch):\(file)"])))
        }
        return found
    }

    /// Each trial of each job has exactly one run on the branch, and each job one record of its own.
    func expectRuns(_ trials: Int, jobs: Int = 1, location: SourceLocation = #_sourceLocation) async throws {
        let subjects = try await subjects()
        let runs = subjects.filter { $0.hasPrefix("Run: ") }
        #expect(runs.count == trials && Set(runs).count == trials, "\(subjects)", sourceLocation: location)
        #expect(subjects.filter { $0.hasPrefix("Job: ") }.count == jobs, "\(subjects)", sourceLocation: location)
    }
}
