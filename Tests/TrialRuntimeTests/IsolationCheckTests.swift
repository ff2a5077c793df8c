import AssayTesting
import Base
import EvalModel
import HTTPServing
import Testing

@testable import TrialRuntime

/// A clock on which sleeping takes no time.
private final class SleeplessTime: TimeSource {
    private let elapsed = Locked(0.0)
    func now() -> Timestamp { Timestamp(seconds: 1_800_000_000, nanoseconds: 0).adding(seconds: monotonic()) }
    func monotonic() -> Double { elapsed.withLock { $0 } }
    func sleep(seconds: Double) async throws {
        try Task.checkCancellation()
        elapsed.withLock { $0 += seconds }
    }
}

@Suite("Whether the network of a pod is restricted")
struct IsolationCheckTests {
    @Test("a pod whose policy comes late starts then; without one it ends after the bound, as infrastructure", arguments: [0, 1, 20, 1000])
    func waits(attempts: Int) async throws {
        let time = SleeplessTime()
        let made = Locked(0)
        let check = IsolationCheck(time: time) { canary, _ in
            #expect(canary == "10.96.0.7:8082")
            return made.withLock { made in
                made += 1
                return made <= attempts
            }
        }
        if attempts < 30 {
            try await check.wait("10.96.0.7:8082")
            #expect(made.withLock { $0 } == attempts + 1)
        } else {
            let error = await #expect(throws: TrialError.self) { try await check.wait("10.96.0.7:8082") }
            #expect(error?.type == .environmentStartFailed)
            #expect(error?.message.contains("does not enforce NetworkPolicies") == true && error?.message.contains("10.96.0.7:8082") == true)
            #expect(time.monotonic() >= check.boundSeconds)
        }
    }

    @Test("what accepts connections is reached, whatever it says then; a closed port is not")
    func connections() async throws {
        let server = HTTPServer { _ in .text(404, "no\n") }
        let port = try server.start(port: 0)
        #expect(await IsolationCheck.accepts("127.0.0.1:\(port)", 30))
        server.stop()
        #expect(await eventually { await !IsolationCheck.accepts("127.0.0.1:\(port)", 30) })
    }

    @Test("catalogue 68: a check pod tells a network that enforces its policy from one that does not, and from one that reaches nothing")
    func command() async throws {
        func failure(_ reaches: Set<String>) async -> String? {
            await NetworkCheckCommand(time: SleeplessTime()) { address, _ in reaches.contains(address) }.failure(
                allowed: "cache:1", canary: "canary:1")
        }
        #expect(await failure(["cache:1"]) == nil)
        #expect(await failure(["cache:1", "canary:1"])?.contains("does not enforce NetworkPolicies") == true)
        #expect(await failure([])?.contains("cannot reach the cache service at cache:1") == true)
        #expect(await failure(["canary:1"])?.contains("cannot reach the cache service at cache:1") == true)
    }
}
