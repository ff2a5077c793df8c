import Artifacts
import Base
import Testing

@Suite struct PackBudgetTests {
    @Test("a thousand readers at once never exceed the budget, and all are served")
    func bounded() async throws {
        let budget = PackBudget(limit: 1000)
        let inUse = Locked((now: 0, most: 0, served: 0))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<1000 {
                group.addTask {
                    let bytes = 1 + index % 400
                    let reservation = try await budget.reserve(bytes)
                    inUse.withLock {
                        $0.now += bytes; $0.most = max($0.most, $0.now); $0.served += 1
                    }
                    await Task.yield()
                    inUse.withLock { $0.now -= bytes }
                    reservation.release()
                }
            }
            try await group.waitForAll()
        }
        #expect(inUse.withLock { $0.most } <= 1000)
        #expect(inUse.withLock { $0.served } == 1000)
        #expect(budget.used == 0)
    }

    @Test("a pack larger than the budget is read while no other is")
    func larger() async throws {
        let budget = PackBudget(limit: 10)
        var small: PackBudget.Reservation? = try await budget.reserve(1)
        let large = Task { try await budget.reserve(1 << 30) }
        try await eventually("it waits") { budget.waiting == 1 }
        // Later requests wait behind it although they would fit; otherwise it could wait for ever.
        let next = Task { try await budget.reserve(1) }
        try await eventually("both wait") { budget.waiting == 2 }
        #expect(budget.used == 1)
        withExtendedLifetime(small) {}
        small = nil
        let held = try await large.value
        #expect(budget.used == 10)
        held.release()
        held.release()
        #expect(budget.used == 1, "released once")
        try await next.value.release()
        #expect(budget.used == 0)
    }
}
