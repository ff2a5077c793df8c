import EvalModel
import Testing

@testable import Reconcilers

@Suite struct TrialRetryTests {
    @Test(
        "retries: infrastructure only, a bounded number, a bounded delay",
        arguments: [
            (1, TrialErrorType.environmentNodeLost, RetryPolicy.Decision.retry(afterMs: 1000)),
            (2, .internalError, .retry(afterMs: 2000)), (3, .internalError, .stop), (1, .agentExecutionFailed, .stop),
            (1, .taskInvalid, .stop), (1, .fixtureMismatch, .stop), (1, .cancelled, .stop), (1, .verifierTimeout, .stop),
        ])
    func retry(tries: Int, error: TrialErrorType, expected: RetryPolicy.Decision) {
        #expect(RetryPolicy().decision(afterTries: tries, error: error) == expected)
    }

    @Test(
        "delays grow to the limit and no further",
        arguments: [
            (RetryPolicy(), 1, 1000), (RetryPolicy(), 5, 16000), (RetryPolicy(), 6, 30000), (RetryPolicy(), .max, 30000), (RetryPolicy(), 0, 1000),
            (RetryPolicy(initialDelayMs: 0), 9, 0), (RetryPolicy(initialDelayMs: 50, maxDelayMs: 20), 1, 20),
            (RetryPolicy(initialDelayMs: -5), 1, 0), (RetryPolicy(multiplier: 0.5), 4, 1000), (RetryPolicy(multiplier: 1.5), 3, 2250),
            (RetryPolicy(maxDelayMs: -1), 1, 0), (RetryPolicy(multiplier: .nan), 3, 1000), (RetryPolicy(multiplier: .infinity), 3, 30000),
        ])
    func delays(policy: RetryPolicy, tries: Int, milliseconds: Int) {
        #expect(policy.delayMs(afterTries: tries) == milliseconds)
    }
}
