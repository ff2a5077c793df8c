import Base
import EvalModel
import Testing

@Suite("errors, outcomes and their counting")
struct OutcomeTests {
    @Test(
        "every error type has its raw value and its consequence",
        arguments: [
            ("environment_build_failed", .infrastructure), ("environment_build_timeout", .infrastructure),
            ("environment_image_pull_failed", .infrastructure), ("environment_start_failed", .infrastructure),
            ("environment_resource_allocation_failed", .infrastructure), ("agent_install_failed", .outcome),
            ("agent_install_timeout", .outcome), ("agent_execution_failed", .outcome), ("agent_execution_timeout", .outcome),
            ("verifier_failed", .outcome), ("verifier_timeout", .outcome), ("verifier_reward_missing", .outcome),
            ("verifier_reward_invalid", .outcome), ("task_invalid", .input),
            ("task_not_found", .input), ("internal_error", .infrastructure), ("source_sync_failed", .infrastructure),
            ("fixture_mismatch", .input), ("artifact_truncated", .advisory), ("cancelled", .cancelled),
            ("environment_node_lost", .infrastructure), ("environment_evicted", .infrastructure),
            ("environment_network_failed", .infrastructure),
            ("environment_service_failed", .infrastructure),
        ] as [(String, TrialErrorType.Consequence)])
    func types(raw: String, consequence: TrialErrorType.Consequence) throws {
        let type = try #require(TrialErrorType(rawValue: raw))
        #expect(type.consequence == consequence)
        #expect(type.isRetryable == (consequence == .infrastructure))
        #expect(type.isInfrastructure == (consequence == .infrastructure || consequence == .input))
    }

