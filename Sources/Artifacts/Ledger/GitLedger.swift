import Base
import EvalModel
import Git

/// Writes to one artifact branch; it is the only writer of that branch in this process. Pushes many commits at once, never by force.
///
/// - Guarantees: `submit` returns once the record is on this machine's disk. A record counts as confirmed only when the remote has it.
///   A record is on the branch once, however often it is submitted, pushed, or rebuilt after a conflict.
/// - Recovery: the next ledger for the same branch pushes the unconfirmed records of a process that died. Confirmed records are kept for
///   a while (`Settings.retention`) and pushed again if somebody rewrites the branch without them.
public actor GitLedger {
    private let settings: Settings
    private let time: any TimeSource
    private let log: Log
    private let local: LocalRunStore
    private let disk = DiskQueue("assay.ledger")
    private let publisher: BranchPublisher
    private let metrics: LedgerMetrics?
    private let onChange: ChangeHandler
    private let onPush: PushHandler

    private var head: GitObjectID?
    private var pending: [String]
    private var waitingNames: Set<String>
    /// By job UID. Jobs with no pending records may be missing.
    private var pendingOfJob: [String: Int] = [:]
    private let confirmed: Locked<ConfirmedNames>
    private var failure: ArtifactError?
    private var rewrite: Rewrite?
    private var publishing: Task<Set<String>, any Error>?
    private var pump: Task<Void, Never>?
    /// The sleep between two pushes of the pump.
    private var pushDelay: Task<Void, any Error>?
    private var watch: Task<Void, Never>?
    private var gathered: [PendingRun] = []
    private var keeping, nextKeeping: Task<[String: ArtifactError], Never>?
    private var isStopped = false
    /// The number of failed attempts since the last success.
    private var failures = 0
    private var lastPush = -1e9
    private var pushCount = 0
    private var pacing: PushPacing
    private var batching: PushBatching

    /// Seconds after a failed push before `flush` tries again.
    public static let secondsAfterFailure = PushPacing.secondsAfterFailure

    public init(
        settings: Settings, client: GitClient = GitClient(), time: any TimeSource = SystemTime(), log: Log = Log("ledger"),
        metrics: LedgerMetrics? = nil, onChange: @escaping ChangeHandler = { _ in }, onPush: @escaping PushHandler = { _ in }
    ) throws(ArtifactError) {
        self.settings = settings
        self.time = time
        self.log = log.with(["remote": .string(settings.remote.url.text), "branch": .string(settings.branch.name)])
        self.metrics = metrics
        self.onChange = onChange
        self.onPush = onPush
        local = try LocalRunStore(directory: "\(settings.directory)/pending", retention: settings.retention, time: time)
        let waiting = local.waiting()
        pending = waiting.map(\.name)
        waitingNames = Set(pending)
        for record in waiting {
            pendingOfJob[record.job, default: 0] += 1
            metrics?.waits(record.name, in: settings.directory)
        }
        // Retained records may be pushed again, so at least as many names have to be remembered.
        var names = ConfirmedNames(limit: max(settings.confirmedNames, settings.retention.records))
        names.insert(local.retained())
        let confirmed = Locked(names)
        self.confirmed = confirmed
        batching = PushBatching(most: settings.batch)
        pacing = PushPacing(interval: settings.pushInterval)
        publisher = BranchPublisher(settings: settings, client: client, time: time, log: self.log) { confirmed.withLock { $0.all } }
    }

    public var state: State { State(head: head, pending: pending.count, failure: failure, rewrite: rewrite) }

    /// The number of records of one job, by its UID, that the remote has not confirmed.
    public func pending(ofJob job: String) -> Int { pendingOfJob[job] ?? 0 }

    /// Switches to a changed credential. Waiting records are pushed with it, immediately if the old credential caused the last failure.
    public func use(_ credentials: GitCredentials) async {
        guard await publisher.use(credentials) else { return }
        failures = 0
        if failure != nil { pushDelay?.cancel() }
    }

    // MARK: Before a job

    /// Checks that the branch can be written: it exists, or may be created because it is not the remote's default branch.
    /// - Throws: `.branchIsDefault`; `.unreachable` and similar errors when the remote does not answer.
    public func check() async throws(ArtifactError) {
        do { head = try await publisher.currentTip(refresh: true) } catch {
            failure = error
            throw error
        }
        await noticeLosses()
        // While records are waiting, the error of the last failed push stays valid even though the branch exists.
        if pending.isEmpty { failure = nil }
    }

    // MARK: Writing

    /// Accepts a record. When this returns, the record is on the disk and will be pushed with the next batch. Many tasks may call this at
    /// the same time: records that arrive while the disk is busy are then synced together.
    /// - Throws: `.damaged` when the record's pack fails its check (the caller then submits the record without the pack); `.storage` when the
    ///   record cannot be stored.
    public func submit(_ run: PendingRun) async throws(ArtifactError) {
        guard !isKnownConfirmed(run.name) else { return }
        if let pack = run.pack { try await publisher.verify(pack) }
        // The record may have been confirmed during the `await`.
        guard !isKnownConfirmed(run.name), !local.isWaiting(run.name) else { return }
        try await keep(run)
        enqueue(run.name)
        startPump()
    }

    private func keep(_ run: PendingRun) async throws(ArtifactError) {
        gathered.append(run)
        let task =
            nextKeeping
            ?? {
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

    /// Adds a record that is on the disk and not confirmed to the queue, unless it is already queued.
    private func enqueue(_ name: String) {
        guard local.isWaiting(name), waitingNames.insert(name).inserted else { return }
        pending.append(name)
        pendingOfJob[local.job(of: name) ?? "", default: 0] += 1
        metrics?.waits(name, in: settings.directory)
    }

    private func dequeue(_ names: Set<String>, jobs: [String: String]) {
        pending.removeAll { names.contains($0) }
        for name in names where waitingNames.remove(name) != nil {
            let job = jobs[name] ?? ""
            pendingOfJob[job] = (pendingOfJob[job] ?? 0) > 1 ? (pendingOfJob[job] ?? 0) - 1 : nil
        }
    }

    /// Whether the remote is known to have the record with this name (`PendingRun.name`).
    public func isConfirmed(_ name: String) async -> Bool {
        if isKnownConfirmed(name) { return true }
        // The name may be too old to be kept in memory. The branch as last read is then checked.
        guard !local.isWaiting(name), await publisher.hasRecord(name) else { return false }
        confirmed.withLock { $0.insert([name]) }
        return true
    }

    private func isKnownConfirmed(_ name: String) -> Bool { confirmed.withLock { $0.contains(name) } }

    /// Pushes everything that is waiting, now. If this throws, the records keep waiting.
    public func flush() async throws(ArtifactError) {
        while !pending.isEmpty {
            do throws(ArtifactError) { try await publishOnce() } catch {
                guard batching.isSplitting else { throw error }
            }
        }
    }

    /// Pushes the waiting records of a job, by its UID, now instead of at the next regular push, as far as the rate limit allows. The rest
    /// is pushed at the next regular push. After a failed push there is one attempt at most, and none within `secondsAfterFailure`.
    public func flush(job: String) async throws(ArtifactError) {
        while pending(ofJob: job) > 0 {
            let now = time.monotonic()
            guard failure == nil else {
                guard now - lastPush >= Self.secondsAfterFailure else { return }
                // After a refusal the next push is smaller, so this job's records may come with a later one.
                try await publishOnce()
                continue
            }
            guard pacing.allowsPush(now: now, last: lastPush) else { return }
            try await publishOnce()
        }
    }

    /// Starts to push records that an earlier process left.
    public func resume() {
        startPump()
        startWatch()
    }

    /// Stops the background work and waits until it has ended, so that the next ledger has the directory for itself. Nothing is lost: the next
    /// ledger continues.
    /// - Parameter grace: seconds that a running push or fetch may take before it is killed. Killing it damages neither the remote nor the
    ///   records.
    public func stop(grace: Double = 15) async {
        isStopped = true
        pump?.cancel()
        pushDelay?.cancel()
        watch?.cancel()
        let (publishing, time, publisher) = (publishing, time, publisher)
        let timer = Task {
            try await time.sleep(seconds: grace)
            publishing?.cancel()
            await publisher.cancelFetch()
        }
        _ = await publishing?.result
        await watch?.value
        timer.cancel()
        await pump?.value
        pump = nil
        metrics?.closed(settings.directory)
    }

    /// The record of a run, from the local store or from the branch as last read; nil if there is none.
    public func record(of id: RunID) async throws(ArtifactError) -> RunRecord? {
        if local.isWaiting(id.rawValue), let waiting = local.load(id.rawValue) { return waiting.metadata.flatMap(Self.decode) }
        guard let found = try await publisher.metadata(of: id) else { return nil }
        // A record found on the branch is confirmed, whoever pushed it.
        confirmed.withLock { $0.insert([id.rawValue]) }
        return Self.decode(found)
    }

    // MARK: Pushing

    private func startPump() {
        guard pump == nil, !pending.isEmpty, !isStopped else { return }
        pump = Task { await self.runPump() }
    }

    private func runPump() async {
        while !pending.isEmpty, !Task.isCancelled {
            // While a large batch is being split, pushes may follow faster: there are only a few, and a job may be waiting for the last of them.
            let turn = batching.isSplitting ? min(1, settings.pushInterval) : settings.pushInterval
            let due = failures == 0 ? lastPush + turn : time.monotonic() + PushPacing.wait(afterFailures: failures, failure)
            let (time, pushed) = (time, pushCount)
            let pushDelay = Task { try await time.sleep(seconds: max(0, due - time.monotonic())) }
            self.pushDelay = pushDelay
            // The sleep alone, not the pump, is cancelled when waiting is pointless because the credential has changed.
            _ = await pushDelay.result
            self.pushDelay = nil
            if Task.isCancelled { break }
            // `flush` pushed during the sleep and replaced this regular push.
            if failures == 0, failure == nil, pushed != pushCount { continue }
            do {
                try await publishOnce()
            } catch {
                log.warning("results wait for the remote", ["error": .string(error.message), "pending": JSONValue(pending.count)])
            }
        }
        pump = nil
        // A record may have been queued after the loop last checked.
        if !Task.isCancelled { startPump() }
    }

    /// Pushes waiting records once, after any push that is already running.
    private func publishOnce() async throws(ArtifactError) {
        while let current = publishing { _ = await current.result }
        guard !pending.isEmpty else { return }
        let task = Task {
            // Set inside the task, before it ends: callers loop until `publishing` is nil, and awaiting a finished task does not suspend, so
            // they would otherwise loop for ever.
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
            // The pump sleeps for as long as the failure asked for. What still waits need not.
            if hadFailed { pushDelay?.cancel() }
            // If an earlier push had failed, the jobs that still wait are notified, too, because the error in their status is no longer true.
            onChange(hadFailed ? jobs.union(pendingOfJob.keys) : jobs)
        case .failure(let error):
            defer { onChange(Set(pendingOfJob.keys)) }
            let error = error as? ArtifactError ?? ArtifactError(.failed, "\(error)")
            // The batch was too large and is now being pushed in parts.
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
        var push = LedgerPush(
            remote: settings.remote.url.text, branch: settings.branch.name, startedAt: time.now(),
            records: Dictionary(batch.map { ($0.run.job, 1) }, uniquingKeysWith: +))
        do throws(ArtifactError) {
            head = try await publisher.publish(batch.map(\.run)) { local.load($0)?.pack }
            metrics?.pushed(batch.count, seconds: time.monotonic() - lastPush)
        } catch {
            metrics?.pushed(batch.count, seconds: time.monotonic() - lastPush, error)
            push.end(at: time.now(), .failure(error))
            onPush(push)
            await noticeLosses()
            switch error.kind {
            case .refused: pending = batching.refused(batch.map(\.run.name), waiting: pending)
            case .tooLarge: pending = batching.tooLarge(batch.map(\.run.name), bytes: batch.reduce(0) { $0 + $1.size }, waiting: pending)
            default: break
            }
            throw error
        }
        push.end(at: time.now(), .success(head))
        onPush(push)
        let done = Set(batch.map(\.run.name))
        batching.accepted(done)
        confirmed.withLock { $0.insert(done) }
        metrics?.confirmed(done, in: settings.directory)
        dequeue(done, jobs: Dictionary(batch.map { ($0.run.name, $0.run.job) }, uniquingKeysWith: { first, _ in first }))
        // Called before the new records are confirmed, because confirming them may evict older ones that have to be pushed again.
        await noticeLosses()
        // A record that was found missing just now waits again.
        local.confirm(done.filter { !waitingNames.contains($0) })
        log.debug("pushed", ["records": JSONValue(done.count), "head": .string(head?.short ?? "-")])
        startWatch()
        return Set(batch.map(\.run.job))
    }

    // MARK: A branch that others rewrite

    /// Queues records again that the branch has lost, if they are still in the local store.
    private func noticeLosses() async {
        let lost = await publisher.takeLost()
        guard !lost.isEmpty else { return }
        let restored = local.restore(lost.sorted())
        confirmed.withLock { $0.remove(lost) }
        restored.forEach(enqueue)
        let found = Rewrite(noticedAt: time.now(), restored: restored.count, gone: lost.count - restored.count)
        rewrite = found
        log.warning(
            "the branch was rewritten without records that it had; those that are still kept are pushed again",
            ["restored": JSONValue(found.restored), "gone": JSONValue(found.gone)])
        onChange(Set(restored.compactMap { local.job(of: $0) }))
        startPump()
    }

    /// Checks the branch periodically while there are records that could be pushed again.
    private func startWatch() {
        guard watch == nil, !isStopped, !local.retained().isEmpty else { return }
        let (time, interval) = (time, settings.lookInterval)
        watch = Task { [weak self] in
            while (try? await time.sleep(seconds: interval)) != nil, await self?.look() == true {}
        }
    }

    /// Checks the branch once. Returns whether to check again.
    private func look() async -> Bool {
        guard !isStopped, !local.retained().isEmpty else {
            watch = nil
            return false
        }
        // A running push reads the branch itself, and reports an unreachable remote.
        guard publishing == nil else { return true }
        do { head = try await publisher.currentTip(refresh: true) } catch { return true }
        guard !isStopped else { return false }
        await noticeLosses()
        return true
    }

    // MARK: Batches

    /// The records of the next push, oldest first. The packs' bytes stay on the disk, because the repository usually has them.
    private func nextBatch() -> [(run: PendingRun, size: Int)] {
        var batch: [(run: PendingRun, size: Int)] = []
        var (bytes, memory) = (0, 0)
        for name in batching.candidates(of: pending) {
            let job = local.job(of: name)
            guard var run = local.load(name) else {
                log.error("a kept result is damaged and was put aside", ["run": .string(name), "directory": .string(local.directory)])
                dequeue([name], jobs: [name: job ?? ""])
                metrics?.dropped([name], in: settings.directory)
                continue
            }
            let size = run.size
            run.pack?.bytes = []
            (bytes, memory) = (bytes + size, memory + run.size)
            if bytes > batching.bytes || memory > PushBatching.memory, !batch.isEmpty { break }
            batch.append((run, size))
        }
        return batch.sorted { PushBatching.comesBefore($0.run, $1.run) }
    }
}
