import AssayAPI
import Base
import Git
import KubeClient
import KubeCore
import KubeRuntime
import Planning
import SourceSync

/// Resolves the ref of an OverlaySource to a revision at its interval, lists what the revision offers, and writes both to the status.
///
/// - Guarantees: the revision in the status is complete in the mirror; while the repository cannot be read, the last good revision stays and
///   the condition says why; a check that finds nothing new writes nothing. No worker waits for a repository.
final class OverlaySourceReconciler: Sendable {
    /// Repositories that are read at the same time. Fewer of them clone (the budget of `SourceSync`).
    private static let width = 8
    /// Seconds that reading a repository may take, such as a first clone over a slow line.
    private static let deadlineSeconds = 1800.0

    private struct Work: Hashable, Sendable {
        let key: ObjectKey
        let version: OverlayChecks.Version
    }

    private let overlays: Store<OverlaySource>
    let checks: OverlayChecks
    private let hasCache: Bool
    private let resolver: SourceResolver
    private let credentials: CredentialSource
    private let events: EventRecorder
    private let writer: StatusWriter<OverlaySource>
    private let pool: TaskPool<Work, OverlayChecks.Outcome>
    private let time: any TimeSource
    private let hasChecked: @Sendable (ObjectKey) -> Void
    private let running = Locked<[ObjectKey: Work]>([:])

    /// - Parameters:
    ///   - hasCache: whether trial pods read from the cache service. Without it no overlay is ready.
    ///   - wake: asks for a reconcile of an overlay.
    ///   - hasChecked: called when a look at a repository has ended, whatever it found.
    init(
        client: KubeClient, overlays: Store<OverlaySource>, checks: OverlayChecks, hasCache: Bool, resolver: SourceResolver,
        credentials: CredentialSource, events: EventRecorder, time: any TimeSource, wake: @escaping @Sendable (ObjectKey) -> Void,
        hasChecked: @escaping @Sendable (ObjectKey) -> Void
    ) {
        self.overlays = overlays
        self.checks = checks
        self.hasCache = hasCache
        self.resolver = resolver
        self.credentials = credentials
        self.events = events
        self.time = time
        self.hasChecked = hasChecked
        writer = StatusWriter(client: client, gate: WriteGate(time: time))
        pool = TaskPool(
            width: Self.width, deadlineSeconds: Self.deadlineSeconds, time: time,
            late: { _ in .failure(OverlayFailure(.sourceUnreachable, "the repository was not read within \(Int(Self.deadlineSeconds / 60)) minutes"))
            },
            onFinish: { wake($0.key) })
    }

    func reconcile(_ key: ObjectKey) async -> ReconcileOutcome {
        guard let overlay = overlays.get(key), !overlay.metadata.isDeleting else {
            cancel(key)
            checks.forget(key)
            writer.gate.forget(key)
            return .done
        }
        let work = Work(key: key, version: .init(overlay))
        if running.withLock({ $0[key] }).map({ $0 != work || overlay.spec.suspend }) == true { cancel(key) }
        var hasEnded = false
        if let outcome = pool.take(work) {
            running.withLock { _ = $0.removeValue(forKey: key) }
            checks.ended(overlay, outcome)
            hasEnded = true
        }
        defer { if hasEnded { hasChecked(key) } }
        guard writer.gate.isCurrent(key, in: overlays) else { return .waiting(afterSeconds: 0.05) }
        do { try await writeStatus(overlay) } catch { return .retry(error) }
        return next(overlay, work)
    }

    func stop() async { await pool.stop() }

    // MARK: Looking

    /// Starts a look when one is due.
    private func next(_ overlay: OverlaySource, _ work: Work) -> ReconcileOutcome {
        guard !overlay.spec.suspend, running.withLock({ $0[work.key] }) == nil else { return .done }
        let now = time.monotonic()
        let due = checks.check(of: overlay).due(intervalSeconds: Self.interval(overlay.spec))
        guard due <= now else { return .requeue(afterSeconds: due - now) }
        running.withLock { $0[work.key] = work }
        checks.began(overlay, at: now)
        let known = checks.check(of: overlay).found
        pool.start(work, group: work.key.namespace) { [resolver, credentials] in await Self.look(at: overlay, known, resolver, credentials) }
        return .done
    }

    private func cancel(_ key: ObjectKey) {
        if let old = running.withLock({ $0.removeValue(forKey: key) }) { pool.cancel(old) }
    }

    /// In seconds. The schema refuses less than a second.
    static func interval(_ spec: OverlaySourceSpec) -> Double { max(1, DurationText.seconds(spec.interval) ?? 60) }

    private static func look(
        at overlay: OverlaySource, _ known: PinnedOverlay?, _ resolver: SourceResolver, _ credentials: CredentialSource
    ) async -> OverlayChecks.Outcome {
        let spec = overlay.spec
        let secret = spec.secretRef?.name
        do {
            let paths = try spec.paths()
            let git = try await credentials.credentials(for: try resolver.url(spec.repo), secret: secret, namespace: overlay.key.namespace)
            return .success(
                try await resolver.overlay(
                    overlay.key.name, repo: spec.repo, ref: spec.ref, paths: paths, secret: secret, credentials: git, known: known))
        } catch let error as SourceError {
            return .failure(OverlayFailure(error))
        } catch let error as GitError {
            return .failure(OverlayFailure(SourceError(error)))
        } catch let error as ReconcileError {
            return .failure(OverlayFailure(error.reason, error.message))
        } catch {
            return .failure(OverlayFailure(.sourceUnreachable, "\(error)"))
        }
    }

    // MARK: Status

    private func writeStatus(_ overlay: OverlaySource) async throws {
        let namespace = overlay.key.namespace
        let others = overlays.entries().filter { $0.key.namespace == namespace }.map(\.object)
        let computation = OverlayStatusComputation(
            outcome: overlay.spec.suspend ? nil : checks.check(of: overlay).outcome, others: others, hasCache: hasCache, now: time.now())
        let written = try await writer.write(overlay) { current in
            // The findings apply to the spec that was looked at.
            guard current.metadata.generation == overlay.metadata.generation else { return nil }
            return computation.status(of: current)
        }
        announce(before: overlay.status, after: written?.status, overlay)
    }

    /// Writes an Event when the overlay becomes ready at another revision, and when it ceases to be ready.
    private func announce(before: OverlaySourceStatus?, after: OverlaySourceStatus?, _ overlay: OverlaySource) {
        guard let after, let uid = overlay.metadata.uid,
            let ready = after.conditions.first(where: { $0.type == ConditionType.ready.rawValue })
        else { return }
        let was = before?.conditions.first { $0.type == ConditionType.ready.rawValue }
        let subject = EventSubject(.overlaySources, overlay.key, uid: uid)
        if ready.isTrue, after.revision != before?.revision {
            events.record(.normal, reason: ready.reason ?? "", message: ready.message ?? "", on: subject)
        } else if ready.isFalse, was?.status != ready.status || was?.reason != ready.reason {
            events.record(.warning, reason: ready.reason ?? "", message: ready.message ?? "", on: subject)
        }
    }
}
