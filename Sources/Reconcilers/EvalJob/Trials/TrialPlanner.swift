import Base
import EvalModel

/// What the planner knows of one trial pod: its identity and its state.
public struct PlannedPod: Sendable, Hashable {
    public enum Stage: Sendable, Hashable {
        /// Its containers have not ended, or it is not known yet how they ended.
        case active
        /// It has ended, with this error or, when nil, with a verdict; `at` is by the node's clock.
        case ended(TrialErrorType?, at: Timestamp)
    }

    public var name: String
    public var index: Int
    public var retry: Int
    public var stage: Stage
    /// The pod still has the finalizer, so its outcome may not be counted yet.
    public var isTracked: Bool
    public var isDeleting: Bool
    /// The pod is counted, and kept so that a person can look at it.
    public var isPreserved: Bool
    /// The pod was stopped so that its trial runs again; its outcome does not count.
    public var isInterrupted: Bool

    public init(
        name: String, index: Int, retry: Int, stage: Stage, isTracked: Bool = true, isDeleting: Bool = false,
        isPreserved: Bool = false, isInterrupted: Bool = false
    ) {
        self.name = name
        self.index = index
        self.retry = retry
        self.stage = stage
        self.isTracked = isTracked
        self.isDeleting = isDeleting
        self.isPreserved = isPreserved
        self.isInterrupted = isInterrupted
    }
}

/// What to do next for a job's trials.
public struct TrialPlan: Sendable, Hashable {
    public struct Creation: Sendable, Hashable {
        public var index: Int
        public var retry: Int
        public init(index: Int, retry: Int) {
            self.index = index
            self.retry = retry
        }
    }

    /// Pods whose outcome is to be recorded and then counted.
    public var record: [String] = []
    /// Failed pods to be recorded as `retries/<n>` before their successor is created.
    public var keepFailed: [String] = []
    /// Pods to create: successors first, then new trials in index order.
    public var create: [Creation] = []
    /// Pods whose trial is counted or has a successor: take the finalizer off, then delete or preserve the pod.
    public var release: [String] = []
    /// Pods that were stopped so that their trial runs again: mark them so and take the finalizer off.
    public var interrupt: [String] = []
    /// Pods to stop, because the job is being cancelled, deleted or interrupted.
    public var stop: [String] = []
    /// Failed pods whose trial is tried again later.
    public var waitForRetry: [String] = []
    /// The earliest time at which the plan changes without any event.
    public var wakeAt: Timestamp?
    /// Trials whose containers run or are about to run.
    public var running = 0
    /// True when nothing is left to run or to record. Ended pods of counted trials may still have to be released.
    public var isFinished = false

    /// Keeps the first `count` creations. Failed pods whose successor is not created stay as they are.
    public mutating func limitCreations(to count: Int) {
        guard create.count > max(0, count) else { return }
        create.removeLast(create.count - max(0, count))
        keepFailed.removeLast(max(0, keepFailed.count - create.count))
    }
}

/// Decides what happens next to a job's trials from their present state. Pure: the same state gives the same plan, so when a plan was
/// carried out only in part, the next plan continues it.
public struct TrialPlanner: Sendable {
    public var total: Int
    public var parallelism: Int
    public var retry: RetryPolicy
    /// Indexes that are counted in the status.
    public var counted: TrialIndexSet
    /// Indexes that are recorded but not in the status yet, and indexes that need no pod (their task is invalid).
    public var settled: TrialIndexSet
    /// What happens to trials that have not ended.
    public enum Mode: Sendable, Hashable {
        case run
        /// No new trials start; running trials may finish.
        case suspend
        /// No new trials start, and running trials are stopped. When the job goes on, they run again from the beginning.
        case interrupt
        /// No new trials start, and running trials are stopped for good.
        case stop
    }

    public var mode: Mode
    /// How many more trials may start for reasons outside the job (the artifact remote must confirm some first, the target is full); nil
    /// for no limit. Successors of failed pods count too, and come first.
    public var uncountedRoom: Int?
    /// Indexes whose trials cannot start yet, because their image is not built.
    public var unready: TrialIndexSet

