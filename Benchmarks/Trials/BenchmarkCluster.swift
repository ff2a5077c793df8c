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
final class ClusterProcess: Sendable {
    let front: TLSFront
    /// Past nginx and its latency: for who looks on.
    let direct: KubeClient
    let token: String
    private let process: RunningCommand

    /// - Parameter latency: seconds by which each call is held back.
    init(directory: String, latency: Double, bytes: Int) async throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let said = Locked("")
        let failed = Locked("")
        process = try RunningCommand.start(
            Command("/proc/self/exe", [BenchmarkCluster.word, directory, String(bytes)]),
            onStdout: { chunk in said.withLock { $0 += String(decoding: chunk, as: UTF8.self) } },
            onStderr: { chunk in failed.withLock { $0 += String(decoding: chunk, as: UTF8.self) } })
        guard await eventually(within: 60, { said.withLock { $0.hasSuffix("\n") } }) else {
            process.signal(9)
            throw BenchmarkError("the API server does not start: \(failed.withLock { $0 })")
        }
        let words = said.withLock { $0 }.split(whereSeparator: \.isWhitespace).map(String.init)
        guard words.count == 2, let port = Int(words[0]) else { throw BenchmarkError("the API server said \(words)") }
        var settings = TLSFront.Settings()
        settings.latency = latency
        front = try await TLSFront(before: port, directory: "\(directory)/front", settings: settings)
        direct = KubeClient(config: .direct(server: "http://127.0.0.1:\(port)", token: words[1]))
        token = words[1]
        let kubeconfig: JSONValue = [
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
        try Data(YAML.emit(kubeconfig).utf8).write(to: URL(filePath: "\(directory)/kubeconfig"))
    }

    deinit { process.signal(9) }

    /// Seconds of CPU of the API server and the node so far.
    var cpu: Double { ProcessFigures(pid: process.pid).cpu }
}
