import AssayAPI
import Base
import KubeClient
import KubeCore
import KubeRuntime
import SourceSync
import TrialPods
import TrialRuntime

/// Runs a build pod to its end. A pod of the name that exists already is followed, not doubled.
struct BuildPods: Sendable {
    let client: KubeClient
    let settings: TrialPodSettings
    let bounds: PodFateBounds
    /// Where contexts are read from; nil: from their origin.
    let cache: SourceCache?
    let time: any TimeSource

    enum End: Sendable, Hashable {
        case built(digest: String, log: String)
        case failed(reason: String, log: String)
        case timedOut(step: String?, log: String)
        case cancelled
    }

    /// What keeps the pod from being made or read.
    private enum Trouble: Error {
        /// Trying again does not help.
        case refused(String)
        case passing(any Error)
    }

    /// Attempts of a build whose pod was evicted or ran out of memory.
    private static let attempts = 3
    /// Seconds for which a refusal by the API server, as of a quota, is waited for.
    private static let refusalSeconds = 600.0
    private static let pollSeconds = 1.0

    /// - Parameter owners: the objects that the pod belongs to now. When the task is cancelled and there are none, the pod is deleted.
    func run(_ request: BuildPodRequest, owners: @Sendable () -> [OwnerReference]) async -> End {
        var interruptions: [String] = []
        while true {
            switch await attempt(request, owners) {
            case .end(let end): return end
            case .interrupted(let why, let log):
                interruptions.append(why)
                guard interruptions.count < Self.attempts else {
                    let reason = "tried \(Self.attempts) times: \(why)"
                    return .failed(reason: reason, log: log.failing(reason))
                }
                Log("evaljob").warning("a build is tried again", ["pod": .string(request.name), "why": .string(why)])
            }
        }
    }

    private enum Attempt {
        case end(End)
        case interrupted(String, BuildLog)
    }

    private func attempt(_ request: BuildPodRequest, _ owners: () -> [OwnerReference]) async -> Attempt {
        let key = ObjectKey(namespace: request.namespace, name: request.name)
        var refusedSince: Double?
        var isCreated = false
        while true {
            if Task.isCancelled { return .end(await cancelled(key, owners())) }
            do throws(Trouble) {
                let found: JSONValue?
                if isCreated { found = try await get(key) } else { found = try await create(request, owners()) }
                guard let pod = found else {
                    if isCreated { return .interrupted("the build pod was deleted", BuildLog()) }
                    try? await time.sleep(seconds: Self.pollSeconds)
                    continue
                }
                (isCreated, refusedSince) = (true, nil)
                try await adopt(pod, owners())
                if let attempt = try await end(of: pod, key, request) { return attempt }
            } catch {
                switch error {
                case .refused(let reason): return .end(.failed(reason: reason, log: BuildLog().failing(reason)))
                case .passing(let error):
                    guard let refusal = error as? KubeError, refusal.isForbidden || refusal.isInvalid else { break }
                    let since = refusedSince ?? time.monotonic()
                    refusedSince = since
                    guard Self.helpsToWait(refusal), time.monotonic() - since < Self.refusalSeconds else {
                        let reason = "the API server refuses the build pod: \(refusal)"
                        return .end(.failed(reason: reason, log: BuildLog().failing(reason)))
                    }
                }
            }
            try? await time.sleep(seconds: Self.pollSeconds)
        }
    }

    /// Whether a refusal may pass by itself: that of a quota does when other pods end.
    private static func helpsToWait(_ refusal: KubeError) -> Bool { "\(refusal)".contains("exceeded quota") }

    /// The build is over for this process. Its pod stays for the next one, unless nobody wants it.
    private func cancelled(_ key: ObjectKey, _ owners: [OwnerReference]) async -> End {
        if owners.isEmpty {
            // The cancelled task's own requests would fail.
            await Task { await delete(key) }.value
        }
        return .cancelled
    }

    private func get(_ key: ObjectKey) async throws(Trouble) -> JSONValue? {
        do { return try await client.get(.pods, key) } catch {
            guard !error.isNotFound else { return nil }
            throw .passing(error)
        }
    }

