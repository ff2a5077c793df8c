import Base
import EvalModel
import Git

/// Writes records to one branch of one remote: the repository in which commits are made, what is known of the branch,
/// and what to do when a push does not go through. Knows nothing of waiting and retrying later, which is the ledger's.
actor BranchPublisher {
    private let settings: GitLedger.Settings
    private let client: GitClient
    private let time: any TimeSource
    private let log: Log
    /// Runs that the branch is known to have, by the names of their records.
    private let confirmed: @Sendable () -> [String]

    private var remote: GitClient.Remote
    private var repository: GitStore?
    private var opening: Task<GitStore, any Error>?
    /// Counts the repositories: one that is thrown away may still be in use by a call that is under way, whose failure then
    /// says nothing about what it asked for, and least of all about the repository that took its place.
    private var generation = 0
    /// Packs that records brought, by the tree that they hold, and how many records wait with it.
    private var packs: [GitObjectID: (name: String, users: Int)] = [:]
    private var checking = 0
    private var queue: [CheckedContinuation<Void, Never>] = []
    private var pushesSinceTidy = 0
    /// Pushes that moved the branch: what was seen of it before the last of them is out of date.
    private var pushes = 0
    /// The last tip that is known to have everything confirmed.
    private var audited: GitObjectID??
    private var lost: Set<String> = []
    /// What the remote's branch was last seen at; nil inside: it does not exist.
    private var tip: GitObjectID??
    private var fetching: Task<GitObjectID?, any Error>?
    private var mayCreate = false

    private var errors: PublishingErrors { PublishingErrors(url: remote.url, branch: settings.branch) }

    private static let attempts = 60
    /// Full jitter: writers that were refused together do not come back together.
    private static let backoff = BackoffPolicy(initialSeconds: 0.05, capSeconds: 5, jitter: 0...1)
    private static let checksAtOnce = 4
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

    /// From now on this is what the remote is shown; whether that is something new.
    func use(_ credentials: GitCredentials) -> Bool {
        guard remote.credentials != credentials else { return false }
        remote = GitClient.Remote(remote.url, credentials: credentials)
        // The next call opens it anew, with everything in it.
        repository = nil
        generation += 1
        return true
    }

    /// The depth of the shards' folders, counted from the root.
    private var shardLevel: Int { settings.path.components.count + 1 }

    // MARK: Packs

    /// Checks a pack, and keeps its objects for the push.
    /// - Throws: `.damaged` when it is not what its report says.
    func verify(_ pack: PendingRun.Pack) async throws(ArtifactError) {
        await enter()
        defer { leave() }
        while true {
            let repository = try await opened()
            let mine = generation
            do throws(GitError) {
                try await take(pack, into: repository)
                return
            } catch {
                if mine != generation { continue }
                throw error.kind == .corrupt ? ArtifactError(.damaged, error.message) : ArtifactError(error)
            }
        }
    }

    /// A thousand trials may end at once; each check is a process.
    private func enter() async {
        guard checking >= Self.checksAtOnce else {
            checking += 1
            return
        }
        await withCheckedContinuation { queue.append($0) }
    }

    private func leave() {
        if queue.isEmpty { checking -= 1 } else { queue.removeFirst().resume() }
    }

    private func take(_ pack: PendingRun.Pack, into repository: GitStore) async throws(GitError) {
        let mine = generation
        // Counted before it comes: another record's end must not take it away again.
        packs[pack.tree, default: ("", 0)].users += 1
        do throws(GitError) {
            guard let name = try await repository.take(pack: pack.bytes, holding: pack.tree) else {
                throw GitError(.corrupt, "the pack does not hold the tree \(pack.tree.short) that its report names")
            }
            packs[pack.tree]?.name = name
        } catch {
            if mine == generation {
                packs[pack.tree]?.users -= 1
                if packs[pack.tree]?.users == 0 { packs[pack.tree] = nil }
            }
            throw error
        }
    }

    // MARK: Publishing

    private enum Pushed {
        /// The branch has all records; this is its tip.
        case done(GitObjectID?)
        case refused(String)
        case tooLarge(String)
        /// The connection failed, and the records are not known to have arrived.
        case lost(GitError)
        /// Somebody else was faster, or it looks like that.
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
        // A race is lost to a writer that won it, so the tip moves and somebody gets on; when it stands still it is no race.
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
                    // It follows a tip that was looked at, and has all of this.
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
                    // Nobody moved the branch, and what was built on its very tip does not follow it: the same misunderstanding as in
                    // `push`, seen by git before anything was sent.
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
                    // Objects can go missing (a power cut, a stranger's gc): everything here can be made again.
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
    private static func isOurs(_ kind: GitError.Kind) -> Bool {
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
            // The repository here takes a commit for the end of its history (it was fetched as the tip once) that has to be pushed
            // again, with what it follows: that is made anew in a fresh one.
            if why.contains("shallow update") { throw GitError(.corrupt, why) }
            return .again(why)
        case .unknown(let error):
            // The acknowledgement may be what was lost: the remote itself knows.
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
        if packs.count > 50, !trees.isEmpty { await repository.indexPacks() }
        let missing = try await repository.missing(trees)
        for (run, _) in new where run.pack.map({ missing.contains($0.tree) }) ?? false {
            guard let pack = pack(run.name) else { throw GitError(.storage, "the kept result of run \(run.id) cannot be read again") }
            try await take(pack, into: repository)
        }
        let entries = Dictionary(zip(trees, try await repository.entries(ofTrees: trees)), uniquingKeysWith: { first, _ in first })

        var stream = FastImportStream(parent: tip, committer: settings.committer)
        for (run, folder) in new {
            var changes: [FastImportStream.Change] = []
            for (name, content) in run.files.sorted(by: { $0.key < $1.key }) { changes.append(.file(content, at: folder / name)) }
            for entry in run.pack.flatMap({ entries[$0.tree] }) ?? [] {
                // A name of ours is never the trial's.
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

    private func folder(_ path: String) throws(GitError) -> GitPath { settings.path / (try GitPath(parsing: path)) }

    // MARK: The repository

    private func opened() async throws(ArtifactError) -> GitStore {
        if let repository { return repository }
        // Only one call makes it: a second one would take the first one's half-made directory for a damaged one.
        let mine = generation
        let task = opening ?? Task { [settings, client, remote] in
            try await GitStore(at: "\(settings.directory)/repository", remote: remote, client: client)
        }
        opening = task
        let result = await task.result
        if opening == task { opening = nil }
        switch result {
        case .success(let opened):
            // It may have been thrown away, or the credential may have changed, meanwhile.
            guard mine == generation, opened.remote == remote else { return try await self.opened() }
            repository = repository ?? opened
            return opened
        case .failure(let error): throw Self.typed(error)
        }
    }

    /// What the remote has is not needed here any more, unless a record that waits has the same outputs.
    private func forgetPacks(of runs: [PendingRun]) {
        pushesSinceTidy += 1
        var names: [String] = []
        for tree in runs.compactMap(\.pack?.tree) {
            guard let pack = packs[tree] else { continue }
            packs[tree]?.users -= 1
            guard pack.users <= 1 else { continue }
            packs[tree] = nil
            names.append(pack.name)
        }
        repository?.settle(removing: names, keeping: Set(packs.values.map(\.name)))
    }

    private func tidy() {
        // Made anew it has the branch's folders in one pack. From a remote that sends everything that is dear.
        guard let repository, pushesSinceTidy > Self.pushesKept * (repository.getsWholeTrees ? 20 : 1) else { return }
        discard()
    }

    private func discard(because reason: String) {
        log.warning("the ledger's repository is made anew", ["error": .string(reason)])
        discard()
    }

    /// Only for the repository that this generation's calls use: two calls that fail on the same one would otherwise take
    /// from each other what was just made.
    private func discard() {
        Directory.removeTree("\(settings.directory)/repository")
        repository = nil
        generation += 1
        packs = [:]
        pushesSinceTidy = 0
        tip = nil
    }

    private static func typed(_ error: any Error) -> ArtifactError {
        switch error {
        case let error as ArtifactError: error
        case let error as GitError: ArtifactError(error)
        default: ArtifactError(.failed, "\(error)")
        }
    }

    // MARK: The remote

    /// The tip to build on; nil when the branch is to be created.
    /// - Throws: `.branchIsDefault` when it does not exist and may not be created.
    func currentTip(refresh: Bool) async throws(ArtifactError) -> GitObjectID? {
        if !refresh, let tip { return tip }
        // Two fetches into one ref would trip over each other's lock.
        let task = fetching ?? Task { try await self.fetchTip() }
        fetching = task
        let result = await task.result
        if fetching == task { fetching = nil }
        switch result {
        case .success(let found): return found
        case .failure(let error): throw Self.typed(error)
        }
    }

    private func fetchTip() async throws -> GitObjectID? {
        var repaired = false
        while true {
            let repository = try await opened()
            let (mine, before) = (generation, pushes)
            let found: GitObjectID?
            var absent: Set<String> = []
            do throws(GitError) {
                found = try await repository.fetchTip(of: settings.branch, levels: shardLevel + 1)
                if audited != .some(found) { absent = try await absentees(of: found, in: repository) }
            } catch {
                if mine != generation { continue }
                if repaired, error.kind == .refNotFound { throw errors.damaged(error.message) }
                guard !repaired, Self.isOurs(error.kind) else { throw error }
                repaired = true
                discard(because: error.message)
                continue
            }
            // What was brought into a repository that is gone has to come again, and what was pushed meanwhile is not on a tip
            // that was seen before.
            guard mine == generation, before == pushes else { continue }
            audited = .some(found)
            lost.formUnion(absent)
            if let found, !settings.path.isRoot, let obstacle = try await repository.obstacle(to: [settings.path], in: found) { throw errors.inTheWay(obstacle) }
            if found == nil, !mayCreate {
                try await BranchCreation(client: client, remote: remote, branch: settings.branch).check()
                mayCreate = true
            }
            guard mine == generation, before == pushes else { continue }
            tip = .some(found)
            return found
        }
    }

    /// What was confirmed before and a tip that somebody else made does not have: nobody asks before a push by force, and
    /// history that is not here cannot tell whether one was.
    private func absentees(of found: GitObjectID?, in repository: GitStore) async throws(GitError) -> Set<String> {
        var folders: [GitPath: [String]] = [:]
        for name in confirmed() {
            if let path = PendingRun.runFolder(ofName: name) { folders[try folder(path), default: []].append(name) }
        }
        guard !folders.isEmpty else { return [] }
        var absent = Set(folders.keys)
        if let found { absent = try await repository.absent(absent, in: found) }
        return absent.reduce(into: []) { $0.formUnion(folders[$1] ?? []) }
    }

    /// Records that were confirmed once, and that the branch as it was seen last does not have; told once.
    func takeLost() -> Set<String> {
        defer { lost = [] }
        return lost
    }

    // MARK: Asking

    /// The bytes of a run's metadata.json on the branch as it was last seen; nil when it has no such run.
    func metadata(of id: RunID) async throws(ArtifactError) -> [UInt8]? {
        while true {
            guard let tip = try await currentTip(refresh: false) else { return nil }
            let repository = try await opened()
            let mine = generation
            do throws(GitError) {
                let file = try folder(id.path).appending(PendingRun.metadataFile)
                guard try await !repository.existing([file], in: tip, level: shardLevel).found.isEmpty else { return nil }
                return try await repository.file(file, of: tip)
            } catch {
                if mine != generation { continue }
                throw ArtifactError(error)
            }
        }
    }
}
