import Artifacts
import AssayAPI
import Base
import Git
import KubeClient
import KubeCore
import KubeRuntime
import Planning

/// The results backends of jobs. They are opened and checked outside the controller's workers, so that a remote that does not answer delays
/// only the recording of its own jobs.
final class ResultsBackends: Sendable {
    /// A job's backend as it is now.
    struct Current: Sendable {
        /// nil while it is being opened, or when it cannot be opened.
        var recorder: (any RunRecorder)?
        /// Why it cannot be used, or only in part.
        var error: ReconcileError?
        /// As far as is known, it may be written to. A job begins only when this is true.
        var isReady: Bool
        /// Seconds after which to look again.
        var wakeAfter: Double?
    }

    private enum Step: Hashable, Sendable {
        case open
        case check
    }

    private struct Key: Hashable, Sendable {
        let job: JobIdentity
        let generation: Int
        let step: Step
    }

    private enum Outcome: Sendable {
        case opened(any RunRecorder)
        case checked
        case failed(ReconcileError)
        case checkFailed(ArtifactError)
    }

    private struct State {
        var generation: Int
        var recorder: (any RunRecorder)?
        /// The remote was asked and accepts writes.
        var isChecked = false
        /// The remote was asked, and its answer does not hold up the job.
        var isReady = false
        var error: ReconcileError?
        /// When to try again after a failure, by the monotonic clock; nil when only a change of the spec helps.
        var retryAt: Double?
        /// When to read the Secret again, by the monotonic clock.
        var credentialDue = 0.0
    }

    private let client: KubeClient
    private let configuration: OperatorConfiguration
    private let ledgers: LedgerPool
    private let localLedger: LocalLedger?
    private let credentials: CredentialSource
    private let time: any TimeSource
    private let log = Log("results")
    private let tasks: TaskPool<Key, Outcome>
    private let states = Locked<[JobIdentity: State]>([:])

    /// Seconds for opening or checking a backend. For a remote that sends nothing, git has its own, shorter limits.
    private static let deadlineSeconds = 120.0
    private static let width = 16

    init(
        client: KubeClient, configuration: OperatorConfiguration, ledgers: LedgerPool, credentials: CredentialSource, time: any TimeSource,
        wake: @escaping @Sendable (ObjectKey) -> Void
    ) {
        self.client = client
        self.configuration = configuration
        self.ledgers = ledgers
        self.credentials = credentials
        self.time = time
        localLedger = configuration.resultsDirectory.map { LocalLedger(directory: $0, scratch: "\(configuration.stateDirectory)/unpack") }
        tasks = TaskPool(
            width: Self.width, deadlineSeconds: Self.deadlineSeconds, time: time,
            late: { key in
                let message = "the remote did not answer within \(Int(Self.deadlineSeconds)) seconds"
                return key.step == .check
                    ? .checkFailed(ArtifactError(.unreachable, message))
                    : .failed(.waiting(.remoteUnreachable, "spec.artifacts.git.remote: \(message)", on: .artifactsReady, retryAfterSeconds: 30))
            }, onFinish: { wake($0.job.key) })
    }

    /// The job's backend. Starts opening or checking it if needed. Never waits for a remote.
    func current(of job: EvalJob, _ identity: JobIdentity) async -> Current {
        let hasStarted = job.status?.startTime != nil
        let state = advance(job, identity, hasStarted: hasStarted)
        if let recorder = state.recorder { await renewCredential(of: job, identity, recorder) }
        return Current(
            recorder: state.recorder, error: state.error, isReady: state.recorder != nil && state.isReady,
            wakeAfter: state.retryAt.map { max(0.05, $0 - time.monotonic()) })
    }

    func forget(_ job: JobIdentity) {
        guard let state = states.withLock({ $0.removeValue(forKey: job) }) else { return }
        for step in [Step.open, .check] { tasks.cancel(Key(job: job, generation: state.generation, step: step)) }
    }

    func stop() async { await tasks.stop() }

    private func advance(_ job: EvalJob, _ identity: JobIdentity, hasStarted: Bool) -> State {
        let generation = job.metadata.generation ?? 0
        // Until a job begins its spec may change, and then everything derived from it is forgotten.
        if !hasStarted, let known = states.withLock({ $0[identity]?.generation }), known != generation { forget(identity) }
        return states.withLock { states in
            var state = states[identity] ?? State(generation: generation)
            defer { states[identity] = state }
            let now = time.monotonic()
            let open = Key(job: identity, generation: state.generation, step: .open)
            let check = Key(job: identity, generation: state.generation, step: .check)
            for key in [open, check] {
                guard let outcome = tasks.take(key) else { continue }
                switch outcome {
                case .opened(let recorder): (state.recorder, state.error, state.retryAt) = (recorder, nil, nil)
                case .checked: (state.isChecked, state.isReady, state.error, state.retryAt) = (true, true, nil, nil)
                case .failed(let error): (state.error, state.retryAt) = (error, error.retryAfterSeconds.map { now + $0 })
                case .checkFailed(let error):
                    // On the laptop an unreachable remote holds up no job: results are kept locally until the remote answers again. A job
                    // that has begun goes on, and the ledger says why results wait.
                    state.error = Self.judge(error, needsRemote: configuration.setting == .cluster, started: hasStarted)
                    state.isReady = state.error == nil
                    state.retryAt = now + (state.error?.retryAfterSeconds ?? 15)
                    if case .stalled = state.error { state.retryAt = nil }
                }
            }
            if let retryAt = state.retryAt, retryAt > now { return state }
            if state.recorder == nil {
                // An error without a time to try again stays until the spec changes.
                guard state.error == nil || state.retryAt != nil else { return state }
                state.retryAt = nil
                tasks.start(open, group: identity.namespace) { [self] in
                    do throws(ReconcileError) { return .opened(try await self.open(job, identity)) } catch { return .failed(error) }
                }
            } else if let recorder = state.recorder, !state.isChecked {
                guard state.error == nil || state.retryAt != nil else { return state }
                state.retryAt = nil
                tasks.start(check, group: identity.namespace) {
                    do throws(ArtifactError) {
                        try await recorder.check()
                        return .checked
                    } catch {
                        return .checkFailed(error)
                    }
                }
            }
            return state
        }
    }

