import Base
import EvalModel
import Git

/// Writes records to one branch of one remote. It creates commits in its own private repository, pushes them, and rebuilds them when the
/// branch has moved. `GitLedger` handles waiting and later retries.
actor BranchPublisher {
    let settings: GitLedger.Settings
    let client: GitClient
    private let time: any TimeSource
    private let log: Log
    /// Names of records that the branch is known to have.
    let confirmed: @Sendable () -> [String]

    var remote: GitClient.Remote
    var repository: GitStore?
    private var opening: Task<GitStore, any Error>?
    /// Incremented whenever a repository is opened. A call that started under an earlier value may fail because its repository was deleted;
    /// such a failure says nothing about the current repository, and the call is repeated.
    var generation = 0
    /// Incremented whenever a repository is deleted. Packs stored in that repository have to be stored again.
    private(set) var discards = 0
    /// Packs of submitted records, by the tree that they contain.
    var kept: [GitObjectID: KeptPack] = [:]
    var waitingPacks: [WaitingPack] = []
    /// The number of pack checks that are running.
    var checking = 0
    var gathering = PackGathering()
    /// Waits until the packs that were gathered are to be checked.
    var gatheringTimer: Task<Void, Never>?
    var pushesSinceTidy = 0
    /// Incremented whenever a push moved the branch. A tip that was read before the last such push is out of date.
    var pushes = 0
    /// The last tip that is known to contain all confirmed records.
    var audited: GitObjectID??
    var lost: Set<String> = []
    /// The last known tip of the remote's branch. The inner nil means that the branch does not exist.
    var tip: GitObjectID??
    var fetching: Task<GitObjectID?, any Error>?
    var mayCreate = false

    var errors: PublishingErrors { PublishingErrors(url: remote.url, branch: settings.branch) }

    private static let attempts = 60
    /// Full jitter, so that writers that were refused at the same time do not retry at the same time.
    private static let backoff = BackoffPolicy(initialSeconds: 0.05, capSeconds: 5, jitter: 0...1)
    /// Each push leaves a pack, and git is slow in a repository with thousands of packs.
    private static let pushesKept = 300

    init(
        settings: GitLedger.Settings, client: GitClient, time: any TimeSource, log: Log, confirmed: @escaping @Sendable () -> [String]
    ) {
        self.settings = settings
        self.client = client
        self.time = time
        self.log = log
        self.confirmed = confirmed
        remote = settings.remote
    }

    /// Switches to another credential. Returns whether it differs from the previous one.
    func use(_ credentials: GitCredentials) -> Bool {
        guard remote.credentials != credentials else { return false }
        remote = GitClient.Remote(remote.url, credentials: credentials)
        // The next call opens the same repository with the new credential.
        repository = nil
        generation += 1
        return true
    }

    /// The depth of the shard folders, counted from the root.
    var shardLevel: Int { settings.path.components.count + 1 }

    // MARK: Publishing

    private enum Pushed {
        /// The branch has all records; the value is its tip.
        case done(GitObjectID?)
        case refused(String)
        case tooLarge(String)
        /// The connection failed. It is not known whether the records arrived.
        case lost(GitError)
        /// Another writer pushed first, or the failure looks like that.
        case again(String)
    }

    /// Publishes records to the remote, on top of the branch's current tip.
    ///
    /// - Parameters:
    ///   - runs: if a pack has no bytes and the repository does not have it, it is read through `pack`.
    /// - Returns: the branch's tip, which contains all the records.
    func publish(_ runs: [PendingRun], pack: (String) -> PendingRun.Pack?) async throws(ArtifactError) -> GitObjectID? {
        tidy()
        var repairs = 0
        var standing = 0
        var seen: GitObjectID??
        // If another writer pushed first, the tip has moved. If the tip has not moved, the failure has another cause.
        for attempt in 0..<Self.attempts {
            let tip = try await currentTip(refresh: attempt > 0)
            standing = attempt > 0 && seen == .some(tip) ? standing + 1 : 0
            seen = .some(tip)
            let repository = try await opened()
            let mine = generation
            var reason: String
            var rejected: String?
            do throws(GitError) {
                switch try await push(runs, on: tip, in: repository, pack: pack) {
                case .done(let head):
                    // The new tip follows a tip that was audited, and contains these records.
                    self.tip = .some(head)
                    pushes += 1
                    audited = .some(head)
                    forgetPacks(of: runs)
                    return head
                case .refused(let why):
                    reason = why
                    rejected = why
                case .tooLarge(let why): throw GitError(.tooLarge, why)
                case .lost(let error): throw error
                case .again(let why):
                    reason = why
                    // The branch did not move, but git says that a commit built on its tip does not follow it. The local history is wrong, as in
                    // `push`; here git noticed it before it sent anything.
                    if standing > 0, repairs < 2, why.contains("non-fast-forward") {
                        repairs += 1
                        discard(because: why)
                    }
                }
            } catch {
                if error.kind == .refused { throw errors.unusable(error.message) }
                if error.kind == .tooLarge { throw errors.tooLarge(error.message, runs) }
                reason = error.message
                if mine == generation {
                    // Objects can be lost (a power cut, or somebody else's gc). Everything in this repository can be recreated.
                    guard Self.isOurs(error.kind), repairs < 2 else { throw ArtifactError(error) }
                    repairs += 1
                    discard(because: reason)
                }
            }
            if let rejected { throw errors.refused(rejected) }
            log.debug("push again", ["attempt": JSONValue(attempt), "why": .string(reason)])
            if standing >= 8 { throw errors.stands(reason) }
            do { try await time.sleep(seconds: Self.backoff.seconds(afterFailures: attempt + 1)) } catch {
                throw ArtifactError(.unreachable, "cancelled; the results wait here")
            }
        }
        throw errors.moves(attempts: Self.attempts)
    }

    /// Whether a new repository may fix the error.
    static func isOurs(_ kind: GitError.Kind) -> Bool {
        switch kind {
        case .corrupt, .failed, .refNotFound, .pathNotFound: true
        default: false
        }
    }

    private func push(
        _ runs: [PendingRun], on tip: GitObjectID?, in repository: GitStore, pack: (String) -> PendingRun.Pack?
    ) async throws(GitError) -> Pushed {
        guard let new = try await build(runs, on: tip, in: repository, pack: pack) else { return .done(tip) }
        switch try await repository.push(new, to: settings.branch, creating: tip == nil) {
        case .accepted: return .done(new)
        case .refused(let why): return .refused(why)
        case .tooLarge(let why): return .tooLarge(why)
        case .conflict(let why):
            // The remote lost commits that this repository has only as the boundary of its shallow history (it once fetched one of them as a tip).
            // The commits are rebuilt in a new repository.
            if why.contains("shallow update") { throw GitError(.corrupt, why) }
            return .again(why)
        case .unknown(let error):
            // The push may have arrived although its acknowledgement was lost, so the remote is asked.
            let refs = try await repository.look(at: settings.branch)
            if refs.commit(ofBranch: settings.branch) == new { return .done(new) }
            return .lost(error)
        }
    }

    // MARK: Commits

    /// The commits for the runs that the tip does not have; nil when the tip has them all.
    private func build(
        _ runs: [PendingRun], on tip: GitObjectID?, in repository: GitStore, pack: (String) -> PendingRun.Pack?
    ) async throws(GitError) -> GitObjectID? {
        var files: [GitPath] = []
        for run in runs { files.append(try folder(run.folder).appending(PendingRun.metadataFile)) }
        var there: Set<GitPath> = []
        if let tip {
            let shards = Set(files.map { $0.prefix(shardLevel) })
            if let file = try await repository.fileBlocking(shards, in: tip) { throw errors.fileBlocksFolder(file) }
            let presence = try await repository.existing(Set(files), in: tip, level: shardLevel)
            if let file = presence.blocked { throw errors.fileBlocksFolder(file) }
            there = presence.found
        }
        let new = zip(runs, files).filter { !there.contains($0.1) }.map { (run: $0.0, folder: $0.1.parent) }
        guard !new.isEmpty else { return nil }

        let trees = new.compactMap { $0.run.pack?.tree }
        if hasManyPacks, !trees.isEmpty { await repository.indexPacks() }
        try await takeMissing(of: new.map(\.run), into: repository, pack: pack)
        let entries = Dictionary(zip(trees, try await repository.entries(ofTrees: trees)), uniquingKeysWith: { first, _ in first })

        var stream = FastImportStream(parent: tip, committer: settings.committer)
        for (run, folder) in new {
            var changes: [FastImportStream.Change] = []
            for (name, content) in run.files.sorted(by: { $0.key < $1.key }) { changes.append(.file(content, at: folder / name)) }
            for entry in run.pack.flatMap({ entries[$0.tree] }) ?? [] {
                // A file of the trial does not replace one of the record's own files.
                let name = try GitPath(parsing: entry.path)
                if run.files[name] == nil, entry.path != PendingRun.retriesFolder { changes.append(.entry(entry.kind, entry.id, at: folder / name)) }
            }
            stream.commit(message: message(of: run), date: run.date, changes: changes)
        }
        return try await repository.build(stream)
    }

    /// On a shared branch, the message says which folder the record is below, because listings read only commit messages.
    private func message(of run: PendingRun) -> String {
        guard !settings.path.isRoot else { return run.message }
        return run.message + (run.message.hasSuffix("\n") ? "" : "\n") + "Assay-Path: \(settings.path.text)\n"
    }

    func folder(_ path: String) throws(GitError) -> GitPath { settings.path / (try GitPath(parsing: path)) }

    // MARK: The repository

    func opened() async throws(ArtifactError) -> GitStore {
        if let repository { return repository }
        // Only one call creates the repository. A second one would mistake the unfinished directory for a damaged repository.
        let mine = generation
        let task =
            opening
            ?? Task { [settings, client, remote] in
                try await GitStore(at: "\(settings.directory)/repository", remote: remote, client: client)
            }
        opening = task
        let result = await task.result
        if opening == task { opening = nil }
        switch result {
        case .success(let opened):
            // During the `await` the repository may have been deleted, or the credential may have changed.
            guard mine == generation, opened.remote == remote else { return try await self.opened() }
            repository = repository ?? opened
            return opened
        case .failure(let error): throw Self.typed(error)
        }
    }

    private func tidy() {
        // A new repository has the branch's folders in one pack. Creating it is expensive if the remote cannot filter.
        guard let repository, pushesSinceTidy > Self.pushesKept * (repository.getsWholeTrees ? 20 : 1) else { return }
        discard()
    }

    func discard(because reason: String) {
        log.warning("the ledger's repository is made anew", ["error": .string(reason)])
        discard()
    }

    /// Deletes the repository. The caller checks `generation` first; otherwise two calls that fail on the same repository would delete it and
    /// then also its replacement.
    private func discard() {
        Directory.removeTree("\(settings.directory)/repository")
        repository = nil
        generation += 1
        discards += 1
        kept = [:]
        pushesSinceTidy = 0
        tip = nil
    }

    static func typed(_ error: any Error) -> ArtifactError {
        switch error {
        case let error as ArtifactError: error
        case let error as GitError: ArtifactError(error)
        default: ArtifactError(.failed, "\(error)")
        }
    }
}
