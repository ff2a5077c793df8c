import Base

/// Runs work that takes too long for a worker of a controller (a clone, reading a log): one task per key, a limited number at a time in the
/// process, each with a deadline. A result is kept until it is taken.
///
/// - Guarantees: the work on a key runs once until its result is taken or it is cancelled; a free place goes to the group with the fewest
///   running tasks, so that a group with a thousand keys does not delay a group with one; `onFinish` is called once for each result.
/// - Assumptions: the work heeds the cancellation of its task. Work that does not is no longer waited for after its deadline.
public final class TaskPool<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    public enum Progress: Sendable {
        /// Running, or waiting for a place.
        case running
        case finished(Value)
    }

    private struct Entry {
        let id: Int
        let group: String
        let work: @Sendable () async -> Value
        var task: Task<Void, Never>?
        var result: Value?
    }

    private struct State {
        var entries: [Key: Entry] = [:]
        /// Keys that wait for a place, by group, and the groups in order of arrival.
        var waiting: [String: [Key]] = [:]
        var order: [String] = []
        var running: [String: Int] = [:]
        var tasks: [Int: Task<Void, Never>] = [:]
        var unfinished: [String: Int] = [:]
        var nextID = 0
        var isStopped = false
    }

    private let width: Int
    private let seconds: Double
    private let time: any TimeSource
    private let late: @Sendable (Key) -> Value
    private let onFinish: @Sendable (Key) -> Void
    private let state = Locked(State())

    /// - Parameters:
    ///   - width: how many tasks run at the same time.
    ///   - deadlineSeconds: for each task, counted from when it starts running.
    ///   - late: makes the result for work that did not end before its deadline.
    ///   - onFinish: called when there is a result; must not block.
    public init(
        width: Int, deadlineSeconds: Double, time: any TimeSource = SystemTime(), late: @escaping @Sendable (Key) -> Value,
        onFinish: @escaping @Sendable (Key) -> Void
    ) {
        self.width = max(1, width)
        seconds = deadlineSeconds
        self.time = time
        self.late = late
        self.onFinish = onFinish
    }

    /// The progress of the work on a key; nil when there is no such work. A result is not removed.
    public func progress(of key: Key) -> Progress? {
        state.withLock { state in state.entries[key].map { $0.result.map { .finished($0) } ?? .running } }
    }

    /// Removes and returns the result of a key; nil while there is none.
    public func take(_ key: Key) -> Value? {
        state.withLock { state in
            guard let result = state.entries[key]?.result else { return nil }
            state.entries.removeValue(forKey: key)
            return result
        }
    }

    /// The number of keys of a group whose work has not ended.
    public func unfinished(in group: String) -> Int { state.withLock { $0.unfinished[group] ?? 0 } }

    /// Starts the work on a key, unless it has started already or its result was not taken yet.
    public func start(_ key: Key, group: String, _ work: @escaping @Sendable () async -> Value) {
        state.withLock { state in
            guard !state.isStopped, state.entries[key] == nil else { return }
            state.nextID += 1
            state.entries[key] = Entry(id: state.nextID, group: group, work: work)
            state.unfinished[group, default: 0] += 1
            if state.waiting[group] == nil { state.order.append(group) }
            state.waiting[group, default: []].append(key)
            fill(&state)
        }
    }

    /// Cancels the work on a key and discards its result.
    public func cancel(_ key: Key) {
        state.withLock { state in
            guard let entry = state.entries.removeValue(forKey: key) else { return }
            if entry.result == nil { count(-1, entry.group, &state.unfinished) }
            entry.task?.cancel()
            // A key that waits for a place is skipped when its turn comes.
        }
    }

    /// Cancels all work and returns when none is running any more.
    public func stop() async {
        let tasks = state.withLock { state in
            state.isStopped = true
            state.waiting = [:]
            state.order = []
            return Array(state.tasks.values)
        }
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
    }

    private func fill(_ state: inout State) {
        while state.tasks.count < width {
            guard let group = state.order.min(by: { state.running[$0] ?? 0 < state.running[$1] ?? 0 }) else { return }
            guard let key = state.waiting[group]?.first else {
                state.waiting.removeValue(forKey: group)
                state.order.removeAll { $0 == group }
                continue
            }
            state.waiting[group]?.removeFirst()
            if state.waiting[group]?.isEmpty == true {
                state.waiting.removeValue(forKey: group)
                state.order.removeAll { $0 == group }
            }
            guard let entry = state.entries[key], entry.task == nil, entry.result == nil else { continue }
            state.running[group, default: 0] += 1
            let task = Task { [self] in
                let result = await Deadline.run(seconds: seconds, time: time, entry.work) ?? late(key)
                finish(key, entry.id, group, result)
            }
            state.entries[key]?.task = task
            state.tasks[entry.id] = task
        }
    }

    private func finish(_ key: Key, _ id: Int, _ group: String, _ result: Value) {
        let isWanted = state.withLock { state in
            state.tasks.removeValue(forKey: id)
            count(-1, group, &state.running)
            defer { fill(&state) }
            guard state.entries[key]?.id == id else { return false }
            state.entries[key]?.result = result
            state.entries[key]?.task = nil
            count(-1, group, &state.unfinished)
            return true
        }
        if isWanted { onFinish(key) }
    }

    private func count(_ change: Int, _ group: String, _ counts: inout [String: Int]) {
        let value = (counts[group] ?? 0) + change
        counts[group] = value > 0 ? value : nil
    }
}
