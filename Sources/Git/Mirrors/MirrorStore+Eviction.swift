import Base
import Glibc

extension MirrorStore {
    /// Removes leftovers of dead processes. If the mirrors are larger than `sizeLimit`, also removes the least recently used ones that nobody
    /// has open. Leaves mirrors alone that are being written. Called when a process starts and after each fetch.
    public func clean() async {
        let names = Directory.names(in: directory) ?? []
        for name in Set(names.compactMap(Self.leftoverOwner)) {
            guard let lock = try? await FileLock.acquire(lockFile(name), deadline: 0) else { continue }
            removeLeftovers(of: name, olderThan: Self.readersSeconds)
            lock.release()
        }
        guard sizeLimit != nil || metrics != nil else { return }
        var total = names.reduce(0) { sum, name in
            name.hasSuffix(".git") || Self.leftoverOwner(name) != nil ? sum + Directory.usage(of: "\(directory)/\(name)", upTo: .max) : sum
        }
        defer { metrics?.measured(bytes: total) }
        guard let sizeLimit, total > sizeLimit else { return }
        for mirror in names.filter({ $0.hasSuffix(".git") }).map({ String($0.dropLast(".git".count)) }).sorted(by: { lastUse($0) < lastUse($1) }) {
            guard total > sizeLimit else { return }
            let size = Directory.usage(of: "\(directory)/\(mirror).git", upTo: .max)
            guard await evict(mirror) else { continue }
            total -= size
            metrics?.evicted(1)
        }
    }

    /// Removes the mirror unless somebody has it open or is writing to it. Returns whether it was removed.
    private func evict(_ name: String) async -> Bool {
        guard let lock = try? await FileLock.acquire(lockFile(name), deadline: 0) else { return false }
        defer { lock.release() }
        guard let use = try? await FileLock.acquire(useFile(name), deadline: 0) else { return false }
        // The rename removes the mirror in one step: later users create it again, and nobody sees it partly deleted.
        let aside = "\(directory)/\(name).old-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        let isMoved = rename("\(directory)/\(name).git", aside) == 0
        use.release()
        if isMoved { Directory.removeTree(aside) }
        return isMoved
    }

    /// Call only while holding the mirror's lock.
    /// - Parameter seconds: the minimum age of `.old-` directories to remove, because a reader may still use a younger one.
    func removeLeftovers(of name: String, olderThan seconds: Int = 0) {
        for left in Directory.names(in: directory) ?? [] where left.hasPrefix("\(name).new-") || left.hasPrefix("\(name).old-") {
            var info = stat()
            let path = "\(directory)/\(left)"
            // The time of the last status change is the time of the rename.
            if left.hasPrefix("\(name).old-"), lstat(path, &info) == 0, time(nil) - info.st_ctim.tv_sec < seconds { continue }
            Directory.removeTree(path)
        }
    }

    private static let readersSeconds = 600

    /// The name of the mirror that a `<name>.new-...` or `<name>.old-...` directory belonged to.
    private static func leftoverOwner(_ entry: String) -> String? {
        (entry.firstRange(of: ".new-") ?? entry.firstRange(of: ".old-")).map { String(entry[..<$0.lowerBound]) }
    }

    private func lastUse(_ name: String) -> Timestamp {
        var info = stat()
        guard lstat(useFile(name), &info) == 0 || lstat("\(directory)/\(name).git", &info) == 0 else { return Timestamp(seconds: 0) }
        return Timestamp(seconds: Int64(info.st_mtim.tv_sec), nanoseconds: Int32(info.st_mtim.tv_nsec))
    }
}
