/// The verdict of a verifier.
public struct Reward: Sendable, Hashable, Codable {
    /// The reward that counts.
    public var value: Double
    /// Every number that the verifier wrote, by name. A single number has the name `reward`.
    public var named: [String: Double]

    /// A single number.
    public init(_ value: Double) {
        self.value = value
        named = [Self.primaryName: value]
    }

    /// Named numbers; nil when there are none or one is not finite.
    ///
    /// The reward is the number named `reward` (Harbor's name for a single number), else the only number, else the mean of
    /// all. For several numbers Harbor has no single reward, but a pass rate and a printer column need one.
    public init?(named: [String: Double]) {
        guard !named.isEmpty, named.values.allSatisfy(\.isFinite) else { return nil }
        if let primary = named[Self.primaryName] {
            value = primary
        } else {
            // Sorted, so that rounding does not depend on the dictionary's order.
            let sum = named.keys.sorted().reduce(0) { $0 + (named[$1] ?? 0) }
            let mean = sum / Double(named.count)
            guard mean.isFinite else { return nil }
            value = mean
        }
        self.named = named
    }

    /// The name of the number that is the reward.
    public static let primaryName = "reward"

    /// Whether the trial passed: the reward is exactly 1, as in Rollout's pass rate.
    public var isPass: Bool { value == 1 }
}
