import Base

/// The denials of the latest runs, in bounded memory.
struct DenialBook: Sendable {
    /// Different denials kept of one run.
    static let entriesPerRun = 200

    private struct Key: Hashable {
        let phase: String
        let step: String?
        let destination: Destination
        let code: String
    }

    private struct Run {
        var positions: [Key: Int] = [:]
        var denials: [EgressDenial] = []
        var omitted = 0
        var lastUse: UInt64 = 0
    }

    private let maximumRuns: Int
    private var runs: [String: Run] = [:]
    private var clock: UInt64 = 0

    /// - Parameter maximumRuns: beyond it the run is forgotten that was denied something least recently.
    init(maximumRuns: Int = 2000) { self.maximumRuns = max(1, maximumRuns) }

    /// - Returns: true for the first denial of its kind in the run, which is worth a log line.
    mutating func add(_ token: EgressToken, _ destination: Destination, _ reason: DenialReason, message: String, at now: Timestamp) -> Bool {
        clock += 1
        if runs[token.run] == nil, runs.count >= maximumRuns, let oldest = runs.min(by: { $0.value.lastUse < $1.value.lastUse })?.key {
            runs[oldest] = nil
        }
        let key = Key(phase: token.phase, step: token.step, destination: destination, code: reason.code)
        var run = runs.removeValue(forKey: token.run) ?? Run()
        defer { runs[token.run] = run }
        run.lastUse = clock
        if let position = run.positions[key] {
            run.denials[position].count += 1
            run.denials[position].lastTime = max(now, run.denials[position].lastTime)
            return false
        }
        guard run.denials.count < Self.entriesPerRun else {
            run.omitted += 1
            return false
        }
        run.positions[key] = run.denials.count
        run.denials.append(
            EgressDenial(
                phase: token.phase, step: token.step, host: destination.host.bare, port: Int(destination.port), reason: reason.code,
                message: message, count: 1, firstTime: now, lastTime: now))
        return true
    }

    /// - Returns: the run's denials by the time of the first request, and how many requests beyond them were denied.
    func denials(of run: String) -> ([EgressDenial], omitted: Int) {
        let kept = runs[run]
        return (kept?.denials ?? [], kept?.omitted ?? 0)
    }
}

extension EgressHost {
    /// Without the brackets of an IPv6 address.
    var bare: String {
        switch self {
        case .name(let name): name.text
        case .address(let address): address.text
        }
    }
}