    public init(
        total: Int, parallelism: Int, retry: RetryPolicy, counted: TrialIndexSet, settled: TrialIndexSet = TrialIndexSet(),
        mode: Mode = .run, uncountedRoom: Int? = nil, unready: TrialIndexSet = TrialIndexSet()
    ) {
        self.total = total
        self.parallelism = parallelism
        self.retry = retry
        self.counted = counted
        self.settled = settled
        self.mode = mode
        self.uncountedRoom = uncountedRoom
        self.unready = unready
    }

    public func plan(pods: [PlannedPod], now: Timestamp) -> TrialPlan {
        var plan = TrialPlan()
        let newest = Dictionary(pods.map { ($0.index, $0.retry) }, uniquingKeysWith: max)
        /// Indexes that have a pod representing the trial. This includes a pod whose finalizer somebody else took off: while it exists, no
        /// other pod can be created under its deterministic name, and its outcome is valid.
        var occupied = TrialIndexSet()

        for pod in pods.sorted(by: { ($0.index, $0.retry, $0.name) < ($1.index, $1.retry, $1.name) }) {
            if pod.stage == .active { plan.running += 1 }
            if counted.contains(pod.index) || pod.retry < newest[pod.index] ?? 0 || occupied.contains(pod.index) {
                if pod.isTracked || !(pod.isDeleting || pod.isPreserved) { plan.release.append(pod.name) }
                continue
            }
            occupied.insert(pod.index)
            if pod.isInterrupted {
                // Until the pod is gone its name is taken, so the trial's first try cannot be created again.
                if pod.isTracked { plan.interrupt.append(pod.name) }
                continue
            }
            switch pod.stage {
            case .active:
                if mode == .interrupt || mode == .stop, !pod.isDeleting { plan.stop.append(pod.name) }
            case .ended(let error, let endedAt):
                if settled.contains(pod.index) { continue }
                if error == .cancelled, mode == .interrupt {
                    plan.interrupt.append(pod.name)
                } else if let error, mode != .stop, case .retry(let delay) = retry.decision(afterTries: pod.retry + 1, error: error) {
                    // The end is by the node's clock. If that clock is ahead of ours, the delay must not become longer.
                    let due = endedAt > now ? now : endedAt.adding(seconds: Double(delay) / 1000)
                    successor(of: pod, at: due, now: now, &plan)
                } else {
                    plan.record.append(pod.name)
                }
            }
        }

        // A failed pod uses no slot while it waits for its next try; the next try needs one.
        plan.limitCreations(to: parallelism - plan.running)
        var free = max(0, parallelism - plan.running - plan.create.count)
        let taken = counted.union(settled).union(occupied)
        if mode == .run, free > 0 {
            let blocked = taken.union(unready)
            var from = 0
            while free > 0, let index = blocked.firstMissing(from: from, below: total) {
                plan.create.append(.init(index: index, retry: 0))
                from = index + 1
                free -= 1
            }
        }
        if let uncountedRoom { plan.limitCreations(to: uncountedRoom) }
        let anythingLeft = taken.firstMissing(below: total) != nil && mode != .stop
        plan.isFinished =
            !anythingLeft && occupied.isEmpty && pods.allSatisfy { !$0.isTracked || counted.contains($0.index) && $0.stage != .active }
            && settled.allSatisfy(counted.contains)
        return plan
    }

    private func successor(of pod: PlannedPod, at time: Timestamp, now: Timestamp, _ plan: inout TrialPlan) {
        if mode != .run || unready.contains(pod.index) { return }  // the failed pod stays as it is until the job goes on
        if time <= now {
            plan.keepFailed.append(pod.name)
            plan.create.append(.init(index: pod.index, retry: pod.retry + 1))
        } else {
            plan.waitForRetry.append(pod.name)
            plan.wakeAt = min(plan.wakeAt ?? time, time)
        }
    }
}
