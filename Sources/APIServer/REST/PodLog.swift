import Base
import HTTPServing
import KubeCore
import KubeSchema

extension APICore {
    /// Streams a container's log from the node that runs it.
    func podLog(_ request: ResourceRequest) throws(APIFailure) -> ServerResponse {
        let name = request.name ?? ""
        guard let pod = store.get(.pods, request.key) else { throw request.kind.notFound(name) }
        let value = pod.value
        let container = try container(of: value, name: name, asked: request.http.query["container"] ?? "")
        guard !(value.at("spec", "nodeName")?.string ?? "").isEmpty else {
            throw .badRequest("pod \(name) does not have a host assigned")
        }
        guard let provider = logProvider.withLock({ $0 }) else { throw .internalError("no node serves logs") }
        let options = try LogOptions(request.http.query, pod: name)
        let target = PodLogTarget(namespace: request.namespace, pod: name, uid: pod.uid, container: container)
        let wakeup: Wakeup
        do {
            wakeup = try Wakeup()
        } catch {
            throw .internalError("\(error)")
        }
        let pump = LogPump(provider: provider, target: target, options: options, wakeup: wakeup)
        // The status line is sent only after the provider has said whether there is a log.
        if let failure = pump.waitUntilOpen() { throw failure }
        return ServerResponse(status: 200, contentType: "text/plain") { writer in try pump.run(writer) }
    }

    private func container(of pod: JSONValue, name: String, asked: String) throws(APIFailure) -> String {
        let names = { (list: String) in (pod.at("spec", list)?.array ?? []).compactMap { $0["name"]?.string } }
        let containers = names("containers")
        let initial = names("initContainers")
        if asked.isEmpty {
            if containers.count == 1, initial.isEmpty, let only = containers.first { return only }
            var words =
                "a container name must be specified for pod \(name), choose one of: [\(containers.joined(separator: " "))]"
            if !initial.isEmpty { words += " or one of the init containers: [\(initial.joined(separator: " "))]" }
            throw .badRequest(words)
        }
        guard (containers + initial + names("ephemeralContainers")).contains(asked) else {
            throw .badRequest("container \(asked) is not valid for pod \(name)")
        }
        return asked
    }
}

extension LogOptions {
    init(_ query: HTTPQuery, pod: String) throws(APIFailure) {
        self.init()
        follow = query.flag("follow")
        previous = query.flag("previous")
        timestamps = query.flag("timestamps")
        var faults: [FieldError] = []
        func number(_ field: String, least: Int) -> Int? {
            guard let text = query[field], !text.isEmpty else { return nil }
            guard let value = Int(text), value >= least else {
                faults.append(.invalid(field, .string(text), "must be greater than or equal to \(least)"))
                return nil
            }
            return value
        }
        sinceSeconds = number("sinceSeconds", least: 1)
        tailLines = number("tailLines", least: 0)
        limitBytes = number("limitBytes", least: 1)
        if let text = query["sinceTime"], !text.isEmpty {
            if Timestamp(rfc3339: text) == nil { faults.append(.invalid("sinceTime", .string(text), "is no RFC 3339 time")) }
            sinceTime = text
        }
        if !faults.isEmpty { throw .invalid("", "PodLogOptions", pod, faults) }
    }
}

/// Passes a log from the provider's asynchronous stream to the connection's thread, and limits the bytes that wait in between.
private final class LogPump: Sendable {
    private struct State {
        var isOpen = false
        var failure: APIFailure?
        var chunks: [[UInt8]] = []
        var waiting = 0
        var isDone = false
        var isBroken = false
        var resume: CheckedContinuation<Void, Never>?
    }

    private static let highWater = 4 << 20

    private let state = Locked(State())
    private let wakeup: Wakeup
    private let opened: Wakeup?
    private let limit: Int?
    private let task = Locked<Task<Void, Never>?>(nil)

    init(provider: any PodLogProvider, target: PodLogTarget, options: LogOptions, wakeup: Wakeup) {
        self.wakeup = wakeup
        opened = try? Wakeup()
        limit = options.limitBytes
        let work = Task { [self] in
            do {
                let stream = try await provider.log(of: target, options: options)
                open(nil)
                for try await chunk in stream {
                    await put(chunk)
                    if Task.isCancelled { break }
                }
            } catch let unavailable as PodLogUnavailable {
                let reason = unavailable.status == 404 ? "NotFound" : "BadRequest"
                open(APIFailure(unavailable.status, reason, unavailable.message))
            } catch {
                open(.internalError("\(error)"))
                state.withLock { $0.isBroken = true }
            }
            state.withLock { $0.isDone = true }
            wakeup.signal()
        }
        task.withLock { $0 = work }
    }

    private func open(_ failure: APIFailure?) {
        state.withLock { state in
            guard !state.isOpen else { return }
            state.isOpen = true
            state.failure = failure
        }
        opened?.signal()
    }

    private func put(_ chunk: [UInt8]) async {
        let isFull = state.withLock { state in
            state.chunks.append(chunk)
            state.waiting += chunk.count
            return state.waiting > Self.highWater
        }
        wakeup.signal()
        guard isFull else { return }
        await withCheckedContinuation { continuation in
            let isRoom = state.withLock { state in
                if state.waiting <= Self.highWater || state.isDone { return true }
                state.resume = continuation
                return false
            }
            if isRoom { continuation.resume() }
        }
    }

    /// Waits until the provider has opened the log or refused; returns the refusal, if any.
    func waitUntilOpen() -> APIFailure? {
        let deadline = SystemTime().monotonic() + 60
        while true {
            let (isOpen, failure) = state.withLock { ($0.isOpen, $0.failure) }
            if isOpen { return failure }
            guard let opened, opened.wait(until: deadline) else {
                stop()
                return .internalError("the node does not answer")
            }
        }
    }

    func run(_ writer: HTTPBodyWriter) throws {
        defer { stop() }
        var sent = 0
        while true {
            let (chunks, isDone, isBroken, resume) = state.withLock { state in
                defer {
                    state.chunks = []
                    state.waiting = 0
                    state.resume = nil
                }
                return (state.chunks, state.isDone, state.isBroken, state.resume)
            }
            resume?.resume()
            for var chunk in chunks {
                if let limit { chunk = Array(chunk.prefix(limit - sent)) }
                try writer.write(chunk)
                sent += chunk.count
                if let limit, sent >= limit { return }
            }
            if isBroken && chunks.isEmpty { throw HTTPConnectionClosed() }
            if isDone && chunks.isEmpty { return }
            if isDone { continue }
            if writer.wait(for: wakeup, until: .infinity) == .closed { return }
        }
    }

    private func stop() {
        task.withLock { $0 }?.cancel()
        let resume = state.withLock { state in
            state.isDone = true
            defer { state.resume = nil }
            return state.resume
        }
        resume?.resume()
    }
}
