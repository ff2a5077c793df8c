import Base

/// Records when each part of a process last made progress, so that a liveness probe can find parts that hang.
///
/// A loop that hangs looks like a loop with nothing to do: it neither fails nor logs. So each part reports when it begins, when it makes
/// progress, and when it ends.
///
/// - Guarantee: a part that has begun, has not ended, and has made no progress for longer than its bound is in `stalled`.
/// - Caveat: a part that never began is not reported. Whether a process has started completely is the readiness probe's question.
public final class Liveness: Sendable {
    /// A part that has made no progress for longer than its bound.
    public struct Stall: Sendable, Equatable, CustomStringConvertible {
        public let part: String
        /// Seconds since its last progress.
        public let seconds: Double
        /// Seconds that it may take between two reports of progress.
        public let bound: Double

        public var description: String { "\(part): no progress for \(Int(seconds)) s, which is more than \(Int(bound)) s" }
    }

    private let parts: Locked<LivenessParts>
    private let time: any TimeSource

    /// - Parameter serverSeconds: the API server counts as away when no request has succeeded for so many seconds.
    public init(time: any TimeSource = SystemTime(), serverSeconds: Double = 120) {
        self.time = time
        parts = Locked(LivenessParts(serverSeconds: serverSeconds))
    }

    /// Starts watching a part.
    /// - Parameters:
    ///   - part: its name for people, such as `watch of evaljobs.assay.dev`.
    ///   - bound: the seconds that it may take between two reports of progress.
    ///   - needsServer: it makes progress only while the API server answers. It is stalled only when it has made none for `bound` seconds while other
    ///     requests succeeded: a restart does not help against a server that is away.
    public func begin(_ part: String, within bound: Double, needsServer: Bool = false) -> Pulse {
        Pulse(liveness: self, number: parts.withLock { $0.begin(part, within: bound, needsServer: needsServer, now: time.monotonic()) })
    }

    /// Reports that a request to the API server has succeeded.
    public func serverAnswered() { parts.withLock { $0.serverAnswered(now: time.monotonic()) } }

    /// The stalled parts; the one stalled longest comes first.
    public var stalled: [Stall] { parts.withLock { $0.stalled(now: time.monotonic()) } }

    /// Through this a part reports its progress. The part is watched until `end`.
    public struct Pulse: Sendable {
        fileprivate let liveness: Liveness
        fileprivate let number: Int

        /// Reports progress.
        public func beat() { liveness.parts.withLock { $0.beat(number, now: liveness.time.monotonic()) } }

        /// Reports that the part has ended and is no longer watched.
        public func end() { liveness.parts.withLock { $0.end(number) } }

        /// Seconds since its last progress; nil once it has ended.
        public var age: Double? { liveness.parts.withLock { $0.age(number, now: liveness.time.monotonic()) } }
    }
}

/// The parts that have begun and have not ended. Times are monotonic seconds.
struct LivenessParts: Sendable {
    private struct Part: Sendable {
        let name: String
        let bound: Double
        let needsServer: Bool
        var movedAt: Double
    }

    /// When requests succeeded: the last one, and the first one after which there was never a pause of `serverSeconds`.
    private struct Answers: Sendable { var since, last: Double }

    private let serverSeconds: Double
    private var parts: [Int: Part] = [:]
    private var next = 0
    private var answers: Answers?

    init(serverSeconds: Double = 120) { self.serverSeconds = serverSeconds }

    mutating func begin(_ name: String, within bound: Double, needsServer: Bool = false, now: Double) -> Int {
        next += 1
        parts[next] = Part(name: name, bound: bound, needsServer: needsServer, movedAt: now)
        return next
    }

    mutating func serverAnswered(now: Double) {
        let since = answers.map { now - $0.last > serverSeconds ? now : $0.since } ?? now
        answers = Answers(since: since, last: now)
    }

    mutating func beat(_ number: Int, now: Double) { parts[number]?.movedAt = now }

    mutating func end(_ number: Int) { parts[number] = nil }

    func age(_ number: Int, now: Double) -> Double? { parts[number].map { now - $0.movedAt } }

    func stalled(now: Double) -> [Liveness.Stall] {
        parts.values.filter { isStalled($0, now: now) }
            .map { Liveness.Stall(part: $0.name, seconds: now - $0.movedAt, bound: $0.bound) }
            .sorted { ($1.seconds, $0.part) < ($0.seconds, $1.part) }
    }

    private func isStalled(_ part: Part, now: Double) -> Bool {
        guard part.needsServer else { return now - part.movedAt > part.bound }
        guard let answers, now - answers.last <= serverSeconds else { return false }
        // Up to the last success, not up to now: the time after it says nothing about this part.
        return answers.last - max(part.movedAt, answers.since) > part.bound
    }
}
