import AssayAPI
import AssayTesting
import Base
import Foundation
import KubeClient
import KubeCore
import Subprocess
import YAML

/// A cluster that exists, with a simulated node in it. Its API server must reach this machine as 127.0.0.1 (for logs) and accept any certificate of
/// a kubelet. The benchmark applies this version's custom resources, and makes a namespace and a node, which it removes again.
final class ExistingCluster: TrialCluster {
    static let word = "node"
    let direct: KubeClient
    let kubeconfig: String
    let namespace: String
    private let process: RunningCommand

    init(kubeconfig: String, directory: String, bytes: Int) async throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        self.kubeconfig = kubeconfig
        namespace = "assay-bench-\(String(UInt32.random(in: .min ... .max), radix: 36))"
        direct = KubeClient(config: try KubeConfig.load(kubeconfigPath: kubeconfig))
        for text in CustomResourceDefinitions.documents {
            try await direct.apply(.customResourceDefinitions, try YAML.parseSingle(text), manager: "bench")
        }
        try await direct.create(.namespaces, ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(namespace)]])
        process = try await startHelper([Self.word, kubeconfig, directory, namespace, String(bytes)]).0
        // Pods are refused until the service account exists.
        let client = direct
        let account = ObjectKey(namespace: namespace, name: "default")
        guard await eventually(within: 60, { (try? await client.get(.serviceAccounts, account)) != nil }) else {
            throw BenchmarkError("the namespace \(namespace) has no service account: does the controller manager run?")
        }
    }

    deinit { process.signal(9) }

    var cpu: Double { ProcessFigures(pid: process.pid).cpu }
    func requests() -> [TLSFront.Request]? { nil }

    func remove() async throws {
        try await direct.delete(.namespaces, ObjectKey(namespace: "", name: namespace))
        let client = direct
        let key = ObjectKey(namespace: "", name: namespace)
        let isGone = await eventually(within: 300) { () async -> Bool in
            do throws(KubeError) {
                _ = try await client.get(.namespaces, key, keeping: .metadata)
                return false
            } catch {
                return error.isNotFound
            }
        }
        // The pods of a node that is gone are not ended by anybody.
        try await direct.delete(.nodes, ObjectKey(namespace: "", name: namespace))
        if !isGone { throw BenchmarkError("the namespace \(namespace) does not go") }
    }

    /// The process that plays the node, with its kubelet's endpoint. Serves until it is killed.
    /// - Parameter words: as `init` gives them.
    static func run(_ words: [String]) async throws {
        guard words.count == 4, let bytes = Int(words[3]) else { throw BenchmarkError("the node is told \(words)") }
        let (directory, namespace) = (words[1], words[2])
        let trial = try await SimulatedTrial(scratch: directory, bytes: bytes)
        let logs = try await KubeletLogs([SimulatedTrial.container: trial.log], directory: "\(directory)/kubelet")
        let node = SimulatedNode(
            name: namespace, client: KubeClient(config: try KubeConfig.load(kubeconfigPath: words[0])), namespace: namespace,
            script: .init(terminationMessages: [SimulatedTrial.container: trial.report]))
        try await node.register(kubeletPort: logs.port)
        FileHandle.standardOutput.write(Data("\(logs.port)\n".utf8))
        await node.run()
        withExtendedLifetime(logs) {}
    }
}
