import APIServer
import AssayAPI
import AssayTesting
import Base
import EvalModel
import KubeClient
import KubeCore
import KubeRuntime
import TrialPods
import TrialRuntime

/// How the life of a pod goes.
enum Fate: Sendable {
    /// A verdict, with outputs in the collector's log.
    case success(Double)
    /// A verdict whose outputs never reach the log.
    case successWithoutLog(Double)
    /// A verdict, and the log was rotated away while it was read: one half of the outputs is gone.
    case successWithRotatedLog(Double, hasBeginning: Bool)
    /// A verdict, with what an agent said of its tokens and cost.
    case successWithUsage(Double, AgentUsage)
    /// A verdict, after the phases setup, install, execute and verify, of a millisecond each.
    case successWithPhases(Double)
    /// An outcome that the collector reports.
    case failure(TrialErrorType)
    /// The same, with a message.
    case failureSaying(TrialError)
    case evicted
    case initFailed
    /// Deleted by somebody before it ends; its finalizer holds it.
    case deleted
    /// The same, and somebody takes the finalizer off: it is gone.
    case vanishes
    /// A verdict, and the eviction comes after it.
    case succeededThenEvicted(Double)
    /// Runs until it is told otherwise.
    case never
    /// Waits to start until it is told otherwise; nothing is written.
    case pending
    /// A status as a kubelet or a scheduler wrote it.
    case recorded(JSONValue)
}

/// A node that plays the lives of pods by writing their status, as a kubelet would, without containers.
final class FakeNode: PodLogProvider {
    struct Pod: Sendable {
        var key: ObjectKey
        var uid: String
        var index: Int
        var retry: Int
        var name: String { key.name }
    }

    let client: KubeClient
    /// How many of the next reads of a log fail, as they do while a kubelet restarts.
    let logFailures = Locked(0)
    /// Until when, by the monotonic clock, every read of a log fails.
    let logsFailUntil = Locked(0.0)
    private let pods: Reflector<JSONValue>
    private let fate: @Sendable (Pod) -> Fate
    private let binds: Bool
    private let pack: TestPack
    private let running = Locked<Task<Void, Never>?>(nil)

    private struct State {
        var seen: [String: Pod] = [:]
        /// Those whose own fate has been played.
        var settled: Set<String> = []
        var killed: Set<String> = []
        var logs: [String: [UInt8]] = [:]
        var active: Set<String> = []
        var mostActive = 0
    }
    private let state = Locked(State())

    /// - Parameter binds: gives each pod to a node first, so that its deletion waits for the node.
    init(_ client: KubeClient, pack: TestPack, binds: Bool = true, fate: @escaping @Sendable (Pod) -> Fate) {
        self.client = client
        self.pack = pack
        self.binds = binds
        self.fate = fate
        pods = Reflector(client: client, type: .pods, log: Log("fake-node")) { $0 }
    }

    /// Every pod that was ever there, in the order of their names.
    var seen: [Pod] { state.withLock { Array($0.seen.values) }.sorted { ($0.index, $0.retry, $0.uid) < ($1.index, $1.retry, $1.uid) } }
    /// How many pods have got their fate.
    var settledCount: Int { state.withLock { $0.settled.count } }
    /// The most pods that ran at the same time.
    var mostActive: Int { state.withLock { $0.mostActive } }
    var present: [JSONValue] { pods.store.all() }

    func start() {
        pods.store.subscribe { [self] change in
            if case .deleted(let entry) = change {
                _ = state.withLock { $0.active.remove(entry.uid) }
                return
            }
            let object = change.latest.object
            Task { try? await self.look(at: object) }
        }
        let task = Task { [pods] in await pods.run() }
        running.withLock { $0 = task }
    }

    func stop() async {
        let task = running.withLock { $0 }
        task?.cancel()
        await task?.value
    }

