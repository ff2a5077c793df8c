import Base
import EvalModel
import Reconcilers
import Testing

@Suite struct TrialPlannerTests {
    static let now = Timestamp(seconds: 1_000_000)

    static func planner(
        total: Int = 10, parallelism: Int = 3, counted: [Int] = [], settled: [Int] = [], maxAttempts: Int = 3,
        mode: TrialPlanner.Mode = .run, room: Int? = nil
    ) -> TrialPlanner {
        TrialPlanner(
            total: total, parallelism: parallelism, retry: RetryPolicy(maxAttempts: maxAttempts), counted: TrialIndexSet(counted),
            settled: TrialIndexSet(settled), mode: mode, uncountedRoom: room)
    }

    static func pod(
        _ index: Int, retry: Int = 0, _ stage: PlannedPod.Stage = .active, tracked: Bool = true, deleting: Bool = false,
        preserved: Bool = false
    ) -> PlannedPod {
        PlannedPod(
            name: "p\(index)-\(retry)", index: index, retry: retry, stage: stage, isTracked: tracked, isDeleting: deleting,
            isPreserved: preserved)
    }

    static func ended(_ error: TrialErrorType? = nil, secondsAgo: Double = 0) -> PlannedPod.Stage {
        .ended(error, at: now.adding(seconds: -secondsAgo))
    }

    @Test func startsInOrderUpToTheParallelism() {
        let plan = Self.planner().plan(pods: [], now: Self.now)
        #expect(plan.create == [0, 1, 2].map { .init(index: $0, retry: 0) })
        #expect(!plan.isFinished)
    }

    @Test func skipsWhatIsCountedSettledOrOccupied() {
        let plan = Self.planner(counted: [0, 2], settled: [3]).plan(pods: [Self.pod(1)], now: Self.now)
        #expect(plan.create == [4, 5].map { .init(index: $0, retry: 0) })
        #expect(plan.running == 1)
    }

    @Test func anEndedPodFreesItsSlotBeforeItIsCounted() {
        let plan = Self.planner(parallelism: 1).plan(pods: [Self.pod(0, Self.ended())], now: Self.now)
        #expect(plan.record == ["p0-0"])
        #expect(plan.create == [.init(index: 1, retry: 0)])
    }

    @Test func aCountedPodIsReleasedAndAPreservedOneIsLeftAlone() {
        let planner = Self.planner(total: 2, counted: [0, 1])
        let plan = planner.plan(pods: [Self.pod(0, Self.ended()), Self.pod(1, Self.ended(), tracked: false, preserved: true)], now: Self.now)
        // The job is over as soon as all trials are counted: nobody waits for the release of their ended pods. Containers that run are waited for.
        #expect(plan.release == ["p0-0"] && plan.isFinished)
        let running = planner.plan(pods: [Self.pod(0, .active)], now: Self.now)
        #expect(running.release == ["p0-0"] && !running.isFinished)
        let after = planner.plan(pods: [Self.pod(1, Self.ended(), tracked: false, preserved: true)], now: Self.now)
        #expect(after.isFinished && after.release.isEmpty)
    }

    @Test(
        "infrastructure failures are retried, outcomes are not",
        arguments: [
            (TrialErrorType.environmentEvicted, true), (.environmentNodeLost, true), (.sourceSyncFailed, true),
            (.agentExecutionFailed, false), (.verifierTimeout, false), (.taskInvalid, false),
        ])
    func retries(error: TrialErrorType, retried: Bool) {
        let plan = Self.planner(total: 1).plan(pods: [Self.pod(0, Self.ended(error, secondsAgo: 60))], now: Self.now)
        #expect(plan.create == (retried ? [.init(index: 0, retry: 1)] : []))
        #expect(plan.keepFailed == (retried ? ["p0-0"] : []))
        #expect(plan.record == (retried ? [] : ["p0-0"]))
    }

    @Test func aRetryWaitsForItsDelayAndThenStops() {
        let planner = Self.planner(total: 1)
        let waiting = planner.plan(pods: [Self.pod(0, retry: 1, Self.ended(.environmentEvicted, secondsAgo: 0.5))], now: Self.now)
        #expect(waiting.create.isEmpty && waiting.record.isEmpty)
        #expect(waiting.wakeAt == Self.now.adding(seconds: 1.5))
        let last = planner.plan(pods: [Self.pod(0, retry: 2, Self.ended(.environmentEvicted, secondsAgo: 60))], now: Self.now)
        #expect(last.record == ["p0-2"] && last.create.isEmpty)
    }

    @Test("catalogue 23: two pods for one index, one result")
    func theOlderPodGivesWay() {
        let pods = [Self.pod(0, Self.ended(.environmentNodeLost)), Self.pod(0, retry: 1)]
        let plan = Self.planner(total: 1).plan(pods: pods, now: Self.now)
        #expect(plan.release == ["p0-0"] && plan.record.isEmpty && plan.create.isEmpty)
    }

