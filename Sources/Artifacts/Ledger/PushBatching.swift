/// Decides which records go into the next push. After a refusal it tries fewer, so that a record that the remote rejects does not block
/// the others for ever. Does no I/O: the ledger reports the result of each push and asks what to try next.
struct PushBatching: Sendable, Hashable {
    /// The most bytes of one push's files besides packs, which are in memory while the push is built.
    static let memory = 64 << 20

    private let most: Int
    /// The maximum number of records in the next push.
    private(set) var records: Int
    /// The maximum bytes of records in the next push. Hosts accept at most 2 GB. After a push that was too large: half of its size.
    private(set) var bytes = 256 << 20
    /// The last push was too large, so the next one is smaller.
    private(set) var isSplitting = false
    /// Records that were too large even alone. They are tried again when nothing else is waiting.
    private var oversized: Set<String> = []

    /// - Parameter most: the maximum number of records in one push when nothing fails.
    init(most: Int) {
        self.most = max(1, most)
        records = self.most
    }

    /// The waiting records to try next, in their order.
    func candidates(of waiting: [String]) -> ArraySlice<String> {
        let ordinary = oversized.isEmpty ? waiting : waiting.filter { !oversized.contains($0) }
        return ordinary.isEmpty ? waiting.prefix(1) : ordinary.prefix(records)
    }

    mutating func begun() { isSplitting = false }

    mutating func accepted(_ names: Set<String>) {
        records = min(most, records * 2)
        oversized.subtract(names)
    }

    /// The remote refused a batch. The next batch has half as many records, and starts with others.
    /// - Returns: the waiting names in their new order.
    mutating func refused(_ batch: [String], waiting: [String]) -> [String] {
        records = max(1, batch.count / 2)
        guard batch.count < waiting.count || batch.count == 1 else { return waiting }
        let names = Set(batch)
        return waiting.filter { !names.contains($0) } + waiting.filter(names.contains)
    }

    /// The batch was larger than the remote accepts.
    /// - Returns: the waiting names in their new order.
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

    /// The order of a push: oldest first, and a job's record after the runs that ended in the job's last second.
    static func comesBefore(_ a: PendingRun, _ b: PendingRun) -> Bool {
        (a.date, a.isJob ? 1 : 0, a.name) < (b.date, b.isJob ? 1 : 0, b.name)
    }
}
