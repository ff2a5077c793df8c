import AssayTesting
import Base
import HTTPTransport
import KubeCore
import Testing

@testable import KubeClient

@Suite struct CallBudgetTests {
    @Test func callsWaitInOrder() {
        var queue = CallQueue<String>(limit: 2)
        let numbers = (0..<5).map { _ in queue.newNumber() }
        #expect(numbers.map { queue.enter($0, "call \($0)") } == [.enters, .enters, .waits, .waits, .waits])
        #expect(queue.leave() == "call 3")
        #expect(queue.cancel(numbers[3]) == "call 4")
        #expect(queue.leave() == "call 5")
        #expect((queue.underWay, queue.waiting) == (2, 0))
        #expect(queue.leave() == nil)
        #expect(queue.leave() == nil)
        #expect(queue.underWay == 0)
    }

    @Test func aCallCancelledBeforeItIsQueuedIsRefused() {
        var queue = CallQueue<String>(limit: 1)
        let (first, second) = (queue.newNumber(), queue.newNumber())
        #expect(queue.cancel(first) == nil)
        #expect(queue.enter(first, "first") == .gone)
        #expect(queue.enter(second, "second") == .enters)
        // The call has started; it ends with its own release.
        #expect(queue.cancel(second) == nil)
        queue.settle(second)
        #expect(queue.underWay == 1)
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
