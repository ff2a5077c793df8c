import Base
import HTTPTransport

/// Exports spans to a server that takes OTLP over HTTP, beside the work.
///
/// - Guarantees: `record` never blocks and never fails. Spans that find the queue full, or that the server has not taken within the time of their
///   batch, are dropped and counted (`assay_trace_spans_total`). A request that is sent again has the same spans with the same ids.
public final class TraceExporter: Sendable {
    private struct State {
        var waiting: [TraceSpan] = []
        var isStopped = false
        var dropped = 0
        /// The time in which more spans are gathered.
        var pause: Task<Void, any Error>?
    }

    private let settings: TraceSettings
    private let transport: HTTPTransport
    private let time: any TimeSource
    private let counter: MetricsRegistry.Counter
    private let state = Locked(State())
    private let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation
    private let pump = Locked<Task<Void, Never>?>(nil)
    private let log = Log("traces")

    public init(settings: TraceSettings, transport: HTTPTransport = .shared, time: any TimeSource = SystemTime(), metrics: MetricsRegistry) {
        self.settings = settings
        self.transport = transport
        self.time = time
        counter = metrics.counter(.traceSpans)
        (signals, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Adds spans to the queue.
    public func record(_ spans: [TraceSpan]) {
        let (dropped, isFull) = state.withLock { state -> (Int, Task<Void, any Error>?) in
            let room = state.isStopped ? 0 : max(0, settings.queueLimit - state.waiting.count)
            state.waiting += spans.prefix(room)
            return (max(0, spans.count - room), state.waiting.count >= settings.batchLimit ? state.pause : nil)
        }
        isFull?.cancel()
        count(dropped, "dropped")
        signal.yield()
    }

    /// Begins to export.
    public func start() {
        let task = Task { await run() }
        pump.withLock { $0 = task }
    }

    /// Exports what waits, and ends. What is not taken by then is dropped.
    /// - Parameter seconds: the most that this takes.
    /// - Returns: how many spans were dropped from the beginning on.
    @discardableResult
    public func stop(within seconds: Double) async -> Int {
        let pause = state.withLock { state in
            state.isStopped = true
            return state.pause
        }
        pause?.cancel()
        signal.finish()
        let running = pump.withLock { $0 }
        let time = time
        let timer = Task {
            try await time.sleep(seconds: seconds)
            running?.cancel()
        }
        await running?.value
        timer.cancel()
        let left = state.withLock { state in
            defer { state.waiting = [] }
            return state.waiting.count
        }
        count(left, "dropped")
        if left > 0 { log.warning("spans were not exported before the end", ["spans": JSONValue(left)]) }
        return state.withLock { $0.dropped }
    }

    private func count(_ spans: Int, _ result: String) {
        guard spans > 0 else { return }
        counter.add(Double(spans), ["result": result])
        if result == "dropped" { state.withLock { $0.dropped += spans } }
    }

    private func run() async {
        for await _ in signals { await exportWaiting() }
        await exportWaiting()
    }

    private func exportWaiting() async {
        while !Task.isCancelled, state.withLock({ !$0.waiting.isEmpty }) {
            await gather()
            let batch = state.withLock { state -> [TraceSpan] in
                defer { state.waiting.removeFirst(min(settings.batchLimit, state.waiting.count)) }
                return Array(state.waiting.prefix(settings.batchLimit))
            }
            await export(batch)
        }
    }

    /// Waits until a batch is full, the time is over, or the end has come.
    private func gather() async {
        let (time, seconds) = (time, settings.delaySeconds)
        let pause = state.withLock { state -> Task<Void, any Error>? in
            guard !state.isStopped, state.waiting.count < settings.batchLimit else { return nil }
            let pause = Task { try await time.sleep(seconds: seconds) }
            state.pause = pause
            return pause
        }
        _ = await pause?.result
        state.withLock { $0.pause = nil }
    }

    private enum Answer {
        case taken
        case again(String, afterSeconds: Double?)
        case refused(String)
    }

    private func export(_ batch: [TraceSpan]) async {
        let body = OTLPTraces.request(batch, resource: settings.resource, version: settings.version)
        let end = time.monotonic() + settings.batchSeconds
        var backoff = Backoff(BackoffPolicy(initialSeconds: 1, factor: 1.5, capSeconds: 15, jitter: 0.5...1))
        var reason = ""
        while true {
            let left = end - time.monotonic()
            guard left > 0 else { break }
            switch await send(body, batch.count, within: min(left, settings.requestSeconds)) {
            case .taken: return
            case .refused(let why): return drop(batch, why)
            case .again(let why, let seconds):
                reason = why
                let now = time.monotonic()
                let delay = seconds.map { max(0, $0) } ?? backoff.next(now: now)
                guard now + delay < end else { return drop(batch, why) }
                do { try await time.sleep(seconds: delay) } catch { return drop(batch, why) }
            }
        }
        drop(batch, reason)
    }

    private func drop(_ batch: [TraceSpan], _ why: String) {
        count(batch.count, "dropped")
        log.warning("spans are dropped", ["spans": JSONValue(batch.count), "server": .string(settings.server), "error": .string(why)])
    }

    private func send(_ body: [UInt8], _ spans: Int, within seconds: Double) async -> Answer {
        var headers = settings.headers
        headers.add("Content-Type", "application/json")
        do {
            let response = try await transport.send(
                HTTPRequest(
                    method: "POST", url: settings.url, headers: headers, body: body,
                    timeouts: HTTPTimeouts(connect: min(10, seconds), total: seconds), tls: settings.tls, reading: .whole(limit: 1 << 20)))
            let answer = try await response.body.collect(upTo: 1 << 20)
            if (200..<300).contains(response.status) {
                let rejected = OTLPTraces.rejected(answer)
                let lost = min(spans, rejected?.count ?? 0)
                count(spans - lost, "exported")
                count(lost, "dropped")
                if let rejected {
                    log.warning("the server rejects spans", ["spans": JSONValue(lost), "error": .string(rejected.message.replacingControls)])
                }
                return .taken
            }
            let why = "the server answers \(response.status)"
            // The only ones that OTLP lets a client repeat.
            guard [429, 502, 503, 504].contains(response.status) else { return .refused(why) }
            return .again(why, afterSeconds: response.headers["Retry-After"].flatMap { Double($0.trimmed) })
        } catch {
            return .again("\(error)", afterSeconds: nil)
        }
    }
}
