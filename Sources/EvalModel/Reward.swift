/// What a verifier awarded.
public struct Reward: Sendable, Hashable, Codable {
    /// The reward that is counted.
    public var value: Double
    /// Every figure the verifier wrote, by name; a lone number has the name `reward`.
    public var named: [String: Double]

    /// A lone number.
    public init(_ value: Double) {
        self.value = value
        named = [Self.primaryName: value]
    }

    /// Named figures; nil when there is none or one of them is not finite.
    ///
    /// Which of them is the reward: the one named `reward`, which is the name that Harbor gives a lone number; else the
    /// only one; else the mean of all. Harbor keeps several figures apart and has no single reward then, but a pass rate
    /// and a printer column need one.
    public init?(named: [String: Double]) {
        guard !named.isEmpty, named.values.allSatisfy(\.isFinite) else { return nil }
        if let primary = named[Self.primaryName] {
            value = primary
        } else {
            // Sorted, so that the last bit of the mean does not depend on a dictionary's order.
            let sum = named.keys.sorted().reduce(0) { $0 + (named[$1] ?? 0) }
            let mean = sum / Double(named.count)
            guard mean.isFinite else { return nil }
            value = mean
        }
        self.named = named
    }

    /// The name of the figure that is the reward.
    public static let primaryName = "reward"

    /// Whether the trial passed: a reward of exactly 1, the rule of Rollout's pass rate.
    public var isPass: Bool { value == 1 }
}
