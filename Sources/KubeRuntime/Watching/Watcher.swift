import Base
import KubeCore

/// List and watch as a pure state machine: it takes events and returns effects and the next call. The caller does the I/O.
///
/// Its rules are in docs/controller-runtime.md. It promises to the store that takes its effects: a state is replaced only by a complete state,
/// versions never go back, each change is delivered at most once, and objects deleted during an outage are absent from the next replacement.
public struct Watcher<Object: Sendable>: Sendable {
    public typealias Step = WatcherStep<Object>

    enum State: Sendable {
        case idle
        case listing(Listing)
        case streaming(Stream)
        case waiting(Plan)
    }

    /// The pages collected so far. The version is that of the first page.
    struct Listing: Sendable {
        var staged: [ObjectKey: WatchedItem<Object>] = [:]
        var version: String?
        var continueToken: String?
        var isPaged: Bool
        var isFirstPage: Bool { version == nil }
    }

    struct Stream: Sendable {
        /// The version that the stream has reached; nil while the initial events are not complete.
        var version: String?
        var staged: [ObjectKey: WatchedItem<Object>] = [:]
        let openedAt: Double
        let timeoutSeconds: Double
        var lastLineAt: Double
        var lines = 0
    }

    /// The call after a wait.
    enum Plan: Sendable, Equatable {
        case fresh
        case resume(String)
    }

    var options: WatcherOptions
    var state = State.idle
    /// The newest version of a complete state or an event.
    var highest: String?
    private var backoff: Backoff
    private var random: SeededRandom
    private var cutInitialStreams = 0
    private var failuresAtVersion = 0
    private var regressions = 0

    /// - Parameter seed: determines the jitter and the lengths of watches.
    public init(options: WatcherOptions = WatcherOptions(), seed: UInt64 = .random(in: .min ... .max)) {
        self.options = options
        backoff = options.backoff
        random = SeededRandom(seed: seed)
    }

    /// The monotonic second at which a silent stream is closed; nil when no stream is open.
    public var silenceDeadline: Double? {
        guard case .streaming(let stream) = state else { return nil }
        let byTimeout = max(stream.openedAt + stream.timeoutSeconds, stream.lastLineAt) + options.silenceGraceSeconds
        guard stream.version == nil else { return byTimeout }
        return min(byTimeout, stream.lastLineAt + options.initialSilenceSeconds)
    }

    // MARK: Events

    /// The first event.
    public mutating func start(now: Double) -> Step { follow(.fresh, now: now) }

    /// A wait has ended.
    public mutating func waited(now: Double) -> Step {
        guard case .waiting(let plan) = state else { return Step() }
        return follow(plan, now: now)
    }

    /// A page has arrived.
    /// - Parameters:
    ///   - version: the version of the list.
    ///   - continueToken: nil or empty on the last page.
    public mutating func listed(
        _ items: [WatchedItem<Object>], version: String, continueToken: String?, now: Double
    ) -> Step {
        guard case .listing(var listing) = state else { return Step() }
        guard !version.isEmpty, version != "0" else {
            return failed(.malformed("a list without a resource version"), now: now)
        }
        // Later pages may have a later version. All pages were read at the version of the first page.
        if listing.isFirstPage { listing.version = version }
        for item in items { listing.staged[item.key] = item }
        if let continueToken, !continueToken.isEmpty {
            listing.continueToken = continueToken
            state = .listing(listing)
            return Step(call: .list(limit: options.pageSize, continueToken: continueToken))
        }
        let complete = listing.version ?? version
        if let refusal = refuseRegression(complete, now: now) { return refusal }
        var step = Step([.replace(Array(listing.staged.values), version: complete)])
        step.call = open(.resume(complete), now: now)
        return step
    }

    /// A call failed: a list, or the opening of a stream.
    public mutating func failed(_ failure: WatcherFailure, now: Double) -> Step {
        switch state {
        case .listing(let listing): return listFailed(failure, listing, now: now)
        case .streaming(let stream) where stream.version == nil: return initialFailed(failure, stream, now: now)
        case .streaming(let stream): return liveFailed(failure, stream, now: now)
        case .idle, .waiting: return Step()
        }
    }

