import Base
import KubeCore

/// One job's share of a target that limits the number of its concurrent trials.
public struct TargetShare: Sendable, Hashable {
    /// Trials whose pods run or are about to run.
    public var running: Int
    /// Further trials that could start now.
    public var wanted: Int
    /// When the job's wait began, as a counter that increases with every wait; the lowest value has waited longest.
    public var waitingSince: Int

    public init(running: Int, wanted: Int, waitingSince: Int = 0) {
        self.running = running
        self.wanted = wanted
        self.waitingSince = waitingSince
    }

    /// How many of a target's free slots each job gets (`EvalTarget.spec.maxConcurrentTrials`).
    ///
    /// Slots are granted one by one, each to the job that has the fewest; among equal jobs, to the one that has waited longest. So no job
    /// starves, and a job that is alone gets all slots.
    public static func grants(limit: Int, shares: [String: TargetShare]) -> [String: Int] {
        var granted: [String: Int] = [:]
        var free = limit - shares.values.reduce(0) { $0 + $1.running }
        while free > 0 {
            let next = shares.filter { $0.value.wanted > granted[$0.key] ?? 0 }.min {
                let (mine, theirs) = ($0.value.running + (granted[$0.key] ?? 0), $1.value.running + (granted[$1.key] ?? 0))
                return (mine, $0.value.waitingSince, $0.key) < (theirs, $1.value.waitingSince, $1.key)
            }
            guard let next else { break }
            granted[next.key, default: 0] += 1
            free -= 1
        }
        return granted
    }
}

/// Distributes the slots of targets with a limit among the jobs of a namespace. No state survives the process: the running trials are known
/// from the pods.
final class TargetSlots: Sendable {
    private struct State {
        var shares: [ObjectKey: [String: (share: TargetShare, job: ObjectKey)]] = [:]
        var clock = 0
    }

    private let state = Locked(State())

    /// How many trials a job may start now.
    /// - Parameter others: existing trial pods of other jobs on the target, by job. A job that has not asked for slots yet is known only by
    ///   them.
    func take(_ wanted: Int, running: Int, limit: Int, of target: ObjectKey, for uid: String, job: ObjectKey, others: [String: Int]) -> Int {
        state.withLock { state in
            withdraw(uid, &state, but: target)
            var jobs = state.shares[target] ?? [:]
            if jobs[uid].map({ $0.share.wanted == 0 }) ?? true { state.clock += 1 }
            let since = jobs[uid].flatMap { $0.share.wanted > 0 ? $0.share.waitingSince : nil } ?? state.clock
            jobs[uid] = (TargetShare(running: running, wanted: wanted, waitingSince: since), job)
            var shares = jobs.mapValues(\.share)
            for (other, count) in others where other != uid {
                shares[other, default: TargetShare(running: 0, wanted: 0)].running = max(count, shares[other]?.running ?? 0)
            }
            let granted = TargetShare.grants(limit: limit, shares: shares)[uid] ?? 0
            if granted > 0 {
                // The trials still not granted begin a new wait.
                state.clock += 1
                jobs[uid] = (TargetShare(running: running + granted, wanted: wanted - granted, waitingSince: state.clock), job)
            }
            state.shares[target] = jobs
            return granted
        }
    }

    /// The other jobs that wait for a target of this job.
    func waiting(beside uid: String) -> [ObjectKey] {
        state.withLock { state in
            state.shares.values.filter { $0[uid] != nil }.flatMap { jobs in
                jobs.filter { $0.key != uid && $0.value.share.wanted > 0 }.map(\.value.job)
            }
        }
    }

    /// Removes the job's shares: it waits for no slot any more, or cannot use one.
    func withdraw(_ uid: String) { state.withLock { withdraw(uid, &$0, but: nil) } }

    private func withdraw(_ uid: String, _ state: inout State, but kept: ObjectKey?) {
        for target in state.shares.keys where target != kept {
            state.shares[target]?.removeValue(forKey: uid)
            if state.shares[target]?.isEmpty == true { state.shares.removeValue(forKey: target) }
        }
    }
}
