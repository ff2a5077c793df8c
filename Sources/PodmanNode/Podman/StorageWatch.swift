import Base

/// Detects that a container has written more beside its volumes than its limit for ephemeral storage, as a kubelet does.
///
/// What a container writes is in the upper directories of its overlay mounts, which the kernel names in `/proc/<pid>/mountinfo`.
struct StorageWatch: Sendable {
    let container: String
    let limit: String
    private let bytes: Int
    private let pid: Int
    private let procfs: String

    /// nil when the container has no limit, or is not found.
    init?(container: NodeContainer, containerID: String, runRoot: String, procfs: String = "/proc") {
        guard let limit = container.limit("ephemeral-storage"), limit.whole > 0,
            let process = ContainerProcess(containerID: containerID, runRoot: runRoot, procfs: procfs)
        else { return nil }
        self.container = container.name
        self.limit = container.resources.at("limits", "ephemeral-storage")?.string ?? "\(limit.whole)"
        bytes = limit.whole
        pid = process.pid
        self.procfs = procfs
    }

    /// The kubelet's words for a container over its limit; nil for one below it.
    func overLimit() -> String? {
        var used = 0
        for directory in upperDirectories() {
            used += Directory.usage(of: directory, upTo: bytes - used)
            if used > bytes { return "Container \(container) exceeded its local ephemeral storage limit \"\(limit)\". " }
        }
        return nil
    }

    private func upperDirectories() -> [String] {
        guard let text = FileReading.text("\(procfs)/\(pid)/mountinfo", limit: 1 << 20) else { return [] }
        return Self.upperDirectories(mountinfo: text)
    }

    /// proc(5): the options of the file system are the last field of a line, separated by commas. A mount at several places counts once.
    static func upperDirectories(mountinfo text: String) -> [String] {
        var found: [String] = []
        for line in text.split(separator: "\n") {
            guard let separator = line.firstRange(of: " - "), line[separator.upperBound...].hasPrefix("overlay ") else { continue }
            for option in line.split(separator: " ").last?.split(separator: ",") ?? [] where option.hasPrefix("upperdir=") {
                let path = unescape(option.dropFirst("upperdir=".count).utf8)
                if !found.contains(path) { found.append(path) }
            }
        }
        return found
    }

    /// The kernel writes blank, tab, newline and backslash as octal numbers, `\040` (`mangle_path` in fs/seq_file.c).
    private static func unescape(_ text: Substring.UTF8View) -> String {
        var (bytes, rest): ([UInt8], Substring.UTF8View) = ([], text)
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            if byte == UInt8(ascii: "\\"), digits.count == 3, let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 8) {
                bytes.append(value)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
