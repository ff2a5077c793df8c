import Base
import Git
import Glibc

/// Keeps the files of a store below its limit. The time of a file's last change is the time of its last use.
enum StoredFiles {
    /// Seconds after which a file that is still being written was left by a process that died. No fetch takes that long.
    private static let abandonedSeconds: Int64 = 86_400

    /// Removes the files that were used least recently until `bytes` more fit, and what dead processes left half written (`NAME.new-...`).
    ///
    /// - Parameters:
    ///   - sizeLimit: bytes of all files together; nil: no limit.
    ///   - isStored: whether a name is that of a whole file.
    static func makeRoom(
        for bytes: Int, in directory: String, sizeLimit: Int?, metrics: CacheMetrics? = nil, now: Timestamp = SystemTime().now(),
        _ isStored: (String) -> Bool
    ) {
        var files: [(path: String, size: Int, used: Timestamp)] = []
        for name in Directory.names(in: directory) ?? [] {
            let path = "\(directory)/\(name)"
            var info = stat()
            guard lstat(path, &info) == 0 else { continue }
            let used = Timestamp(seconds: Int64(info.st_mtim.tv_sec), nanoseconds: Int32(info.st_mtim.tv_nsec))
            if isStored(name) {
                files.append((path, Int(info.st_size), used))
            } else if name.firstRange(of: ".new-") != nil, used.seconds + abandonedSeconds < now.seconds {
                unlink(path)
            }
        }
        var total = files.reduce(bytes) { $0 + $1.size }
        defer { metrics?.measured(bytes: total) }
        guard let sizeLimit else { return }
        for file in files.sorted(by: { $0.used < $1.used }) {
            guard total > sizeLimit else { return }
            guard unlink(file.path) == 0 else { continue }
            total -= file.size
            metrics?.evicted(1)
        }
    }
}