    /// A line of the open stream has arrived.
    public mutating func received(_ line: WatchLine<Object>, now: Double) -> Step {
        guard case .streaming(var stream) = state else { return Step() }
        stream.lastLineAt = now
        stream.lines += 1
        state = .streaming(stream)
        switch line {
        case .failure(let failure): return failed(failure, now: now)
        case .broken(let why): return failed(.malformed(why), now: now)
        case .unknown(let why): return Step([.notice("skipped: \(why)")])
        default: break
        }
        return stream.version == nil ? initialLine(line, stream, now: now) : liveLine(line, stream)
    }

    /// The server has ended the stream, because of its timeout or because it stops.
    public mutating func ended(now: Double) -> Step {
        guard case .streaming(let stream) = state else { return Step() }
        guard let version = stream.version else {
            return failed(.unreachable("the initial stream ended before the bookmark that completes it"), now: now)
        }
        failuresAtVersion = 0
        if stream.lines > 0 || now - stream.openedAt >= 1 { return follow(.resume(version), now: now) }
        // Without a delay, a server that closes every stream at once would be called in a tight loop.
        return wait(for: nil, then: .resume(version), now: now)
    }

    /// `silenceDeadline` has passed without a line.
    public mutating func silent(now: Double) -> Step {
        guard case .streaming(let stream) = state, let deadline = silenceDeadline, now >= deadline else { return Step() }
        guard let version = stream.version else {
            options.usesWatchList = false
            var step = follow(.fresh, now: now)
            step.effects = [.notice("the initial stream is silent; a list is used instead")]
            return step
        }
        var step = follow(.resume(version), now: now)
        step.effects = [.notice("a silent stream was closed")]
        return step
    }

    // MARK: Lines

    private mutating func initialLine(_ line: WatchLine<Object>, _ stream: Stream, now: Double) -> Step {
        var stream = stream
        switch line {
        case .present(let item): stream.staged[item.key] = item
        case .deleted(let item): stream.staged.removeValue(forKey: item.key)
        case .bookmark(let version, true):
            guard !version.isEmpty, version != "0" else {
                return failed(.malformed("the bookmark that ends the initial events has no version"), now: now)
            }
            if let refusal = refuseRegression(version, now: now) { return refusal }
            let items = Array(stream.staged.values)
            stream.staged = [:]
            stream.version = version
            cutInitialStreams = 0
            state = .streaming(stream)
            return Step([.replace(items, version: version)])
        case .bookmark, .failure, .broken, .unknown: break
        }
        state = .streaming(stream)
        return Step()
    }

    private mutating func liveLine(_ line: WatchLine<Object>, _ stream: Stream) -> Step {
        var stream = stream
        let effect: WatcherEffect<Object>
        let version: String
        switch line {
        case .present(let item): (version, effect) = (item.version, .upsert(item, version: item.version))
        case .deleted(let item):
            (version, effect) = (item.version, .delete(item.key, uid: item.uid, version: item.version))
        case .bookmark(let moved, _): (version, effect) = (moved, .advance(version: moved))
        case .failure, .broken, .unknown: return Step()
        }
        guard !version.isEmpty, version != "0" else { return Step([.notice("an event without a version was skipped")]) }
        guard let known = stream.version, VersionOrder.isNewer(version, than: known) else {
            if case .bookmark = line { return Step() }
            return Step([.notice("an event of version \(version) is not newer than \(stream.version ?? "") and was skipped")])
        }
        stream.version = version
        highest = version
        failuresAtVersion = 0
        state = .streaming(stream)
        return Step([effect])
    }

    // MARK: Failures

