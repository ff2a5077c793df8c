import Base
import EvalModel
import Git

/// The one writer of an artifact branch in this process: many commits per push, never by force.
///
/// - Guarantees: `submit` returns once the record is on this machine's disk; a record counts as confirmed only when the
///   remote has said, or shown, that it has it; a record is on the branch once, however often it is submitted, pushed,
///   or rebuilt after a conflict.
/// - Recovery: what was not confirmed when the process died is found in the local store by the next ledger for the same
///   branch, and pushed.
/// - Caveats: two ledgers for one branch in one process would only cost conflicts, but there is no reason to have them.
public actor GitLedger {
    public struct Settings: Sendable {
        public var remote: GitClient.Remote
        public var branch: GitBranch
        /// Below which runs lie; the root when the branch is only ours.
        public var path: GitPath
        public var committer: FastImportStream.Identity
        /// Private to this ledger: its repository and what is not confirmed yet.
        public var directory: String
        /// Seconds between two pushes. Hosts ask for at most about six a minute.
        public var pushInterval: Double
        /// Records in one push.
        public var batch = 1000

        public init(
            remote: GitClient.Remote, branch: GitBranch, path: GitPath = .root, committer: FastImportStream.Identity, directory: String,
            pushInterval: Double = 10
        ) {
            self.remote = remote
            self.branch = branch
            self.path = path
            self.committer = committer
            self.directory = directory
            self.pushInterval = pushInterval
        }
    }

    public struct State: Sendable, Hashable {
        /// The tip as it was last confirmed.
        public var head: GitObjectID?
        /// Records that the remote has not confirmed.
        public var pending: Int
        /// Why the last attempt failed; nil when it did not.
        public var failure: ArtifactError?
    }

    private let settings: Settings
    private let time: any TimeSource
    private let log: Log
    private let local: LocalRunStore
    private let publisher: BranchPublisher
    private let onChange: @Sendable () -> Void

    private var head: GitObjectID?
    private var pending: [String]
    private var confirmed: Set<String> = []
    private var failure: ArtifactError?
    private var publishing: Task<Void, any Error>?
    private var pump: Task<Void, Never>?
    private var lastPush = -1e9
    /// Records in the next push: fewer after a refusal, so that one that the remote will not have does not keep the
    /// others back for ever.
    private var batchLimit: Int

    /// Bytes of packs in one push; hosts take no more than 2 GB.
    private static let batchBytes = 256 << 20

    /// - Parameter onChange: called after something was confirmed, or failed; must not block.
    public init(
        settings: Settings, client: GitClient = GitClient(), time: any TimeSource = SystemTime(), log: Log = Log("ledger"),
        onChange: @escaping @Sendable () -> Void = {}
    ) throws(ArtifactError) {
        self.settings = settings
        self.time = time
        self.log = log.with(["remote": .string(settings.remote.url.text), "branch": .string(settings.branch.name)])
        self.onChange = onChange
        local = try LocalRunStore(directory: "\(settings.directory)/pending")
        pending = local.names()
        batchLimit = max(1, settings.batch)
        publisher = BranchPublisher(settings: settings, client: client, time: time, log: self.log)
    }

    public var state: State { State(head: head, pending: pending.count, failure: failure) }

    // MARK: Before a job

    /// Whether the branch may be written: it exists, or it may be created because it is not the remote's default branch.
    /// - Throws: `.branchIsDefault`; `.unreachable` and the like when the remote does not answer.
    public func check() async throws(ArtifactError) {
        do { head = try await publisher.currentTip(refresh: true) } catch {
            failure = error
            throw error
        }
        // Why results wait is not answered by the branch being there.
        if pending.isEmpty { failure = nil }
    }

    // MARK: Writing

    /// Takes a record. When this returns it is on the disk, and will be pushed with the next batch.
    /// - Throws: `.damaged` when its pack does not check out (submit it without, then); `.storage` when it cannot be kept.
    public func submit(_ run: PendingRun) async throws(ArtifactError) {
        guard !confirmed.contains(run.name) else { return }
        if let pack = run.pack { try await publisher.verify(pack) }
        // It may have been confirmed meanwhile.
        guard !confirmed.contains(run.name) else { return }
        try local.keep(run)
        if !pending.contains(run.name) { pending.append(run.name) }
        startPump()
    }

    /// Whether the remote is known to have the record of that name (`PendingRun.name`).
    public func isConfirmed(_ name: String) -> Bool { confirmed.contains(name) }

    /// Pushes everything that waits, now. Throws why it could not; what waits stays.
    public func flush() async throws(ArtifactError) {
        while !pending.isEmpty { try await publishOnce() }
    }

    /// Begins to push what an earlier process left behind.
    public func resume() { startPump() }

    /// Ends the background work; nothing is lost, the next ledger goes on.
    ///
    /// - Parameter grace: seconds for a push that is under way; then it is killed, which the remote and the records survive.
    public func stop(grace: Double = 15) async {
        pump?.cancel()
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
        if let waiting = local.load(id.rawValue) { return waiting.metadata.flatMap(Self.decode) }
        guard let found = try await publisher.metadata(of: id) else { return nil }
        // The branch has it, whoever pushed it: that is what confirmed means.
        confirmed.insert(id.rawValue)
        return Self.decode(found)
    }

    private static func decode(_ bytes: [UInt8]) -> RunRecord? {
        try? JSONValueDecoder().decode(RunRecord.self, from: JSONValue(parsing: bytes))
    }

    // MARK: Pushing

    private func startPump() {
        guard pump == nil, !pending.isEmpty else { return }
        pump = Task { await self.runPump() }
    }

    private func runPump() async {
        var failures = 0
        while !pending.isEmpty, !Task.isCancelled {
            let due = failures == 0 ? lastPush + settings.pushInterval : time.monotonic() + Self.backoff(failures, failure)
            do { try await time.sleep(seconds: max(0, due - time.monotonic())) } catch { break }
            do {
                try await publishOnce()
                failures = 0
            } catch {
                failures += 1
                log.warning("results wait for the remote", ["error": .string(error.message), "pending": JSONValue(pending.count)])
            }
        }
        pump = nil
        // Something may have come between the last look and now.
        if !Task.isCancelled { startPump() }
    }

    /// 2 s doubling to a minute, uneven, so that writers do not meet again and again; a refusal does not pass by itself.
    private static func backoff(_ failures: Int, _ failure: ArtifactError?) -> Double {
        let base = failure?.kind == .unreachable ? min(60, 2 * Double(1 << min(failures, 5))) : 60
        return base * Double.random(in: 0.5...1)
    }

    /// One push of what waits; joins one that is under way instead of starting a second.
    private func publishOnce() async throws(ArtifactError) {
        while let current = publishing { _ = await current.result }
        guard !pending.isEmpty else { return }
        let task = Task { try await self.publish() }
        publishing = task
        let result = await task.result
        publishing = nil
        defer { onChange() }
        switch result {
        case .success: failure = nil
        case .failure(let error):
            let error = error as? ArtifactError ?? ArtifactError(.failed, "\(error)")
            failure = error
            throw error
        }
    }

    private func publish() async throws(ArtifactError) {
        let batch = nextBatch()
        guard !batch.isEmpty else { return }
        lastPush = time.monotonic()
        let local = local
        do throws(ArtifactError) {
            head = try await publisher.publish(batch) { local.load($0)?.pack }
        } catch {
            if error.kind == .refused { holdBack(batch) }
            throw error
        }
        batchLimit = min(settings.batch, batchLimit * 2)
        let done = Set(batch.map(\.name))
        confirmed.formUnion(done)
        local.remove(Array(done))
        pending.removeAll { done.contains($0) }
        log.debug("pushed", ["records": JSONValue(done.count), "head": .string(head?.short ?? "-")])
    }

    /// What goes with the next push, oldest first. The packs' bytes stay on the disk: the repository has them, mostly.
    private func nextBatch() -> [PendingRun] {
        var runs: [PendingRun] = []
        var bytes = 0
        for name in pending.prefix(batchLimit) {
            guard var run = local.load(name) else {
                log.error("a kept result is damaged and was put aside", ["run": .string(name), "directory": .string(local.directory)])
                pending.removeAll { $0 == name }
                continue
            }
            bytes += run.pack?.bytes.count ?? 0
            if bytes > Self.batchBytes, !runs.isEmpty { break }
            run.pack?.bytes = []
            runs.append(run)
        }
        // A job follows the runs that ended in its last second.
        return runs.sorted { ($0.date, $0.isJob ? 1 : 0, $0.name) < ($1.date, $1.isJob ? 1 : 0, $1.name) }
    }

    /// After a refusal: half as many the next time, and others first.
    private func holdBack(_ batch: [PendingRun]) {
        batchLimit = max(1, batch.count / 2)
        guard batch.count < pending.count || batch.count == 1 else { return }
        let names = Set(batch.map(\.name))
        pending = pending.filter { !names.contains($0) } + pending.filter(names.contains)
    }
}
