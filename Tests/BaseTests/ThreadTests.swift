import Base
import Testing

@Suite struct ThreadTests {
    @Test func aThreadRunsAndIsWaitedFor() {
        let condition = ThreadCondition()
        let isDone = Locked(false)
        let started = startThread(name: "a name of more than fifteen bytes") {
            isDone.withLock { $0 = true }
            condition.lock()
            condition.broadcast()
            condition.unlock()
        }
        #expect(started)
        let end = SystemTime().monotonic() + 20
        condition.lock()
        while !isDone.withLock({ $0 }), condition.wait(until: min(end, SystemTime().monotonic() + 0.05)) || SystemTime().monotonic() < end {}
        condition.unlock()
        #expect(isDone.withLock { $0 })
    }

    @Test func aWaitEnds() {
        let condition = ThreadCondition()
        condition.lock()
        let begin = SystemTime().monotonic()
        while condition.wait(until: begin + 0.05) {}
        condition.unlock()
        #expect(SystemTime().monotonic() - begin >= 0.05)
    }

    @Test func aLockKeepsChangesApart() {
        let count = Locked(0)
        let left = Locked(4)
        let condition = ThreadCondition()
        for number in 0..<4 {
            startThread(name: "adds-\(number)") {
                for _ in 0..<10_000 { count.withLock { $0 += 1 } }
                condition.lock()
                left.withLock { $0 -= 1 }
                condition.broadcast()
                condition.unlock()
            }
        }
        condition.lock()
        while left.withLock({ $0 }) > 0 { condition.wait() }
        condition.unlock()
        #expect(count.withLock { $0 } == 40_000)
    }

    @Test(arguments: [(" a b\t\r\n", "a b"), ("", ""), ("\n \n", ""), ("x", "x")])
    func whiteSpaceAroundTextGoes(text: String, trimmed: String) { #expect(text.trimmed == trimmed) }
}
