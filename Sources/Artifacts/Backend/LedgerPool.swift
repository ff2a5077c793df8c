import Base
import Git

/// The open ledgers of this process: one for each (remote, branch, path, Secret), so that a batch is never pushed with another
/// job's credential. When a Secret's content changes, what waits is pushed with the new content.
///
/// A ledger that no job uses stays open for a day, since it still checks whether its branch was rewritten, and is then closed.
public actor LedgerPool {
    /// A use of a ledger: it stays open as long as this lives.
    public final class Lease: Sendable {
        public let ledger: GitLedger
        init(_ ledger: GitLedger) { self.ledger = ledger }
    }

    private struct Key: Hashable {
        var remote: String
        var branch: String
        var path: String
        /// `namespace/name`; empty without one.
        var secret: String
    }

    private struct Entry {
        let ledger: GitLedger
        weak var lease: Lease?
        /// Monotonic; nil while a lease lives.
        var unusedSince: Double?
    }

    private let directory: String
    private let committer: FastImportStream.Identity
    private let pushInterval: Double
    private let time: any TimeSource
    private var entries: [Key: Entry] = [:]
    /// Ledgers that are being closed: two ledgers must not share one directory.
    private var closing: [Key: Task<Void, Never>] = [:]
    private let onChange: GitLedger.ChangeHandler

    private static let unusedLimit = 86400.0

    /// - Parameters:
    ///   - directory: ledgers are kept in its subdirectory `ledgers`.
    ///   - pushInterval: seconds between two pushes to one branch.
    ///   - onChange: as `GitLedger.ChangeHandler` says.
    public init(
        directory: String, committer: FastImportStream.Identity, pushInterval: Double, time: any TimeSource = SystemTime(),
        onChange: @escaping GitLedger.ChangeHandler
    ) {
        self.directory = directory
        self.committer = committer
        self.pushInterval = pushInterval
        self.time = time
        self.onChange = onChange
    }

    /// How many are open.
    public var count: Int { entries.count }

    /// Opens the ledger, or shares the open one.
    /// - Parameter secret: the Secret, as `namespace/name`, that the remote's credential is from; nil when it is from none.
    /// - Throws: `.storage` when its directory cannot be made.
    public func lease(
        _ remote: GitClient.Remote, branch: GitBranch, path: GitPath, secret: String?
    ) async throws(ArtifactError) -> Lease {
        let key = Key(remote: remote.url.text, branch: branch.name, path: path.text, secret: secret ?? "")
        await closeUnused(except: key)
        if let task = closing[key] {
            await task.value
            closing[key] = nil
        }
        if let known = entries[key]?.ledger {
            let lease = entries[key]?.lease ?? Lease(known)
            entries[key]?.lease = lease
            entries[key]?.unusedSince = nil
            await known.use(remote.credentials)
            return lease
        }
        let name = SHA256.hex(of: Array("\(key.remote)\n\(key.branch)\n\(key.path)\n\(key.secret)".utf8)).prefix(16)
        let ledger = try GitLedger(
            settings: .init(
                remote: remote, branch: branch, path: path, committer: committer, directory: "\(directory)/ledgers/\(name)",
                pushInterval: pushInterval), onChange: onChange)
        let lease = Lease(ledger)
        entries[key] = Entry(ledger: ledger, lease: lease)
        Task { await ledger.resume() }
        return lease
    }

    private func closeUnused(except wanted: Key) async {
        let now = time.monotonic()
        for (key, entry) in entries where key != wanted && entry.lease == nil {
            guard let since = entry.unusedSince else {
                entries[key]?.unusedSince = now
                continue
            }
            guard now - since > Self.unusedLimit, await entry.ledger.state.pending == 0 else { continue }
            // It may have been leased during the `await`.
            guard let current = entries[key], current.lease == nil, current.unusedSince == since else { continue }
            entries[key] = nil
            closing[key] = Task { await entry.ledger.stop(grace: 0) }
        }
    }

    /// Closes all at the same time: each may have a push under way, and the process has one grace period.
    public func stop() async {
        await withTaskGroup { group in
            for entry in entries.values { group.addTask { await entry.ledger.stop() } }
            for task in closing.values { group.addTask { await task.value } }
        }
    }
}
