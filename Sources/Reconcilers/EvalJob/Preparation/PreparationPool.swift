import AssayAPI
import Base
import EvalModel
import KubeCore
import KubeRuntime
import Planning
import SourceSync

/// A job's plan and where it is stored.
struct KeptPlan: Sendable {
    let prepared: PreparedJob
    let kept: PlanStatus
}

/// Prepares jobs outside the controller's workers: a limited number at a time in the process, each with a deadline. A source that does not
/// answer delays only its own job.
final class PreparationPool: Sendable {
    /// A job at a generation of its spec: when the spec changes, the job is prepared anew.
    struct Key: Hashable, Sendable {
        let job: JobIdentity
        let generation: Int
    }

    typealias Outcome = Result<KeptPlan, ReconcileError>

    /// Seconds that a preparation may take, such as a first clone of a large benchmark over a slow line. For a remote that sends nothing,
    /// git has its own limits.
    static let deadlineSeconds = 1800.0
    /// Preparations at the same time. Fewer of them clone (the budget of `SourceSync`); the others read existing mirrors.
    static let width = 16

    private let tasks: TaskPool<Key, Outcome>
    private let preparation: JobPreparation
    private let plans: PlanStore
    private let credentials: CredentialSource

    init(
        preparation: JobPreparation, plans: PlanStore, credentials: CredentialSource, time: any TimeSource,
        wake: @escaping @Sendable (ObjectKey) -> Void
    ) {
        self.preparation = preparation
        self.plans = plans
        self.credentials = credentials
        tasks = TaskPool(
            width: Self.width, deadlineSeconds: Self.deadlineSeconds, time: time,
            late: { _ in
                .failure(
                    .waiting(
                        .sourceUnreachable,
                        "spec.source.repo: the source was not read within \(Int(Self.deadlineSeconds / 60)) minutes; it is tried again",
                        on: .sourceReady, retryAfterSeconds: 60))
            }, onFinish: { wake($0.job.key) })
    }

    func progress(of key: Key) -> TaskPool<Key, Outcome>.Progress? { tasks.progress(of: key) }

    /// Starts a preparation, unless it has started already.
    /// - Parameters:
    ///   - commit: the commit that the job was pinned to before; nil pins its ref now.
    ///   - sync: how the source comes here.
    ///   - overlays: the job's overlays.
    func start(_ key: Key, job: EvalJob, pinnedTo commit: String?, sync: any SyncStrategy, overlays: [OverlayPin]) {
        tasks.start(key, group: key.job.namespace) { [preparation, plans, credentials] in
            do {
                let pinned = try await preparation.overlays(overlays) { url, secret in
                    try await credentials.credentials(for: url, secret: secret, namespace: key.job.namespace)
                }
                // A task's own repository is public or on the same host as the source: the source's credential is sent to no other host.
                let prepared = try await preparation.prepare(job, pinnedTo: commit, sync: sync, overlays: pinned) { url in
                    try await credentials.credentials(
                        for: url, secret: job.spec.source.secretRef?.name, namespace: key.job.namespace, only: job.spec.source.repo)
                }
                // A missing variable is an error before anything runs.
                if let problem = TaskVariables(prepared, spec: job.spec).problem {
                    throw ReconcileError.stalled(.invalidSpec, problem, on: .ready)
                }
                return .success(KeptPlan(prepared: prepared, kept: try await plans.write(prepared, for: key.job)))
            } catch let error as ReconcileError {
                return .failure(error)
            } catch {
                return .failure(
                    .waiting(.planNotKept, "the job's plan cannot be kept in ConfigMaps: \(error)", on: .sourceReady, retryAfterSeconds: 10))
            }
        }
    }

    /// Cancels a preparation, or discards its outcome.
    func forget(_ key: Key) { tasks.cancel(key) }

    func stop() async { await tasks.stop() }
}
