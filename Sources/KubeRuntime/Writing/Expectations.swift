import Base
import KubeCore

/// The objects of an owner that were created, changed or deleted, and whose change is not in the cache yet.
///
/// While an owner has open expectations, no decision about it may be made from the cache: it could create a pod twice or count one that is
/// being deleted. Expectations are checked by reading the cache, so no callback can be missed. An expectation is dropped after
/// `patienceSeconds`, so that an object which never appears in the cache cannot block its owner for ever.
public final class Expectations<Owner: Hashable & Sendable>: Sendable {
    private enum Wanted {
        case atLeast(version: String)
        case gone(uid: String)
    }

    private struct Expectation {
        let wanted: Wanted
        let at: Double
    }

    private let open = Locked<[Owner: [ObjectKey: Expectation]]>([:])
    private let time: any TimeSource
    private let patienceSeconds: Double

    public init(time: any TimeSource = SystemTime(), patienceSeconds: Double = 60) {
        self.time = time
        self.patienceSeconds = patienceSeconds
    }

    /// The object was created or changed, and the server returned this version.
    public func wrote(_ object: ObjectKey, version: String, for owner: Owner) {
        expect(.atLeast(version: version), object, owner)
    }

    /// The deletion of the object was accepted. The expectation is met when the cache shows the object as gone, replaced, or being deleted.
    public func deleted(_ object: ObjectKey, uid: String, for owner: Owner) {
        expect(.gone(uid: uid), object, owner)
    }

    /// True when the cache shows every write made for the owner.
    public func areMet<Object>(for owner: Owner, in store: Store<Object>) -> Bool {
        let expected = open.withLock { $0[owner] ?? [:] }
        guard !expected.isEmpty else { return true }
        let now = time.monotonic()
        let cacheVersion = store.version
        let met = expected.filter { key, expectation in
            now - expectation.at >= patienceSeconds
                || Self.isMet(expectation.wanted, by: store.entry(key), cacheVersion: cacheVersion)
        }
        return open.withLock { open in
            for (key, expectation) in met where open[owner]?[key]?.at == expectation.at {
                open[owner]?.removeValue(forKey: key)
            }
            if open[owner]?.isEmpty == true { open.removeValue(forKey: owner) }
            return open[owner] == nil
        }
    }

    /// Drops all expectations of an owner that is gone.
    public func forget(_ owner: Owner) { open.withLock { _ = $0.removeValue(forKey: owner) } }

    private func expect(_ wanted: Wanted, _ object: ObjectKey, _ owner: Owner) {
        let now = time.monotonic()
        open.withLock { $0[owner, default: [:]][object] = Expectation(wanted: wanted, at: now) }
    }

    private static func isMet<Object>(
        _ wanted: Wanted, by entry: StoreEntry<Object>?, cacheVersion: String?
    ) -> Bool {
        switch wanted {
        case .atLeast(let version):
            if let entry { return VersionOrder.isAtLeast(entry.version, version) }
            // The object is missing from a cache that is newer than the write: it was deleted since.
            return cacheVersion.map { VersionOrder.isAtLeast($0, version) } ?? false
        case .gone(let uid):
            guard let entry else { return true }
            return entry.uid != uid || entry.isDeleting
        }
    }
}
