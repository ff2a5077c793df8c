import AssayAPI
import Base
import Git
import KubeCore
import KubeRuntime
import Planning
import SourceSync

/// Keeps the benchmarks of targets with `sync: continuous` up to date: what their jobs name is synced again whenever the target's interval
/// has passed.
final class TargetSyncs: Sendable {
    /// The state of a target's benchmarks.
    struct Report: Sendable, Hashable {
        /// Of the last sync that succeeded; nil before the first one.
        var commit: String?
        var time: Timestamp?
        /// Seconds since a newer commit of a benchmark was seen, of the one that waits longest; 0 when none waits, nil before the first sync.
        var lagSeconds: Int?
        /// Why the last sync of a benchmark failed; nil when none did.
        var failure: String?
        /// Seconds until the next sync is due.
        var nextSeconds: Double
    }

    private struct Benchmark: Hashable, Comparable, Sendable {
        let repo: String
        let ref: String?
        let secret: String?

        private var words: [String] { [repo, ref ?? "", secret ?? ""] }

        static func < (left: Benchmark, right: Benchmark) -> Bool { left.words.lexicographicallyPrecedes(right.words) }
    }

    private struct Key: Hashable, Sendable {
        let target: ObjectKey
        let generation: Int
        let benchmark: Benchmark
    }

    private struct Last: Sendable {
        var commit: String?
        var time: Timestamp?
        var failure: String?
        /// When the last try ended, by the monotonic clock.
        var at: Double
    }

    /// The most benchmarks of one target that are kept up to date.
    private static let limit = 100
    /// Seconds for one sync; a clone has its own limits.
    private static let deadlineSeconds = 1800.0

    private let resolver: SourceResolver
    private let credentials: CredentialSource
    private let time: any TimeSource
    private let pool: TaskPool<Key, Result<PinnedSource, SourceError>>
    private let last = Locked<[ObjectKey: [Key: Last]]>([:])
    /// When a commit was first seen that is newer than the synced one, by the monotonic clock.
    private let behindSince = Locked<[Key: Double]>([:])

    init(resolver: SourceResolver, credentials: CredentialSource, time: any TimeSource, wake: @escaping @Sendable (ObjectKey) -> Void) {
        self.resolver = resolver
        self.credentials = credentials
        self.time = time
        pool = TaskPool(
            width: 4, deadlineSeconds: Self.deadlineSeconds, time: time,
            late: { _ in .failure(SourceError(.sourceSyncFailed, "the sync did not end within \(Int(Self.deadlineSeconds / 60)) minutes")) },
            onFinish: { wake($0.target) })
    }

    /// Starts the syncs that are due.
    ///
    /// - Parameter jobs: those on the target.
    /// - Returns: nil for a target with another strategy.
    func state(of target: EvalTarget, jobs: [EvalJob]) -> Report? {
        guard target.spec.sync == .continuous, let sync = try? target.spec.syncStrategy(time: time) else {
            forget(target.key)
            return nil
        }
        let interval = target.spec.refreshSeconds
        let found = Set(jobs.map { Benchmark(repo: $0.spec.source.repo, ref: $0.spec.source.ref, secret: $0.spec.source.secretRef?.name) })
        // Sorted, so that with more than the limit it is always the same ones.
        let keys = found.sorted().prefix(Self.limit).map { Key(target: target.key, generation: target.metadata.generation ?? 0, benchmark: $0) }
        var known = last.withLock { $0[target.key] ?? [:] }.filter { keys.contains($0.key) }
        var report = Report(nextSeconds: interval)
        for key in keys {
            if let outcome = pool.take(key) { note(outcome, &known[key]) }
            let age = known[key].map { time.monotonic() - $0.at }
            if let age, age < interval {
                report.nextSeconds = min(report.nextSeconds, interval - age)
            } else if pool.progress(of: key) == nil {
                start(key, sync, after: known[key]?.commit)
            }
        }
        last.withLock { $0[target.key] = known }
        behindSince.withLock { behind in behind = behind.filter { $0.key.target != target.key || keys.contains($0.key) } }
        let newest = known.values.filter { $0.time != nil }.max { ($0.time ?? Timestamp(seconds: 0)) < ($1.time ?? Timestamp(seconds: 0)) }
        (report.commit, report.time) = (newest?.commit, newest?.time)
        if newest != nil {
            let waiting = behindSince.withLock { behind in keys.compactMap { behind[$0] } }
            report.lagSeconds = waiting.min().map { Int(time.monotonic() - $0) } ?? 0
        }
        report.failure = known.sorted { $0.key.benchmark.repo < $1.key.benchmark.repo }.lazy.compactMap { $0.value.failure }.first
        return report
    }

    func forget(_ target: ObjectKey) {
        _ = last.withLock { $0.removeValue(forKey: target) }
        behindSince.withLock { behind in behind = behind.filter { $0.key.target != target } }
    }

    func stop() async { await pool.stop() }

    private func note(_ outcome: Result<PinnedSource, SourceError>, _ last: inout Last?) {
        var new = last ?? Last(at: 0)
        new.at = time.monotonic()
        switch outcome {
        case .success(let source): (new.commit, new.time, new.failure) = (source.commit.hex, time.now(), nil)
        case .failure(let error): new.failure = error.message
        }
        last = new
    }

    /// - Parameter synced: the commit of the last sync.
    private func start(_ key: Key, _ sync: any SyncStrategy, after synced: String?) {
        let (resolver, credentials, behindSince, time) = (resolver, credentials, behindSince, time)
        pool.start(key, group: key.target.description) {
            let benchmark = key.benchmark
            do {
                let url = try resolver.url(benchmark.repo)
                let git = try await credentials.credentials(for: url, secret: benchmark.secret, namespace: key.target.namespace, only: benchmark.repo)
                let request = SyncRequest(repo: benchmark.repo, ref: benchmark.ref, credentials: git) { seen in
                    behindSince.withLock { behind in
                        // The time of the first commit that waits counts, however many come after it.
                        if seen.hex == synced || synced == nil { behind[key] = nil } else if behind[key] == nil { behind[key] = time.monotonic() }
                    }
                }
                let source = try await sync.sync(request, with: resolver)
                behindSince.withLock { $0[key] = nil }
                return .success(source)
            } catch let error as SourceError {
                return .failure(error)
            } catch let error as ReconcileError {
                return .failure(SourceError(.sourceSyncFailed, error.message))
            } catch {
                return .failure(SourceError(.sourceSyncFailed, "\(error)"))
            }
        }
    }
}
