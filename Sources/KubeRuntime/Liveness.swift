import Base

/// What in a process must keep moving, and since when each part of it has not: what a liveness probe asks.
///
/// A loop that hangs looks like one that has nothing to do: it fails at nothing and logs nothing. So each says that it begins, that it
/// got on, and that it ends.
///
/// - Guarantee: a part that has begun, has not ended, and has not got on for longer than its bound is among `stalled`.
/// - Caveat: a part that never began is not missed; whether a process has come up is the readiness probe's question.
public final class Liveness: Sendable {
    /// A part that has not got on for longer than its bound.
    public struct Stall: Sendable, Equatable, CustomStringConvertible {
        public let part: String
        /// Seconds since it got on.
        public let seconds: Double
        /// Seconds that it may take.
        public let bound: Double

        public var description: String { "\(part): no progress for \(Int(seconds)) s, which is more than \(Int(bound)) s" }
    }

    private let parts = Locked(LivenessParts())
    private let time: any TimeSource

    public init(time: any TimeSource = SystemTime()) { self.time = time }

    /// Counts a part from now on.
    /// - Parameters:
    ///   - part: for people: `watch of evaljobs.assay.dev`.
    ///   - bound: the seconds that it may take to get on.
    public func begin(_ part: String, within bound: Double) -> Pulse {
        Pulse(liveness: self, number: parts.withLock { $0.begin(part, within: bound, now: time.monotonic()) })
    }

    /// What has stalled, the longest first.
    public var stalled: [Stall] { parts.withLock { $0.stalled(now: time.monotonic()) } }

    /// How a part tells of itself. It counts until `end`.
    public struct Pulse: Sendable {
        fileprivate let liveness: Liveness
        fileprivate let number: Int

        /// It got on.
        public func beat() { liveness.parts.withLock { $0.beat(number, now: liveness.time.monotonic()) } }

        /// It is over, and nothing is expected of it any more.
        public func end() { liveness.parts.withLock { $0.end(number) } }

        /// Seconds since it got on; nil once it has ended.
        public var age: Double? { liveness.parts.withLock { $0.age(number, now: liveness.time.monotonic()) } }
    }
}

/// The parts that have begun and not ended. Times are monotonic seconds.
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
