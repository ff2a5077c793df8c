import Base
import EvalModel
import Git
import Glibc

/// Makes trees from the whole commits that the store has (`TreeReference.whole`), and gets all others from elsewhere.
///
/// A tree is made from a commit that was fetched with the same Secret. Only the other origin says that there is no such folder.
public final class KeptRepositories: TreeOrigin {
    /// A commit that was listed: listing reads the whole file.
    private struct Opened {
        let name: String
        /// Of the file: a new one under the same name is listed anew.
        let inode: ino_t
        let listing: Task<StoredRepository?, Never>
    }

    /// The most commits that stay listed. One of 200,000 entries, the most that a tree may have, needs some 100 MB.
    private static let limit = 2

    private let store: TreeStore
    private let origin: any TreeOrigin
    /// The one that was used last is at the end.
    private let opened = Locked<[Opened]>([])

    /// - Parameters:
    ///   - store: of the cache that this is an origin for.
    ///   - origin: where everything else comes from.
    public init(in store: TreeStore, before origin: any TreeOrigin) {
        self.store = store
        self.origin = origin
    }

    public func write(_ tree: TreeReference, for credential: TreeToken.Credential, to sink: TreeSink) async throws(SourceError) {
        do {
            if try await writeKept(tree, credential, sink) { return }
        } catch {
            throw SourceError(error)
        }
        try await origin.write(tree, for: credential, to: sink)
    }

    /// - Returns: whether the tree was written.
    private func writeKept(_ tree: TreeReference, _ credential: TreeToken.Credential, _ sink: TreeSink) async throws(GitError) -> Bool {
        guard let whole = tree.whole else { return false }
        let name = TreeCache.name(of: whole, credential)
        guard let repository = await open(name, tree.commit) else { return false }
        do {
            try await TreeWriting(tree: repository.tree, reference: tree, limits: TreeStream.Limits(), contents: repository).write(to: sink)
            return true
        } catch {
            switch error.kind {
            case .storage, .tooLarge, .cancelled: throw error
            case .corrupt: removeDamaged(name)
            default: break
            }
            try sink.restart()
            return false
        }
    }

    /// nil when the store does not have the commit, or has it damaged.
    private func open(_ name: String, _ commit: GitObjectID) async -> StoredRepository? {
        guard let (descriptor, info) = store.descriptor(name) else {
            forget(name)
            return nil
        }
        let listing = opened.withLock { opened in
            let known = opened.first { $0.name == name && $0.inode == info.st_ino }
            opened.removeAll { $0.name == name }
            let now: Opened
            if let known {
                close(descriptor)
                now = known
            } else {
                now = Opened(name: name, inode: info.st_ino, listing: Task { await Self.list(descriptor, commit) })
            }
            opened.append(now)
            if opened.count > Self.limit { opened.removeFirst() }
            return now.listing
        }
        let repository = await listing.value
        if repository == nil { removeDamaged(name) }
        return repository
    }

    /// On a thread of its own: reading a gigabyte takes seconds, and Swift's threads are few.
    private static func list(_ descriptor: Int32, _ commit: GitObjectID) async -> StoredRepository? {
        await withCheckedContinuation { continuation in
            let started = startThread(name: "list-repository") { continuation.resume(returning: try? StoredRepository(descriptor, of: commit)) }
            guard !started else { return }
            close(descriptor)
            continuation.resume(returning: nil)
        }
    }

    private func forget(_ name: String) { opened.withLock { $0.removeAll { $0.name == name } } }

    private func removeDamaged(_ name: String) {
        forget(name)
        if store.removeDamaged(name) { Log("cache").warning("a kept repository is damaged and is got anew", ["tree": .string(name)]) }
    }
}
