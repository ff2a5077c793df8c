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
    private static let (canary, cache) = ("10.96.0.7:8082", "10.96.0.7:8081")

    /// A check whose attempts to reach the canary and the cache service go as `answers` says, and the number of those to the canary.
    private static func check(_ answers: @escaping @Sendable (_ attempt: Int) -> (canary: Bool, cache: Bool)) -> (IsolationCheck, Locked<Int>) {
        let made = Locked(0)
        let check = IsolationCheck(time: SleeplessTime()) { address, _ in
            guard address == canary else { return answers(made.withLock { $0 }).cache }
            return answers(
                made.withLock { made in
                    made += 1
                    return made
                }
            ).canary
        }
        return (check, made)
    }

    @Test("a pod whose policy comes late starts then; without one it ends after the bound, as infrastructure", arguments: [0, 1, 20, 1000])
    func waits(attempts: Int) async throws {
        let (check, made) = Self.check { ($0 <= attempts, true) }
        if attempts < 60 {
            try await check.wait(canary: Self.canary, allowed: Self.cache)
            #expect(made.withLock { $0 } == attempts + check.rounds)
        } else {
            let error = await #expect(throws: TrialError.self) { try await check.wait(canary: Self.canary, allowed: Self.cache) }
            #expect(error?.type == .environmentStartFailed)
            #expect(error?.message.contains("does not enforce NetworkPolicies") == true && error?.message.contains(Self.canary) == true)
            #expect(check.time.monotonic() >= check.boundSeconds)
        }
    }

    @Test("one or two attempts that fail are no proof", arguments: [2, 3])
    func chance(period: Int) async throws {
        let (check, _) = Self.check { ($0 % period == 0, true) }
        let error = await #expect(throws: TrialError.self) { try await check.wait(canary: Self.canary, allowed: Self.cache) }
        #expect(error?.message.contains("does not enforce NetworkPolicies") == true)
    }

    @Test("a pod that reaches nothing is not taken for one with a policy")
    func reachesNothing() async throws {
        let (check, _) = Self.check { _ in (false, false) }
        let error = await #expect(throws: TrialError.self) { try await check.wait(canary: Self.canary, allowed: Self.cache) }
        #expect(error?.type == .environmentStartFailed && error?.message.contains("cannot reach the cache service at \(Self.cache)") == true)
        // The cache service comes back in time.
        let (late, _) = Self.check { (false, $0 > 10) }
        try await late.wait(canary: Self.canary, allowed: Self.cache)
    }

    @Test("what was not found out is an error")
    func notFoundOut() async throws {
        await #expect(throws: (any Error).self) { try await IsolationCheck.accepts("no address at all", 1) }
        let check = IsolationCheck(time: SleeplessTime())
        await #expect(throws: (any Error).self) { try await check.wait(canary: "no address at all", allowed: Self.cache) }
    }

    @Test("what accepts connections is reached, whatever it says then; a closed port is not")
    func connections() async throws {
        let server = HTTPServer { _ in .text(404, "no\n") }
        let port = try server.start(port: 0)
        #expect(try await IsolationCheck.accepts("127.0.0.1:\(port)", 30))
        server.stop()
        #expect(try await eventually { try await !IsolationCheck.accepts("127.0.0.1:\(port)", 30) })
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
