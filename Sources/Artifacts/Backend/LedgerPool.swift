import Base
import Git

/// The open ledgers of this process: one for each (remote, branch, path, Secret), so that a batch is never pushed with another
/// job's credential. When a Secret's content changes, waiting records are pushed with the new content.
///
/// A ledger that no job uses stays open for one day, to keep checking whether its branch was rewritten. Then it is closed.
public actor LedgerPool {
    /// One user's hold on a ledger. The ledger stays open as long as the lease exists.
    public final class Lease: Sendable {
        public let ledger: GitLedger
        init(_ ledger: GitLedger) { self.ledger = ledger }
    }

    private struct Key: Hashable {
        var remote: String
        var branch: String
        var path: String
        /// `namespace/name`; empty if there is no Secret.
        var secret: String
    }

    private struct Entry {
        let ledger: GitLedger
        weak var lease: Lease?
        /// Monotonic time; nil while a lease exists.
        var unusedSince: Double?
    }

    private let directory: String
    private let committer: FastImportStream.Identity
    private let pushInterval: Double
    private let time: any TimeSource
    private var entries: [Key: Entry] = [:]
    /// Ledgers that are being closed. A key is not opened again until its old ledger is closed, because two ledgers must not share a directory.
    private var closing: [Key: Task<Void, Never>] = [:]
    private let metrics: LedgerMetrics?
    private let onChange: GitLedger.ChangeHandler
    private let onPush: GitLedger.PushHandler

    private static let unusedLimit = 86400.0

    /// - Parameters:
    ///   - directory: ledgers are kept in its subdirectory `ledgers`.
    ///   - pushInterval: seconds between two pushes to one branch.
    ///   - onChange: see `GitLedger.ChangeHandler`.
    ///   - onPush: see `GitLedger.PushHandler`.
    public init(
        directory: String, committer: FastImportStream.Identity, pushInterval: Double, time: any TimeSource = SystemTime(),
        metrics: LedgerMetrics? = nil, onChange: @escaping GitLedger.ChangeHandler, onPush: @escaping GitLedger.PushHandler = { _ in }
    ) {
        self.directory = directory
        self.committer = committer
        self.pushInterval = pushInterval
        self.time = time
        self.metrics = metrics
        self.onChange = onChange
        self.onPush = onPush
    }

    /// The number of open ledgers.
    public var count: Int { entries.count }

    /// Opens the ledger, or returns a lease on the one that is already open.
    /// - Parameter secret: the Secret that contains the remote's credential, as `namespace/name`; nil if the credential is not from a Secret.
    /// - Throws: `.storage` when the ledger's directory cannot be created.
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
                pushInterval: pushInterval), metrics: metrics, onChange: onChange, onPush: onPush)
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
            // Another job may have leased the ledger during the `await`.
            guard let current = entries[key], current.lease == nil, current.unusedSince == since else { continue }
            entries[key] = nil
            closing[key] = Task { await entry.ledger.stop(grace: 0) }
        }
    }

    /// Closes all ledgers at the same time, because each may be pushing and the process has a single grace period for all of them.
    public func stop() async {
        let time = time
        await withTaskGroup { group in
            for entry in entries.values { group.addTask { await Self.finish(entry.ledger, time: time) } }
            for task in closing.values { group.addTask { await task.value } }
        }
    }

    /// Pushes what waits once more, then closes the ledger: another operator may continue its jobs, and cannot read this one's disk. A push
    /// that is not over after 5 seconds has 10 more.
    private static func finish(_ ledger: GitLedger, time: any TimeSource) async {
        let pushing = Task { if await ledger.state.failure == nil { try? await ledger.flush() } }
        let timer = Task {
            try await time.sleep(seconds: 5)
            await ledger.stop(grace: 10)
        }
        await pushing.value
        timer.cancel()
        await ledger.stop()
    }
}