    /// The error that a failed check means for a job; nil when the job may continue.
    private static func judge(_ error: ArtifactError, needsRemote: Bool, started: Bool) -> ReconcileError? {
        switch error.kind {
        case .branchIsDefault: .stalled(.branchIsDefault, "spec.artifacts.git.branch: \(error.message)", on: .artifactsReady)
        case .invalid: .stalled(.invalidSpec, "spec.artifacts.git: \(error.message)", on: .artifactsReady)
        case .refused where !started: .waiting(.remoteRejected, "spec.artifacts.git: \(error.message)", on: .artifactsReady, retryAfterSeconds: 60)
        default:
            needsRemote && !started
                ? .waiting(.remoteUnreachable, "spec.artifacts.git.remote: \(error.message)", on: .artifactsReady, retryAfterSeconds: 15) : nil
        }
    }

    /// Opens the job's backend now and waits for it, however long that takes.
    func open(_ job: EvalJob, _ identity: JobIdentity) async throws(ReconcileError) -> any RunRecorder {
        let spec = job.spec.artifacts
        guard spec.backend == .git else {
            guard let localLedger else {
                throw .stalled(
                    .noResultsVolume,
                    "spec.artifacts.backend: \"local\" needs a results volume, and this operator has none; use backend: git, or start the "
                        + "operator with --results-dir on a persistent volume", on: .artifactsReady)
            }
            return DirectoryRecorder(ledger: localLedger)
        }
        guard let git = spec.git else {
            throw .stalled(.invalidSpec, "spec.artifacts.git: required for backend: git", on: .artifactsReady)
        }
        do {
            let url = try GitURL(parsing: git.remote, allowing: configuration.urlPolicy)
            let credential = try await credentials.pushCredentials(for: url, secret: git.secretRef?.name, namespace: identity.namespace)
            let branch = try GitBranch(parsing: git.branch)
            let path = try git.path.map { text throws(GitError) in try GitPath(parsing: text) } ?? .root
            let secret = credential.key.isEmpty ? nil : git.secretRef.map { "\(identity.namespace)/\($0.name)" }
            let lease = try await ledgers.lease(.init(url, credentials: credential), branch: branch, path: path, secret: secret)
            return GitRecorder(lease: lease, branch: branch, job: identity.uid, needsRemote: configuration.setting == .cluster)
        } catch let error as GitError {
            throw .stalled(.invalidSpec, "spec.artifacts.git: \(error.message)", on: .artifactsReady)
        } catch let error as ReconcileError {
            throw error.on(.artifactsReady)
        } catch {
            throw .waiting(.remoteUnreachable, "spec.artifacts.git: \(error)", on: .artifactsReady, retryAfterSeconds: 30)
        }
    }

    // MARK: The job's Secret

    /// Reads the credential again. Secrets are rotated while jobs run (a GitHub App's token each hour), so they are read each minute, and
    /// soon after the remote rejected a credential.
    private func renewCredential(of job: EvalJob, _ identity: JobIdentity, _ recorder: any RunRecorder) async {
        guard let git = job.spec.artifacts.git, let secret = git.secretRef?.name else { return }
        let now = time.monotonic()
        let hasFailed = await recorder.state().failure != nil
        let isDue = states.withLock { states in
            guard var state = states[identity], now >= state.credentialDue - (hasFailed ? 55 : 0) else { return false }
            state.credentialDue = now + 60
            states[identity] = state
            return true
        }
        guard isDue, let url = try? GitURL(parsing: git.remote, allowing: configuration.urlPolicy) else { return }
        do {
            await recorder.use(try await credentials.credentials(for: url, secret: secret, namespace: identity.namespace))
        } catch {
            // The credential read before may still be valid; if it is not, the remote reports that.
            log.debug("the credential for results could not be read again", ["object": .string(identity.description), "error": .string("\(error)")])
        }
    }

    /// Whether the Secret that the job's results are pushed with is gone; then nothing can be recorded any more.
    /// - Throws: `KubeError` when the API server cannot be asked.
    func secretIsGone(_ job: EvalJob, _ identity: JobIdentity) async throws -> Bool {
        guard job.spec.artifacts.backend == .git, let secret = job.spec.artifacts.git?.secretRef?.name else { return false }
        do {
            _ = try await client.get(.secrets, ObjectKey(namespace: identity.namespace, name: secret))
            return false
        } catch {
            guard error.isNotFound else { throw error }
            return true
        }
    }
}
