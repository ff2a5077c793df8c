/// The names of records that the remote is known to have. Only the newest are kept, so that memory use stays bounded. For older records the
/// branch is read.
struct ConfirmedNames: Sendable {
    private let limit: Int
    /// The position at which each name was last inserted.
    private var positions: [String: Int] = [:]
    /// Names in the order of insertion. Entries of names that were removed or inserted again are skipped.
    private var order: [(name: String, position: Int)] = []
    private var first = 0
    private var next = 0

    /// - Parameter limit: how many names are remembered.
    init(limit: Int) { self.limit = max(1, limit) }

    var all: [String] { Array(positions.keys) }

    func contains(_ name: String) -> Bool { positions[name] != nil }

    mutating func insert(_ names: some Sequence<String>) {
        for name in names {
            positions[name] = next
            order.append((name, next))
            next += 1
        }
        while positions.count > limit, first < order.count {
            let oldest = order[first]
            first += 1
            if positions[oldest.name] == oldest.position { positions[oldest.name] = nil }
        }
        if first > limit || order.count > 4 * limit {
            order = order[first...].filter { positions[$0.name] == $0.position }
            first = 0
        }
    }

    mutating func remove(_ names: some Sequence<String>) {
        for name in names { positions[name] = nil }
    }
}
