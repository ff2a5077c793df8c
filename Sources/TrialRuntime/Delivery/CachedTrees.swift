import Base
import EvalModel
import SourceSync

/// Reads trees from the cache service, and tries again until a bound is over.
struct CachedTrees: Sendable {
    /// Seconds in which delivery tries again. An operator that starts anew without its disk clones the repository first.
    static let boundSeconds = 1500.0

    let client: TreeClient
    let time: any TimeSource
    /// By the monotonic clock.
    let end: Double

    init(client: TreeClient, time: any TimeSource, boundSeconds: Double = Self.boundSeconds) {
        self.client = client
        self.time = time
        end = time.monotonic() + boundSeconds
    }

    /// - Parameter attempt: begins an attempt, removes what an earlier one left, and returns what takes the tree.
    func read(_ tree: TreeReference, attempt: () throws -> (TreeStreamDecoder.Event) throws -> Void) async throws {
        var backoff = Backoff(BackoffPolicy(initialSeconds: 0.25, factor: 2, capSeconds: 10, jitter: 0.5...1))
        var isSuspect = false
        while true {
            do {
                let receive = try attempt()
                try await client.read(tree, suspect: isSuspect, within: end - time.monotonic()) { _, events in
                    for event in events { try receive(event) }
                }
                return
            } catch let error as TreeClientError {
                if case .corrupt = error { isSuspect = true }
                let failure = try Self.failure(error)
                let delay = backoff.next(now: time.monotonic())
                guard time.monotonic() + delay < end else { throw failure }
                Log(ContainerRole.delivery.containerName).warning("\(failure.message); trying again in \(Int(delay.rounded(.up))) s")
                try await time.sleep(seconds: delay)
            }
        }
    }

    /// The trial's error if no further attempt succeeds.
    /// - Throws: the trial's error, when a further attempt would fail the same way.
    private static func failure(_ error: TreeClientError) throws -> TrialError {
        switch error {
        case .unavailable(let error): return error
        case .corrupt(let what): return TrialError(.environmentStartFailed, "the cache service sent a damaged tree: \(what)")
        case .refused: throw TrialError(.environmentStartFailed, "\(error)")
        case .failed(let error): throw error
        case .cancelled: throw CancellationError()
        }
    }
}
