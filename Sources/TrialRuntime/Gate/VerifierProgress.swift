import EvalModel

/// What the words from a separate verifier's gate have told. Only processes of its own container can send them.
struct VerifierProgress: Sendable, Hashable {
    /// The time since when its container runs; nil before it has spoken.
    private(set) var startedAt: Int64?
    private(set) var verify: TrialReport.Timing?
    private(set) var exit: Int?
    private(set) var timedOut = false
    private(set) var setupFailure: TrialError?
    private(set) var ended = false
    private(set) var stopped = false

    mutating func apply(_ word: GateWord) {
        guard !ended else { return }
        switch word {
        case .phase(.setup, let at): startedAt = startedAt ?? at
        case .phase(.verify, let at): verify = verify ?? TrialReport.Timing(start: at)
        case .done(.verify, let at, let code, let late):
            guard let begun = verify, begun.end == nil else { return }
            verify?.end = max(begun.start, at)
            (exit, timedOut) = (code, late)
        case .setupFailed(let text): setupFailure = TrialError(.verifierFailed, text)
        case .taskInvalid(let text): setupFailure = TrialError(.taskInvalid, text)
        case .end(let wasStopped): (ended, stopped) = (true, wasStopped)
        case .phase, .done, .agentEnd, .stepEnd, .step, .hostLost, .hostEvicted, .imageFailed, .runnerDied: break
        }
    }

    /// Why no reward counts, whatever the reward files hold; nil when they decide.
    ///
    /// - Parameter limits: for the message.
    func failure(_ limits: TrialProgram.Limits?) -> TrialError? {
        if let setupFailure { return setupFailure }
        if timedOut { return TrialError(.verifierTimeout, "tests/test.sh did not end within its limit\(StepProgress.seconds(limits?.verifySec))") }
        if verify == nil { return TrialError(.environmentStartFailed, "the verifier's container ended before it ran the tests") }
        if exit == nil { return TrialOutcome.errorOfDeath(in: .verify, because: "the verifier's container ended before its time") }
        return nil
    }
}
