import Base
import EvalModel
import Git

/// Prunes the results on a branch by replacing its history.
///
/// The new history begins with a root commit that lists the pruned records and contains everything on the branch except the kept records
/// (files of others stay). The commits of the kept records follow, oldest first, with their messages, authors and dates unchanged, so
/// that a listing, which reads only commits, shows the same as before. Paths and trees of kept records do not change: a writer
/// that finds the branch replaced still sees its runs there and continues.
///
/// - Guarantees: the branch is replaced only if it is still at the commit that was examined. Before the push it is checked that
///   the new history has exactly the old files minus the pruned ones.
/// - Caveats: commits of others are no longer in the history (their files stay). The remote frees disk space only at its next garbage
///   collection.
public struct BranchPruner: Sendable {
    private let query: RunQuery
    private let remote: GitClient.Remote
    private let branch: GitBranch
    private let path: GitPath
    private let committer: FastImportStream.Identity

    /// What a pruning would change.
    public struct Proposal: Sendable {
        public let plan: PrunePlan
        public let tip: GitObjectID
        /// The number of commits by others that the new history will not contain.
        public let foreignCommits: Int
        let reader: BranchReader
    }

    public enum Outcome: Sendable, Hashable {
        /// The branch's new tip, and what was pruned.
        case pruned(GitObjectID, PrunePlan)
        case nothingToPrune
    }

    /// - Parameter remote: see `ResultsPlace.branch`.
    public init(_ query: RunQuery, remote: String, branch: GitBranch, path: GitPath) async throws(ArtifactError) {
        do throws(GitError) {
            self.query = query
            self.remote = try await query.remote(remote)
            self.branch = branch
            self.path = path
            committer = try FastImportStream.Identity(name: "assay", email: "assay@localhost")
        } catch {
            throw error.kind == .pathNotFound ? ArtifactError(.notFound, error.message) : ArtifactError(error)
        }
    }

    static let subject = "Prune: "

    /// Whether a commit without a record was made by an earlier pruning.
    static func isOurs(_ message: UnsafeRawBufferPointer) -> Bool {
        message.count > subject.utf8.count && message.prefix(subject.utf8.count).elementsEqual(subject.utf8)
    }

    // MARK: Looking

    /// - Throws: `.branchIsDefault` for a remote's default branch that others write to, because Assay must not discard their history.
    public func proposal(before cutoff: Timestamp) async throws(ArtifactError) -> Proposal {
        do throws(GitError) {
            let reader = try await query.copy(of: remote, branch, path)
            let gathered = Locked((entries: [RunEntry](), seen: SeenRecords(), foreign: 0))
            try await query.git.history(reader.tip, in: reader.repository, remote: remote) { commit in
                guard let trailers = RunTrailers(commit.message), let digits = RunTrailers.digits(trailers.id),
                    var entry = RunEntry(trailers, date: commit.date)
                else {
                    if !Self.isOurs(commit.message) { gathered.withLock { $0.foreign += 1 } }
                    return true
                }
                entry.commit = commit.id
                gathered.withLock { state in
                    if state.seen.insert(digits, retry: trailers.retry) { state.entries.append(entry) }
                }
                return true
            }
            let (entries, foreign) = gathered.withLock { ($0.entries, $0.foreign) }
            if foreign > 0 { try await refuseDefaultBranch() }
            return Proposal(plan: PrunePlan(entries, before: cutoff, below: path.text), tip: reader.tip, foreignCommits: foreign, reader: reader)
        } catch {
            switch error.kind {
            case .refNotFound: throw ArtifactError(.notFound, error.message)
            case .refused where error.message.hasPrefix(Self.defaultBranchRefusal): throw ArtifactError(.branchIsDefault, error.message)
            default: throw ArtifactError(error)
            }
        }
    }

    private static let defaultBranchRefusal = "the default branch is not pruned: "

    private func refuseDefaultBranch() async throws(GitError) {
        let name = try await query.git.defaultBranch(remote)
        guard name.map({ $0 == branch.name }) ?? ["main", "master"].contains(branch.name) else { return }
        throw GitError(
            .refused,
            Self.defaultBranchRefusal + "\(branch) is the default branch of \(remote.url), and others have committed to it; their history would end. "
                + "Keep results on a branch of their own (such as assay/runs/v1)")
    }

    // MARK: Doing

    /// Replaces the branch. If somebody else wrote to it in the meantime, their changes are kept and the pruning is repeated with the
    /// same cutoff.
    public func apply(_ proposal: Proposal, now: Timestamp = SystemTime().now()) async throws(ArtifactError) -> Outcome {
        var proposal = proposal
        for _ in 0..<5 {
            guard !proposal.plan.isEmpty else { return .nothingToPrune }
            do throws(GitError) {
                let store = try await GitStore(at: proposal.reader.repository, remote: remote, client: query.git)
                let new = try await rewritten(proposal, in: store, now: now)
                switch try await store.replace(proposal.tip, with: new, of: branch) {
                case .accepted: return try await done(new, proposal.plan)
                case .refused(let why):
                    throw GitError(
                        .refused,
                        "\(remote.url) does not let \(branch) be replaced: \(why); allow the credential to force-push to this branch "
                            + "(receive.denyNonFastForwards and branch protection forbid it) and try again")
                case .tooLarge(let why):
                    throw GitError(.tooLarge, "\(remote.url) does not take a push of that size: \(why); raise its limit, or prune more at once")
                case .conflict: break
                case .unknown(let error):
                    // The push may have succeeded although its answer was lost, so the remote is asked.
                    if try await store.look(at: branch).commit(ofBranch: branch) == new { return try await done(new, proposal.plan) }
                    throw error
                }
            } catch {
                throw ArtifactError(error)
            }
            proposal = try await self.proposal(before: proposal.plan.cutoff)
        }
        throw ArtifactError(.unreachable, "\(branch) of \(remote.url) moved at each of five attempts to prune it; try again when fewer write to it")
    }

