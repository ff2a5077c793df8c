/// How a budget is shared when not everything fits: the largest are cut first, to one common height.
enum Allowance {
    /// The height h with sum(min(size, h)) <= budget; nil when everything fits.
    static func height(_ sizes: [Int], budget: Int) -> Int? {
        var rest = max(0, budget)
        let sorted = sizes.sorted()
        for (index, size) in sorted.enumerated() {
            let share = rest / (sorted.count - index)
            if size > share { return share }
            rest -= size
        }
        return nil
    }
}
