import Base
import KubeCore

/// Ensures that, after a write, a key is not reconciled from a cache that is older than that write (docs/design.md, section 4, 5).
///
/// The gate always opens eventually: when the cache has a version at least as new as the write, when the whole cache is newer than the
/// write (the object is gone), and in any case after `patienceSeconds`, because a selector may hide the object from the cache permanently.
public final class WriteGate<Key: Hashable & Sendable>: Sendable {
    private struct Write {
        var version: String
        let at: Double
    }

    private let writes = Locked<[Key: Write]>([:])
    private let time: any TimeSource
    private let patienceSeconds: Double

    public init(time: any TimeSource = SystemTime(), patienceSeconds: Double = 60) {
        self.time = time
        self.patienceSeconds = patienceSeconds
    }

    /// Records that the operator wrote the object and the server returned this version. Of two writes the newer one counts.
    public func record(_ key: Key, resourceVersion version: String) {
        let now = time.monotonic()
        writes.withLock { writes in
            if let known = writes[key], !VersionOrder.isNewer(version, than: known.version) { return }
            writes[key] = Write(version: version, at: now)
        }
    }

    /// True when a decision about the key may be based on the cache.
    /// - Parameters:
    ///   - cached: the object's version in the cache; nil when it is not there.
    ///   - cacheVersion: the version of the whole cache (`Store.version`). An object that is missing from a cache newer than the write is
    ///     gone, not delayed.
    public func isCurrent(_ key: Key, cached: String?, cacheVersion: String?) -> Bool {
        let now = time.monotonic()
        return writes.withLock { writes in
            guard let write = writes[key] else { return true }
            let seen =
                cached.map { VersionOrder.isAtLeast($0, write.version) }
                ?? cacheVersion.map { VersionOrder.isAtLeast($0, write.version) } ?? false
            guard seen || now - write.at >= patienceSeconds else { return false }
            writes.removeValue(forKey: key)
            return true
        }
    }

    /// Forgets the write of a key whose object is gone.
    public func forget(_ key: Key) { writes.withLock { _ = $0.removeValue(forKey: key) } }
}

extension WriteGate where Key == ObjectKey {
    /// The same, with the versions taken from a store.
    public func isCurrent<Object>(_ key: ObjectKey, in store: Store<Object>) -> Bool {
        isCurrent(key, cached: store.resourceVersion(of: key), cacheVersion: store.version)
    }
}
