import EvalModel

/// The state of a trial as the words from the gate describe it, and the error that follows from this state when the trial ends.
struct TrialProgress: Sendable, Hashable {
    /// What the collector must do after a word.
    enum Action: Sendable, Hashable {
        case none
        /// The agent is done with the current step, and verification is wanted.
        case releaseTests
        /// The step is over; `StepProgress.verdict` is wanted, and an answer to the runner.
        case judgeStep
    }

    /// How a trial ended, as far as words tell.
    enum Ending: Sendable, Hashable {
        /// No reward counts.
        case failed(TrialError)
        /// The reward depends on the reward files alone. With an agent's error, the agent's work was verified all the same.
        case open(agentError: TrialError?)
    }

    /// How many steps the trial has.
    let expected: Int
    let family: TaskSchema
    /// Whether the gate's words come from a host, by way of `assay remote-trial`.
    let isRemote: Bool
    /// The steps that have begun, in order; never empty.
    private(set) var steps = [StepProgress()]
    /// Why the step cannot begin.
    private(set) var setupFailure: TrialError?
    private(set) var ended = false
    /// Whether the runner asked for the tests when the current step's agent was done.
    private(set) var asksForTests = false
    /// Whether the runner was told to stop.
    private(set) var stopped = false
    /// Why the trial's host ended it or was lost, as far as it is known.
    private(set) var hostFailure: TrialError?
    /// Why the runner on the host ended before its last word.
    private(set) var runnerDeath: String?
    /// The first word that the runner cannot have sent at that moment, so that another process must have sent it.
    private(set) var unexpectedWord: String?

    init(steps: Int = 1, family: TaskSchema = .rollout, isRemote: Bool = false) {
        expected = steps
        self.family = family
        self.isRemote = isRemote
    }

    /// The index of the current step.
    var position: Int { steps.count - 1 }

    var current: StepProgress {
        get { steps[position] }
        set { steps[position] = newValue }
    }

    var lastPhase: TrialPhase? { current.lastPhase }
    var agentEnded: Bool { current.agentEnded }

    /// The state of the current step's tests.
    var tests: StepProgress.Tests {
        get { current.tests }
        set { current.tests = newValue }
    }

    /// Applies a word. A word that the runner cannot have sent at this point comes from another process: it changes no other state, and the
    /// trial gets no verdict.
    mutating func apply(_ word: GateWord) -> Action {
        guard isDue(word) else {
            // A stop may arrive after the runner's last word.
            if case .end = word {} else { unexpectedWord = unexpectedWord ?? word.name }
            return .none
        }
        switch word {
        case .phase(let phase, let at): current.begin(phase, at: at)
        case .done(let phase, let at, let exit, let late): current.finish(phase, at: at, exit: exit, late: late)
        case .setupFailed(let text): setupFailure = Self.setupFailure(text, isFirst: position == 0)
        case .taskInvalid(let text): setupFailure = TrialError(.taskInvalid, text)
        case .agentEnd(let verify):
            current.agentEnded = true
            asksForTests = verify
            return verify ? .releaseTests : .none
        case .stepEnd: return .judgeStep
        case .step: steps.append(StepProgress())
        case .end(let wasStopped):
            ended = true
            stopped = wasStopped
        case .hostLost(let text): hostFailure = hostFailure ?? TrialError(.environmentNodeLost, text)
        case .hostEvicted(let text): hostFailure = hostFailure ?? TrialError(.environmentEvicted, text)
        case .imageFailed(let text): hostFailure = hostFailure ?? TrialError(.environmentImagePullFailed, text)
        case .runnerDied(let text): runnerDeath = runnerDeath ?? text
        }
        return .none
    }

    /// Notes that the gate is still open long after the last word, so that another process than the runner must have sent that word.
    mutating func noteGateStillOpen() { unexpectedWord = unexpectedWord ?? GateWord.end(stopped: false).name }

    private func isDue(_ word: GateWord) -> Bool {
        guard !ended else { return false }
        switch word {
        case .phase(let phase, _): return current.mayBegin(phase)
        case .done(let phase, _, _, _): return phase == lastPhase && !current.isIdle
        case .setupFailed: return mayFailSetup
        // Later the words could be the agent's.
        case .taskInvalid: return position == 0 && mayFailSetup
        case .agentEnd(let verify): return !agentEnded && current.isIdle && (!verify || current.mayBeVerified(family))
        case .stepEnd: return steps.count < expected && current.isOver && current.verdict == nil
        case .step(let index): return index == steps.count && index < expected && current.verdict?.goesOn == true
        case .end: return true
        // In a pod of its own the agent could say so, and get another try.
        case .hostLost, .hostEvicted, .imageFailed, .runnerDied: return isRemote
        }
    }

    private var death: String { runnerDeath ?? "the trial container ended before its time" }

    /// The error of a trial that lost its host. No code of the task runs in the container that speaks here, so that its death is no outcome.
    private var hostError: TrialError? {
        guard isRemote, !ended, runnerDeath == nil else { return nil }
        return hostFailure
            ?? TrialError(.environmentNodeLost, "the container that held the connection to the trial's host ended before the trial")
    }

