import AssayTesting
import Base
import Testing

@testable import KubeRuntime

@Suite("The backoff of keys")
struct KeyBackoffTests {
    /// A queue with one key that fails whenever it is handed out, with events at given times.
    private struct Failing {
        var queue = WorkQueueState<String>()
        var looks: [Double] = []

        /// Hands out the key whenever it is due, up to a time, and lets it fail.
        mutating func run(until end: Double, outcome: (Double) -> WorkQueueState<String>.Outcome = { _ in .failed }) {
            var now = looks.last ?? 0
            while true {
                switch queue.take(now: now) {
                case .key(let key):
                    looks.append(now)
                    queue.finish(key, outcome(now), now: now)
                case .waitUntil(let due):
                    guard due <= end else { return }
                    now = max(now, due)
                case .idle, .finished: return
                }
            }
        }
    }

    @Test("catalogue 67: fifty events during a refusal are one step of the backoff, and the next due attempt stays when it was")
    func refusalHeardOften() {
        var failing = Failing()
        failing.queue.add("job")
        // After ten steps the key waits 5.12 s, from 5.115 s on.
        failing.run(until: 5.2)
        #expect(failing.queue.failures(of: "job") == 11)
        let due = 5.115 + 5.12
        let before = failing.looks.count
        // Fifty events within a second.
        for number in 0..<50 {
            failing.queue.add("job")
            failing.run(until: 5.2 + Double(number) / 50)
        }
        #expect(failing.queue.failures(of: "job") == 11, "no further step")
        #expect(failing.looks.count - before <= 1, "at most one early attempt per second, not fifty")
        failing.run(until: due - 0.01)
        #expect(failing.queue.failures(of: "job") == 11)
        failing.run(until: due + 0.01)
        #expect(failing.queue.failures(of: "job") == 12)
        #expect(abs((failing.looks.last ?? 0) - due) < 0.05)
    }

    @Test("catalogue 67: constant events for a minute: the count grows with the time, not with the events")
    func eventsAllTheTime() {
        var failing = Failing()
        for number in 0..<6000 {
            failing.queue.add("job")
            failing.run(until: Double(number) / 100)
        }
        // 5 ms doubling: in a minute about fourteen attempts are due, and the last wait is shorter than two minutes.
        #expect((12...15).contains(failing.queue.failures(of: "job")), "\(failing.queue.failures(of: "job"))")
        #expect(failing.looks.count < 80, "\(failing.looks.count)")
    }

    /// The earlier failures of the key, the event, and the expected seconds from the failure to the next attempt.
    static let table: [(failures: Int, eventAt: Double?, look: Double)] = [
        (1, nil, 0.005), (1, 0, 0.005), (5, nil, 0.08), (5, 0.01, 0.08), (10, nil, 2.56), (10, 0, 1), (10, 0.5, 1), (10, 1.5, 1.5), (10, 2.56, 2.56),
        (18, nil, 655.36), (18, 0, 1), (18, 300, 300), (30, nil, 1000), (30, 999, 999),
    ]

    @Test("an event shortens a wait to no less than a second", arguments: table)
    func eventsBetween(_ row: (failures: Int, eventAt: Double?, look: Double)) {
        var queue = WorkQueueState<String>()
        var now = 0.0
        queue.add("job")
        for _ in 0..<row.failures {
            while case .waitUntil(let due) = queue.take(now: now) { now = due }
            queue.finish("job", .failed, now: now)
        }
        let failed = now
        if let event = row.eventAt {
            now += event
            queue.add("job")
        }
        while case .waitUntil(let due) = queue.take(now: now) { now = due }
        #expect(abs(now - failed - row.look) < 1e-6, "\(now - failed)")
    }

