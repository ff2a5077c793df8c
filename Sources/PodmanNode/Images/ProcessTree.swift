import Base
import Glibc

/// A process with all its descendants. When podman is killed during a build, the container of a RUN step remains, in a session of its own:
/// only the tree of processes leads to it.
enum ProcessTree {
    /// The process and its descendants; empty when there is no such process.
    static func members(of root: pid_t) -> [pid_t] {
        var children: [pid_t: [pid_t]] = [:]
        var exists = false
        for name in Directory.names(in: "/proc") ?? [] {
            guard let pid = pid_t(name), let parent = parent(of: pid) else { continue }
            children[parent, default: []].append(pid)
            if pid == root { exists = true }
        }
        guard exists else { return [] }
        var found = [root]
        var next = 0
        while next < found.count {
            found += children[found[next]] ?? []
            next += 1
        }
        return found
    }

    /// nil for a process that has ended.
    private static func parent(of pid: pid_t) -> pid_t? {
        // The name, in parentheses, may hold blanks and parentheses.
        guard let text = FileReading.text("/proc/\(pid)/stat", limit: 4096), let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 1, fields[0] != "Z" else { return nil }
        return pid_t(fields[1])
    }

    /// Kills the process and its descendants. They are stopped first, so that none makes a new process while the others are killed.
    static func kill(_ root: pid_t) {
        var known: Set<pid_t> = []
        for _ in 0..<20 {
            let new = members(of: root).filter { !known.contains($0) }
            if new.isEmpty { break }
            for pid in new { _ = Glibc.kill(pid, SIGSTOP) }
            known.formUnion(new)
        }
        for pid in known { _ = Glibc.kill(pid, SIGKILL) }
    }

    /// The first words of processes' command lines, for those that `isWanted`.
    static func processes(where isWanted: ([String]) -> Bool) -> [pid_t] {
        (Directory.names(in: "/proc") ?? []).compactMap { name in
            guard let pid = pid_t(name), let bytes = FileReading.beginning(of: "/proc/\(name)/cmdline", limit: 64 << 10) else { return nil }
            return isWanted(bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }) ? pid : nil
        }
    }
}
