import AssayAPI
import Base
import EvalModel
import Reconcilers
import Testing

@Suite struct TrialCountingTests {
    static let agents = ["oracle", "other"]

    static func trial(_ index: Int, agent: Int = 0, reward: Double? = nil, _ error: TrialErrorType? = nil) -> RecordedTrial {
        RecordedTrial(
            index: index, agentIndex: agent,
            outcome: TrialOutcome(reward: reward.map { Reward($0) }, error: error.map { TrialError($0, "") }))
    }

    static let trials = [
        trial(0, reward: 1), trial(1, reward: 0), trial(2, .agentExecutionTimeout), trial(3, .environmentNodeLost),
        trial(4, agent: 1, reward: 0.5), trial(5, agent: 1, .cancelled),
    ]

    @Test func figuresFollowTheDesign() throws {
        var status = EvalJobStatus()
        TrialCounting.count(Self.trials, into: &status, agents: Self.agents, total: 8)
        TrialCounting.setRunning(1, in: &status)
        let trials = try #require(status.trials)
        #expect((trials.total, trials.completed, trials.failed, trials.skipped) == (8, 3, 2, 1))
        #expect((trials.running, trials.pending) == (1, 1))
        #expect(trials.progress == "6/8")
        #expect(trials.completedIndexes?.description == "0-1,4" && trials.failedIndexes?.description == "2-3")
        // passes / (total - infrastructure - skipped) = 1 / 4: the timed-out agent does not raise it.
        #expect(status.metrics?.passRate == 0.25)
        #expect(status.metrics?.meanReward == 0.5)
        #expect(status.agents?.map(\.name) == Self.agents)
        #expect(status.agents?[1].metrics?.meanReward == 0.5)
    }

    @Test func aRewardCountsWhateverTheAgentsError() throws {
        var status = EvalJobStatus()
        let trials = [
            Self.trial(0, reward: 1, .agentExecutionTimeout), Self.trial(1, reward: 0, .agentExecutionFailed), Self.trial(2, .agentExecutionTimeout),
            Self.trial(3, reward: 1, .artifactTruncated), Self.trial(4, agent: 1, reward: 0.5, .agentExecutionTimeout),
        ]
        for trial in trials { TrialCounting.count([trial], into: &status, agents: Self.agents, total: 8) }
        #expect(status.trials?.completedIndexes?.description == "0-1,3-4" && status.trials?.failedIndexes?.description == "2")
        #expect(status.trials?.agentErrors == 3 && status.agents?.map(\.agentErrors) == [2, 1])
        #expect(status.trials?.failed == 1 && status.metrics?.passRate == 0.4 && status.metrics?.rewards == 4)
    }

    @Test("catalogue 37: counting twice, in parts or in another order gives the same totals")
    func countingIsIdempotent() throws {
        var once = EvalJobStatus()
        TrialCounting.count(Self.trials, into: &once, agents: Self.agents, total: 8)
        for seed in 0..<50 {
            var random = SeededRandom(seed: UInt64(seed))
            var parts = EvalJobStatus()
            for _ in 0..<12 {
                let some = Self.trials.shuffled(using: &random).prefix(Int(random.next() % 5))
                TrialCounting.count(Array(some), into: &parts, agents: Self.agents, total: 8)
            }
            TrialCounting.count(Self.trials, into: &parts, agents: Self.agents, total: 8)
            #expect(parts == once)
        }
    }

    @Test func whatWasNeverRunIsSkipped() throws {
        let matrix = try TrialMatrix(agents: Self.agents, tasks: [.init(dataset: "d", task: "t")], attempts: 4)
        var status = EvalJobStatus()
        TrialCounting.count([Self.trial(1, reward: 1)], into: &status, agents: Self.agents, total: 8)
        TrialCounting.skipRemaining(in: &status, agents: matrix.agents, total: matrix.count)
        #expect(status.trials?.skipped == 7 && status.trials?.skippedIndexes?.description == "0,2-7")
        #expect(status.metrics?.passRate == 1)
    }
}
