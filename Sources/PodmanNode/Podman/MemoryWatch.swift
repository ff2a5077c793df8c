import Base
import Glibc

/// Detects that a container ran out of memory.
///
/// On a real node (cgroups v2) the kernel then kills the whole container, and the runtime reports it. With cgroups v1 the kernel kills one
/// process, so a trial would continue with a part of its processes; there the node watches the kernel's counter and kills the rest. Where podman
/// cannot set a limit at all, the node adds up the memory of the processes itself, which is slower and misses short peaks.
struct MemoryWatch: Sendable {
    enum Source: Sendable, Hashable {
        /// A file with a line `oom_kill N`.
        case counter(path: String)
        /// The container's first process, and the bytes that all of the container's processes may use together.
        case resident(pid: Int, limit: Int)
    }

    static let interval = 0.2

    /// How to watch a container that has started; nil when there is nothing to watch.
    static func source(containerID: String, limit: Int?, abilities: PodmanAbilities, runRoot: String) -> Source? {
        guard let limit, !abilities.killsWholeContainer,
            let text = FileReading.text("\(runRoot)/overlay-containers/\(containerID)/userdata/pidfile", limit: 64),
            let pid = Int(text.prefix { $0.isNumber })
        else { return nil }
        guard abilities.memoryLimits else { return .resident(pid: pid, limit: limit) }
        for line in (FileReading.text("/proc/\(pid)/cgroup") ?? "").split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            if parts[1].split(separator: ",").contains("memory") {
                let path = "/sys/fs/cgroup/memory\(parts[2])/memory.oom_control"
                if FileEntry.exists(path) { return .counter(path: path) }
            } else if parts[0] == "0", abilities.cgroupVersion == 2 {
                let path = "/sys/fs/cgroup\(parts[2])/memory.events"
                if FileEntry.exists(path) { return .counter(path: path) }
            }
        }
        return nil
    }

    /// Whether the container has run out of memory.
    static func isOver(_ source: Source) -> Bool {
        switch source {
        case .counter(let path): kills(FileReading.text(path, limit: 4096) ?? "") > 0
        case .resident(let pid, let limit): resident(ofContainerOf: pid) > limit
        }
    }

    static func kills(_ text: String) -> Int {
        for line in text.split(separator: "\n") where line.hasPrefix("oom_kill ") { return Int(line.dropFirst(9)) ?? 0 }
        return 0
    }

    /// The bytes of private memory of all processes in the same PID namespace.
    private static func resident(ofContainerOf pid: Int) -> Int {
        guard let namespace = FileEntry.linkTarget("/proc/\(pid)/ns/pid") else { return 0 }
        var pages = 0
        for name in (Directory.names(in: "/proc") ?? []) where name.allSatisfy(\.isNumber) {
            guard FileEntry.linkTarget("/proc/\(name)/ns/pid") == namespace, let text = FileReading.text("/proc/\(name)/statm", limit: 256) else {
                continue
            }
            let numbers = text.split(separator: " ").compactMap { Int($0) }
            if numbers.count > 2 { pages += max(0, numbers[1] - numbers[2]) }
        }
        return pages * Int(getpagesize())
    }

    /// Whether the kernel's log reports an out-of-memory kill in the container's cgroup; nil when the log cannot be read.
    ///
    /// The kernel writes the line before it kills the process, so after the exit the line is there.
    static func kernelLogReportsKill(in containerID: String) -> Bool? {
        let fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        var buffer = [UInt8](repeating: 0, count: 8192)
        while true {
            let count = read(fd, &buffer, buffer.count)
            // EPIPE: the record was overwritten before it was read; the next read continues with the next record.
            if count < 0, errno == EPIPE || errno == EINTR { continue }
            guard count > 0 else { return false }
            let record = String(decoding: buffer[..<count].prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
            if reportsKill(record, in: containerID) { return true }
        }
    }

    /// Whether one record of the kernel's log reports an out-of-memory kill in the container's cgroup.
    static func reportsKill(_ record: String, in containerID: String) -> Bool {
        guard let semicolon = record.firstIndex(of: ";"), record[semicolon...].hasPrefix(";oom-kill:constraint=CONSTRAINT_MEMCG") else {
            return false
        }
        return record.split(separator: ",").contains { $0.hasPrefix("oom_memcg=") && $0.contains("libpod-" + containerID) }
    }

    /// - Parameters:
    /// - seen: whether this watch saw the out-of-memory condition.
    /// - runtime: whether podman reports it.
    /// - kernelLog: the result of `kernelLogReportsKill`.
    static func verdict(exitCode: Int, hasLimit: Bool, killedByNode: Bool, seen: Bool, runtime: Bool, kernelLog: Bool?) -> Bool {
        // With cgroups v1 the first process may have survived the kill and ended without an error.
        if seen || runtime || kernelLog == true { return true }
        guard hasLimit, exitCode != 0 else { return false }
        if let kernelLog { return kernelLog }
        // A process inside the container cannot send KILL to the first process, and the node did not, so the kernel did.
        return exitCode == 137 && !killedByNode
    }
}
