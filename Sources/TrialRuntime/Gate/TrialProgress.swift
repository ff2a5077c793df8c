import EvalModel

/// What is known of a trial from the gate's words: a state that words move, and the error it stands for at the end.
struct TrialProgress: Sendable, Hashable {
    /// What the collector has to do about a word.
    enum Action: Sendable, Hashable {
        case none
        /// The agent is done and verification is wanted.
        case releaseTests
    }

    private(set) var lastPhase: TrialPhase?
    private(set) var timings: [TrialPhase: TrialReport.Timing] = [:]
    private(set) var exits: [TrialPhase: Int] = [:]
    private(set) var timedOut: Set<TrialPhase> = []
    private(set) var setupFailure: String?
    private(set) var agentEnded = false
    private(set) var ended = false
    /// The runner was told to stop.
    private(set) var stopped = false
    /// Where the tests are.
    var tests = Tests.held
    /// The first word that the runner cannot have said when it came.
    private(set) var stray: String?

    /// Where the tests are.
    enum Tests: Sendable, Hashable {
        /// Nobody asked for them yet.
        case held
        case released
        /// They could not be put in place.
        case withheld(ReleaseFailure)
    }

    /// Takes a word. One that the runner cannot have said by now is another's: it moves nothing, and there will be no verdict.
    mutating func apply(_ word: GateWord) -> Action {
        guard isDue(word) else {
            // A stop may come after the last word was said.
            if case .end = word {} else { stray = stray ?? word.name }
            return .none
        }
        switch word {
        case .phase(let phase, let at):
            lastPhase = phase
            timings[phase] = TrialReport.Timing(start: at)
        case .done(let phase, let at, let exit, let late):
            guard let begun = timings[phase] else { return .none }
            timings[phase]?.end = max(begun.start, at)
            if phase != .setup { exits[phase] = exit }
            if late { timedOut.insert(phase) }
        case .setupFailed(let text):
            setupFailure = text
        case .agentEnd(let verify):
            agentEnded = true
            return verify ? .releaseTests : .none
        case .end(let wasStopped):
            ended = true
            stopped = wasStopped
        }
        return .none
    }

    /// The last word was said long ago, and somebody still holds the gate: it was not the runner's.
    mutating func outlive() { stray = stray ?? GateWord.end(stopped: false).name }

    private func isDue(_ word: GateWord) -> Bool {
        guard !ended else { return false }
        let isIdle = lastPhase.map { timings[$0]?.end != nil } ?? true
        switch word {
        case .phase(let phase, _):
            guard isIdle, timings[phase] == nil, Self.order(phase) >= lastPhase.map(Self.order) ?? 0 else { return false }
            return (phase == .verify) == agentEnded && (phase != .verify || tests == .released)
        case .done(let phase, _, _, _): return phase == lastPhase && !isIdle
        case .setupFailed: return setupFailure == nil && (lastPhase == nil || lastPhase == .setup && !isIdle)
        case .agentEnd: return !agentEnded && isIdle
        case .end: return true
        }
    }

    private static func order(_ phase: TrialPhase) -> Int { TrialPhase.allCases.firstIndex(of: phase) ?? 0 }

    /// The error of a trial whose agent phase did not end well, or that died; nil when only the reward can tell.
    ///
    /// - Parameters:
    ///   - verify: whether verification was wanted.
    ///   - timeouts: the limits in seconds, as far as they are known; for the message.
    func failure(verify: Bool, timeouts: [TrialPhase: Double] = [:]) -> TrialError? {
        if let setupFailure { return TrialError(.environmentStartFailed, setupFailure) }
        if let error = agentFailure(timeouts) { return error }
        if !ended {
            return TrialOutcome.death(in: verifyBegun ? .verify : lastPhase, because: "the trial container ended before its time")
        }
        guard verify else { return nil }
        if let stray {
            return TrialError(.verifierFailed, "something in the trial answered in its runner's place: \"\(stray)\" came when it was not due")
        }
        switch tests {
        case .withheld(.obstructed(let what)):
            return TrialError(.verifierFailed, "the tests could not be put in place, the trial left something where they belong: \(what)")
        case .withheld(.failed(let why)): return TrialError(.internalError, "the tests could not be released: \(why)")
        case .held, .released: break
        }
        if timedOut.contains(.verify) {
            return TrialError(.verifierTimeout, "tests/test.sh \(late(.verify, timeouts))")
        }
        if exits[.verify] == nil { return TrialError(.verifierFailed, "the trial ended without running tests/test.sh") }
        return nil
    }

    private var verifyBegun: Bool { agentEnded && agentFailure([:]) == nil }

    private func agentFailure(_ timeouts: [TrialPhase: Double]) -> TrialError? {
        if timedOut.contains(.install) {
            return TrialError(.agentInstallTimeout, "install \(late(.install, timeouts))")
        }
        if let exit = exits[.install], exit != 0 {
            return TrialError(.agentInstallFailed, "install exited with \(exit)\(Self.meaning(exit))")
        }
        if timedOut.contains(.execute) {
            return TrialError(.agentExecutionTimeout, "execute \(late(.execute, timeouts))")
        }
        if let exit = exits[.execute], exit != 0 {
            return TrialError(.agentExecutionFailed, "execute exited with \(exit)\(Self.meaning(exit))")
        }
        return nil
    }

    private func late(_ phase: TrialPhase, _ timeouts: [TrialPhase: Double]) -> String {
        var text = "did not end within its limit"
        if let limit = timeouts[phase] { text += " of \(limit == limit.rounded() ? String(Int(limit)) : String(limit)) s" }
        if let timing = timings[phase], let end = timing.end {
            let tenths = (end - timing.start) / 100
            text += " (stopped after \(tenths / 10).\(tenths % 10) s)"
        }
        return text
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

extension TrialOutcome {
    /// The error of a trial that died in a phase: after the agent began, dying is an outcome.
    public static func death(in phase: TrialPhase?, because reason: String) -> TrialError {
        let (type, place): (TrialErrorType, String) =
            switch phase {
            case .install: (.agentInstallFailed, "during install")
            case .execute: (.agentExecutionFailed, "during execute")
            case .verify, .collect, .teardown: (.verifierFailed, "during verify")
            case .setup, nil: (.environmentStartFailed, "before the agent began")
            }
        return TrialError(type, "\(reason), \(place)")
    }
}