    private mutating func listFailed(_ failure: WatcherFailure, _ listing: Listing, now: Double) -> Step {
        if case .expired = failure, listing.isPaged, !listing.isFirstPage {
            // The continue token expired. A list without pages cannot expire.
            state = .listing(Listing(isPaged: false))
            return Step([.notice("a page expired; the whole list is requested without pages")], call: .list(limit: nil, continueToken: nil))
        }
        return wait(for: failure, then: .fresh, now: now)
    }

    private mutating func initialFailed(_ failure: WatcherFailure, _ stream: Stream, now: Double) -> Step {
        switch failure {
        // 500: the server could stream, but its storage cannot (etcd before 3.4.31 and 3.5.13 lacks RequestWatchProgress).
        case .rejected(400, let text), .rejected(405, let text), .rejected(406, let text), .rejected(415, let text), .rejected(422, let text),
            .serverError(500, _, let text), .serverError(501, _, let text):
            options.usesWatchList = false
            var step = follow(.fresh, now: now)
            step.effects = [.notice("the server does not stream the initial state (\(text)); a list is used instead")]
            return step
        default: break
        }
        if stream.lines > 0 { cutInitialStreams += 1 }
        if cutInitialStreams >= options.cutInitialStreams { options.usesWatchList = false }
        return wait(for: failure, then: .fresh, now: now)
    }

    private mutating func liveFailed(_ failure: WatcherFailure, _ stream: Stream, now: Double) -> Step {
        guard let version = stream.version else { return wait(for: failure, then: .fresh, now: now) }
        switch failure {
        case .expired, .versionTooLarge, .rejected(404, _):
            return wait(for: failure, then: .fresh, now: now, atOnceWhenRested: true)
        case .throttled, .unreachable:
            // The current state is still valid, and listing again would only add load.
            let wasOpen = stream.lines > 0
            return wait(for: failure, then: .resume(version), now: now, atOnceWhenRested: wasOpen)
        case .rejected, .serverError, .malformed:
            failuresAtVersion += 1
            let plan: Plan = failuresAtVersion >= options.failuresBeforeRelist ? .fresh : .resume(version)
            let wasOpen = stream.lines > 1
            return wait(for: failure, then: plan, now: now, atOnceWhenRested: wasOpen)
        }
    }

    /// A state older than one already seen comes from a replica that lags behind (catalogue 13).
    private mutating func refuseRegression(_ version: String, now: Double) -> Step? {
        defer { failuresAtVersion = 0 }
        if let highest, VersionOrder.isNewer(highest, than: version), regressions < options.regressionsBeforeAccepting {
            regressions += 1
            return wait(
                for: .malformed("the server answered with version \(version), older than \(highest)"), then: .fresh, now: now)
        }
        regressions = 0
        highest = version
        return nil
    }

    // MARK: Next calls

    private mutating func wait(
        for failure: WatcherFailure?, then plan: Plan, now: Double, atOnceWhenRested: Bool = false
    ) -> Step {
        let effects: [WatcherEffect<Object>] = failure.map { [.trouble($0)] } ?? []
        let rested = backoff.isRested(now: now)
        var delay = backoff.next(now: now, random: Double.random(in: 0..<1, using: &random))
        if let asked = failure?.retryAfterSeconds {
            delay = max(delay, asked)
        } else if atOnceWhenRested && rested {
            delay = 0
        }
        state = .waiting(plan)
        return Step(effects, call: .wait(seconds: delay))
    }

    private mutating func follow(_ plan: Plan, now: Double) -> Step { Step(call: open(plan, now: now)) }

    private mutating func open(_ plan: Plan, now: Double) -> WatcherCall {
        if case .fresh = plan, !options.usesWatchList {
            state = .listing(Listing(isPaged: true))
            return .list(limit: options.pageSize, continueToken: nil)
        }
        let timeout = Int.random(in: options.timeoutSeconds, using: &random)
        var version: String?
        if case .resume(let known) = plan { version = known }
        state = .streaming(
            Stream(version: version, openedAt: now, timeoutSeconds: Double(timeout), lastLineAt: now))
        return .watch(resourceVersion: version, sendsInitialEvents: version == nil, timeoutSeconds: timeout)
    }
}
