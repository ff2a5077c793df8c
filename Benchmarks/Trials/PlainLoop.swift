import Base
import Foundation
import KubeClient
import KubeCore
import Subprocess

/// The calls that a trial costs any controller, and nothing else: create the pod, wait for its end by a watch, read the collector's
/// log, take the finalizer off, delete. The operator makes the last two calls after the job is complete. It runs in a process of its own, like the
/// operator.
struct PlainLoop: Sendable {
    static let word = "loop"
    let client: KubeClient
    /// A pod as the operator creates it.
    let template: JSONValue
    /// Tells the pods of several runs apart.
    let name: String
    let namespace: String

    struct Figures {
        /// Seconds.
        var time: Double
        var cpu: Double
    }

    /// Runs the loop in another process.
    /// - Parameter template: a file with a pod.
    static func start(_ cluster: any TrialCluster, template: String, name: String, trials: Int, parallelism: Int) async throws -> Figures {
        let result = try await Command(
            "/proc/self/exe",
            [word, cluster.kubeconfig, cluster.namespace, template, name, String(trials), String(parallelism)],
            deadlineSeconds: 900
        ).run()
        let numbers = result.stdoutText.split(whereSeparator: \.isWhitespace).compactMap { Double($0) }
        guard result.succeeded, numbers.count == 2 else { throw BenchmarkError("the plain loop fails: \(result.stdoutText)\(result.stderrText)") }
        return Figures(time: numbers[0], cpu: numbers[1])
    }

    /// The other process.
    /// - Parameter words: as `start` gives them.
    static func run(_ words: [String]) async throws {
        guard words.count == 6, let trials = Int(words[4]), let parallelism = Int(words[5]) else { throw BenchmarkError("the loop is told \(words)") }
        let client = KubeClient(config: try KubeConfig.load(kubeconfigPath: words[0]))
        let template = try JSONValue(parsing: Array(Data(contentsOf: URL(filePath: words[2]))))
        let loop = PlainLoop(client: client, template: template, name: words[3], namespace: words[1])
        let time = try await loop.run(trials: trials, parallelism: parallelism)
        FileHandle.standardOutput.write(Data("\(time) \(ProcessFigures(pid: getpid()).cpu)\n".utf8))
    }

    /// - Returns: seconds.
    private func run(trials: Int, parallelism: Int) async throws -> Double {
        let ends = Ends()
        let version = try await client.list(.pods, namespace: namespace, options: ListOptions(limit: 1)).resourceVersion
        let watch = try await client.watch(
            .pods, namespace: namespace,
            options: WatchOptions(labelSelector: "bench=\(name)", resourceVersion: version, timeoutSeconds: 600))
        let watching = Task {
            for try await line in watch {
                guard let pod = try JSONValue(parsing: line)["object"], let name = pod.at("metadata", "name")?.string,
                    pod.at("status", "phase")?.string == "Succeeded"
                else { continue }
                ends.ended(name)
            }
        }
        defer { watching.cancel() }
        return try await seconds {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<trials {
                    if number >= parallelism { try await group.next() }
                    group.addTask { try await trial("\(name)-\(number)", ends) }
                }
                try await group.waitForAll()
            }
        }
    }

    private func trial(_ name: String, _ ends: Ends) async throws {
        var pod = template
        var metadata = pod["metadata"] ?? [:]
        for field in ["uid", "resourceVersion", "creationTimestamp", "ownerReferences", "managedFields", "generation"] { metadata[field] = nil }
        metadata["name"] = .string(name)
        metadata["labels"] = ["bench": .string(self.name)]
        pod["metadata"] = metadata
        pod["status"] = nil
        var spec = pod["spec"] ?? [:]
        spec["nodeName"] = nil
        pod["spec"] = spec
        let key = ObjectKey(namespace: namespace, name: name)
        try await client.create(.pods, pod, namespace: namespace, keeping: .metadata)
        await ends.wait(for: name)
        var bytes = 0
        for try await chunk in try await client.podLog(key, container: SimulatedTrial.container) { bytes += chunk.count }
        guard bytes > 500 else { throw BenchmarkError("the log of \(name) has \(bytes) bytes") }
        try await client.patch(.pods, key, .merge(["metadata": ["finalizers": .null]]), keeping: .metadata)
        do { try await client.delete(.pods, key, options: DeleteOptions(gracePeriodSeconds: 0), keeping: .metadata) } catch {
            guard error.isNotFound else { throw error }
        }
    }

    private final class Ends: Sendable {
        private let state = Locked((ended: Set<String>(), waiting: [String: CheckedContinuation<Void, Never>]()))

        func ended(_ name: String) {
            state.withLock { state in
                state.ended.insert(name)
                return state.waiting.removeValue(forKey: name)
            }?.resume()
        }

        func wait(for name: String) async {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state -> Bool in
                    if state.ended.contains(name) { return true }
                    state.waiting[name] = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        }
    }
}
