import AssayTesting
import Base
import EvalModel
import Foundation
import Git
import Glibc
import KubeClient
import KubeCore
import SourceSync
import Subprocess
import Testing
import TrialRuntime

extension EndToEnd {
    /// A source over https that asks for a password, and trials that read their tasks from the operator's cache service.
    @Suite struct DeliveryTests {
        /// With ASSAY_DELIVERY_TRIALS=100 the test is the proof for a hundred pods that start at once; without, it is short.
        private static let trials = ProcessInfo.processInfo.environment["ASSAY_DELIVERY_TRIALS"].flatMap { Int($0) } ?? 12

        private static let password = "s3cret-of-the-source-7261"

        private func serve(_ bench: Workbench) async throws -> GitWebServer {
            try FileManager.default.createDirectory(atPath: "\(bench.directory)/www", withIntermediateDirectories: true)
            try await bench.git("clone", "--quiet", "--bare", bench.benchmark, "\(bench.directory)/www/bench.git", in: bench.directory)
            return try await GitWebServer(
                directory: "\(bench.directory)/web", root: "\(bench.directory)/www", users: ["x-access-token": Self.password])
        }

        @Test("many trials make one fetch from the source; their pods have no git, no credential and no mirror")
        func oneFetch() async throws {
            try await Workbench.with("delivery") { bench in
                try bench.task("hello", solution: "echo hello")
                try await bench.commitBenchmark()
                let web = try await serve(bench)
                let cluster = try await ClusterProcesses.start(in: bench)
                let secret: JSONValue = [
                    "apiVersion": "v1", "kind": "Secret", "metadata": ["name": "source-secret"],
                    "stringData": ["token": .string(Self.password), "caFile": .string(String(decoding: web.authority, as: UTF8.self))],
                ]
                try await cluster.client.create(.secrets, secret, namespace: "default")
                let worker = try await cluster.startOperator()
                try await cluster.create("job.yaml", name: "delivery", results: "delivery.git") { job in
                    job.set(["spec", "source"], to: ["repo": .string(web.url("bench.git")), "ref": "main", "secretRef": ["name": "source-secret"]])
                    job.set(["spec", "datasets"], to: [["path": "tasks"]])
                    job.set(["spec", "agents"], to: [["name": "oracle"]])
                    job.set(["spec", "attempts"], to: JSONValue(Self.trials))
                    job.set(["spec", "parallelism"], to: JSONValue(Self.trials))
                    job.set(["spec", "environment", "image"], to: "rootfs:/")
                    job.set(["spec", "environment", "preserveEnv"], to: "Always")
                }
                try await cluster.waitForCompletion(of: "delivery", seconds: 300 + 10 * Double(Self.trials))
                let pods = try await cluster.pods()
                #expect(pods.count == Self.trials)
                for pod in pods {
                    #expect(!pod.at("spec", "volumes").map(\.text)!.contains("source-secret") && !pod.text.contains(Self.password))
                    let message = pod.at("status", "initContainerStatuses")?.array?.first?.at("state", "terminated", "message")?.string ?? ""
                    #expect(message.contains(#""from":"cache""#), "\(message)")
                }
                let fetches = web.requests().filter { $0.contains("POST /bench.git/git-upload-pack") }
                // Pinning asks which refs there are; the one fetch asks again, and gets the objects.
                #expect(fetches.count <= 3, "\(fetches)")
                let mounted = Directory.names(in: "\(bench.directory)/control-plane/cache/socket") ?? []
                #expect(mounted == [TrialPaths.cacheSocketName], "what delivery containers see of the cache: \(mounted)")
                let verdicts = try await RecordedJob(bench, "delivery.git").verdicts
                #expect(verdicts.count == Self.trials && verdicts.values.allSatisfy { $0 == "reward 1.0" }, "\(verdicts)")
                worker.signal(SIGTERM)
                _ = await worker.wait()
                // What is kept for a person to look at is kept as containers' files, not as containers.
                for pod in pods { _ = try? await cluster.client.delete(.pods, ObjectMeta(of: pod).key) }
                try await eventually("the pods are gone") { try await cluster.pods().isEmpty }
                await cluster.stop()
            }
        }

