import AssayTesting
import Base
import HTTPTransport
import KubeCore
import Testing

@testable import KubeClient

@Suite struct CallBudgetTests {
    @Test func callsWaitInOrder() async throws {
        let budget = CallBudget(2)
        let first = try await budget.enter()
        let second = try await budget.enter()
        let order = Locked<[Int]>([])
        var waiting: [Task<CallBudget.Place, any Error>] = []
        for number in 0..<3 {
            waiting.append(
                Task {
                    let place = try await budget.enter()
                    order.withLock { $0.append(number) }
                    return place
                })
            #expect(await eventually { budget.waiting == number + 1 })
        }
        #expect(budget.underWay == 2)
        waiting[1].cancel()
        await #expect(throws: CancellationError.self) { try await waiting[1].value }
        first.release()
        let third = try await waiting[0].value
        second.release()
        let last = try await waiting[2].value
        #expect(order.withLock { $0 } == [0, 2])
        #expect((budget.underWay, budget.waiting) == (2, 0))
        third.release()
        last.release()
        #expect(budget.underWay == 0)
    }

    @Test func aLimitBelowOneIsOne() async throws {
        let budget = CallBudget(0)
        try await budget.enter().release()
        #expect(budget.underWay == 0)
    }

    @Test func aThousandCallsUseAFewConnections() async throws {
        let server = try ScriptedServer { _ in .json(["kind": "Pod"]) }
        let budgets = CallBudgets(calls: 10, logs: 3)
        let client = KubeClient(config: .direct(server: server.url), transport: HTTPTransport(), budgets: budgets)
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<1000 {
                group.addTask { #expect((try? await client.get(.pods, ObjectKey(namespace: "default", name: "p\(number)"))) != nil) }
            }
        }
        #expect(server.requests.count == 1000)
        #expect(server.connectionCount <= 20)
        #expect(budgets.calls.underWay == 0)
    }

    @Test func aLogCountsUntilItIsReadOrDropped() async throws {
        let server = try ScriptedServer { _ in .stream([.text("line\n")]) }
        let budgets = CallBudgets(calls: 1, logs: 1)
        let client = KubeClient(config: .direct(server: server.url), transport: HTTPTransport(), budgets: budgets)
        let key = ObjectKey(namespace: "default", name: "p")
        var body = try await client.podLog(key).makeAsyncIterator()
        #expect(budgets.logs.underWay == 1)
        #expect(try await body.next() == Array("line\n".utf8))
        #expect(try await body.next() == nil)
        #expect(budgets.logs.underWay == 0)
        do {
            let dropped = try await client.podLog(key)
            #expect(budgets.logs.underWay == 1)
            withExtendedLifetime(dropped) {}
        }
        #expect(await eventually { budgets.logs.underWay == 0 })
        // A followed log does not count.
        let followed = try await client.podLog(key, options: LogOptions(follow: true))
        #expect(budgets.logs.underWay == 0)
        withExtendedLifetime(followed) {}
    }

    @Test func aFailedOrCancelledCallNoLongerCounts() async throws {
        let server = try ScriptedServer { request in
            request.target.hasSuffix("/silent") ? .silence : request.target.hasSuffix("/dropped") ? .dropConnection : .json(["kind": "Pod"])
        }
        let budgets = CallBudgets(calls: 1, logs: 1)
        let client = KubeClient(config: .direct(server: server.url), transport: HTTPTransport(), budgets: budgets)
        func get(_ name: String) async throws { _ = try await client.get(.pods, ObjectKey(namespace: "default", name: name)) }
        await #expect(throws: KubeError.self) { try await get("dropped") }
        let silent = Task { try await get("silent") }
        #expect(await server.waitForRequests(2))
        let waiting = Task { try await get("waiting") }
        #expect(await eventually { budgets.calls.waiting == 1 })
        waiting.cancel()
        await #expect(throws: KubeError.transport(.cancelled)) { try await waiting.value }
        silent.cancel()
        await #expect(throws: KubeError.transport(.cancelled)) { try await silent.value }
        try await get("last")
        #expect(budgets.calls.underWay == 0)
        #expect(!server.requestLines.contains { $0.hasSuffix("/waiting") })
    }

    @Test func aSeparateClientWaitsForNoOtherCall() async throws {
        let server = try ScriptedServer { request in request.target.hasSuffix("/silent") ? .silence : .json(["kind": "Lease"]) }
        let client = KubeClient(config: .direct(server: server.url), transport: HTTPTransport(), budgets: CallBudgets(calls: 1))
        let silent = Task { _ = try? await client.get(.pods, ObjectKey(namespace: "default", name: "silent")) }
        #expect(await server.waitForRequests(1))
        let lease = try await client.apart().get(.leases, ObjectKey(namespace: "default", name: "lease"))
        #expect(lease["kind"]?.string == "Lease")
        silent.cancel()
        await silent.value
    }
}
