import Base
import KubeClient
import KubeCore

/// Keeps a store of one resource in step with the server. It runs a `Watcher` and is the only writer of its store.
///
/// - Guarantees: those of `Watcher`. The store contains only what `project` returns, so its memory use does not depend on the size of the objects.
/// - Recovery: every failure is retried without end, with backoff. Meanwhile the store keeps its last state, and `health` has the reason.
/// - Caveat: the store lags behind the server. `WriteGate` and `Expectations` handle the time between a write and its event.
public final class Reflector<Object: Sendable>: Sendable {
    /// Whether the store follows the server at the moment.
    public struct Health: Sendable, Equatable {
        /// nil while it follows.
        public var failure: WatcherFailure?
        public var failingSince: Timestamp?
    }

    public var store: Store<Object> { writer.store }

    private let scope: ReflectorScope
    private let writer = StoreWriter<Object>()
    private let machine: Locked<Machine>
    private let current = Locked(Health())
    private let time: any TimeSource
    private let log: Log
    private let metrics: ReflectorMetrics?
    private let liveness: Liveness
    /// Set when `run` begins.
    private let pulse = Locked<Liveness.Pulse?>(nil)
    private let onUnreadable: (@Sendable (ObjectKey, any Error) -> Void)?
    private let project: @Sendable (JSONValue) throws -> Object

    private struct Machine {
        var watcher: Watcher<Object>
        /// Counts streams, so that a late line of a closed stream is not taken for a line of the next one.
        var stream = 0
    }

    /// - Parameters:
    ///   - namespace: nil for all namespaces.
    ///   - projection: the part of each object that is built and passed to `project`. A smaller part costs less CPU time per event.
    ///   - onUnreadable: called for every object that `project` refuses. The object is skipped and the stream continues.
    ///   - project: makes the small value that is kept. It is called for every event and must not block.
    public init(
        client: KubeClient, type: ResourceType, namespace: String? = nil, labelSelector: String? = nil,
        fieldSelector: String? = nil, keeping projection: ObjectProjection = .whole, options: WatcherOptions = WatcherOptions(),
        time: any TimeSource = SystemTime(),
        metrics: MetricsRegistry? = nil, liveness: Liveness? = nil, log: Log? = nil,
        onUnreadable: (@Sendable (ObjectKey, any Error) -> Void)? = nil,
        project: @escaping @Sendable (JSONValue) throws -> Object
    ) {
        scope = ReflectorScope(
            client: client, type: type, namespace: namespace, labelSelector: labelSelector, fieldSelector: fieldSelector,
            projection: projection)
        self.time = time
        self.log = (log ?? Log("watch")).with(["resource": .string(type.description)])
        self.metrics = metrics.map { ReflectorMetrics(registry: $0, resource: type.description) }
        self.liveness = liveness ?? Liveness(time: time)
        self.metrics?.followAge { [pulse] in pulse.withLock { $0 }?.age }
        self.onUnreadable = onUnreadable
        self.project = project
        machine = Locked(Machine(watcher: Watcher(options: options)))
    }

    public var type: ResourceType { scope.type }

    /// Whether the store follows the server, and if not, since when and why.
    public var health: Health { current.withLock { $0 } }

    /// Why the store does not show the server's present state, for people; nil while it does.
    public var unready: String? {
        if let failure = health.failure { return "\(type): \(failure)" }
        // A server that accepts requests and answers none is no failure.
        let bound = machine.withLock { $0.watcher.options.staleSeconds }
        if let age = pulse.withLock({ $0 })?.age, age > bound { return "\(type): no answer for \(Int(age)) s" }
        return store.hasSynced ? nil : "\(type): the first list is not complete"
    }

    /// Follows the server until the task is cancelled. Call it once.
    public func run() async {
        let bound = machine.withLock { $0.watcher.options.staleSeconds }
        let pulse = liveness.begin("watch of \(scope.type)", within: bound, needsServer: true)
        self.pulse.withLock { $0 = pulse }
        defer { pulse.end() }
        var call = step { $0.start(now: $1) }
        while !Task.isCancelled {
            guard let next = call else {
                // The state machine always returns a next call. If it ever does not, the reflector starts again instead of stopping for ever.
                log.error("the watcher stopped and is restarted")
                do { try await time.sleep(seconds: 1) } catch { return }
                call = step { $0.start(now: $1) }
                continue
            }
            switch next {
            case .wait(let seconds):
                do { try await time.sleep(seconds: seconds) } catch { return }
                call = step { $0.waited(now: $1) }
            case .list(let limit, let token): call = await list(limit: limit, token: token)
            case .watch(let version, let initial, let timeout):
                call = await watch(version: version, sendsInitialEvents: initial, timeoutSeconds: timeout)
            }
        }
    }

    // MARK: Calls

    private func list(limit: Int?, token: String?) async -> WatcherCall? {
        metrics?.listed()
        do {
            let page = try await scope.list(limit: limit, continueToken: token)
            noteProgress()
            let items = page.items.compactMap { item($0) }
            return step {
                $0.listed(items, version: page.resourceVersion, continueToken: page.continueToken, now: $1)
            }
        } catch {
            guard !Task.isCancelled else { return nil }
            return step { $0.failed(WatcherFailure(error), now: $1) }
        }
    }