    private func done(_ tip: GitObjectID, _ plan: PrunePlan) async throws(GitError) -> Outcome {
        // The local copy still contains everything that was pruned.
        try await HistoryCache(directory: query.cacheDirectory, git: query.git).forget(remote)
        return .pruned(tip, plan)
    }

    /// Creates the new history in the store without changing the old one. Returns its tip.
    private func rewritten(_ proposal: Proposal, in store: GitStore, now: Timestamp) async throws(GitError) -> GitObjectID {
        let (git, reader, plan) = (query.git, proposal.reader, proposal.plan)
        if let cache = reader.cache { await cache.prefetchAllFolders(of: proposal.tip, from: remote, in: reader.repository) }
        guard let root = try await git.revParse("\(proposal.tip.hex)^{tree}", in: reader.repository, remote: remote) else {
            throw GitError(.corrupt, "commit \(proposal.tip.short) of \(remote.url) has no tree")
        }
        let trees = try await folders(proposal)
        let prunedFolders = try Set(plan.pruned.map(\.id)).sorted().map { id throws(GitError) in path / (try GitPath(parsing: id.path)) }
        var removing = prunedFolders
        // The root leaves out what a later commit adds: a run with its retries, or retries of a run without a record.
        let finals = Set(plan.kept.filter { $0.retry == nil }.map(\.id))
        for entry in plan.kept where entry.path ?? "" == path.text && (entry.retry == nil || !finals.contains(entry.id)) {
            removing.append(path / (try GitPath(parsing: RecordKey(run: entry.id, retry: entry.retry).folder)))
        }

        let message = plan.message(previousTip: proposal.tip.hex)
        let tip = try await build(in: store, root: root, removing: removing, message: message, now: now) { (rewrite) throws(GitError) in
            // The plan lists the newest first; the new history needs the oldest first.
            var rest = plan.kept.reversed()[...]
            while !rest.isEmpty {
                let piece = Array(rest.prefix(2000))
                rest = rest.dropFirst(piece.count)
                let commits = try await git.readBlobs(piece.compactMap(\.commit), limit: 1 << 30, in: reader.repository, remote: remote)
                for (entry, bytes) in zip(piece, commits) {
                    guard let commit = RawCommit(bytes) else { throw GitError(.corrupt, "commit \(entry.commit?.short ?? "-") is not understood") }
                    let key = RecordKey(run: entry.id, retry: entry.retry)
                    let folder = path / (try GitPath(parsing: key.folder))
                    try rewrite.add(commit, trees: entry.path ?? "" == path.text ? trees[key].map { [($0, at: folder)] } ?? [] : [])
                }
            }
        }
        // Safety check: compute the expected files in a second way, so that nothing is pushed that loses more than intended.
        let expected = try await build(in: store, root: root, removing: prunedFolders, message: message, now: now) { _ in }
        let (made, wanted) = (
            try await git.revParse("\(tip.hex)^{tree}", in: store.path), try await git.revParse("\(expected.hex)^{tree}", in: store.path)
        )
        guard made == wanted, made != nil else {
            throw GitError(
                .failed,
                "the new history of \(branch) does not have exactly the files that should stay; nothing was pushed. This is a mistake of Assay: report it"
            )
        }
        return tip
    }

    private func build(
        in store: GitStore, root: GitObjectID, removing: [GitPath], message: String, now: Timestamp,
        _ body: (HistoryRewrite) async throws(GitError) -> Void
    ) async throws(GitError) -> GitObjectID {
        let file = "\(store.path)/assay-rewrite-\(UInt64.random(in: 0 ... .max))"
        defer { Directory.removeTree(file) }
        let rewrite = try HistoryRewrite(at: file, committer: committer, date: now, message: message, tree: root, removing: removing)
        try await body(rewrite)
        return try await store.build(rewrite)
    }

    /// The trees of the records that are on the branch.
    private func folders(_ proposal: Proposal) async throws(GitError) -> [RecordKey: GitObjectID] {
        let found = Locked([RecordKey: GitObjectID]())
        do throws(GitError) {
            try await query.git.forEachFile(of: proposal.tip, at: path, folders: true, in: proposal.reader.repository, remote: remote) { entry in
                let parts = entry.path.split(separator: "/")
                guard parts.count == 2 || (parts.count == 4 && parts[2] == PendingRun.retriesFolder), let id = RunID(String(parts[0] + parts[1]))
                else { return true }
                if parts.count == 2 {
                    found.withLock { $0[RecordKey(run: id, retry: nil)] = entry.id }
                } else if let number = Int(parts[3]), String(number) == parts[3] {
                    found.withLock { $0[RecordKey(run: id, retry: number)] = entry.id }
                }
                return true
            }
        } catch {
            guard error.kind == .pathNotFound else { throw error }
        }
        return found.withLock { $0 }
    }
}
