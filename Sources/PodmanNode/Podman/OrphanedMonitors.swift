import Base
import Glibc

/// Finds containers that podman does not know. When podman is killed in the middle of a start, the container's monitor (conmon) and the
/// runtime's waiting process remain, and `podman rm` does not end them.
enum OrphanedMonitors {
    /// Kills the monitors that use the node's own storage, and their children, if podman does not list their container.
    /// - Returns: how many monitors were killed.
    @discardableResult
    static func kill(podmanRoot: String, known: Set<String>) -> Int {
        let found = find(podmanRoot: podmanRoot, known: known)
        for pid in found {
            let children = (FileReading.text("/proc/\(pid)/task/\(pid)/children", limit: 4096) ?? "").split(separator: " ").compactMap { pid_t($0) }
            for child in children + [pid] { _ = Glibc.kill(child, SIGKILL) }
        }
        return found.count
    }

    /// The monitors that use the node's own storage and whose container podman does not list. The monitor of a container that was just removed is
    /// among them until it has ended.
    static func find(podmanRoot: String, known: Set<String>) -> [pid_t] {
        (Directory.names(in: "/proc") ?? []).compactMap { name in
            guard let pid = pid_t(name), let bytes = FileReading.beginning(of: "/proc/\(name)/cmdline", limit: 64 << 10) else { return nil }
            let words = bytes.split(separator: 0, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
            guard let id = container(words, podmanRoot: podmanRoot), !known.contains(id) else { return nil }
            return pid
        }
    }

    /// The container id in a monitor's command line, if the monitor uses the node's storage.
    static func container(_ words: [String], podmanRoot: String) -> String? {
        guard words.first?.split(separator: "/").last == "conmon", let flag = words.firstIndex(of: "-b"), flag + 1 < words.count else { return nil }
        let bundle = words[flag + 1]
        let prefix = podmanRoot + "/overlay-containers/"
        guard bundle.hasPrefix(prefix), bundle.hasSuffix("/userdata") else { return nil }
        return String(bundle.dropFirst(prefix.count).dropLast("/userdata".count))
    }
}
