/// How a trial ended.
public struct TrialOutcome: Sendable, Hashable, Codable {
    /// Nil when no verdict was reached.
    public var reward: Reward?
    public var error: TrialError?
    public var timings: PhaseTimings
    /// What the trial cost, in US dollars; nil when nothing is known.
    public var cost: Double?
    /// What the agent says it used; nil when it does not.
    public var tokens: TokenUsage?

    public init(
        reward: Reward? = nil, error: TrialError? = nil, timings: PhaseTimings = PhaseTimings(), cost: Double? = nil, tokens: TokenUsage? = nil
    ) {
        self.reward = reward
        self.error = error
        self.timings = timings
        self.cost = cost
        self.tokens = tokens
    }

    /// The class into which the trial is counted; exactly one per trial.
    public enum Class: String, Sendable, Hashable, Codable, CaseIterable {
        /// A reward was produced and nothing took the verdict away.
        case completed
        /// The agent or its verification failed: counts in the pass rate, as no pass.
        case failed
        /// Something that is not the agent's doing: does not count in the pass rate.
        case infrastructure
        /// Cancelled or never run: does not count in the pass rate.
        case skipped
    }

    public var outcomeClass: Class {
        guard let error, !error.type.isAdvisory else {
            // No error and no reward: verification was disabled. The agent ended well, which is what was asked for.
            return .completed
        }
        return switch error.type.consequence {
        case .outcome: .failed
        case .infrastructure, .input: .infrastructure
        case .cancelled: .skipped
        case .advisory: .completed
        }
    }

    /// Whether the trial counts as a pass.
    public var isPass: Bool { outcomeClass == .completed && reward?.isPass == true }
}
