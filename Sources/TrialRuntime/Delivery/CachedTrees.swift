import Base
import EvalModel
import SourceSync

/// Reads trees from the cache service, and tries again until a bound is over.
///
/// Where the node has an instance of its own, that one is asked first. It is given up for all further trees as soon as it does not do its work: only
/// the service says that there is no such tree.
struct CachedTrees: Sendable {
    /// Seconds in which delivery tries again. An operator that starts anew without its disk clones the repository first.
    static let boundSeconds = 1500.0
    /// Seconds in which the node's instance may say that it is still getting a tree.
    static let nodeSeconds = 60.0

    let client: TreeClient
    let node: TreeClient?
    let time: any TimeSource
    /// By the monotonic clock.
    let end: Double
    private let nodeEnd: Locked<Double>

    init(client: TreeClient, node: TreeClient? = nil, time: any TimeSource, boundSeconds: Double = Self.boundSeconds) {
        self.client = client
        self.node = node
        self.time = time
        end = time.monotonic() + boundSeconds
        nodeEnd = Locked(time.monotonic() + min(boundSeconds, Self.nodeSeconds))
    }

    /// - Parameter attempt: begins an attempt, removes what an earlier one left, and returns what takes the tree.
    func read(_ tree: TreeReference, attempt: () throws -> (TreeStreamDecoder.Event) throws -> Void) async throws {
        var backoff = Backoff(BackoffPolicy(initialSeconds: 0.25, factor: 2, capSeconds: 10, jitter: 0.5...1))
        var isSuspect = false
        while true {
            let now = time.monotonic()
            let nodeClient = now < nodeEnd.withLock { $0 } ? node : nil
            do {
                let receive = try attempt()
                try await (nodeClient ?? client).read(tree, suspect: isSuspect, within: end - now) { _, events in
                    for event in events { try receive(event) }
                }
                return
            } catch let error as TreeClientError {
                if nodeClient != nil, !Self.mayTryNodeAgain(error, wasSuspect: isSuspect) {
                    if case .cancelled = error { throw CancellationError() }
                    Log(ContainerRole.delivery.containerName).warning("\(error); the operator's cache service is asked instead")
                    nodeEnd.withLock { $0 = 0 }
                    isSuspect = false
                    continue
                }
                if case .corrupt = error { isSuspect = true }
                let failure = try Self.failure(error)
                let delay = backoff.next(now: time.monotonic())
                guard time.monotonic() + delay < end else { throw failure }
                Log(ContainerRole.delivery.containerName).warning("\(failure.message); trying again in \(Int(delay.rounded(.up))) s")
                try await time.sleep(seconds: delay)
            }
        }
    }

    /// Whether the node's instance works, and only has not got the tree yet, or has to look at its file.
    private static func mayTryNodeAgain(_ error: TreeClientError, wasSuspect: Bool) -> Bool {
        switch error {
        case .unavailable: true
        case .corrupt: !wasSuspect
        case .unreachable, .refused, .failed, .cancelled: false
        }
    }

    /// The trial's error if no further attempt succeeds.
    /// - Throws: the trial's error, when a further attempt would fail the same way.
    private static func failure(_ error: TreeClientError) throws -> TrialError {
        switch error {
        case .unavailable(let error), .unreachable(let error): return error
        case .corrupt(let what): return TrialError(.environmentStartFailed, "the cache service sent a damaged tree: \(what)")
        case .refused: throw TrialError(.environmentStartFailed, "\(error)")
        case .failed(let error): throw error
        case .cancelled: throw CancellationError()
        }
    }
}
