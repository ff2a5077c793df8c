import Base
import EvalModel
import Git

/// Writes records to one branch of one remote: makes commits in a repository of its own, pushes them, and builds them again when
/// the branch moved. Waiting and retrying later is the ledger's part.
actor BranchPublisher {
    let settings: GitLedger.Settings
    let client: GitClient
    private let time: any TimeSource
    private let log: Log
    /// Runs that the branch is known to have, by the names of their records.
    let confirmed: @Sendable () -> [String]

    var remote: GitClient.Remote
    var repository: GitStore?
    private var opening: Task<GitStore, any Error>?
    /// Counts the repositories that were opened. A call that began with an earlier one may fail because that one was deleted: such a
    /// failure says nothing about the present repository, and the call is repeated.
    var generation = 0
    /// Counts the repositories that were deleted: packs that were taken into them have to be taken in again.
    private(set) var discards = 0
    /// Packs that records brought, by the tree that they have.
    var kept: [GitObjectID: KeptPack] = [:]
    var waitingPacks: [WaitingPack] = []
    /// Checks of packs that run.
    var checking = 0
    var pushesSinceTidy = 0
    /// Pushes that moved the branch: what was seen of it before the last of them is out of date.
    var pushes = 0
    /// The last tip that is known to have everything confirmed.
    var audited: GitObjectID??
    var lost: Set<String> = []
    /// What the remote's branch was last seen at; nil inside: it does not exist.
    var tip: GitObjectID??
    var fetching: Task<GitObjectID?, any Error>?
    var mayCreate = false

    var errors: PublishingErrors { PublishingErrors(url: remote.url, branch: settings.branch) }

    private static let attempts = 60
    /// Full jitter: writers that were refused together do not come back together.
    private static let backoff = BackoffPolicy(initialSeconds: 0.05, capSeconds: 5, jitter: 0...1)
    /// git is slow in a repository of thousands of packs, and each push leaves one.
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

    /// Uses another credential from now on. Returns whether it differs from the one before.
    func use(_ credentials: GitCredentials) -> Bool {
        guard remote.credentials != credentials else { return false }
        remote = GitClient.Remote(remote.url, credentials: credentials)
        // The next call opens the same repository with the new credential.
        repository = nil
        generation += 1
        return true
    }

    /// The depth of the shards' folders, counted from the root.
    var shardLevel: Int { settings.path.components.count + 1 }

    // MARK: Publishing

    private enum Pushed {
        /// The branch has all records; this is its tip.
        case done(GitObjectID?)
        case refused(String)
        case tooLarge(String)
        /// The connection failed, and the records are not known to have arrived.
        case lost(GitError)
        /// Another writer was faster, or it looks like that.
        case again(String)
    }

    /// Brings records to the remote, on top of whatever is there.
    ///
    /// - Parameters:
    ///   - runs: packs without bytes are taken from `pack` when the repository does not have them.
    /// - Returns: the branch's tip, which has all of them.
    func publish(_ runs: [PendingRun], pack: (String) -> PendingRun.Pack?) async throws(ArtifactError) -> GitObjectID? {
        tidy()
        var repairs = 0
        var standing = 0
        var seen: GitObjectID??
        // In a race another writer won, so the tip has moved. When the tip does not move it is no race.
        for attempt in 0..<Self.attempts {
            let tip = try await currentTip(refresh: attempt > 0)
            standing = attempt > 0 && seen == .some(tip) ? standing + 1 : 0
            seen = .some(tip)
            let repository = try await opened()
            let mine = generation
            var reason: String
            do throws(GitError) {
                switch try await push(runs, on: tip, in: repository, pack: pack) {
                case .done(let head):
                    // It follows a tip that was audited, and has these records.
                    self.tip = .some(head)
                    pushes += 1
                    audited = .some(head)
                    forgetPacks(of: runs)
                    return head
                case .refused(let why): throw GitError(.refused, why)
                case .tooLarge(let why): throw GitError(.tooLarge, why)
                case .lost(let error): throw error
                case .again(let why):
                    reason = why
                    // The branch did not move, and git says that a commit built on its tip does not follow it: the same wrong
                    // history as in `push`, which git noticed before it sent anything.
                    if standing > 0, repairs < 2, why.contains("non-fast-forward") {
                        repairs += 1
                        discard(because: why)
                    }
                }
            } catch {
                if error.kind == .refused { throw errors.refused(error.message) }
                if error.kind == .tooLarge { throw errors.tooLarge(error.message, runs) }
                reason = error.message
                if mine == generation {
                    // Objects can go missing (a power cut, a gc by somebody else): everything here can be made again.
                    guard Self.isOurs(error.kind), repairs < 2 else { throw ArtifactError(error) }
                    repairs += 1
                    discard(because: reason)
                }
            }
            log.debug("push again", ["attempt": JSONValue(attempt), "why": .string(reason)])
            if standing >= 8 { throw errors.stands(reason) }
            do { try await time.sleep(seconds: Self.backoff.seconds(afterFailures: attempt + 1)) } catch {
                throw ArtifactError(.unreachable, "cancelled; the results wait here")
            }
        }
        throw errors.moves(attempts: Self.attempts)
    }

    /// Whether a fresh repository may help.
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
            // The remote lost commits that this repository knows only as the shallow end of its history (it was fetched as a tip
            // once). They are built again in a new repository.
            if why.contains("shallow update") { throw GitError(.corrupt, why) }
            return .again(why)
        case .unknown(let error):
            // The push may have arrived and only its acknowledgement was lost: ask the remote.
            let refs = try await repository.look(at: settings.branch)
            if refs.commit(ofBranch: settings.branch) == new { return .done(new) }
            return .lost(error)
        }
    }

    // MARK: Commits

    /// The commits of the runs that the tip does not have; nil when it has them all.
    private func build(
        _ runs: [PendingRun], on tip: GitObjectID?, in repository: GitStore, pack: (String) -> PendingRun.Pack?
    ) async throws(GitError) -> GitObjectID? {
        var files: [GitPath] = []
        for run in runs { files.append(try folder(run.folder).appending(PendingRun.metadataFile)) }
        var there: Set<GitPath> = []
        if let tip {
            let shards = Set(files.map { $0.prefix(shardLevel) })
            if let obstacle = try await repository.obstacle(to: shards, in: tip) { throw errors.inTheWay(obstacle) }
            let presence = try await repository.existing(Set(files), in: tip, level: shardLevel)
            if let obstacle = presence.obstacle { throw errors.inTheWay(obstacle) }
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
                // A trial's file does not replace one of the record's own.
                let name = try GitPath(parsing: entry.path)
                if run.files[name] == nil, entry.path != PendingRun.retriesFolder { changes.append(.entry(entry.kind, entry.id, at: folder / name)) }
            }
            stream.commit(message: message(of: run), date: run.date, changes: changes)
        }
        return try await repository.build(stream)
    }

    /// On a branch that is shared the commit says below which folder the record lies: listings read nothing else.
    private func message(of run: PendingRun) -> String {
        guard !settings.path.isRoot else { return run.message }
        return run.message + (run.message.hasSuffix("\n") ? "" : "\n") + "Assay-Path: \(settings.path.text)\n"
    }

    func folder(_ path: String) throws(GitError) -> GitPath { settings.path / (try GitPath(parsing: path)) }

    // MARK: The repository

    func opened() async throws(ArtifactError) -> GitStore {
        if let repository { return repository }
        // Only one call makes it: a second one would see the first one's unfinished directory as a damaged repository.
        let mine = generation
        let task = opening ?? Task { [settings, client, remote] in
            try await GitStore(at: "\(settings.directory)/repository", remote: remote, client: client)
        }
        opening = task
        let result = await task.result
        if opening == task { opening = nil }
        switch result {
        case .success(let opened):
            // During the `await` it may have been deleted, or the credential may have changed.
            guard mine == generation, opened.remote == remote else { return try await self.opened() }
            repository = repository ?? opened
            return opened
        case .failure(let error): throw Self.typed(error)
        }
    }

    private func tidy() {
        // A new one has the branch's folders in one pack. It is expensive from a remote that cannot filter.
        guard let repository, pushesSinceTidy > Self.pushesKept * (repository.getsWholeTrees ? 20 : 1) else { return }
        discard()
    }

    func discard(because reason: String) {
        log.warning("the ledger's repository is made anew", ["error": .string(reason)])
        discard()
    }

    /// Deletes the repository. A caller checks its generation first: otherwise two calls that fail on the same repository would
    /// delete it and then the new one.
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
