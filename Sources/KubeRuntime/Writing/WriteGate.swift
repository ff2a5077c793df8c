import Base
import KubeCore

/// Read your own writes: after a write, a key is not reconciled from a cache that is older than that write (docs/design.md, section 4, 5).
///
/// The gate never wedges: it opens when the cache has seen as much as the write, when the whole cache has moved past it (the
/// object is gone), and after `patienceSeconds` in any case, because a selector may hide the object from the cache for good.
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

    /// The operator wrote the object and the server answered with this version. Of two writes the newer one counts.
    public func record(_ key: Key, resourceVersion version: String) {
        let now = time.monotonic()
        writes.withLock { writes in
            if let known = writes[key], !VersionOrder.isNewer(version, than: known.version) { return }
            writes[key] = Write(version: version, at: now)
        }
    }

    /// True when a decision about the key may rest on the cache.
    /// - Parameters:
    ///   - cached: the object's version in the cache; nil when it is not there.
    ///   - cacheVersion: how far the whole cache has come (`Store.version`): an object that is missing from a cache which
    ///     has come past the write is gone, not late.
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

    /// Nothing more is expected of the key: it is gone.
    public func forget(_ key: Key) { writes.withLock { _ = $0.removeValue(forKey: key) } }
}

extension WriteGate where Key == ObjectKey {
    /// The same, asked of a store.
    public func isCurrent<Object>(_ key: ObjectKey, in store: Store<Object>) -> Bool {
        isCurrent(key, cached: store.resourceVersion(of: key), cacheVersion: store.version)
    }
}
