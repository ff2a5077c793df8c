import EvalModel

/// The state of one step of a trial, as the words from the gate describe it.
struct StepProgress: Sendable, Hashable {
    /// The state of the step's tests.
    enum Tests: Sendable, Hashable {
        /// The tests have not been asked for yet.
        case held
        case released
        /// The tests could not be copied into place.
        case notReleased(ReleaseFailure)
    }

    private(set) var lastPhase: TrialPhase?
    private(set) var timings: [TrialPhase: TrialReport.Timing] = [:]
    private(set) var exits: [TrialPhase: Int] = [:]
    private(set) var timedOut: Set<TrialPhase> = []
    var agentEnded = false
    var tests = Tests.held
    /// What the collector made of the step when the runner asked whether a further one may begin.
    var verdict: StepVerdict?

    /// Whether no phase is running.
    var isIdle: Bool { lastPhase.map { timings[$0]?.end != nil } ?? true }

    /// Whether the step is over: the agent has ended, and if the tests were released, they have been run.
    var isOver: Bool { agentEnded && isIdle && (tests == .held || exits[.verify] != nil) }

    /// Whether what the agent has done may be verified.
    func mayBeVerified(_ family: TaskSchema) -> Bool {
        guard let type = agentFailure(nil)?.type else { return true }
        return family.verifiesFailedAgents && type.phase == .execute
    }

    func mayBegin(_ phase: TrialPhase) -> Bool {
        guard isIdle, timings[phase] == nil, Self.order(phase) >= lastPhase.map(Self.order) ?? 0 else { return false }
        return (phase == .verify) == agentEnded && (phase != .verify || tests == .released)
    }

    mutating func begin(_ phase: TrialPhase, at: Int64) {
        lastPhase = phase
        timings[phase] = TrialReport.Timing(start: at)
    }

    mutating func finish(_ phase: TrialPhase, at: Int64, exit: Int, late: Bool) {
        guard let begun = timings[phase] else { return }
        timings[phase]?.end = max(begun.start, at)
        if phase != .setup { exits[phase] = exit }
        if late { timedOut.insert(phase) }
    }

    private static func order(_ phase: TrialPhase) -> Int { TrialPhase.allCases.firstIndex(of: phase) ?? 0 }

    // MARK: Failures

    /// Why the agent's phases failed; nil when the phases that have run ended well.
    func agentFailure(_ limits: TrialProgram.Limits?) -> TrialError? {
        if timedOut.contains(.install) {
            return TrialError(.agentInstallTimeout, "install \(late(.install, limits))")
        }
        if let exit = exits[.install], exit != 0 {
            return TrialError(.agentInstallFailed, "install exited with \(exit)\(Self.meaning(exit))")
        }
        if timedOut.contains(.execute) {
            return TrialError(.agentExecutionTimeout, "execute \(late(.execute, limits))")
        }
        if let exit = exits[.execute], exit != 0 {
            return TrialError(.agentExecutionFailed, "execute exited with \(exit)\(Self.meaning(exit))")
        }
        return nil
    }

    /// Why a step whose agent ended well has no verdict; nil when that depends on the reward alone.
    func verificationFailure(_ limits: TrialProgram.Limits?) -> TrialError? {
        switch tests {
        case .notReleased(.obstructed(let what)):
            return TrialError(.verifierFailed, "the tests could not be put in place, the trial left something where they belong: \(what)")
        case .notReleased(.failed(let why)): return TrialError(.internalError, "the tests could not be released: \(why)")
        case .held, .released: break
        }
        if timedOut.contains(.verify) {
            return TrialError(.verifierTimeout, "tests/test.sh \(late(.verify, limits))")
        }
        if exits[.verify] == nil { return TrialError(.verifierFailed, "the trial ended without running tests/test.sh") }
        return nil
    }

    private func late(_ phase: TrialPhase, _ limits: TrialProgram.Limits?) -> String {
        var text = "did not end within its limit\(Self.seconds(limits?[phase]))"
        if let timing = timings[phase], let end = timing.end {
            let tenths = (end - timing.start) / 100
            text += " (stopped after \(tenths / 10).\(tenths % 10) s)"
        }
        return text
    }

    /// ` of 5 s`, or nothing for a limit that is not known.
    static func seconds(_ limit: Double?) -> String {
        guard let limit, limit.isFinite else { return "" }
        return " of \(limit == limit.rounded() && limit < 1e15 ? String(Int(limit)) : String(limit)) s"
    }

    private static func meaning(_ exit: Int) -> String {
        switch exit {
        case 126: " (a program cannot be executed)"
        case 127: " (a program was not found)"
        case 137: " (killed, perhaps by the memory limit)"
        default: ""
        }
    }
}
