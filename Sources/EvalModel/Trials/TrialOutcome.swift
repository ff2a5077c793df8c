/// How a trial ended.
public struct TrialOutcome: Sendable, Hashable, Codable {
    /// Nil when the verifier gave no reward, or an error makes it invalid.
    public private(set) var reward: Reward?
    /// Why there is no verdict, or what went wrong beside it. Setting an error that allows no reward removes the reward.
    public var error: TrialError? {
        didSet { reward = Self.kept(reward, beside: error) }
    }
    public var timings: PhaseTimings
    /// What the trial cost, in US dollars; nil when nothing is known.
    public var cost: Double?
    /// What the agent says it used; nil when it does not.
    public var tokens: TokenUsage?

    public init(
        reward: Reward? = nil, error: TrialError? = nil, timings: PhaseTimings = PhaseTimings(), cost: Double? = nil, tokens: TokenUsage? = nil
    ) {
        self.reward = Self.kept(reward, beside: error)
        self.error = error
        self.timings = timings
        self.cost = cost
        self.tokens = tokens
    }

    private static func kept(_ reward: Reward?, beside error: TrialError?) -> Reward? {
        error.map(\.type.allowsReward) ?? true ? reward : nil
    }

    /// The class into which the trial is counted; exactly one per trial.
    public enum Class: String, Sendable, Hashable, Codable, CaseIterable {
        /// The trial has a reward, or its verification was disabled and nothing failed.
        case completed
        /// The agent or its verification failed: counts in the pass rate, as no pass.
        case failed
        /// Something that is not the agent's doing: does not count in the pass rate.
        case infrastructure
        /// Cancelled or never run: does not count in the pass rate.
        case skipped
    }

    public var outcomeClass: Class {
        // A reward counts, also beside an agent's error.
        guard reward == nil, let error else {
            // No error and no reward: verification was disabled, and the agent ended without an error.
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
    public var isPass: Bool { reward?.isPass == true }

    /// Whether the trial has a reward although its agent failed or timed out.
    public var hasAgentErrorBesideReward: Bool { reward != nil && error?.type.isAgentError == true }
}
