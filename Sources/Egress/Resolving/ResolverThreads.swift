import Base
import Dispatch

/// Runs lookups on a few threads.
///
/// Guarantees: the number of threads and of waiting lookups is bounded; one client can occupy at most half of the threads, so that names whose
/// servers do not answer delay the lookups of others little.
final class ResolverThreads: Sendable {
    typealias Completion = @Sendable (Result<[IPAddress], HostResolutionError>) -> Void

    private struct Job {
        let name: HostName
        let client: String
        let completion: Completion
    }

    private struct State {
        var waiting: [Job] = []
        var running: [String: Int] = [:]
        var threads = 0
        var idle = 0
        var isStopped = false
    }

    private static let threads = 16
    private static let maximumWaiting = 1024

    private let resolver: any HostResolver
    private let state = Locked(State())
    private let work = DispatchSemaphore(value: 0)

    init(_ resolver: any HostResolver) { self.resolver = resolver }

    /// - Parameters:
    ///   - client: whose lookups count together.
    ///   - completion: called on another thread.
    /// - Returns: false when too many lookups wait; the completion is not called then.
    func resolve(_ name: HostName, for client: String, completion: @escaping Completion) -> Bool {
        let (isAccepted, needsThread) = state.withLock { state in
            guard !state.isStopped, state.waiting.count < Self.maximumWaiting else { return (false, false) }
            state.waiting.append(Job(name: name, client: client, completion: completion))
            guard state.idle < state.waiting.count, state.threads < Self.threads else { return (true, false) }
            state.threads += 1
            return (true, true)
        }
        guard isAccepted else { return false }
        if needsThread, !startThread(name: "egress-resolve", stackBytes: 1 << 20, { [self] in serve() }) {
            state.withLock { $0.threads -= 1 }
        }
        work.signal()
        return true
    }

    /// Lookups that wait are dropped; those that run end by themselves.
    func stop() {
        let threads = state.withLock { state in
            state.isStopped = true
            state.waiting = []
            return state.threads
        }
        for _ in 0..<threads { work.signal() }
    }

    private func serve() {
        while true {
            state.withLock { $0.idle += 1 }
            work.wait()
            let (job, isStopped) = state.withLock { state in
                state.idle -= 1
                return (Self.take(&state), state.isStopped)
            }
            if let job {
                job.completion(Result { () throws(HostResolutionError) in try resolver.addresses(of: job.name) })
                let isMoreWaiting = state.withLock { state in
                    let left = (state.running[job.client] ?? 1) - 1
                    state.running[job.client] = left == 0 ? nil : left
                    return !state.waiting.isEmpty
                }
                // A lookup may wait only because its client had its share.
                if isMoreWaiting { work.signal() }
            } else if isStopped {
                return
            }
        }
    }

    private static func take(_ state: inout State) -> Job? {
        let share = threads / 2
        guard let position = state.waiting.firstIndex(where: { (state.running[$0.client] ?? 0) < share }) else { return nil }
        let job = state.waiting.remove(at: position)
        state.running[job.client, default: 0] += 1
        return job
    }
}
