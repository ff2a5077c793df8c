import Artifacts
import Base
import EvalModel
import Git

/// One ledger for each (remote, branch, path, Secret): a batch is never pushed with another job's credential. What the
/// Secret holds may change; what waits is pushed with what it holds now.
///
/// A ledger that no job uses is kept for a day, since it goes on looking whether its branch was rewritten, and then let go.
actor LedgerPool {
    /// Held by whoever uses a ledger: it stays open as long as this lives.
    final class Use: Sendable {}

    private struct Key: Hashable {
        var remote: String
        var branch: String
        var path: String
        /// `namespace/name`; empty without one.
        var secret: String
    }

    private struct Entry {
        let ledger: GitLedger
        weak var use: Use?
        /// Monotonic; nil while somebody uses it.
        var unusedSince: Double?
    }

    private let directory: String
    private let committer: FastImportStream.Identity
    private let pushInterval: Double
    private let time: any TimeSource
    private var entries: [Key: Entry] = [:]
    /// Those that are let go: two ledgers must not have one directory.
    private var closing: [Key: Task<Void, Never>] = [:]
    private let onChange: @Sendable () -> Void

    private static let unusedAtMost = 86400.0

    init(
        directory: String, committer: FastImportStream.Identity, pushInterval: Double, time: any TimeSource = SystemTime(),
        onChange: @escaping @Sendable () -> Void
    ) {
        self.directory = directory
        self.committer = committer
        self.pushInterval = pushInterval
        self.time = time
        self.onChange = onChange
    }

    /// How many are open.
    var count: Int { entries.count }

    /// - Parameter secret: the Secret, as `namespace/name`, that the remote's credential is from; nil when it is from none.
    func ledger(
        _ remote: GitClient.Remote, branch: GitBranch, path: GitPath, secret: String?
    ) async throws(ArtifactError) -> (ledger: GitLedger, use: Use) {
        let key = Key(remote: remote.url.text, branch: branch.name, path: path.text, secret: secret ?? "")
        await letGo(except: key)
        if let task = closing[key] {
            await task.value
            closing[key] = nil
        }
        if let known = entries[key]?.ledger {
            let use = entries[key]?.use ?? Use()
            entries[key]?.use = use
            entries[key]?.unusedSince = nil
            await known.use(remote.credentials)
            return (known, use)
        }
        let name = SHA256.hex(of: Array("\(key.remote)\n\(key.branch)\n\(key.path)\n\(key.secret)".utf8)).prefix(16)
        let ledger = try GitLedger(
            settings: .init(
                remote: remote, branch: branch, path: path, committer: committer, directory: "\(directory)/ledgers/\(name)",
                pushInterval: pushInterval), onChange: onChange)
        let use = Use()
        entries[key] = Entry(ledger: ledger, use: use)
        Task { await ledger.resume() }
        return (ledger, use)
    }

    private func letGo(except wanted: Key) async {
        let now = time.monotonic()
        for (key, entry) in entries where key != wanted && entry.use == nil {
            guard let since = entry.unusedSince else {
                entries[key]?.unusedSince = now
                continue
            }
            guard now - since > Self.unusedAtMost, await entry.ledger.state.pending == 0 else { continue }
            // While it was asked, somebody may have come for it.
            guard let current = entries[key], current.use == nil, current.unusedSince == since else { continue }
            entries[key] = nil
            closing[key] = Task { await entry.ledger.stop(grace: 0) }
        }
    }

    /// All at once: each may have a push under way, and the process has one grace period.
    func stop() async {
        await withTaskGroup { group in
            for entry in entries.values { group.addTask { await entry.ledger.stop() } }
            for task in closing.values { group.addTask { await task.value } }
        }
    }
}
