/// Tells a fetch that goes on from one whose remote sends nothing, or next to nothing. Pure: it is told what git says on
/// standard error (`--progress`) and how many bytes have come, with the time of each.
///
/// While the remote prepares its answer, any word of it counts as progress, up to `preparationSeconds`. While it sends, only bytes
/// count. What git does afterwards on this machine (resolving deltas) is never stalled.
struct FetchProgress: Sendable, Hashable {
    private enum Phase: Sendable, Hashable { case preparing, receiving, received }

    /// Seconds without progress after which the fetch is stalled.
    let window: Double
    /// Bytes a second, as a mean over the window, below which a transfer is no progress.
    let floor: Double
    let preparationSeconds: Double
    private let start: Double
    private var phase = Phase.preparing
    /// The last time that there was progress.
    private var progressed: Double
    /// Bytes at the beginning of the present window.
    private var base = 0
    private var received = 0

    init(window: Double, floor: Double, preparationSeconds: Double = 600, at now: Double) {
        self.window = window
        self.floor = floor
        self.preparationSeconds = preparationSeconds
        start = now
        progressed = now
    }

    /// - Parameter line: a line of standard error, or a state of git's progress line.
    mutating func said(_ line: String, at now: Double) {
        if line.hasPrefix("remote: ") {
            if phase == .preparing, now - start < preparationSeconds { progressed = now }
        } else if line.hasPrefix("Receiving objects:") || line.hasPrefix("Unpacking objects:") {
            if phase == .preparing { begin(at: now) }
            if line.hasSuffix("done.") { phase = .received } else if let bytes = Self.bytes(in: line) { came(bytes, at: now) }
        } else if line.hasPrefix("Resolving deltas:") {
            phase = .received
        }
    }

    /// - Parameter bytes: of the pack, so far.
    mutating func came(_ bytes: Int, at now: Double) {
        guard bytes > received else { return }
        received = bytes
        if phase == .preparing { begin(at: now) }
        // Measured from the last progress: a slow transfer is fast enough as long as its mean is.
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

    /// The amount in `Receiving objects:  45% (123/273), 1.23 MiB | 456.00 KiB/s`.
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

/// Splits git's standard error into lines and progress lines, and keeps the words that tell of a failure.
struct FetchWords: Sendable {
    private var rest: [UInt8] = []
    /// Not yet taken.
    private var lines: [String] = []
    /// What a failure is classified by: no progress, no list of refs, whose names could read like an error.
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
        guard !line.isEmpty, !line.hasPrefix(" "), !line.hasPrefix("From "), !line.trimmedBlanks.hasSuffix(", done."), !line.hasPrefix("remote: Total "),
            errors.utf8.count < 1 << 16
        else { return }
        errors += line + "\n"
    }
}
