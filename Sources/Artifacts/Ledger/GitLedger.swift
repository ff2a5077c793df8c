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
    private let client: GitClient
    private let time: any TimeSource
    private let log: Log
    private let local: LocalRunStore
    private let onChange: @Sendable () -> Void

    private var repository: GitStore?
    /// What the remote's branch was last seen at; nil inside: it does not exist.
    private var tip: GitObjectID??
    private var mayCreate = false
    private var pending: [String]
    private var confirmed: Set<String> = []
    private var failure: ArtifactError?
    private var publishing: Task<Void, any Error>?
    private var pump: Task<Void, Never>?
    private var lastPush = -1e9
    private var packsTaken = 0

    /// - Parameter onChange: called after something was confirmed, or failed; must not block.
    public init(
        settings: Settings, client: GitClient = GitClient(), time: any TimeSource = SystemTime(), log: Log = Log("ledger"),
        onChange: @escaping @Sendable () -> Void = {}
    ) throws(ArtifactError) {
        self.settings = settings
        self.client = client
        self.time = time
        self.log = log.with(["remote": .string(settings.remote.url.text), "branch": .string(settings.branch.name)])
        self.onChange = onChange
        local = try LocalRunStore(directory: "\(settings.directory)/pending")
        pending = local.names()
    }

    public var state: State { State(head: tip ?? nil, pending: pending.count, failure: failure) }

    // MARK: Before a job

    /// Whether the branch may be written: it exists, or it may be created because it is not the remote's default branch.
    /// - Throws: `.branchIsDefault`; `.unreachable` and the like when the remote does not answer.
    public func check() async throws(ArtifactError) {
        do { _ = try await currentTip(refresh: true) } catch {
            failure = error
            throw error
        }
        failure = nil
    }

    // MARK: Writing

    /// Takes a record. When this returns it is on the disk, and will be pushed with the next batch.
    /// - Throws: `.damaged` when its pack does not check out (submit it without, then); `.storage` when it cannot be kept.
    public func submit(_ run: PendingRun) async throws(ArtifactError) {
        guard !confirmed.contains(run.name) else { return }
        if let pack = run.pack { try await take(pack) }
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

    /// Ends the background work after what is under way; nothing is lost, the next ledger goes on.
    public func stop() async {
        pump?.cancel()
        await pump?.value
        pump = nil
    }

    // MARK: Asking

    /// The record of a run, from here or from the branch as it was last seen; nil when there is none.
    public func record(of id: RunID) async throws(ArtifactError) -> RunRecord? {
        if let waiting = local.load(id.rawValue) { return Self.decode(waiting.files) }
        guard let tip = try await currentTip(refresh: false), let repository else { return nil }
        do {
            let folder = try self.folder(id.path)
            guard try await repository.entries(of: tip, at: folder).contains(where: { $0.path == PendingRun.metadataFile }),
                let bytes = try await repository.file(folder.appending(PendingRun.metadataFile), of: tip)
            else { return nil }
            return try? JSONValueDecoder().decode(RunRecord.self, from: JSONValue(parsing: bytes))
        } catch {
            throw ArtifactError(error)
        }
    }

    private static func decode(_ files: [GitPath: [UInt8]]) -> RunRecord? {
        guard let bytes = files.first(where: { $0.key.text == PendingRun.metadataFile })?.value else { return nil }
        return try? JSONValueDecoder().decode(RunRecord.self, from: JSONValue(parsing: bytes))
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
        let names = Array(pending.prefix(settings.batch))
        var runs: [PendingRun] = []
        for name in names {
            guard let run = local.load(name) else {
                log.error("a kept result is damaged and was put aside", ["run": .string(name), "directory": .string(local.directory)])
                pending.removeAll { $0 == name }
                continue
            }
            runs.append(run)
        }
        runs.sort { ($0.date, $0.name) < ($1.date, $1.name) }
        lastPush = time.monotonic()

        // A race is lost to a writer that won it, so somebody always gets on; the bound is for a lock that is stuck on the server.
        for attempt in 0..<60 {
            let tip = try await currentTip(refresh: attempt > 0)
            let repository = try await opened()
            do {
                let new = try await build(runs, on: tip, in: repository)
                guard let new else { return confirm(names, at: tip) }
                switch try await repository.push(new, to: settings.branch, creating: tip == nil) {
                case .accepted: return confirm(names, at: new)
                case .refused(let why): throw ArtifactError(.refused, refusal(why))
                case .unknown(let error):
                    // The acknowledgement may be what was lost: the remote itself knows.
                    let refs = try await repository.look(at: settings.branch)
                    if refs.commit(ofBranch: settings.branch) == new { return confirm(names, at: new) }
                    if error.kind == .timeout || error.kind == .unreachable { throw ArtifactError(error) }
                case .conflict(let why): log.debug("the branch moved", ["attempt": JSONValue(attempt), "why": .string(why)])
                }
            } catch let error as ArtifactError {
                throw error
            } catch let error as GitError {
                throw ArtifactError(error)
            } catch {
                throw ArtifactError(.failed, "\(error)")
            }
            try? await time.sleep(seconds: Double.random(in: 0...min(5, 0.05 * Double(1 << min(attempt, 7)))))
        }
        throw ArtifactError(
            .unreachable, "the branch \(settings.branch) of \(settings.remote.url) could not be written in 60 attempts; "
                + "if nobody else writes to it, look for a stale \(settings.branch.ref).lock on the server")
    }

    private func refusal(_ why: String) -> String {
        "\(settings.remote.url) does not take pushes to \(settings.branch): \(why); allow the credential to push there, or choose another branch"
    }

    private func confirm(_ names: [String], at head: GitObjectID?) {
        tip = .some(head)
        confirmed.formUnion(names)
        local.remove(names)
        let done = Set(names)
        pending.removeAll { done.contains($0) }
        log.debug("pushed", ["records": JSONValue(names.count), "head": .string(head?.short ?? "-")])
        if pending.isEmpty, packsTaken > 500 {
            // Each run brings a packfile, and git is slow with thousands: begin with a fresh repository now and then.
            if let repository { PlainFile.removeTree(repository.path) }
            repository = nil
            packsTaken = 0
            tip = nil
        }
    }

    // MARK: Commits

    /// The commits of the runs that the tip does not have; nil when it has them all.
    private func build(_ runs: [PendingRun], on tip: GitObjectID?, in repository: GitStore) async throws(GitError) -> GitObjectID? {
        var stream = FastImportStream(parent: tip, committer: settings.committer)
        for run in runs {
            let folder = try self.folder(run.folder)
            if let tip, try await repository.entries(of: tip, at: folder).contains(where: { $0.path == PendingRun.metadataFile }) { continue }
            var changes: [FastImportStream.Change] = []
            for (name, content) in run.files.sorted(by: { $0.key < $1.key }) { changes.append(.file(content, at: folder / name)) }
            if let pack = run.pack {
                if try await !repository.contains(pack.tree, type: "tree") { try await repository.take(pack: pack.bytes) }
                for entry in try await repository.entries(ofTree: pack.tree) {
                    let name = try GitPath(parsing: entry.path)
                    if run.files[name] == nil { changes.append(.entry(entry.kind, entry.id, at: folder / name)) }
                }
            }
            stream.commit(message: run.message, date: run.date, changes: changes)
        }
        return stream.commits == 0 ? nil : try await repository.build(stream)
    }

    private func folder(_ path: String) throws(GitError) -> GitPath { settings.path / (try GitPath(parsing: path)) }

    private func take(_ pack: PendingRun.Pack) async throws(ArtifactError) {
        let repository = try await opened()
        do throws(GitError) {
            try await repository.take(pack: pack.bytes)
            packsTaken += 1
            guard try await repository.contains(pack.tree, type: "tree") else {
                throw GitError(.corrupt, "the pack does not hold the tree \(pack.tree.short) that its report names")
            }
        } catch {
            throw error.kind == .storage ? ArtifactError(error) : ArtifactError(.damaged, error.message)
        }
    }

    // MARK: The remote

    private func opened() async throws(ArtifactError) -> GitStore {
        if let repository { return repository }
        do {
            let opened = try await GitStore(at: "\(settings.directory)/repository", remote: settings.remote, client: client)
            repository = repository ?? opened
            return opened
        } catch {
            throw ArtifactError(error)
        }
    }

    /// The tip to build on; nil when the branch is to be created.
    private func currentTip(refresh: Bool) async throws(ArtifactError) -> GitObjectID? {
        if !refresh, let tip { return tip }
        let repository = try await opened()
        do {
            if let found = try await repository.fetchTip(of: settings.branch) {
                tip = .some(found)
                return found
            }
            if !mayCreate { try await checkCreation() }
            tip = .some(nil)
            return nil
        } catch let error as ArtifactError {
            throw error
        } catch let error as GitError {
            throw ArtifactError(error)
        } catch {
            throw ArtifactError(.failed, "\(error)")
        }
    }

    /// Branch is missing: an orphan is created for it, unless it is the remote's default branch.
    private func checkCreation() async throws {
        let defaultBranch = try await client.defaultBranch(settings.remote)
        guard defaultBranch != settings.branch.name else {
            throw ArtifactError(
                .branchIsDefault,
                "the branch \(settings.branch) does not exist yet and is the default branch of \(settings.remote.url): Assay never creates "
                    + "a default branch; create it yourself, or set spec.artifacts.git.branch to another (such as assay/runs/v1)")
        }
        mayCreate = true
    }
}