    /// Reads a stream until it ends, and in parallel waits for `silenceDeadline`. The first of both determines the next call.
    private func watch(version: String?, sendsInitialEvents: Bool, timeoutSeconds: Int) async -> WatcherCall? {
        metrics?.watched()
        let stream = machine.withLock { machine -> Int in
            machine.stream += 1
            return machine.stream
        }
        return await withTaskGroup(of: WatcherCall?.self) { group in
            group.addTask {
                await self.read(
                    stream, version: version, sendsInitialEvents: sendsInitialEvents, timeoutSeconds: timeoutSeconds)
            }
            group.addTask { await self.waitForSilence(stream) }
            var decided: WatcherCall?
            // The task that did not determine it may still finish first.
            for await call in group where call != nil {
                decided = decided ?? call
                group.cancelAll()
            }
            return decided
        }
    }

    private func read(
        _ stream: Int, version: String?, sendsInitialEvents: Bool, timeoutSeconds: Int
    ) async -> WatcherCall? {
        do {
            let lines = try await scope.watch(
                version: version, sendsInitialEvents: sendsInitialEvents, timeoutSeconds: timeoutSeconds)
            recovered(from: .watch)
            for try await line in lines {
                let parsed = self.line(line)
                if parsed.isAnswer { noteProgress() }
                if let call = step(stream, { $0.received(parsed, now: $1) }) { return call }
                if Task.isCancelled { return nil }
            }
            guard !Task.isCancelled else { return nil }
            return step(stream) { $0.ended(now: $1) }
        } catch {
            guard !Task.isCancelled else { return nil }
            return step(stream) { $0.failed(WatcherFailure(error), now: $1) }
        }
    }

    private func waitForSilence(_ stream: Int) async -> WatcherCall? {
        while !Task.isCancelled {
            guard let deadline = machine.withLock({ $0.stream == stream ? $0.watcher.silenceDeadline : nil }) else {
                return nil
            }
            do { try await time.sleep(seconds: max(0.001, deadline - time.monotonic())) } catch { return nil }
            if let call = step(stream, { $0.silent(now: $1) }) { return call }
        }
        return nil
    }

    // MARK: Steps

    private func step(
        _ stream: Int? = nil, _ event: (inout Watcher<Object>, Double) -> WatcherStep<Object>
    ) -> WatcherCall? {
        let now = time.monotonic()
        return machine.withLock { machine in
            if let stream, stream != machine.stream { return nil }
            let step = event(&machine.watcher, now)
            // A stream is closed when another call follows; its remaining lines are ignored.
            if stream != nil, step.call != nil { machine.stream += 1 }
            for effect in step.effects { apply(effect, next: step.call) }
            return step.call
        }
    }

    private func apply(_ effect: WatcherEffect<Object>, next: WatcherCall?) {
        switch effect {
        case .replace(let items, let version):
            writer.replace(with: items, version: version)
            recovered(from: .state)
            log.debug("has the state", ["version": .string(version), "objects": .int(Int64(items.count))])
        case .upsert(let item, let version): writer.upsert(item, version: version)
        case .delete(let key, _, let version): writer.delete(key, version: version)
        case .advance(let version): writer.advance(to: version)
        case .notice(let text): log.info(text)
        case .trouble(let failure):
            metrics?.failed()
            let now = time.now()
            current.withLock { health in
                if health.failure == nil { health.failingSince = now }
                health.failure = failure
            }
            var fields: [String: JSONValue] = ["error": .string(failure.description)]
            if case .wait(let seconds) = next { fields["retryInSeconds"] = .double(seconds) }
            log.warning("watching failed", fields)
        }
    }

    private enum Sign { case watch, state }

    private func recovered(from sign: Sign) {
        // A stream of initial events may be opened and cut again and again, so only a complete state counts as progress.
        if sign == .watch, !store.hasSynced { return }
        noteProgress()
        current.withLock { $0 = Health() }
    }

    private func noteProgress() { pulse.withLock { $0 }?.beat() }

    // MARK: Objects

    private func line(_ bytes: [UInt8]) -> WatchLine<Object> {
        let event: WatchEvent
        do { event = try WatchEvent(line: bytes, keeping: scope.projection) } catch { return .broken(error.message) }
        switch event {
        case .added(let object), .modified(let object):
            return item(object).map { .present($0) } ?? .unknown("an event whose object has no name")
        case .deleted(let object):
            return Self.head(object, nil).map { .deleted($0) } ?? .unknown("a deletion whose object has no name")
        case .bookmark(let version, let end): return .bookmark(version: version, endsInitialEvents: end)
        case .error(let status): return .failure(WatcherFailure(status))
        }
    }

    private func item(_ object: JSONValue) -> WatchedItem<Object>? {
        do {
            return Self.head(object, try project(object))
        } catch {
            guard let item = Self.head(object, nil) else { return nil }
            log.warning(
                "an object could not be read",
                ["object": .string(item.key.description), "error": .string(String(describing: error))])
            onUnreadable?(item.key, error)
            return item
        }
    }

    private static func head(_ object: JSONValue, _ projected: Object?) -> WatchedItem<Object>? {
        guard let key = ObjectKey(of: object), let metadata = object["metadata"] else { return nil }
        return WatchedItem(
            key: key, uid: metadata["uid"]?.string ?? "", version: metadata["resourceVersion"]?.string ?? "",
            isDeleting: metadata["deletionTimestamp"].map { !$0.isNull } ?? false, object: projected)
    }
}
