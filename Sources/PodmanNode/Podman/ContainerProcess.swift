import Base
/// A container's first process, whose pid conmon wrote to a file. Tells whether the process still runs without asking podman.
///
/// conmon reports an end by writing a file, which fails when the disk is full. podman then says forever that the container runs.
struct ContainerProcess: Sendable {
    /// Seconds between two checks. The checks find only the ends that conmon cannot report; conmon's reports arrive at once.
    static let interval = 5.0

    let pid: Int
    /// The start time in clock ticks since boot. It distinguishes this process from a later one with the same pid. nil when the process no
    /// longer existed.
    private let started: String?
    private let procfs: String

    /// nil when there is no pid file.
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

    /// proc(5), /proc/pid/stat: the start time is the 22nd field. The 2nd field, the name, may contain blanks and brackets.
    private static func startTime(of pid: Int, _ procfs: String) -> String? {
        guard let text = FileReading.text("\(procfs)/\(pid)/stat", limit: 4096), let bracket = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: bracket)...].split(separator: " ")
        return fields.count > 19 ? String(fields[19]) : nil
    }
}
