import Testing

@testable import Artifacts

@Suite struct PushBatchingTests {
    private let waiting = (0..<8).map { "r\($0)" }

    @Test("a refusal halves the batch and tries other records first; a success doubles the batch")
    func refusal() {
        var batching = PushBatching(most: 8)
        #expect(Array(batching.candidates(of: waiting)) == waiting)
        // Everything that waits was refused, so nothing else can be tried first.
        #expect(batching.refused(waiting, waiting: waiting) == waiting)
        #expect(Array(batching.candidates(of: waiting)) == ["r0", "r1", "r2", "r3"])
        let order = batching.refused(["r0", "r1", "r2", "r3"], waiting: waiting)
        #expect(order == ["r4", "r5", "r6", "r7", "r0", "r1", "r2", "r3"])
        #expect(Array(batching.candidates(of: order)) == ["r4", "r5"])
        batching.accepted(["r4", "r5"])
        #expect(batching.records == 4)
        // A record that is refused alone goes to the end.
        #expect(batching.refused(["r0"], waiting: ["r0", "r1"]) == ["r1", "r0"] && batching.records == 1)
    }

    @Test("catalogue 32: a batch that is too large is halved; a single record that is too large waits until nothing else waits")
    func tooLarge() {
        var batching = PushBatching(most: 100)
        let (two, one) = (["r0", "r1"], ["r0"])
        #expect(batching.tooLarge(two, bytes: 1000, waiting: two) == two)
        #expect(batching.isSplitting && batching.bytes == 500)
        batching.begun()
        #expect(!batching.isSplitting)
        let order = batching.tooLarge(one, bytes: 600, waiting: two)
        #expect(order == ["r1", "r0"] && batching.isSplitting && batching.bytes == 300)
        #expect(Array(batching.candidates(of: order)) == ["r1"])
        batching.accepted(["r1"])
        // Nothing else waits: it is tried again, and there is nothing left to split.
        #expect(Array(batching.candidates(of: one)) == one)
        batching.begun()
        _ = batching.tooLarge(one, bytes: 600, waiting: one)
        #expect(!batching.isSplitting)
        batching.accepted(["r0"])
        #expect(Array(batching.candidates(of: ["r0", "r2"])) == ["r0", "r2"])
    }
}