    @Test("the table above is complete")
    func complete() { #expect(TrialErrorType.allCases.count == 24) }

    @Test(
        "a trial is counted into one class",
        arguments: [
            (TrialOutcome(reward: Reward(1)), TrialOutcome.Class.completed, true),
            (TrialOutcome(reward: Reward(0)), .completed, false),
            (TrialOutcome(), .completed, false),
            (TrialOutcome(reward: Reward(1), error: TrialError(.artifactTruncated, "")), .completed, true),
            (TrialOutcome(error: TrialError(.agentExecutionTimeout, "")), .failed, false),
            (TrialOutcome(reward: Reward(1), error: TrialError(.verifierTimeout, "")), .failed, false),
            (TrialOutcome(reward: Reward(1), error: TrialError(.agentExecutionTimeout, "")), .completed, true),
            (TrialOutcome(reward: Reward(0), error: TrialError(.agentExecutionFailed, "")), .completed, false),
            (TrialOutcome(reward: Reward(1), error: TrialError(.agentInstallFailed, "")), .failed, false),
            (TrialOutcome(reward: Reward(1), error: TrialError(.environmentEvicted, "")), .infrastructure, false),
            (TrialOutcome(error: TrialError(.environmentNodeLost, "")), .infrastructure, false),
            (TrialOutcome(error: TrialError(.taskInvalid, "")), .infrastructure, false),
            (TrialOutcome(error: TrialError(.cancelled, "")), .skipped, false),
        ])
    func classes(outcome: TrialOutcome, expected: TrialOutcome.Class, isPass: Bool) {
        #expect(outcome.outcomeClass == expected)
        #expect(outcome.isPass == isPass)
    }

    @Test("a reward is kept beside an agent's error, and removed by an error that makes it invalid")
    func rewardBesideErrors() {
        for type in TrialErrorType.allCases {
            var outcome = TrialOutcome(reward: Reward(0.5))
            outcome.error = TrialError(type, "")
            #expect(outcome == TrialOutcome(reward: Reward(0.5), error: TrialError(type, "")))
            let stays = type.isAdvisory || type == .agentExecutionFailed || type == .agentExecutionTimeout
            #expect((outcome.reward != nil) == stays, "\(type)")
            #expect(outcome.hasAgentErrorBesideReward == (stays && type.isAgentError))
        }
        var aggregate = Aggregate()
        aggregate.add(TrialOutcome(reward: Reward(1), error: TrialError(.agentExecutionTimeout, "")))
        aggregate.add(TrialOutcome(reward: Reward(0), error: TrialError(.agentExecutionFailed, "")))
        aggregate.add(TrialOutcome(reward: Reward(1), error: TrialError(.artifactTruncated, "")))
        aggregate.add(TrialOutcome(error: TrialError(.agentExecutionTimeout, "")))
        #expect(aggregate.completed == 3 && aggregate.agentErrors == 2 && aggregate.failed == 1)
        #expect(aggregate.passRate == 0.5 && aggregate.rewards == 3)
    }

    @Test("the pass rate leaves out exactly the trials that say nothing about the agent")
    func passRate() {
        var aggregate = Aggregate()
        #expect(aggregate.passRate == nil)
        #expect(aggregate.meanReward == nil)
        #expect(aggregate.metric(.max) == nil)
        aggregate.add(TrialOutcome(reward: Reward(1), cost: 0.5, tokens: TokenUsage(prompt: 10, completion: 2, cached: 1)))
        aggregate.add(TrialOutcome(reward: Reward(0.5)))
        aggregate.add(TrialOutcome(error: TrialError(.agentExecutionTimeout, "")))
        aggregate.add(TrialOutcome(error: TrialError(.verifierFailed, ""), cost: 0.25, tokens: TokenUsage(prompt: 5)))
        #expect(aggregate.passRate == 0.25)
        aggregate.add(TrialOutcome(error: TrialError(.environmentEvicted, "")))
        aggregate.add(TrialOutcome(error: TrialError(.taskInvalid, "")))
        aggregate.add(TrialOutcome(error: TrialError(.cancelled, "")))
        #expect(aggregate.passRate == 0.25)
        #expect(aggregate.total == 7)
        #expect([aggregate.completed, aggregate.failed, aggregate.infrastructure, aggregate.skipped] == [2, 2, 2, 1])
        #expect(aggregate.meanReward == 0.75)
        #expect(aggregate.metric(.sum) == 1.5)
        #expect(aggregate.metric(.min) == 0.5)
        #expect(aggregate.metric(.max) == 1)
        #expect(aggregate.cost == 0.75)
        #expect(aggregate.tokens == TokenUsage(prompt: 15, completion: 2, cached: 1))
    }

    @Test(
        "a trial costs what its models did and what it had reserved, as far as either is known",
        arguments: [
            (3600.0, 2.0, 1024, 0.5, 0.25, 1.25), (1800, 1, 2048, 0.5, nil, 0.25), (1800, 1, 2048, nil, 0.25, 0.25), (0, 4, 1024, 1, 1, 0),
            (1, 1, 1024, 0.0361, nil, 0.00001), (3600, 1, 1024, nil, nil, nil),
        ] as [(Double, Double, Int, Double?, Double?, Double?)])
    func costs(seconds: Double, cpus: Double, memoryMB: Int, cpuHour: Double?, memoryGiBHour: Double?, cost: Double?) {
        let compute = TrialCost.compute(cpus: cpus, memoryMB: memoryMB, seconds: seconds, cpuHour: cpuHour, memoryGiBHour: memoryGiBHour)
        #expect(compute == cost)
        #expect(TrialCost(compute: compute).total == cost)
        #expect(TrialCost(model: 1, compute: compute).total == 1 + (cost ?? 0))
    }

    @Test("merging equals adding")
    func merge() throws {
        let outcomes = [
            TrialOutcome(reward: Reward(1)), TrialOutcome(reward: Reward(1), error: TrialError(.agentExecutionTimeout, "")),
            TrialOutcome(reward: Reward(-1), cost: 1), TrialOutcome(error: TrialError(.verifierFailed, "")),
            TrialOutcome(error: TrialError(.internalError, "")), TrialOutcome(error: TrialError(.cancelled, "")),
        ]
        var whole = Aggregate()
        for outcome in outcomes { whole.add(outcome) }
        for cut in 0...outcomes.count {
            var (left, right) = (Aggregate(), Aggregate())
            for outcome in outcomes[..<cut] { left.add(outcome) }
            for outcome in outcomes[cut...] { right.add(outcome) }
            left.merge(right)
            #expect(left == whole)
        }
        let value = try JSONValueEncoder().encode(whole)
        #expect(try JSONValueDecoder().decode(Aggregate.self, from: value) == whole)
    }

    @Test("timeouts: override, then maximum, then multiplier")
    func timeouts() {
        let base = TaskTimeouts(agentSec: 10, installSec: 20, verifierSec: 30)
        #expect(base.resolved() == base)
        #expect(base.resolved(multiplier: 2) == TaskTimeouts(agentSec: 20, installSec: 40, verifierSec: 60))
        #expect(base.resolved(verifierOverrideSec: 50).verifierSec == 50)
        #expect(base.resolved(multiplier: 2, verifierOverrideSec: 50, verifierMaxSec: 40).verifierSec == 80)
        #expect(base.resolved(verifierMaxSec: 100).verifierSec == 30)
        #expect(TaskTimeouts(agentSec: nil).resolved(multiplier: 3).agentSec == nil)
    }

    @Test("timings")
    func timings() throws {
        var timings = PhaseTimings()
        #expect(timings.startedAt == nil)
        timings[.setup] = PhaseSpan(startedAt: Timestamp(seconds: 100), seconds: 1.5)
        timings[.verify] = PhaseSpan(startedAt: Timestamp(seconds: 103), seconds: 2)
        #expect(timings.startedAt == Timestamp(seconds: 100))
        #expect(timings.endedAt == Timestamp(seconds: 105))
        #expect(timings.totalSeconds == 3.5)
        #expect(timings.spans.map(\.phase) == [.setup, .verify])
        let value = try JSONValueEncoder().encode(timings)
        #expect(try JSONValueDecoder().decode(PhaseTimings.self, from: value) == timings)
    }
}
