import Base
import EvalModel
import Git

/// The one writer of an artifact branch in this process: many commits per push, never by force.
///
/// - Guarantees: `submit` returns once the record is on this machine's disk; a record counts as confirmed only when the
///   remote has said, or shown, that it has it; a record is on the branch once, however often it is submitted, pushed,
///   or rebuilt after a conflict.
/// - Recovery: what was not confirmed when the process died is found in the local store by the next ledger for the same
///   branch, and pushed. What was confirmed is kept for a while (`Settings.retention`) and pushed again when the branch
///   turns out to have been rewritten without it.
/// - Caveats: two ledgers for one branch in one process would only cost conflicts, but there is no reason to have them.
public actor GitLedger {
    private let settings: Settings
    private let time: any TimeSource
    private let log: Log
    private let local: LocalRunStore
    private let disk = DiskQueue("assay.ledger")
    private let publisher: BranchPublisher
    private let onChange: ChangeHandler

    private var head: GitObjectID?
    private var pending: [String]
    private var waitingNames: Set<String>
    /// By job; those that are zero may be missing.
    private var pendingOfJob: [String: Int] = [:]
    private let confirmed: Locked<ConfirmedNames>
    private var failure: ArtifactError?
    private var rewrite: Rewrite?
    private var publishing: Task<Set<String>, any Error>?
    private var pump: Task<Void, Never>?
    /// What the pump waits in.
    private var nap: Task<Void, any Error>?
    private var watch: Task<Void, Never>?
    private var gathered: [PendingRun] = []
    private var keeping: Task<[String: ArtifactError], Never>?
    private var nextKeeping: Task<[String: ArtifactError], Never>?
    private var isStopped = false
    /// Attempts in a row that failed.
    private var failures = 0
    private var lastPush = -1e9
    private var pushCount = 0
    /// When early pushes began, the latest last.
    private var flushed: [Double] = []
    private var batching: PushBatching

    /// Bytes of other files in one push: they are in memory while it is built.
    private static let batchMemory = 64 << 20
    /// Early pushes in six intervals: hosts ask for no more than six pushes a minute in the long run, and many jobs may end at
    /// once. Each early push also delays the next turn.
    private static let flushLimit = 3

    /// Called after a push with the UIDs of the jobs that it concerns: those whose records were pushed, or, when it failed, those
    /// whose records wait. Also called with the jobs whose records have to be pushed again. Must not block.
    public typealias ChangeHandler = @Sendable (_ jobs: Set<String>) -> Void

    public init(
        settings: Settings, client: GitClient = GitClient(), time: any TimeSource = SystemTime(), log: Log = Log("ledger"),
        onChange: @escaping ChangeHandler = { _ in }
    ) throws(ArtifactError) {
        self.settings = settings
        self.time = time
        self.log = log.with(["remote": .string(settings.remote.url.text), "branch": .string(settings.branch.name)])
        self.onChange = onChange
        local = try LocalRunStore(directory: "\(settings.directory)/pending", retention: settings.retention, time: time)
        let waiting = local.waiting()
        pending = waiting.map(\.name)
        waitingNames = Set(pending)
        for record in waiting { pendingOfJob[record.job, default: 0] += 1 }
        // What is kept could be pushed again, so that its names are needed as long.
        var names = ConfirmedNames(limit: max(settings.confirmedNames, settings.retention.records))
        names.insert(local.retained())
        let confirmed = Locked(names)
        self.confirmed = confirmed
        batching = PushBatching(most: settings.batch)
        publisher = BranchPublisher(settings: settings, client: client, time: time, log: self.log) { confirmed.withLock { $0.all } }
    }

    public var state: State { State(head: head, pending: pending.count, failure: failure, rewrite: rewrite) }

    /// Records of one job, by its UID, that the remote has not confirmed.
    public func pending(ofJob job: String) -> Int { pendingOfJob[job] ?? 0 }

    /// The credential has changed: what waits is pushed with the new one, at once when the old one was the trouble.
    public func use(_ credentials: GitCredentials) async {
        guard await publisher.use(credentials) else { return }
        failures = 0
        if failure != nil { nap?.cancel() }
    }

    // MARK: Before a job

    /// Whether the branch may be written: it exists, or it may be created because it is not the remote's default branch.
    /// - Throws: `.branchIsDefault`; `.unreachable` and the like when the remote does not answer.
    public func check() async throws(ArtifactError) {
        do { head = try await publisher.currentTip(refresh: true) } catch {
            failure = error
            throw error
        }
        await noticeLosses()
        // While results wait, the reason of the last failed push still holds.
        if pending.isEmpty { failure = nil }
    }

    // MARK: Writing

    /// Takes a record. When this returns it is on the disk, and will be pushed with the next batch. Many tasks may submit at
    /// the same time: what comes while the disk is busy shares the next wait for it.
    /// - Throws: `.damaged` when its pack does not check out (submit it without, then); `.storage` when it cannot be kept.
    public func submit(_ run: PendingRun) async throws(ArtifactError) {
        guard !isKnownConfirmed(run.name) else { return }
        if let pack = run.pack { try await publisher.verify(pack) }
        // It may have been confirmed meanwhile.
        guard !isKnownConfirmed(run.name), !local.isWaiting(run.name) else { return }
        try await keep(run)
        enqueue(run.name)
        startPump()
    }

    private func keep(_ run: PendingRun) async throws(ArtifactError) {
        gathered.append(run)
        let task = nextKeeping ?? {
            let before = keeping
            let task = Task {
                _ = await before?.value
                return await self.keepGathered()
            }
            nextKeeping = task
            return task
        }()
        if let failure = await task.value[run.name] { throw failure }
    }

    private func keepGathered() async -> [String: ArtifactError] {
        let runs = gathered
        gathered = []
        keeping = nextKeeping
        nextKeeping = nil
        return await disk.run { [local] in local.keep(runs) }
    }

    /// What is on the disk and not confirmed waits; once.
    private func enqueue(_ name: String) {
        guard local.isWaiting(name), waitingNames.insert(name).inserted else { return }
        pending.append(name)
        pendingOfJob[local.job(of: name) ?? "", default: 0] += 1
    }

    private func dequeue(_ names: Set<String>, jobs: [String: String]) {
        pending.removeAll { names.contains($0) }
        for name in names where waitingNames.remove(name) != nil {
            let job = jobs[name] ?? ""
            pendingOfJob[job] = (pendingOfJob[job] ?? 0) > 1 ? (pendingOfJob[job] ?? 0) - 1 : nil
        }
    }

    /// Whether the remote is known to have the record of that name (`PendingRun.name`).
    public func isConfirmed(_ name: String) async -> Bool {
        if isKnownConfirmed(name) { return true }
        // Its name may be too old to be kept in memory: then the branch has it, as it was seen last.
        guard !local.isWaiting(name), await publisher.hasRecord(name) else { return false }
        confirmed.withLock { $0.insert([name]) }
        return true
    }

    private func isKnownConfirmed(_ name: String) -> Bool { confirmed.withLock { $0.contains(name) } }

    /// Pushes everything that waits, now. Throws why it could not; what waits stays.
    public func flush() async throws(ArtifactError) {
        while !pending.isEmpty {
            do throws(ArtifactError) { try await publishOnce() } catch {
                guard batching.isSplitting else { throw error }
            }
        }
    }

    /// Pushes what waits of a job, by its UID, now instead of at the next turn, as far as the rate limit allows: what it does not
    /// allow is pushed at the next turn.
    public func flush(job: String) async throws(ArtifactError) {
        while pending(ofJob: job) > 0, failure == nil {
            let now = time.monotonic()
            flushed.removeAll { $0 <= now - 6 * settings.pushInterval }
            // A push that is due anyway does not count as an early one.
            if lastPush + settings.pushInterval > now {
                guard flushed.count < Self.flushLimit else { return }
                flushed.append(now)
            }
            try await publishOnce()
        }
    }

    /// Begins to push what an earlier process left behind.
    public func resume() {
        startPump()
        startWatch()
    }

    /// Ends the background work; nothing is lost, the next ledger goes on.
    ///
    /// - Parameter grace: seconds for a push that is under way; then it is killed, which the remote and the records survive.
    public func stop(grace: Double = 15) async {
        isStopped = true
        pump?.cancel()
        nap?.cancel()
        watch?.cancel()
        if let publishing {
            let time = time
            let timer = Task {
                try await time.sleep(seconds: grace)
                publishing.cancel()
            }
            _ = await publishing.result
            timer.cancel()
        }
        await pump?.value
        pump = nil
    }

    // MARK: Asking

    /// The record of a run, from here or from the branch as it was last seen; nil when there is none.
    public func record(of id: RunID) async throws(ArtifactError) -> RunRecord? {
        if local.isWaiting(id.rawValue), let waiting = local.load(id.rawValue) { return waiting.metadata.flatMap(Self.decode) }
        guard let found = try await publisher.metadata(of: id) else { return nil }
        // The branch has it, whoever pushed it: that is what confirmed means.
        confirmed.withLock { $0.insert([id.rawValue]) }
        return Self.decode(found)
    }

    private static func decode(_ bytes: [UInt8]) -> RunRecord? {
        try? JSONValueDecoder().decode(RunRecord.self, from: JSONValue(parsing: bytes))
    }

    // MARK: Pushing

    private func startPump() {
        guard pump == nil, !pending.isEmpty, !isStopped else { return }
        pump = Task { await self.runPump() }
    }

    private func runPump() async {
        while !pending.isEmpty, !Task.isCancelled {
            // A few refused pushes by halves are no load on a host, and somebody waits for the last of them.
            let turn = batching.isSplitting ? min(1, settings.pushInterval) : settings.pushInterval
            let due = failures == 0 ? lastPush + turn : time.monotonic() + Self.backoff(failures, failure)
            let (time, pushed) = (time, pushCount)
            let nap = Task { try await time.sleep(seconds: max(0, due - time.monotonic())) }
            self.nap = nap
            // It is cancelled, without the pump, when waiting is pointless: the credential has changed.
            _ = await nap.result
            self.nap = nil
            if Task.isCancelled { break }
            // `flush` pushed meanwhile: that was the push of this turn.
            if failures == 0, failure == nil, pushed != pushCount { continue }
            do {
                try await publishOnce()
            } catch {
                log.warning("results wait for the remote", ["error": .string(error.message), "pending": JSONValue(pending.count)])
            }
        }
        pump = nil
        // Something may have come between the last look and now.
        if !Task.isCancelled { startPump() }
    }

    /// Jitter, so that writers do not meet again and again.
    private static let unreachable = BackoffPolicy(initialSeconds: 4, capSeconds: 60, jitter: 0.5...1)
    /// A refusal does not pass by itself.
    private static let refused = BackoffPolicy(initialSeconds: 60, capSeconds: 600, jitter: 0.5...1)

    private static func backoff(_ failures: Int, _ failure: ArtifactError?) -> Double {
        (failure?.kind == .unreachable ? unreachable : refused).seconds(afterFailures: failures)
    }

    /// One push of what waits; joins one that is under way instead of starting a second.
    private func publishOnce() async throws(ArtifactError) {
        while let current = publishing { _ = await current.result }
        guard !pending.isEmpty else { return }
        let task = Task {
            // Before the task is over: whoever waits for it in a loop would see it for ever otherwise, since waiting for what is
            // over lets nobody else on.
            defer { publishing = nil }
            return try await publish()
        }
        publishing = task
        let hadFailed = failure != nil
        let result = await task.result
        switch result {
        case .success(let jobs):
            failure = nil
            failures = 0
            // The status of those that still wait says why; now there is no reason any more.
            onChange(hadFailed ? jobs.union(pendingOfJob.keys) : jobs)
        case .failure(let error):
            defer { onChange(Set(pendingOfJob.keys)) }
            let error = error as? ArtifactError ?? ArtifactError(.failed, "\(error)")
            // What was too much at once is on its way in parts.
            failure = batching.isSplitting ? nil : error
            failures = batching.isSplitting ? 0 : failures + 1
            throw error
        }
    }

    /// Returns the UIDs of the jobs whose records were pushed.
    private func publish() async throws(ArtifactError) -> Set<String> {
        let batch = nextBatch()
        guard !batch.isEmpty else { return [] }
        lastPush = time.monotonic()
        pushCount += 1
        batching.begun()
        let local = local
        do throws(ArtifactError) {
            head = try await publisher.publish(batch.map(\.run)) { local.load($0)?.pack }
        } catch {
            await noticeLosses()
            switch error.kind {
            case .refused: pending = batching.refused(batch.map(\.run.name), waiting: pending)
            case .tooLarge: pending = batching.tooLarge(batch.map(\.run.name), bytes: batch.reduce(0) { $0 + $1.size }, waiting: pending)
            default: break
            }
            throw error
        }
        let done = Set(batch.map(\.run.name))
        batching.accepted(done)
        confirmed.withLock { $0.insert(done) }
        dequeue(done, jobs: Dictionary(batch.map { ($0.run.name, $0.run.job) }, uniquingKeysWith: { first, _ in first }))
        // Before the new ones take the place of what may have to be pushed again.
        await noticeLosses()
        local.confirm(Array(done))
        log.debug("pushed", ["records": JSONValue(done.count), "head": .string(head?.short ?? "-")])
        startWatch()
        return Set(batch.map(\.run.job))
    }

    // MARK: A branch that others rewrite

    /// What the branch had and has no more waits again, as far as it is still here.
    private func noticeLosses() async {
        let lost = await publisher.takeLost()
        guard !lost.isEmpty else { return }
        let restored = local.restore(lost.sorted())
        confirmed.withLock { $0.remove(lost) }
        restored.forEach(enqueue)
        let jobs = Set(restored.compactMap { local.job(of: $0) })
        let found = Rewrite(noticedAt: time.now(), restored: restored.count, gone: lost.count - restored.count)
        rewrite = found
        log.warning(
            "the branch was rewritten without records that it had; those that are still kept are pushed again",
            ["restored": JSONValue(found.restored), "gone": JSONValue(found.gone)])
        onChange(jobs)
        startPump()
    }

    /// Looks at the branch now and then, while there is something that could be pushed again.
    private func startWatch() {
        guard watch == nil, !isStopped, !local.retained().isEmpty else { return }
        let (time, interval) = (time, settings.lookInterval)
        watch = Task { [weak self] in
            while (try? await time.sleep(seconds: interval)) != nil, await self?.look() == true {}
        }
    }

    /// Whether to look again.
    private func look() async -> Bool {
        guard !isStopped, !local.retained().isEmpty else {
            watch = nil
            return false
        }
        // A push looks by itself, and tells when the remote is away.
        guard publishing == nil else { return true }
        do { head = try await publisher.currentTip(refresh: true) } catch { return true }
        await noticeLosses()
        return true
    }

    // MARK: Batches

    /// What goes with the next push, oldest first. The packs' bytes stay on the disk: the repository has them, mostly.
    private func nextBatch() -> [(run: PendingRun, size: Int)] {
        var batch: [(run: PendingRun, size: Int)] = []
        var (bytes, memory) = (0, 0)
        for name in batching.candidates(of: pending) {
            let job = local.job(of: name)
            guard var run = local.load(name) else {
                log.error("a kept result is damaged and was put aside", ["run": .string(name), "directory": .string(local.directory)])
                dequeue([name], jobs: [name: job ?? ""])
                continue
            }
            let size = run.size
            bytes += size
            run.pack?.bytes = []
            memory += run.size
            if bytes > batching.bytes || memory > Self.batchMemory, !batch.isEmpty { break }
            batch.append((run, size))
        }
        // A job follows the runs that ended in its last second.
        return batch.sorted { (a, b) in (a.run.date, a.run.isJob ? 1 : 0, a.run.name) < (b.run.date, b.run.isJob ? 1 : 0, b.run.name) }
    }
}
