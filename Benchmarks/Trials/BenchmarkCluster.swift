import APIServer
import AssayAPI
import AssayTesting
import Base
import Foundation
import KubeClient
import KubeCore
import Subprocess
import YAML

/// What stands for a cluster, as a process of its own: the embedded API server, in memory, and a simulated node.
enum BenchmarkCluster {
    static let word = "cluster"

    /// Serves until it is killed. Writes its address and token as one line.
    /// - Parameter bytes: what each trial has printed.
    static func run(directory: String, bytes: Int) async throws {
        let trial = try await SimulatedTrial(scratch: directory, bytes: bytes)
        let token = (0..<4).map { _ in String(UInt64.random(in: .min ... .max), radix: 16) }.joined()
        let api = APIServer(configuration: .init(port: 0, token: token, dataDirectory: nil))
        let port = try await api.start()
        let client = KubeClient(config: .direct(server: "http://127.0.0.1:\(port)", token: token))
        for text in CustomResourceDefinitions.documents {
            try await client.apply(.customResourceDefinitions, try YAML.parseSingle(text), manager: "bench")
        }
        api.podLogs = Logs(trial: trial)
        let node = SimulatedNode(client: client, script: .init(terminationMessages: [SimulatedTrial.container: trial.report]))
        try await node.register()
        FileHandle.standardOutput.write(Data("\(port) \(token)\n".utf8))
        await node.run()
    }

    private struct Logs: PodLogProvider {
        let trial: SimulatedTrial

        func log(of container: PodLogTarget, options: LogOptions) async throws -> AsyncThrowingStream<[UInt8], any Error> {
            AsyncThrowingStream { continuation in
                if container.container == SimulatedTrial.container { continuation.yield(trial.log) }
                continuation.finish()
            }
        }
    }
}

/// The other side: such a process, and nginx with TLS, HTTP/2 and some latency before it.
final class ClusterProcess: TrialCluster {
    private let front: TLSFront
    /// Past nginx and its latency.
    let direct: KubeClient
    let kubeconfig: String
    let namespace = "default"
    private let process: RunningCommand

    /// - Parameter latency: seconds by which each call is held back.
    init(directory: String, latency: Double, bytes: Int) async throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let (process, words) = try await startHelper([BenchmarkCluster.word, directory, String(bytes)])
        self.process = process
        guard words.count == 2, let port = Int(words[0]) else { throw BenchmarkError("the API server said \(words)") }
        var settings = TLSFront.Settings()
        settings.latency = latency
        front = try await TLSFront(before: port, directory: "\(directory)/front", settings: settings)
        direct = KubeClient(config: .direct(server: "http://127.0.0.1:\(port)", token: words[1]))
        kubeconfig = "\(directory)/kubeconfig"
        let text: JSONValue = [
            "apiVersion": "v1", "kind": "Config", "current-context": "bench",
            "clusters": [
                [
                    "name": "bench",
                    "cluster": [
                        "server": .string(front.url), "certificate-authority-data": .string(Base64.encode(front.authority)),
                    ],
                ]
            ],
            "users": [["name": "bench", "user": ["token": .string(words[1])]]],
            "contexts": [["name": "bench", "context": ["cluster": "bench", "user": "bench"]]],
        ]
        try Data(YAML.emit(text).utf8).write(to: URL(filePath: kubeconfig))
    }

    deinit { process.signal(9) }

    var cpu: Double { ProcessFigures(pid: process.pid).cpu }
    func requests() -> [TLSFront.Request]? { front.requests() }
    func remove() {}
}
