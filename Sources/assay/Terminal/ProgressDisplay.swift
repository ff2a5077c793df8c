import Base
import EvalModel
import Glibc

/// The progress of a job: a bar that is redrawn on a terminal, otherwise one line per change.
final class ProgressDisplay: Sendable {
    struct Counts: Equatable, Sendable {
        var total = 0
        var done = 0
        var failed = 0
        var running = 0
    }

    private let isTerminal: Bool
    private let write: @Sendable (String) -> Void
    private let last = Locked<(counts: Counts, drawn: Bool)>((Counts(), false))

    /// Writes to standard error by default.
    init(isTerminal: Bool = isatty(2) == 1, write: @escaping @Sendable (String) -> Void = ProgressDisplay.writeToStandardError) {
        self.isTerminal = isTerminal
        self.write = write
    }

    func show(_ counts: Counts) {
        let changed = last.withLock { last in
            defer { last.counts = counts }
            return counts != last.counts
        }
        guard changed, counts.total > 0 else { return }
        if isTerminal {
            last.withLock { $0.drawn = true }
            write("\r\u{1B}[2K" + bar(counts))
        } else {
            write(line(counts) + "\n")
        }
    }

    /// Writes a line of its own above the bar.
    func say(_ text: String) {
        let redraw = last.withLock { $0.drawn ? $0.counts : nil }
        write((redraw == nil ? "" : "\r\u{1B}[2K") + text + "\n" + (redraw.map(bar) ?? ""))
    }

    func finish() {
        if last.withLock({ $0.drawn }) { write("\n") }
        last.withLock { $0.drawn = false }
    }

    private func bar(_ c: Counts) -> String {
        let width = 30
        let filled = c.total == 0 ? 0 : c.done * width / c.total
        return "[" + String(repeating: "#", count: filled) + String(repeating: ".", count: width - filled) + "] " + line(c)
    }

    private func line(_ c: Counts) -> String {
        "\(c.done)/\(Count.of(c.total, "trial")) done, \(c.running) running" + (c.failed > 0 ? ", \(c.failed) failed" : "")
    }

    static func writeToStandardError(_ text: String) {
        Array(text.utf8).withUnsafeBytes { _ = Glibc.write(2, $0.baseAddress, $0.count) }
    }
}
