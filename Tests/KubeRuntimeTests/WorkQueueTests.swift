import AssayTesting
import Base
import Testing

@testable import KubeRuntime

@Suite("The shared work queue")
struct WorkQueueTests {
    let time = ManualTime()

    @Test("a waiting worker gets a key as soon as it is added")
    func wakes() async {
        let queue = WorkQueue<String>(time: time)
        let worker = Task { await queue.next() }
        await Task.yield()
        queue.add("a")
        #expect(await worker.value == "a")
        queue.done("a")
        await queue.waitUntilIdle()
    }

    @Test("a delayed key is handed out at its time, and an earlier time that is set later counts")
    func delayed() async {
        let queue = WorkQueue<String>(time: time)
        let got = Locked<[String]>([])
        let worker = Task {
            while let key = await queue.next() {
                got.withLock { $0.append(key) }
                queue.done(key)
            }
        }
        queue.add("late", afterSeconds: 30)
        queue.add("soon", afterSeconds: 60)
        queue.add("soon", afterSeconds: 10)
        #expect(await eventually { time.secondsToNextSleeper == 10 })
        time.advance(seconds: 9.9)
        #expect(queue.delayedCount == 2)
        time.advance(seconds: 0.2)
        #expect(await eventually { got.withLock { $0 } == ["soon"] })
        #expect(await eventually { (time.secondsToNextSleeper ?? 0) > 15 })
        time.advance(seconds: 20)
        #expect(await eventually { got.withLock { $0 } == ["soon", "late"] })
        queue.shutDown()
        await worker.value
    }

    @Test("a failed key is handed out after its backoff, which is reset when the key is forgotten")
    func failures() async {
        let queue = WorkQueue<String>(time: time)
        #expect(queue.addAfterFailure("a") == 0.005)
        #expect(queue.delayedCount == 1)
        await time.advanceToNextSleeper()
        #expect(await queue.next() == "a")
        queue.done("a")
        #expect(queue.addAfterFailure("a") == 0.01)
        #expect(queue.failures(of: "a") == 2)
        queue.forget("a")
        #expect(queue.failures(of: "a") == 0)
    }

    @Test("a shutdown releases all waiting workers and accepts no more keys")
    func shutdown() async {
        let queue = WorkQueue<String>(time: time)
        let workers = (0..<5).map { _ in Task { await queue.next() } }
        queue.add("held back", afterSeconds: 5)
        queue.shutDown()
        for worker in workers { #expect(await worker.value == nil) }
        queue.add("a")
        #expect(await queue.next() == nil)
    }

    @Test("a cancelled worker gets no key, and no key is lost")
    func cancellation() async {
        let queue = WorkQueue<String>(time: time)
        let worker = Task { await queue.next() }
        await Task.yield()
        worker.cancel()
        #expect(await worker.value == nil)
        queue.add("a")
        #expect(await queue.next() == "a")
    }

    @Test("many adders and workers: one worker per key, and every addition is followed by work")
    func contention() async {
        let queue = WorkQueue<Int>()
        struct State {
            var active: Set<Int> = []
            var overlaps = 0
            var wanted = [Int](repeating: 0, count: 20)
            var seen = [Int](repeating: 0, count: 20)
        }
        let state = Locked(State())
        let workers = (0..<8).map { _ in
            Task {
                while let key = await queue.next() {
                    let now = state.withLock { state -> Int in
                        if !state.active.insert(key).inserted { state.overlaps += 1 }
                        return state.wanted[key]
                    }
                    for _ in 0..<3 { await Task.yield() }
                    state.withLock { state in
                        state.active.remove(key)
                        state.seen[key] = max(state.seen[key], now)
                    }
                    queue.done(key)
                }
            }
        }
        await withTaskGroup(of: Void.self) { group in
            for adder in 0..<6 {
                group.addTask {
                    for number in 0..<2000 {
                        let key = (number * 7 + adder) % 20
                        state.withLock { $0.wanted[key] += 1 }
                        if number % 3 == 0 { queue.add(key, afterSeconds: 0.001) } else { queue.add(key) }
                        if number % 50 == 0 { await Task.yield() }
                    }
                }
            }
        }
        await queue.waitUntilIdle()
        queue.shutDown()
        for worker in workers { await worker.value }
        state.withLock { state in
            #expect(state.overlaps == 0)
            #expect(state.seen == state.wanted)
        }
    }
}