    /// - Returns: the pod; nil while an earlier one of the name is still being deleted.
    private func create(_ request: BuildPodRequest, _ owners: [OwnerReference]) async throws(Trouble) -> JSONValue? {
        var request = request
        request.owners = owners
        let outcome: CreatedOnce
        do {
            if case .commit(let delivery) = request.program.context {
                request.cache = try cache?.access(
                    forBuild: request.name, TreeReference(context: delivery), namespace: request.namespace, secret: request.sourceSecret?.name,
                    bounds: bounds)
            }
            let pod = try BuildPodBuilder(settings).pod(for: request)
            outcome = try await client.createOnce(.pods, pod, namespace: request.namespace) {
                $0.at("metadata", "labels", BuildPodBuilder.label) != nil
            }
        } catch {
            throw .passing(error)
        }
        switch outcome {
        case .created(let pod): return pod
        case .existed(let pod): return ObjectMeta(of: pod).isDeleting ? nil : pod
        case .taken: throw .refused("a pod of somebody else has the name \(request.name); delete it")
        }
    }

    /// Gives the pod the owners that it lacks. One that is gone is the garbage collector's matter.
    private func adopt(_ pod: JSONValue, _ owners: [OwnerReference]) async throws(Trouble) {
        let metadata = ObjectMeta(of: pod)
        let known = metadata.ownerReferences ?? []
        let missing = owners.filter { owner in !known.contains { $0.uid == owner.uid } }
        guard !missing.isEmpty, !metadata.isDeleting else { return }
        do {
            let references = try (known + missing).map { try JSONValueEncoder().encode($0) }
            var change: JSONValue = ["ownerReferences": .array(references)]
            if let version = metadata.resourceVersion { change["resourceVersion"] = .string(version) }
            _ = try await client.patch(.pods, metadata.key, .merge(["metadata": change]), keeping: .metadata)
        } catch let error as KubeError where error.isConflict || error.isNotFound {
            // The pod has changed: the next look tries again.
        } catch {
            throw .passing(error)
        }
    }

    /// The end of the pod, which is deleted then; nil while it works.
    private func end(of pod: JSONValue, _ key: ObjectKey, _ request: BuildPodRequest) async throws(Trouble) -> Attempt? {
        let fate = BuildPodFate.of(pod, at: time.now(), timeoutSec: request.timeoutSec, bounds: bounds)
        if case .underWay = fate { return nil }
        let log = await self.log(key)
        let attempt: Attempt
        switch fate {
        case .underWay: return nil
        case .built(let digest): attempt = .end(.built(digest: digest, log: log.end))
        case .timedOut:
            attempt = .end(.timedOut(step: log.step, log: log.failing("not over after \(Int(request.timeoutSec)) s")))
        case .interrupted(let why): attempt = .interrupted(why, log)
        case .failed(.builder(let exitCode)):
            let reason = BuildRefusal.reason(log) ?? log.error ?? "the builder ended with \(exitCode)"
            attempt = .end(.failed(reason: reason, log: log.failing(reason)))
        case .failed(.other(let reason)): attempt = .end(.failed(reason: reason, log: log.failing(reason)))
        }
        await delete(key)
        return attempt
    }

    /// The builder's output; empty when it cannot be read.
    private func log(_ key: ObjectKey) async -> BuildLog {
        var log = BuildLog()
        guard let body = try? await client.podLog(key, container: BuildRole.builder.containerName) else { return log }
        do { for try await chunk in body { log.append(chunk) } } catch { log.append(Array("[the rest of the log cannot be read: \(error)]\n".utf8)) }
        return log
    }

    private func delete(_ key: ObjectKey) async {
        do {
            try await client.delete(.pods, key, options: DeleteOptions(gracePeriodSeconds: 0), keeping: .metadata)
        } catch {
            guard !error.isNotFound else { return }
            Log("evaljob").warning("a build pod is not deleted", ["pod": .string(key.description), "error": .string("\(error)")])
        }
    }
}
