import Base

/// The next steps for a pod, computed from what the node knows, without side effects.
enum PodPlan {
    enum Step: Sendable, Hashable {
        /// Create the volumes.
        case prepare
        case start(String)
        /// Tell running containers to end, and record when they will be killed.
        case stop([String], graceSeconds: Int)
        /// Kill the containers, whose grace period is over.
        case kill([String])
        /// No container runs or will run: remove the containers and publish the last phase.
        case tearDown
        /// The pod was deleted and is torn down: let the API server delete the object.
        case release
    }

    struct Decision: Sendable, Hashable {
        var steps: [Step] = []
        /// When to plan again if nothing happens before.
        var wakeAt: Timestamp?
    }

    static func next(_ pod: NodePod, _ journal: PodJournal, now: Timestamp) -> Decision {
        if journal.tornDown { return Decision(steps: pod.deletion != nil ? [.release] : []) }
        var planner = Planner(pod: pod, records: journal.containers, now: now, stoppingSince: journal.stoppingSince)
        if let ending = journal.ending { return planner.end(ending) }
        guard journal.ready else { return Decision(steps: [.prepare]) }
        planner.advance()
        if let deadline = deadline(of: pod, journal) { planner.wake(at: deadline) }
        return planner.decision
    }

    /// When the pod will have been active for longer than `activeDeadlineSeconds` allows.
    static func deadline(of pod: NodePod, _ journal: PodJournal) -> Timestamp? {
        pod.activeDeadlineSeconds.map { journal.startTime.adding(seconds: Double($0)) }
    }

    /// Seconds to wait before the next attempt after `failures` failures in a row. Source of the rule: the kubelet's back-off for containers and
    /// images, from 10 s doubling to 5 min; the first restart comes without a wait.
    static func backoff(afterFailures failures: Int) -> Double {
        failures <= 1 ? 0 : BackoffPolicy(initialSeconds: 10, capSeconds: 300).seconds(afterFailures: failures - 1)
    }
}

private struct Planner {
    let pod: NodePod
    let records: [String: ContainerRecord]
    let now: Timestamp
    let stoppingSince: Timestamp?
    var decision = PodPlan.Decision()

    mutating func wake(at time: Timestamp) {
        decision.wakeAt = decision.wakeAt.map { min($0, time) } ?? time
    }

    mutating func end(_ ending: PodEnding) -> PodPlan.Decision {
        stop(pod.allContainers, graceSeconds: ending.graceSeconds)
        return decision
    }

    /// Ends the running containers; when none run, the pod is torn down.
    private mutating func stop(_ containers: [NodeContainer], graceSeconds: Int) {
        let running = containers.filter { records[$0.name]?.isRunning == true }
        if running.isEmpty {
            decision.steps.append(.tearDown)
            return
        }
        let notSignalled = next(of: running, graceSeconds).map(\.name).filter { records[$0]?.killAt == nil }
        if !notSignalled.isEmpty {
            decision.steps.append(.stop(notSignalled, graceSeconds: remainingGrace(graceSeconds)))
        }
        killOverdue()
    }

    /// Kills the containers whose grace period is over, and wakes for the others.
    private mutating func killOverdue() {
        let told = pod.allContainers.map(\.name).filter { records[$0]?.isRunning == true && records[$0]?.killAt != nil }
        let overdue = told.filter { records[$0]?.killAt.map { $0 <= now } ?? false }
        if !overdue.isEmpty { decision.steps.append(.kill(overdue)) }
        if let next = told.compactMap({ records[$0]?.killAt }).filter({ $0 > now }).min() { wake(at: next) }
    }

    /// The running containers that are told to end now: sidecars after all others, the last one first. A pod that has no grace period ends
    /// at once. Source of the rule: kubelet `terminationOrdering` (pkg/kubelet/kuberuntime/kuberuntime_termination_order.go).
    private mutating func next(of running: [NodeContainer], _ graceSeconds: Int) -> [NodeContainer] {
        let others = running.filter { !$0.isSidecar }
        guard graceSeconds > 0 else { return running }
        guard others.isEmpty else {
            // Sidecars wait for the others at most as long as the pod's grace period.
            guard let since = stoppingSince else { return others }
            let end = since.adding(seconds: Double(graceSeconds))
            if end <= now { return running }
            wake(at: end)
            return others
        }
        return running.suffix(1)
    }

    /// What is left of the pod's grace period, but no less than 2 s. Source of the rule: kubelet `killContainer`.
    private func remainingGrace(_ seconds: Int) -> Int {
        guard seconds > 0, let since = stoppingSince else { return seconds }
        return max(min(2, seconds), seconds - Int(max(0, now - since)))
    }

    /// The steps of a pod that is not being ended: run the init containers one after the other, then the other containers, then tear the pod
    /// down.
    mutating func advance() {
        killOverdue()
        let started = pod.containers.contains { records[$0.name]?.hasRun == true }
        for container in pod.initContainers {
            let record = records[container.name] ?? ContainerRecord()
            if container.isSidecar {
                if !record.isRunning, !mainContainersEnded { start(container.name, record) }
                if !container.hasStarted(record), !started { return }
                continue
            }
            if started { continue }
            switch record.state {
            case .running: return
            case .waiting: return start(container.name, record)
            case .ended(let end) where end.exitCode != 0:
                return pod.restartPolicy == .never ? finish() : start(container.name, record)
            case .ended: continue
            }
        }
        for container in pod.containers {
            let record = records[container.name] ?? ContainerRecord()
            switch record.state {
            case .running: continue
            case .waiting: start(container.name, record)
            case .ended(let end): if restarts(end) { start(container.name, record) }
            }
        }
        if mainContainersEnded { finish() }
    }

    private var mainContainersEnded: Bool {
        pod.containers.allSatisfy { container in
            guard let end = records[container.name]?.end else { return false }
            return !restarts(end)
        }
    }

    private func restarts(_ end: ContainerEnd) -> Bool {
        switch pod.restartPolicy {
        case .always: true
        case .onFailure: end.exitCode != 0
        case .never: false
        }
    }

    private mutating func start(_ name: String, _ record: ContainerRecord) {
        if let time = record.notBefore, time > now { wake(at: time) } else { decision.steps.append(.start(name)) }
    }

    private mutating func finish() {
        stop(pod.initContainers.filter(\.isSidecar) + pod.containers, graceSeconds: pod.terminationGraceSeconds)
    }
}