        /// The CPU that a delivery costs, git included, in seconds: the median of `count`.
        private func cost(_ count: Int, _ run: (Int) async throws -> Void) async throws -> Double {
            func spent() -> Double {
                var usage = rusage()
                getrusage(RUSAGE_CHILDREN.rawValue, &usage)
                return [usage.ru_utime, usage.ru_stime].reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6 }
            }
            var costs: [Double] = []
            for number in 0..<count {
                let before = spent()
                try await run(number)
                costs.append(spent() - before)
            }
            return costs.sorted()[count / 2]
        }

        @Test("a delivery costs at most 50 ms of CPU: the median of 20, beside deliveries from the origin in the same run")
        func cpu() async throws {
            try await Workbench.with("delivery-cost") { bench in
                try bench.task("hello", solution: "echo hello")
                try await bench.commitBenchmark()
                let web = try await serve(bench)
                let commit = try #require(GitObjectID(try await bench.git("rev-parse", "HEAD")))
                let program = PodProgram(
                    family: .rollout,
                    delivery: .init(source: .init(repo: web.url("bench.git"), commit: commit.hex), taskPath: "tasks/hello", solution: true),
                    steps: [
                        .init(
                            name: "main", instruction: "instruction.md", tests: "tests", limits: .init(installSec: 1, executeSec: 1, verifySec: 1))
                    ], verifier: .init(), instructionPath: "/tmp/i.md", gateTimeoutSec: 1, packLimitBytes: 1)
                let ca = String(decoding: web.authority, as: UTF8.self)

                func deliver(_ root: String, _ more: [String: String]) async throws {
                    try bench.write("\(root)/tmp/x", "")
                    let environment = [
                        "ASSAY_ROOT": root, "ASSAY_TERMINATION_LOG": "\(root)/termination", "TMPDIR": "\(root)/tmp",
                        "ASSAY_PROGRAM": String(decoding: try program.json, as: UTF8.self), "PATH": "/usr/bin:/bin",
                    ].merging(more) { $1 }
                    let result = try await Command(Workbench.executable(), ["repo-cache"], environment: .exact(environment)).run()
                    #expect(result.succeeded, "\(result.stderrText)")
                    #expect(FileEntry.exists("\(root)/assay/staged/tests/test.sh") && FileEntry.exists("\(root)/assay/solution/solve.sh"))
                }

                let origin = try await cost(20) { number in
                    let root = "\(bench.directory)/origin-\(number)"
                    try bench.write("\(root)/assay/credentials/token", Self.password)
                    try bench.write("\(root)/assay/credentials/caFile", ca)
                    try await deliver(root, [:])
                }
                let cache = TreeCache(store: TreeStore(directory: "\(bench.directory)/trees"), key: [UInt8](repeating: 1, count: 32))
                let credentials: MirrorTrees.Credentials = { url, _ in
                    try .secret(
                        ["token": Array(Self.password.utf8), "caFile": web.authority], for: url, directory: "\(bench.directory)/credentials")
                }
                cache.use(
                    MirrorTrees(
                        resolver: SourceResolver(cacheDirectory: "\(bench.directory)/mirrors", policy: .loopbackHTTP), credentials: credentials))
                let server = cache.server()
                let port = try server.start(port: 0)
                defer { server.stop() }
                func access(_ number: Int) throws -> [String: String] {
                    let token = cache.token(
                        for: [try TreeReference(program)], pod: "pod-\(number)", credential: .init(namespace: "", secret: "s"), seconds: 60)
                    // No git is in the PATH.
                    return ["ASSAY_CACHE": "http://127.0.0.1:\(port)", "ASSAY_CACHE_TOKEN": token, "PATH": "/nowhere"]
                }
                // The service fills its mirror with git, which is no cost of a delivery.
                try await deliver("\(bench.directory)/first", try access(-1))
                let cached = try await cost(20) { try await deliver("\(bench.directory)/cached-\($0)", try access($0)) }
                print("CPU of a delivery: \(Int(origin * 1000)) ms from the origin, \(Int(cached * 1000)) ms from the cache service")
                #expect(cached <= 0.05 && cached < origin, "\(cached) s, and \(origin) s from the origin")
            }
        }
    }
}
