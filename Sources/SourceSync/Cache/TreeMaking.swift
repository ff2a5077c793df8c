import Base

/// Gets trees that the store lacks: each one once, however many ask for it, and a few at the same time.
///
/// The callers are threads of connections, which may block; the work runs on Swift's own threads.
final class TreeMaking: Sendable {
    typealias Outcome = Result<Void, SourceError>

    /// One tree that is being made.
    private final class Work: @unchecked Sendable {  // `outcome` is only accessed with the condition locked
        private let done = ThreadCondition()
        private var outcome: Outcome?

        func finish(_ outcome: Outcome) {
            done.lock()
            self.outcome = outcome
            done.broadcast()
            done.unlock()
        }

        /// nil when the time passes first.
        func wait(seconds: Double) -> Outcome? {
            let end = SystemTime().monotonic() + seconds
            done.lock()
            defer { done.unlock() }
            while outcome == nil {
                guard done.wait(until: end) else { break }
            }
            return outcome
        }
    }

    private struct Width: AdmissionRule {
        static let keepsOrder = true
        let limit: Int
        var used = 0

        mutating func admit(_ request: Void) -> Bool {
            guard used < limit else { return false }
            used += 1
            return true
        }

        mutating func leave(_ request: Void) { used -= 1 }
    }

    private struct State {
        var running: [String: Work] = [:]
        /// Failures of a moment ago, so that a hundred clients that ask again do not ask the origin a hundred times.
        var failed: [String: (error: SourceError, until: Double)] = [:]
    }

    private let state = Locked(State())
    private let admission: Admission<Width>
    private let failureSeconds: Double

    /// - Parameters:
    ///   - width: how many trees are made at the same time.
    ///   - failureSeconds: how long a failure is the answer for everybody who asks.
    init(width: Int, failureSeconds: Double) {
        admission = Admission(Width(limit: width))
        self.failureSeconds = failureSeconds
    }

    /// Begins to make the tree, unless it is being made, and waits.
    ///
    /// - Returns: nil when the tree is still being made after that time.
    func outcome(of name: String, within seconds: Double, make: @escaping @Sendable () async throws(SourceError) -> Void) -> Outcome? {
        let now = SystemTime().monotonic()
        let (work, isNew, failure) = state.withLock { state -> (Work, Bool, SourceError?) in
            state.failed = state.failed.filter { $0.value.until > now }
            if let failure = state.failed[name] { return (Work(), false, failure.error) }
            if let work = state.running[name] { return (work, false, nil) }
            let work = Work()
            state.running[name] = work
            return (work, true, nil)
        }
        if let failure { return .failure(failure) }
        if isNew {
            Task {
                let outcome: Outcome
                do {
                    let pass = try? await admission.enter(())
                    defer { pass?.release() }
                    try await make()
                    outcome = .success(())
                } catch let error as SourceError {
                    outcome = .failure(error)
                } catch {
                    outcome = .failure(SourceError(.internalError, "\(error)", isTransient: true))
                }
                state.withLock { state in
                    state.running[name] = nil
                    if case .failure(let error) = outcome {
                        state.failed[name] = (error, SystemTime().monotonic() + failureSeconds)
                    }
                }
                work.finish(outcome)
            }
        }
        return work.wait(seconds: seconds)
    }
}