    @Test("waiting keeps the count and the time of a backoff; success and a changed spec reset it")
    func outcomes() {
        var failing = Failing()
        failing.queue.add("job")
        failing.run(until: 0.7)
        let count = failing.queue.failures(of: "job")
        #expect(count == 8)
        // Not yet at any attempt for two seconds.
        failing.run(until: 3) { .waiting(at: $0 + 0.1) }
        #expect(failing.queue.failures(of: "job") == count)
        failing.run(until: 3.2)
        #expect(failing.queue.failures(of: "job") == count + 1, "the next failure is the next step of the backoff")
        failing.queue.addAnew("job")
        #expect(failing.queue.take(now: 3.2) == .key("job"))
        #expect(failing.queue.finish("job", .failed, now: 3.2) == 0.005)
        failing.queue.add("job")
        var now = 3.2
        while case .waitUntil(let due) = failing.queue.take(now: now) { now = due }
        failing.queue.finish("job", .again(at: now + 1), now: now)
        #expect(failing.queue.failures(of: "job") == 0)
    }

    @Test("a spec that changes while the key fails is reconciled at once")
    func specChangesMeanwhile() {
        var queue = WorkQueueState<String>()
        queue.add("job")
        var now = 0.0
        for _ in 0..<15 {
            while case .waitUntil(let due) = queue.take(now: now) { now = due }
            queue.addAnew("job")
            queue.finish("job", .failed, now: now)
            #expect(queue.failures(of: "job") == 1)
            #expect(queue.take(now: now) == .waitUntil(now + 0.005))
        }
    }

    @Test("a reconcile that waits keeps the backoff of its key")
    func controller() async {
        struct Trouble: Error {}
        let time = ManualTime()
        let runs = Locked(0)
        let controller = Controller<String>(name: "test", workers: 1, time: time, log: quiet) { _ in
            let run = runs.withLock { runs in
                runs += 1
                return runs
            }
            return run % 2 == 1 ? .retry(Trouble()) : .waiting(afterSeconds: 0.5)
        }
        controller.enqueue("job")
        let running = Task { await controller.run() }
        for expected in 1...6 {
            #expect(await eventually { runs.withLock { $0 } == expected && controller.queue.processingCount == 0 })
            #expect(controller.queue.failures(of: "job") == (expected + 1) / 2)
            await time.advanceToNextSleeper()
        }
        controller.stop()
        await running.value
    }
}

@Suite("Gathering of events")
struct EventGatheringTests {
    @Test("the first event is handled at once, those of the next quarter of a second together at its end")
    func windows() {
        var gathering = EventGathering<String>()
        #expect(gathering.delay("a", seconds: 0.25, now: 10) == 0)
        #expect(abs(gathering.delay("a", seconds: 0.25, now: 10.1) - 0.15) < 1e-9)
        #expect(abs(gathering.delay("a", seconds: 0.25, now: 10.2) - 0.05) < 1e-9)
        #expect(gathering.delay("b", seconds: 0.25, now: 10.2) == 0)
        // The attempt at 10.25 began the next window.
        #expect(abs(gathering.delay("a", seconds: 0.25, now: 10.3) - 0.2) < 1e-9)
        #expect(gathering.delay("a", seconds: 0.25, now: 11) == 0)
        #expect(gathering.delay("b", seconds: 0.25, now: 10.5) == 0, "no reconcile was requested at the end of its window")
    }

    @Test("each window has its own length: the next one may be shorter or longer")
    func lengths() {
        var gathering = EventGathering<String>()
        #expect(gathering.delay("a", seconds: 0.02, now: 10) == 0)
        #expect(abs(gathering.delay("a", seconds: 0.25, now: 10.01) - 0.01) < 1e-9)
        #expect(abs(gathering.delay("a", seconds: 0.25, now: 10.03) - 0.24) < 1e-9)
        #expect(abs(gathering.delay("a", seconds: 0.02, now: 10.28) - 0.01) < 1e-9)
        #expect(abs(gathering.delay("a", seconds: 0.25, now: 10.3) - 0.24) < 1e-9)
        #expect(gathering.delay("a", seconds: 0.02, now: 11) == 0)
    }

