/// Keys ordered by the time at which they are due: a binary heap. A key may be in it more than once; the owner of the heap knows which
/// entry is valid.
struct DueTimes<Key: Sendable>: Sendable {
    private var heap: [(key: Key, due: Double)] = []

    var first: (key: Key, due: Double)? { heap.first }
    var count: Int { heap.count }
    var earliest: Double? { heap.first?.due }

    mutating func insert(_ key: Key, _ due: Double) {
        heap.append((key, due))
        var at = heap.count - 1
        while at > 0, heap[at].due < heap[(at - 1) / 2].due {
            heap.swapAt(at, (at - 1) / 2)
            at = (at - 1) / 2
        }
    }

    mutating func popFirst() -> (key: Key, due: Double)? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        guard !heap.isEmpty else { return first }
        heap[0] = last
        var at = 0
        while true {
            var least = at
            for child in [2 * at + 1, 2 * at + 2] where child < heap.count && heap[child].due < heap[least].due {
                least = child
            }
            guard least != at else { return first }
            heap.swapAt(at, least)
            at = least
        }
    }
}
