import EvalModel

/// What the tests of a step gave, read before a further step's agent could change it, and whether a further step may begin.
struct StepVerdict: Sendable, Hashable {
    var reward: Reward?
    /// Why there is no reward.
    var error: TrialError?
    var goesOn: Bool
    /// What a separate verifier's gate told; nil in shared mode.
    var judged: VerifierProgress?

    /// - Parameters:
    ///   - reward: what the reward files hold.
    ///   - minimum: what the reward must reach for a further step. A number that is missing does not reach it.
    init(_ reward: Reward, minimum: MinimumReward?) {
        self.reward = reward
        func reaches(_ name: String, _ least: Double) -> Bool { reward.named[name].map { $0 >= least } ?? false }
        goesOn =
            switch minimum {
            case nil: true
            case .reward(let least)?: reaches(Reward.primaryName, least)
            case .each(let numbers)?: numbers.allSatisfy { reaches($0.key, $0.value) }
            }
    }

    /// A step without a reward is the last one.
    init(_ error: TrialError) {
        self.error = error
        goesOn = false
    }

    /// A step whose tests do not run, because verification is off.
    init(unverifiedGoesOn: Bool) { goesOn = unverifiedGoesOn }
}

extension MultiStepRewardStrategy {
    /// The reward of a trial whose steps have these rewards, in order; nil when there is none.
    ///
    /// `mean`: of each number, over the steps; a number that a step does not have is 0 there, as for Harbor. `final`: the last step's.
    func reward(of steps: [Reward]) -> Reward? {
        guard self == .mean else { return steps.last }
        let names = Set(steps.flatMap(\.named.keys))
        let count = Double(steps.count)
        var named: [String: Double] = [:]
        for name in names { named[name] = steps.reduce(0) { $0 + ($1.named[name] ?? 0) } / count }
        return Reward(named: named)
    }
}
