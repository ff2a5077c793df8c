import Base
import KubeClient
import KubeCore

/// The calls that a trial costs any controller, and nothing else: create the pod, wait for its end by a watch, read the collector's
/// log, take the finalizer off, delete. What an operator takes longer than this is its own.
struct PlainLoop: Sendable {
    let client: KubeClient
    /// A pod as the operator creates it.
    let template: JSONValue
    let namespace = "default"

    /// - Returns: seconds.
    func run(trials: Int, parallelism: Int) async throws -> Double {
        let ends = Ends()
        let version = try await client.list(.pods, namespace: namespace, options: ListOptions(limit: 1)).resourceVersion
        let watch = try await client.watch(
            .pods, namespace: namespace,
            options: WatchOptions(labelSelector: "bench=loop", resourceVersion: version, timeoutSeconds: 600))
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
                    group.addTask { try await trial("loop-\(number)", ends) }
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
        metadata["labels"] = ["bench": "loop"]
        pod["metadata"] = metadata
        pod["status"] = nil
        var spec = pod["spec"] ?? [:]
        spec["nodeName"] = nil
        pod["spec"] = spec
        let key = ObjectKey(namespace: namespace, name: name)
        try await client.create(.pods, pod, namespace: namespace)
        await ends.wait(for: name)
        var bytes = 0
        for try await chunk in try await client.podLog(key, container: SimulatedTrial.container) { bytes += chunk.count }
        guard bytes > 500 else { throw BenchmarkError("the log of \(name) has \(bytes) bytes") }
        try await client.patch(.pods, key, .merge(["metadata": ["finalizers": .null]]))
        do { try await client.delete(.pods, key, options: DeleteOptions(gracePeriodSeconds: 0)) } catch {
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