    private func look(at object: JSONValue) async throws {
        let metadata = ObjectMeta(of: object)
        guard let uid = metadata.uid, let identity = TrialPodIdentity(labels: metadata.labels) else { return }
        let pod = Pod(key: metadata.key, uid: uid, index: identity.index, retry: identity.retry)
        if metadata.isDeleting {
            _ = await eventually { self.state.withLock { $0.seen[uid] == nil || $0.settled.contains(uid) } }
            let first = state.withLock { $0.killed.insert(uid).inserted }
            if first, object.at("status", "phase")?.string != "Failed", object.at("status", "phase")?.string != "Succeeded" { try await kill(pod) }
            return
        }
        let isNew = state.withLock { state in
            guard state.seen.updateValue(pod, forKey: uid) == nil else { return false }
            state.active.insert(uid)
            state.mostActive = max(state.mostActive, state.active.count)
            return true
        }
        guard isNew else { return }
        defer { _ = state.withLock { $0.settled.insert(uid) } }
        if binds {
            let binding: JSONValue = [
                "apiVersion": "v1", "kind": "Binding", "metadata": ["name": .string(pod.name), "namespace": .string(pod.key.namespace)],
                "target": ["apiVersion": "v1", "kind": "Node", "name": "node-1"],
            ]
            _ = try? await client.send(
                KubeRequest(
                    method: "POST", path: "/api/v1/namespaces/\(pod.key.namespace)/pods/\(pod.name)/binding", body: binding.serialized(),
                    contentType: "application/json"))
        }
        try await live(pod, fate(pod))
    }

    /// Lets a pod's life go on, once the fate that it has by itself has been played: that one's status would otherwise be written over this one's.
    func play(_ pod: Pod, _ fate: Fate) async throws {
        _ = await eventually { self.state.withLock { $0.settled.contains(pod.uid) } }
        try await live(pod, fate)
    }

    private func live(_ pod: Pod, _ fate: Fate) async throws {
        switch fate {
        case .pending: break
        case .recorded(let status): try await write(pod, status)
        case .never:
            try await write(pod, ["phase": "Running"], [:])
        case .success(let reward), .successWithoutLog(let reward), .succeededThenEvicted(let reward), .successWithRotatedLog(let reward, _),
            .successWithUsage(let reward, _), .successWithPhases(let reward):
            var report = TrialReport(reward: reward, rewards: ["reward": reward], lastPhase: .verify, exitCodes: ["execute": 0, "verify": 0])
            report.pack = pack.description
            if case .successWithUsage(_, let usage) = fate {
                report.usage = usage
                report[.execute] = .init(start: 1_750_000_000_000, end: 1_750_000_360_000)
            }
            if case .successWithPhases = fate {
                var now = SystemTime().now().epochMilliseconds
                for phase in [TrialPhase.setup, .install, .execute, .verify] {
                    report[phase] = .init(start: now, end: now + 1)
                    now += 1
                }
            }
            let half = pack.framed.count / 2
            let log: [UInt8]? =
                switch fate {
                case .successWithoutLog: nil
                case .successWithRotatedLog(_, let hasBeginning): Array(hasBeginning ? pack.framed[..<half] : pack.framed[half...])
                default: pack.framed
                }
            state.withLock { $0.logs[pod.uid] = log }
            if case .succeededThenEvicted = fate {
                try await end(pod, report, phase: ["phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."])
            } else {
                try await end(pod, report, phase: ["phase": "Succeeded"])
            }
        case .failure(let type):
            try await live(pod, .failureSaying(TrialError(type, "as told")))
        case .failureSaying(let error):
            let report = TrialReport(error: error, lastPhase: .execute, exitCodes: ["execute": 1], pack: pack.description)
            state.withLock { $0.logs[pod.uid] = pack.framed }
            try await end(pod, report, phase: ["phase": "Failed"])
        case .evicted:
            try await write(pod, ["phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."], [:])
        case .initFailed:
            let message = #"{"error":{"type":"source_sync_failed","message":"the remote hung up"}}"#
            try await write(
                pod, ["phase": "Failed"],
                ["repo-cache": ["terminated": ["exitCode": 1, "reason": "Error", "message": .string(message), "finishedAt": Self.now]]], isInit: true)
        case .deleted:
            try await write(pod, ["phase": "Running"], [:])
            _ = try await client.delete(.pods, pod.key, options: DeleteOptions(uid: pod.uid))
        case .vanishes:
            try await write(pod, ["phase": "Running"], [:])
            try await vanish(pod)
        }
    }

