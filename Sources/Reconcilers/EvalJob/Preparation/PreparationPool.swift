import AssayAPI
import Base
import EvalModel
import KubeCore
import KubeRuntime
import SourceSync

/// A job with a plan, and where the plan is kept.
struct KeptPlan: Sendable {
    let prepared: PreparedJob
    let kept: PlanStatus
}

/// Prepares jobs beside the controller's workers: so many at a time in the process, each with a deadline. A source that does not answer
/// holds up its own job only.
final class PreparationPool: Sendable {
    /// A job at a generation of its spec: another spec is another preparation.
    struct Key: Hashable, Sendable {
        let job: JobIdentity
        let generation: Int
    }

    typealias Outcome = Result<KeptPlan, ReconcileError>

    /// Seconds that a preparation may take: a first clone of a large benchmark over a slow line. git has limits of its own for a remote
    /// that sends nothing.
    static let deadlineSeconds = 1800.0
    /// Preparations at the same time. Clones are fewer (the budget of `SourceSync`); the others read what is there.
    static let width = 16

    private let tasks: TaskPool<Key, Outcome>
    private let preparation: JobPreparation
    private let plans: PlanStore
    private let credentials: CredentialSource

    init(preparation: JobPreparation, plans: PlanStore, credentials: CredentialSource, time: any TimeSource, wake: @escaping @Sendable (ObjectKey) -> Void) {
        self.preparation = preparation
        self.plans = plans
        self.credentials = credentials
        tasks = TaskPool(
            width: Self.width, deadlineSeconds: Self.deadlineSeconds, time: time,
            late: { _ in
                .failure(
                    .waiting(
                        .sourceUnreachable, "spec.source.repo: the source was not read within \(Int(Self.deadlineSeconds / 60)) minutes; it is tried again",
                        on: .sourceReady, retryAfterSeconds: 60))
            }, onFinish: { wake($0.job.key) })
    }

    func progress(of key: Key) -> TaskPool<Key, Outcome>.Progress? { tasks.progress(of: key) }

    /// Begins, unless it has begun.
    /// - Parameter commit: what the job was pinned to before; nil pins its ref now.
    func start(_ key: Key, job: EvalJob, pinnedTo commit: String?) {
        tasks.start(key, group: key.job.namespace) { [preparation, plans, credentials] in
            do {
                // A task's own repository is public, or on the host of the source: its credential goes nowhere else.
                let prepared = try await preparation.prepare(job, pinnedTo: commit) { url in
                    try await credentials.credentials(
                        for: url, secret: job.spec.source.secretRef?.name, namespace: key.job.namespace, only: job.spec.source.repo)
                }
                return .success(KeptPlan(prepared: prepared, kept: try await plans.write(prepared, for: key.job)))
            } catch let error as ReconcileError {
                return .failure(error)
            } catch {
                return .failure(.waiting(.planNotKept, "the job's plan cannot be kept in ConfigMaps: \(error)", on: .sourceReady, retryAfterSeconds: 10))
            }
        }
    }

    /// Ends a preparation, or forgets its outcome.
    func forget(_ key: Key) { tasks.cancel(key) }

    func stop() async { await tasks.stop() }
}
