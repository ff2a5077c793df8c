import Base
/// A container's first process, whose pid conmon wrote to a file: whether it still runs, without asking podman.
///
/// conmon reports an end by a file, which it cannot write to a full disk; podman then says for ever that the container runs.
struct ContainerProcess: Sendable {
    /// Seconds between two checks. An end that conmon reports is known at once; this is for those that it cannot report.
    static let interval = 5.0

    private let pid: Int
    /// The start time in clock ticks since boot, which tells a later process with the same pid apart; nil when there was no such process
    /// any more.
    private let started: String?
    private let procfs: String

    /// Nil when there is no pid file.
    init?(containerID: String, runRoot: String, procfs: String = "/proc") {
        guard let text = FileReading.text("\(runRoot)/overlay-containers/\(containerID)/userdata/pidfile", limit: 64),
            let pid = Int(text.prefix { $0.isNumber })
        else { return nil }
        self.pid = pid
        self.procfs = procfs
        started = Self.startTime(of: pid, procfs)
    }

    var isAlive: Bool {
        guard let started else { return false }
        return Self.startTime(of: pid, procfs) == started
    }

    /// proc(5), /proc/pid/stat: the 22nd field; the name, the second one, may hold blanks and brackets.
    private static func startTime(of pid: Int, _ procfs: String) -> String? {
        guard let text = FileReading.text("\(procfs)/\(pid)/stat", limit: 4096), let bracket = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: bracket)...].split(separator: " ")
        return fields.count > 19 ? String(fields[19]) : nil
    }
}
