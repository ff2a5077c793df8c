/// What goes with the next push: less after a refusal, so that a record that the remote will not have does not keep the
/// others back for ever. Pure: the ledger tells what became of a push, and asks what to try next.
struct PushBatching: Sendable, Hashable {
    private let most: Int
    /// Records in the next push.
    private(set) var records: Int
    /// Bytes of records in the next push; hosts take no more than 2 GB. Half of what was once too large.
    private(set) var bytes = 256 << 20
    /// The last push was too large, and the next one is smaller.
    private(set) var isSplitting = false
    /// Records that were too large alone: they are tried again when nothing else waits.
    private var oversized: Set<String> = []

    /// - Parameter most: records in one push when all goes well.
    init(most: Int) {
        self.most = max(1, most)
        records = self.most
    }

    /// Of those that wait, in their order, the ones to try next.
    func candidates(of waiting: [String]) -> ArraySlice<String> {
        let ordinary = oversized.isEmpty ? waiting : waiting.filter { !oversized.contains($0) }
        return ordinary.isEmpty ? waiting.prefix(1) : ordinary.prefix(records)
    }

    mutating func begun() { isSplitting = false }

    mutating func accepted(_ names: Set<String>) {
        records = min(most, records * 2)
        oversized.subtract(names)
    }

    /// The remote will not have something of a batch: half as many the next time, and others first.
    /// - Returns: what waits, in its new order.
    mutating func refused(_ batch: [String], waiting: [String]) -> [String] {
        records = max(1, batch.count / 2)
        guard batch.count < waiting.count || batch.count == 1 else { return waiting }
        let names = Set(batch)
        return waiting.filter { !names.contains($0) } + waiting.filter(names.contains)
    }

    /// The batch was more than the remote takes at once.
    /// - Returns: what waits, in its new order.
    mutating func tooLarge(_ batch: [String], bytes size: Int, waiting: [String]) -> [String] {
        bytes = min(bytes, max(1, size / 2))
        var order = waiting
        if batch.count == 1 {
            oversized.formUnion(batch)
            order = refused(batch, waiting: waiting)
        }
        isSplitting = waiting.contains { !oversized.contains($0) }
        return order
    }
}
