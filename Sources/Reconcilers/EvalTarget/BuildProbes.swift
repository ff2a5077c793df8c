import AssayAPI
import Base
import KubeCore
import KubeRuntime
import Registry
import TrialPods
import TrialRuntime

/// Checks targets that build images: each builds and stores an image of three lines, once for each generation of its spec. What fails is tried again
/// after a while, since its cause may be outside the target.
final class BuildProbes: Sendable {
    private struct Key: Hashable {
        let target: ObjectKey
        let uid: String
        let generation: Int
    }

    private let pods: BuildPods
    private let time: any TimeSource
    private let pool: TaskPool<Key, BuildPods.End>
    /// The last answer for each target, and when to ask again, by the monotonic clock.
    private let answers = Locked<[ObjectKey: (key: Key, answer: Preflight.Answer, retryAt: Double)]>([:])
    /// The check of each target that is under way. Nobody wants the pod of any other check.
    private let running = Locked<[ObjectKey: Key]>([:])

    private static let timeoutSeconds = 300.0

    init(pods: BuildPods, time: any TimeSource, wake: @escaping @Sendable (ObjectKey) -> Void) {
        self.pods = pods
        self.time = time
        pool = TaskPool(
            width: 4, deadlineSeconds: 7200, time: time, late: { _ in .failed(reason: "the check did not end within two hours", log: "") },
            onFinish: { wake($0.target) })
    }

    /// The state of the check of a target, which is started if need be.
    ///
    /// - Parameter known: the answer that the target's status has for its present spec, from an earlier process.
    func state(of target: EvalTarget, known: Preflight.Answer?) -> Preflight.State {
        guard let build = target.spec.image?.build, let uid = target.metadata.uid else {
            forget(target.key)
            return .answered(.works)
        }
        let key = Key(target: target.key, uid: uid, generation: target.metadata.generation ?? 0)
        cancel(target.key, unless: key)
        if let end = pool.take(key) {
            running.withLock { $0[target.key] = nil }
            let answer = Self.answer(end)
            answers.withLock { $0[target.key] = (key, answer, time.monotonic() + Preflight.retrySeconds) }
        }
        let last = answers.withLock { $0[target.key].flatMap { $0.key == key ? $0 : nil } }
        if let last {
            if last.answer == .works || last.retryAt > time.monotonic() { return .answered(last.answer) }
        } else if known == .works {
            return .answered(.works)
        }
        start(key, target, build)
        return .running(last: last?.answer ?? known)
    }

    /// Stops the check of a target that is gone, or builds no images any more, and deletes its pod.
    func forget(_ target: ObjectKey) {
        _ = answers.withLock { $0.removeValue(forKey: target) }
        cancel(target)
    }

    private func cancel(_ target: ObjectKey, unless wanted: Key? = nil) {
        let unwanted = running.withLock { running -> Key? in
            guard let key = running[target], key != wanted else { return nil }
            running[target] = nil
            return key
        }
        if let unwanted { pool.cancel(unwanted) }
    }

    /// Ends without deleting pods: the next process follows them.
    func stop() async { await pool.stop() }

    private func start(_ key: Key, _ target: EvalTarget, _ build: BuildSpec) {
        let owner = OwnerReference(
            apiVersion: EvalTarget.resource.apiVersion, kind: EvalTarget.resource.kind, name: target.metadata.name, uid: key.uid)
        let repository = try? ImageRepository(parsing: build.registry, defaultPath: BuildRegistry.defaultPath)
        let request = BuildPodRequest(
            name: "assay-probe-\(SHA256.hex(of: "\(key.uid) \(key.generation)".utf8).prefix(20))", namespace: target.metadata.namespace ?? "default",
            owners: [], target: target.spec, build: build,
            program: BuildProgram(context: .probe, repository: repository?.address ?? build.registry, tag: "preflight"),
            timeoutSec: Self.timeoutSeconds)
        running.withLock { $0[key.target] = key }
        pool.start(key, group: key.uid) { [pods, running] in
            await pods.run(request) { running.withLock { $0[key.target] == key } ? [owner] : [] }
        }
    }

    private static func answer(_ end: BuildPods.End) -> Preflight.Answer {
        switch end {
        case .built: .works
        case .failed(let reason, _): .fails("images cannot be built: \(reason)")
        case .timedOut: .fails("images cannot be built: a build of three lines is not over after \(Int(timeoutSeconds)) s")
        case .cancelled: .fails("the check was stopped")
        }
    }
}
