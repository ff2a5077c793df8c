import Base
import Testing

@Suite struct AdmissionTests {
    /// Admits requests up to a sum.
    private struct Sum: AdmissionRule {
        static var keepsOrder: Bool { true }
        var left: Int
        mutating func admit(_ request: Int) -> Bool {
            guard request <= left else { return false }
            left -= request
            return true
        }
        mutating func leave(_ request: Int) { left += request }
    }

    private func wait(until condition: () -> Bool) async throws {
        let end = SystemTime().monotonic() + 120
        while !condition() {
            try #require(SystemTime().monotonic() < end)
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    @Test("a request that was cancelled before it began to wait is not admitted and uses nothing")
    func cancelledBefore() async throws {
        let admission = Admission(Sum(left: 1))
        let held = try await admission.enter(1)
        let late = Task {
            while !Task.isCancelled { await Task.yield() }
            return try await admission.enter(1)
        }
        late.cancel()
        await #expect(throws: CancellationError.self) { try await late.value }
        #expect(admission.waiting == 0)
        held.release()
        #expect(admission.rule.left == 1)
    }

    @Test("a cancelled request no longer blocks the requests behind it")
    func cancelledWhileWaiting() async throws {
        let admission = Admission(Sum(left: 10))
        let first = try await admission.enter(5)
        let large = Task { try await admission.enter(10) }
        try await wait { admission.waiting == 1 }
        let small = Task { try await admission.enter(5) }
        try await wait { admission.waiting == 2 }
        large.cancel()
        await #expect(throws: CancellationError.self) { try await large.value }
        let held = try await small.value
        #expect(admission.rule.left == 0)
        first.release()
        first.release()
        held.release()
        #expect(admission.rule.left == 10, "each request ends only once")
    }
}