    @Test("a thousand events in two seconds cause nine reconciles, and old keys are forgotten")
    func bounded() {
        var gathering = EventGathering<Int>()
        var looks: Set<Int> = []
        for number in 0..<1000 {
            let now = Double(number) / 500
            looks.insert(Int(((now + gathering.delay(1, seconds: 0.25, now: now)) * 1000).rounded()))
        }
        #expect(looks.count <= 9)
        for key in 0..<100_000 { _ = gathering.delay(key, seconds: 0.25, now: 10 + Double(key)) }
        #expect(gathering.count < 5000)
    }
}

@Suite("Tasks outside the workers")
struct TaskPoolTests {
    @Test("a limited number at a time; a group with one key does not wait for a group with a hundred")
    func fairness() async {
        struct State {
            var active = 0
            var most = 0
            var order: [String] = []
        }
        let state = Locked(State())
        let gate = Latch()
        let pool = TaskPool<String, Int>(width: 2, deadlineSeconds: 60, late: { _ in -1 }, onFinish: { _ in })
        for number in 0..<100 {
            pool.start("many-\(number)", group: "many") {
                state.withLock {
                    $0.active += 1; $0.most = max($0.most, $0.active); $0.order.append("many")
                }
                try? await gate.wait()
                state.withLock { $0.active -= 1 }
                return number
            }
        }
        #expect(await eventually { state.withLock { $0.active } == 2 })
        pool.start("one", group: "one") {
            state.withLock { $0.order.append("one") }
            return 7
        }
        pool.start("one", group: "one") { 8 }
        gate.open()
        #expect(await eventually { pool.unfinished(in: "many") == 0 && pool.unfinished(in: "one") == 0 })
        #expect(state.withLock { $0.most } == 2)
        #expect((state.withLock { $0.order.firstIndex(of: "one") } ?? 99) <= 4)
        #expect(pool.take("one") == 7)
        #expect(pool.take("one") == nil)
        #expect(pool.take("many-99") == 99)
        await pool.stop()
    }

    @Test("a task that exceeds its deadline gets the late result, and another one may start")
    func deadline() async {
        let time = ManualTime()
        let finished = Locked<[String]>([])
        let pool = TaskPool<String, Int>(
            width: 1, deadlineSeconds: 30, time: time, late: { _ in -1 }, onFinish: { key in finished.withLock { $0.append(key) } })
        pool.start("drips", group: "a") {
            try? await SystemTime().sleep(seconds: 3600)
            return 1
        }
        pool.start("next", group: "a") { 2 }
        #expect(await eventually { time.secondsToNextSleeper == 30 })
        time.advance(seconds: 31)
        #expect(await eventually { finished.withLock { $0 } == ["drips", "next"] })
        #expect(pool.take("drips") == -1)
        #expect(pool.take("next") == 2)
        await pool.stop()
    }

    @Test("a cancelled task has no result, its key can start again, and a stop ends running tasks")
    func cancellation() async {
        let finished = Locked<[String]>([])
        let pool = TaskPool<String, Int>(width: 1, deadlineSeconds: 60, late: { _ in -1 }, onFinish: { key in finished.withLock { $0.append(key) } })
        let wasCancelled = Locked(false)
        pool.start("a", group: "g") {
            try? await SystemTime().sleep(seconds: 3600)
            wasCancelled.withLock { $0 = Task.isCancelled }
            return 1
        }
        pool.start("b", group: "g") { 2 }
        #expect(await eventually { if case .running? = pool.progress(of: "a") { true } else { false } })
        pool.cancel("a")
        pool.start("a", group: "g") { 3 }
        #expect(await eventually { finished.withLock { $0.sorted() } == ["a", "b"] })
        #expect(wasCancelled.withLock { $0 })
        #expect(pool.take("a") == 3)
        pool.start("c", group: "g") {
            try? await SystemTime().sleep(seconds: 3600)
            return 4
        }
        await pool.stop()
        pool.start("d", group: "g") { 5 }
        #expect(pool.progress(of: "d") == nil)
    }
}