    /// The node does not hear of the pod any more.
    func ignore(_ pod: Pod) { _ = state.withLock { $0.killed.insert(pod.uid) } }

    /// Removes a pod by force, finalizer and all.
    func vanish(_ pod: Pod) async throws {
        _ = state.withLock { $0.killed.insert(pod.uid) }
        _ = try await client.patch(.pods, pod.key, .merge(["metadata": ["finalizers": .null, "uid": .string(pod.uid)]]))
        _ = try await client.delete(.pods, pod.key, options: DeleteOptions(gracePeriodSeconds: 0, uid: pod.uid))
    }

    /// The pod is being deleted: its containers end, then it goes unless a finalizer holds it.
    private func kill(_ pod: Pod) async throws {
        let report = TrialReport(lastPhase: .execute, interrupted: true)
        try await end(pod, report, phase: ["phase": "Failed"], exitCode: 143)
        _ = try await client.delete(.pods, pod.key, options: DeleteOptions(gracePeriodSeconds: 0, uid: pod.uid))
    }

    private func end(_ pod: Pod, _ report: TrialReport, phase: JSONValue, exitCode: Int = 0) async throws {
        let message = String(decoding: report.terminationMessage(), as: UTF8.self)
        try await write(
            pod, phase,
            [
                "trial": ["terminated": ["exitCode": JSONValue(exitCode), "reason": exitCode == 0 ? "Completed" : "Error", "finishedAt": Self.now]],
                "collector": ["terminated": ["exitCode": 0, "reason": "Completed", "message": .string(message), "finishedAt": Self.now]],
            ])
    }

    private static var now: JSONValue { .string(SystemTime().now().rfc3339) }

    private func write(_ pod: Pod, _ phase: JSONValue, _ states: [String: JSONValue], isInit: Bool = false) async throws {
        var status = phase
        status["startTime"] = Self.now
        if !states.isEmpty {
            status[isInit ? "initContainerStatuses" : "containerStatuses"] = .array(
                states.sorted { $0.key < $1.key }.map { name, state in
                    ["name": .string(name), "image": "x", "imageID": "", "ready": false, "restartCount": 0, "state": state]
                })
        }
        try await write(pod, status)
    }

    private func write(_ pod: Pod, _ status: JSONValue) async throws {
        do {
            _ = try await client.patch(.pods, pod.key, .merge(["metadata": ["uid": .string(pod.uid)], "status": status]), subresource: "status")
        } catch {
            guard error.isNotFound || error.isConflict else { throw error }
        }
        if !["Running", "Pending"].contains(status["phase"]?.string) { _ = state.withLock { $0.active.remove(pod.uid) } }
    }

    // MARK: Logs

    func log(of container: PodLogTarget, options: LogOptions) async throws -> AsyncThrowingStream<[UInt8], any Error> {
        let fails = logFailures.withLock { left in
            defer { left = max(0, left - 1) }
            return left > 0
        }
        if fails || SystemTime().monotonic() < logsFailUntil.withLock({ $0 }) {
            throw PodLogUnavailable(status: 500, message: "the kubelet restarts")
        }
        guard let bytes = state.withLock({ $0.logs[container.uid] }) else { throw PodLogUnavailable(status: 404, message: "the log is gone") }
        return AsyncThrowingStream { continuation in
            continuation.yield(bytes)
            continuation.finish()
        }
    }
}
