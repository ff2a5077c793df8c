/// Detects a fetch whose remote sends nothing or almost nothing. Does no I/O: it gets git's standard error (`--progress`) and the number of
/// received bytes, each with its time.
///
/// While the remote prepares its answer, any message from it counts as progress, up to `preparationSeconds`. While it sends, only
/// bytes count. The work that git does afterwards on this machine (resolving deltas) never counts as stalled.
struct FetchProgress: Sendable, Hashable {
    private enum Phase: Sendable, Hashable { case preparing, receiving, received }

    /// Seconds without progress after which the fetch is stalled.
    let window: Double
    /// Bytes per second, as a mean over the window. A slower transfer makes no progress.
    let floor: Double
    let preparationSeconds: Double
    private let start: Double
    private var phase = Phase.preparing
    /// The time of the last progress.
    private var progressed: Double
    /// Bytes received at the start of the current window.
    private var base = 0
    private var received = 0

    init(window: Double, floor: Double, preparationSeconds: Double = 600, at now: Double) {
        self.window = window
        self.floor = floor
        self.preparationSeconds = preparationSeconds
        start = now
        progressed = now
    }

    /// - Parameter line: a line of standard error, or one update of git's progress line.
    mutating func receive(_ line: String, at now: Double) {
        if line.hasPrefix("remote: ") {
            if phase == .preparing, now - start < preparationSeconds { progressed = now }
        } else if line.hasPrefix("Receiving objects:") || line.hasPrefix("Unpacking objects:") {
            if phase == .preparing { begin(at: now) }
            if line.hasSuffix("done.") { phase = .received } else if let bytes = Self.bytes(in: line) { came(bytes, at: now) }
        } else if line.hasPrefix("Resolving deltas:") {
            phase = .received
        }
    }

    /// - Parameter bytes: bytes of the pack received so far.
    mutating func came(_ bytes: Int, at now: Double) {
        guard bytes > received else { return }
        received = bytes
        if phase == .preparing { begin(at: now) }
        // The speed is the mean since the last progress, so that a transfer may pause and still be fast enough.
        if Double(received - base) >= floor * max(now - progressed, 1) {
            progressed = now
            base = received
        }
    }

    private mutating func begin(at now: Double) {
        phase = .receiving
        progressed = now
    }

    func isStalled(at now: Double) -> Bool { phase != .received && now - progressed >= window }

    /// The number of bytes in a line such as `Receiving objects:  45% (123/273), 1.23 MiB | 456.00 KiB/s`.
    static func bytes(in line: String) -> Int? {
        let fields = line.split(separator: ",", maxSplits: 1)
        guard fields.count == 2 else { return nil }
        let words = fields[1].split(separator: " ").prefix(2)
        guard words.count == 2, let number = words.first.flatMap({ Double($0) }), number >= 0, number < 1e9 else { return nil }
        switch words[1] {
        case "bytes": return Int(number)
        case "KiB": return Int(number * 1024)
        case "MiB": return Int(number * 1_048_576)
        case "GiB": return Int(number * 1_073_741_824)
        default: return nil
        }
    }
}

/// Splits git's standard error into lines and progress updates, and keeps the lines that describe a failure.
struct FetchWords: Sendable {
    private var rest: [UInt8] = []
    /// Lines that have not been taken yet.
    private var lines: [String] = []
    /// The text for classifying a failure. It excludes progress lines, and lists of refs, because their names could look like an error.
    private(set) var errors = ""

    mutating func feed(_ chunk: [UInt8]) {
        for byte in chunk {
            guard byte == 0x0A || byte == 0x0D else {
                if rest.count < 4096 { rest.append(byte) }
                continue
            }
            let line = String(decoding: rest, as: UTF8.self)
            rest = []
            guard !line.isEmpty else { continue }
            if lines.count < 1000 { lines.append(line) }
            if byte == 0x0A { keep(line) }
        }
    }

    mutating func finish() {
        keep(String(decoding: rest, as: UTF8.self))
        rest = []
    }

    mutating func take() -> [String] {
        defer { lines = [] }
        return lines
    }

    private mutating func keep(_ line: String) {
        guard !line.isEmpty, !line.hasPrefix(" "), !line.hasPrefix("From "), !line.trimmedBlanks.hasSuffix(", done."),
            !line.hasPrefix("remote: Total "),
            errors.utf8.count < 1 << 16
        else { return }
        errors += line + "\n"
    }
}
