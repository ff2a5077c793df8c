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

    private let parts = Locked(LivenessParts())
    private let time: any TimeSource

    public init(time: any TimeSource = SystemTime()) { self.time = time }

    /// Starts watching a part.
    /// - Parameters:
    ///   - part: its name for people, such as `watch of evaljobs.assay.dev`.
    ///   - bound: the seconds that it may take between two reports of progress.
    public func begin(_ part: String, within bound: Double) -> Pulse {
        Pulse(liveness: self, number: parts.withLock { $0.begin(part, within: bound, now: time.monotonic()) })
    }

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
        var movedAt: Double
    }

    private var parts: [Int: Part] = [:]
    private var next = 0

    mutating func begin(_ name: String, within bound: Double, now: Double) -> Int {
        next += 1
        parts[next] = Part(name: name, bound: bound, movedAt: now)
        return next
    }

    mutating func beat(_ number: Int, now: Double) { parts[number]?.movedAt = now }

    mutating func end(_ number: Int) { parts[number] = nil }

    func age(_ number: Int, now: Double) -> Double? { parts[number].map { now - $0.movedAt } }

    func stalled(now: Double) -> [Liveness.Stall] {
        parts.values.filter { now - $0.movedAt > $0.bound }
            .map { Liveness.Stall(part: $0.name, seconds: now - $0.movedAt, bound: $0.bound) }
            .sorted { ($1.seconds, $0.part) < ($0.seconds, $1.part) }
    }
}
