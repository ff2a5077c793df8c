import Base
import Testing

@testable import KubeRuntime

@Suite("The decisions of a work queue")
struct WorkQueueStateTests {
    @Test("a key that is added repeatedly is handed out once, in the order of the first addition")
    func dedupe() {
        var queue = WorkQueueState<String>()
        for key in ["a", "b", "a", "c", "b"] { queue.add(key) }
        #expect(queue.depth == 3)
        #expect(queue.take(now: 0) == .key("a"))
        #expect(queue.take(now: 0) == .key("b"))
        #expect(queue.take(now: 0) == .key("c"))
        #expect(queue.take(now: 0) == .idle)
    }

    @Test("a key added while it is worked on is handed out again, but only afterwards")
    func dirty() {
        var queue = WorkQueueState<String>()
        queue.add("a")
        #expect(queue.take(now: 0) == .key("a"))
        queue.add("a")
        queue.add("a")
        #expect(queue.take(now: 0) == .idle)
        queue.done("a")
        #expect(queue.take(now: 0) == .key("a"))
        queue.done("a")
        #expect(queue.take(now: 0) == .idle)
        #expect(queue.isIdle)
    }

    @Test("of two times the earlier one counts", arguments: [(5.0, 9.0), (9.0, 5.0)])
    func earlierWins(_ first: Double, _ second: Double) {
        var queue = WorkQueueState<String>()
        queue.add("a", at: first)
        queue.add("a", at: second)
        #expect(queue.take(now: 4.9) == .waitUntil(5))
        #expect(queue.take(now: 5) == .key("a"))
        queue.done("a")
        #expect(queue.take(now: 100) == .idle)
    }

    @Test("a key that is due at once is no longer delayed")
    func atOnceWins() {
        var queue = WorkQueueState<String>()
        queue.add("a", at: 50)
        queue.add("a")
        #expect(queue.take(now: 0) == .key("a"))
        queue.done("a")
        #expect(queue.take(now: 100) == .idle)
    }

    @Test("a time given during the work applies after its end")
    func delayedWhileProcessing() {
        var queue = WorkQueueState<String>()
        queue.add("a")
        _ = queue.take(now: 0)
        queue.add("a", at: 7)
        queue.done("a")
        #expect(queue.take(now: 6) == .waitUntil(7))
        #expect(queue.take(now: 7) == .key("a"))
    }

    @Test("failures back off by 5 ms doubling to 1000 s, per key, until forgotten")
    func backoff() {
        var queue = WorkQueueState<String>()
        var now = 0.0
        let delays = (0..<25).map { _ in
            let delay = queue.addAfterFailure("a", now: now)
            now += delay
            return delay
        }
        #expect(delays[0] == 0.005)
        #expect(delays[1] == 0.01)
        #expect(abs(delays[10] - 5.12) < 1e-9)
        #expect(delays[24] == 1000)
        #expect(queue.addAfterFailure("b", now: 0) == 0.005)
        queue.forget("a")
        #expect(queue.addAfterFailure("a", now: 0) == 0.005)
    }

    @Test("a shutdown drops ready keys; a drain hands them out, and keys added during their work")
    func shutdown() {
        var left = WorkQueueState<String>()
        left.add("a")
        left.shutDown(.now)
        left.add("b")
        #expect(left.take(now: 0) == .finished)

        var drained = WorkQueueState<String>()
        drained.add("a")
        drained.add("b")
        drained.add("later", at: 60)
        _ = drained.take(now: 0)
        drained.add("a")
        drained.shutDown(.drain)
        drained.add("c")
        #expect(drained.take(now: 0) == .key("b"))
        drained.done("a")
        #expect(drained.take(now: 0) == .key("a"))
        #expect(drained.take(now: 100) == .finished)
    }

    @Test("a key whose time is often moved uses no additional memory, and ten thousand delayed keys come in order")
    func manyTimes() {
        var queue = WorkQueueState<Int>()
        for number in 0..<20_000 {
            queue.add(1, at: 1e6 + Double(number))
            queue.add(1)
            _ = queue.take(now: 0)
            queue.done(1)
        }
        #expect(queue.heldTimes <= 66)
        for number in 0..<10_000 { queue.add(number, at: Double((number * 7919) % 10_000)) }
        var last = -1.0
        while case .waitUntil(let due) = queue.take(now: last) {
            #expect(due > last)
            last = due
            guard case .key(let key) = queue.take(now: due) else { break }
            queue.done(key)
        }
        #expect(queue.isIdle)
    }

    @Test("after random operations every key is in one place and no addition is lost", arguments: 0..<30)
    func randomOperations(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var queue = WorkQueueState<Int>()
        var working: Set<Int> = []
        var owed: Set<Int> = []
        var now = 0.0
        for _ in 0..<2000 {
            let key = Int.random(in: 0..<8, using: &random)
            switch Int.random(in: 0..<5, using: &random) {
            case 0:
                queue.add(key)
                owed.insert(key)
            case 1:
                queue.add(key, at: now + Double.random(in: 0..<5, using: &random))
                owed.insert(key)
            case 2:
                if let done = working.randomElement(using: &random) {
                    queue.done(done)
                    working.remove(done)
                }
            default:
                if case .key(let taken) = queue.take(now: now) {
                    #expect(working.insert(taken).inserted)
                    owed.remove(taken)
                }
            }
            now += Double.random(in: 0..<0.5, using: &random)
        }
        now += 100
        for key in working { queue.done(key) }
        while case .key(let key) = queue.take(now: now) {
            owed.remove(key)
            queue.done(key)
        }
        #expect(owed.isEmpty)
        #expect(queue.isIdle)
    }
}