    @Test func suspensionStartsNothingAndStopsNothing() {
        let pods = [Self.pod(0), Self.pod(1, Self.ended()), Self.pod(2, Self.ended(.environmentEvicted, secondsAgo: 60))]
        let plan = Self.planner(mode: .suspend).plan(pods: pods, now: Self.now)
        #expect(plan.create.isEmpty && plan.stop.isEmpty && plan.record == ["p1-0"])
    }

    @Test func stoppingStopsWhatRunsAndRecordsWhatEnded() {
        let pods = [Self.pod(0), Self.pod(1, deleting: true), Self.pod(2, Self.ended(.environmentEvicted, secondsAgo: 60))]
        let planner = Self.planner(mode: .stop)
        let plan = planner.plan(pods: pods, now: Self.now)
        #expect(plan.stop == ["p0-0"] && plan.create.isEmpty && plan.record == ["p2-0"] && !plan.isFinished)
        #expect(planner.plan(pods: [], now: Self.now).isFinished)
    }

    @Test func anInterruptionLetsGoOfWhatItStoppedAndKeepsWhatEnded() {
        let pods = [
            Self.pod(0), Self.pod(1, Self.ended(.cancelled), deleting: true), Self.pod(2, Self.ended()),
            Self.pod(3, Self.ended(.environmentEvicted, secondsAgo: 60)),
        ]
        let planner = Self.planner(mode: .interrupt)
        let plan = planner.plan(pods: pods, now: Self.now)
        #expect(plan.stop == ["p0-0"] && plan.interrupt == ["p1-0"] && plan.record == ["p2-0"])
        #expect(plan.create.isEmpty && plan.keepFailed.isEmpty, "what failed by itself is tried again when the job goes on")
        #expect(!planner.plan(pods: [], now: Self.now).isFinished)
        // One that is on its way out keeps its name, and is not taken for a failure when the job goes on meanwhile.
        var leaving = Self.pod(0, Self.ended(.environmentEvicted, secondsAgo: 60), tracked: false, deleting: true)
        leaving.isInterrupted = true
        let meanwhile = Self.planner(total: 1).plan(pods: [leaving], now: Self.now)
        #expect(meanwhile.create.isEmpty && meanwhile.keepFailed.isEmpty && meanwhile.release.isEmpty && !meanwhile.isFinished)
        // Then its index is free again, at its first try.
        #expect(Self.planner(total: 1).plan(pods: [], now: Self.now).create == [.init(index: 0, retry: 0)])
    }

    @Test func settledTrialsMustBeCountedBeforeTheEnd() {
        #expect(!Self.planner(total: 2, counted: [0], settled: [1]).plan(pods: [], now: Self.now).isFinished)
        #expect(Self.planner(total: 2, counted: [0, 1], settled: [1]).plan(pods: [], now: Self.now).isFinished)
    }

    @Test func theRemotesBacklogBoundsNewTrials() {
        #expect(Self.planner(room: 1).plan(pods: [], now: Self.now).create.count == 1)
        #expect(Self.planner(room: 0).plan(pods: [], now: Self.now).create.isEmpty)
    }

    @Test("catalogue 37: a plan that was carried out only in part leads to the same totals")
    func anyInterruptionConverges() {
        // A tiny world: pods and counts; each round carries out a random prefix of the plan's steps.
        for seed in 0..<300 {
            var random = SeededRandom(seed: UInt64(seed))
            var pods: [Int: PlannedPod] = [:]
            var counted = TrialIndexSet()
            var counts: [Int: Int] = [:]
            var finished = false
            for _ in 0..<2000 where !finished || !pods.isEmpty {
                let plan = Self.planner(total: 7, parallelism: 2, counted: Array(counted)).plan(pods: Array(pods.values), now: Self.now)
                finished = plan.isFinished
                var steps: [() -> Void] = []
                for name in plan.record {
                    steps.append {
                        guard let index = pods.values.first(where: { $0.name == name })?.index else { return }
                        if counted.insert(index) { counts[index, default: 0] += 1 }
                    }
                }
                for creation in plan.create { steps.append { if pods[creation.index] == nil { pods[creation.index] = Self.pod(creation.index) } } }
                for name in plan.release { steps.append { pods = pods.filter { $0.value.name != name } } }
                for step in steps.prefix(Int(random.next() % UInt64(steps.count + 1))) { step() }
                for (index, pod) in pods where pod.stage == .active && random.next() % 3 == 0 { pods[index]?.stage = Self.ended() }
            }
            #expect(finished)
            #expect(counts == Dictionary(uniqueKeysWithValues: (0..<7).map { ($0, 1) }))
            #expect(pods.isEmpty)
        }
    }
}
