/// Divides a byte budget among files when not all of them fit: the largest are cut first, all to one common size.
enum Allowance {
    /// The common size h with sum(min(size, h)) <= budget; nil when everything fits.
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