    private var mayFailSetup: Bool { setupFailure == nil && (lastPhase == nil || lastPhase == .setup && !current.isIdle) }

    /// Before the first agent it is the environment that failed. Later an agent has worked in the container, and may be the cause.
    private static func setupFailure(_ text: String, isFirst: Bool) -> TrialError {
        isFirst ? TrialError(.environmentStartFailed, text) : TrialError(.agentExecutionFailed, "\(text), after an earlier step's agent")
    }

    /// The agent's error: the first one, if several steps have one.
    private func agentError(_ limits: [TrialProgram.Limits]) -> TrialError? {
        for (index, step) in steps.enumerated() {
            guard let error = step.agentFailure(limits.indices.contains(index) ? limits[index] : nil) else { continue }
            return inStep(error, index)
        }
        return nil
    }

    /// Says which of several steps an error is of.
    func inStep(_ error: TrialError, _ index: Int) -> TrialError {
        expected > 1 ? TrialError(error.type, "step \(index + 1) of \(expected): \(error.message)") : error
    }

    /// Whether a separate verifier is to run the tests: the runner asked for it, or died after the agent had begun and the family verifies what
    /// an agent left all the same.
    var asksForSeparateVerification: Bool {
        guard setupFailure == nil, !stopped else { return false }
        if ended { return agentEnded && asksForTests && current.mayBeVerified(family) }
        return family.verifiesFailedAgents && (lastPhase == .execute || agentEnded) && current.mayBeVerified(family)
    }

    /// How a trial with a separate verifier ended. What the trial's words claim changes nothing about the verdict: it is the verifier's alone.
    ///
    /// - Parameters:
    ///   - verify: whether verification was wanted.
    ///   - judgement: nil when nothing was verified.
    ///   - limits: the limits of each step, as far as they are known; for the message.
    func ending(verify: Bool, judgement: VerifierProgress?, limits: [TrialProgram.Limits] = []) -> Ending {
        if let setupFailure { return .failed(inStep(setupFailure, position)) }
        if let hostError { return .failed(inStep(hostError, position)) }
        let own = limits.indices.contains(position) ? limits[position] : nil
        var agentError = agentError(limits)
        if !ended, agentError == nil {
            let phase: TrialPhase? = agentEnded ? .execute : lastPhase
            agentError = inStep(TrialOutcome.errorOfDeath(in: phase, because: death), position)
        }
        guard let judgement else {
            if let agentError { return .failed(agentError) }
            return verify && !stopped ? .failed(TrialError(.verifierFailed, "the trial ended without asking for its tests")) : .open(agentError: nil)
        }
        if let error = judgement.failure(own) {
            let error = inStep(error, position)
            return .failed(agentError?.followed(by: error) ?? error)
        }
        if expected > 1, let error = wordFailure { return .failed(error) }
        // A trial that died before its last step has no reward: otherwise an agent could leave out the steps that it cannot solve.
        if let error = earlyEnd { return .failed(agentError ?? error) }
        return .open(agentError: agentError)
    }

    /// Another process than the runner has sent a word.
    private var wordFailure: TrialError? {
        unexpectedWord.map {
            TrialError(.verifierFailed, "something in the trial answered in its runner's place: \"\($0)\" came when it was not due")
        }
    }

    /// The trial ended before its last step, and not because the reward is too small for a further one.
    private var earlyEnd: TrialError? {
        guard steps.count < expected, current.verdict?.goesOn != false else { return nil }
        return TrialError(.verifierFailed, "the trial ended after step \(steps.count) of \(expected)")
    }

    /// How the trial ended.
    ///
    /// - Parameters:
    ///   - verify: whether verification was wanted.
    ///   - limits: the limits of each step, as far as they are known; for the message.
    func ending(verify: Bool, limits: [TrialProgram.Limits] = []) -> Ending {
        if let setupFailure { return .failed(inStep(setupFailure, position)) }
        if let hostError { return .failed(hostError) }
        let agentError = agentError(limits)
        if let agentError, !verify || !current.mayBeVerified(family) { return .failed(agentError) }
        if let error = verdictFailure(verify: verify, limits: limits) { return .failed(agentError?.followed(by: error) ?? error) }
        return .open(agentError: agentError)
    }

    /// Why no reward counts, whatever the reward files hold; nil when they decide.
    private func verdictFailure(verify: Bool, limits: [TrialProgram.Limits]) -> TrialError? {
        if !ended {
            return TrialOutcome.errorOfDeath(in: agentEnded ? .verify : lastPhase, because: death)
        }
        if verify {
            if let wordFailure { return wordFailure }
            if let error = current.verificationFailure(limits.indices.contains(position) ? limits[position] : nil) { return inStep(error, position) }
        }
        if let verdict = current.verdict, let error = verdict.error { return inStep(error, position) }
        return earlyEnd
    }
}

extension TrialOutcome {
    /// The error of a trial that died in a phase. A death after the agent began is an outcome of the trial.
    public static func errorOfDeath(in phase: TrialPhase?, because reason: String) -> TrialError {
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
