import Base
import Testing

@Suite struct BackoffTests {
    @Test(arguments: [
        (BackoffPolicy(initialSeconds: 1, capSeconds: 30), [1.0, 2, 4, 8, 16, 30, 30]),
        (BackoffPolicy(initialSeconds: 1, factor: 3, capSeconds: 10), [1, 3, 9, 10, 10, 10, 10]),
        (BackoffPolicy(initialSeconds: 2, factor: 1, capSeconds: 2), [2, 2, 2, 2, 2, 2, 2]),
        (BackoffPolicy(initialSeconds: 40, capSeconds: 30), [30, 30, 30, 30, 30, 30, 30]),
        (BackoffPolicy(initialSeconds: 0, capSeconds: 30), [0, 0, 0, 0, 0, 0, 0]),
        (BackoffPolicy(initialSeconds: 1, factor: 0.5, capSeconds: 30), [1, 1, 1, 1, 1, 1, 1]),
        (BackoffPolicy(initialSeconds: -1, capSeconds: -1), [0, 0, 0, 0, 0, 0, 0]),
    ])
    func theDelayGrowsUpToItsCap(policy: BackoffPolicy, delays: [Double]) {
        #expect((1...7).map { policy.seconds(afterFailures: $0) } == delays)
        #expect(policy.seconds(afterFailures: 0) == delays[0])
        #expect(policy.seconds(afterFailures: .max) == delays[6])
    }

    @Test(arguments: [(1.0...1.5, 4.0, 6.0), (0.5...1, 2, 4), (0...1, 0, 4), (1...1, 4, 4)])
    func theJitterSpreadsTheDelay(jitter: ClosedRange<Double>, least: Double, most: Double) {
        let policy = BackoffPolicy(initialSeconds: 1, capSeconds: 30, jitter: jitter)
        #expect(policy.seconds(afterFailures: 3, random: 0) == least)
        #expect(policy.seconds(afterFailures: 3, random: 1) == most)
        for _ in 0..<100 { #expect((least...most).contains(policy.seconds(afterFailures: 3))) }
    }

    @Test func aQuietTimeStartsItOver() {
        var backoff = Backoff(BackoffPolicy(initialSeconds: 1, capSeconds: 8, jitter: 1...2), resetAfterSeconds: 100)
        #expect(backoff.isRested(now: 0))
        #expect(backoff.next(now: 0, random: 0) == 1)
        #expect(backoff.next(now: 1, random: 1) == 4)
        // The time without failures begins at the end of the wait, at 5.
        #expect(!backoff.isRested(now: 105))
        #expect(backoff.next(now: 105, random: 0) == 4)
        #expect(backoff.isRested(now: 209.5))
        #expect(backoff.next(now: 209.5, random: 0) == 1)
    }

    @Test func withoutAResetItOnlyGrows() {
        var backoff = Backoff(BackoffPolicy(initialSeconds: 1, capSeconds: 8))
        #expect([0, 1e6, 1e9, 1e12, 1e15].map { backoff.next(now: $0) } == [1, 2, 4, 8, 8])
    }
}
