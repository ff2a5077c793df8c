import Base
import KubeCore
import KubeRuntime

/// Assigns pods to the node and runs one `PodWorker` for each: the scheduler and the pod manager of one machine.
///
/// Level-based: a change from the watch only triggers a decision, which uses the state that is known at that time.
actor PodDispatcher {
    let services: NodeServices
    let node: SchedulingRules.Node
    let rebooted: Bool

    private var workers: [String: (worker: PodWorker, task: Task<Void, Never>)] = [:]
    /// Pods of this node, including ended ones.
    private var assigned: [String: NodePod] = [:]
    /// Pods that are not bound to a node.
    private var pending: [String: NodePod] = [:]
    /// Pods that this dispatcher has bound but that the watch has not shown as bound yet.
    private var bound: [String: NodePod] = [:]
    private var journals: [String: PodJournal]
    private var containers: [String: [ListedContainer]]
    private var reportedUnschedulable: [String: String] = [:]
    private var stopped = false

    init(services: NodeServices, node: SchedulingRules.Node, journals: [String: PodJournal], containers: [ListedContainer], rebooted: Bool) {
        self.services = services
        self.node = node
        self.rebooted = rebooted
        self.journals = journals
        self.containers = Dictionary(grouping: containers) { $0.labels[PodmanCLI.podLabel] ?? "" }
    }

    // MARK: Changes

    func present(_ pod: NodePod) async {
        if pod.nodeName.isEmpty {
            if pod.deletion == nil, pod.schedulerName == "default-scheduler" { pending[pod.uid] = pod } else { pending[pod.uid] = nil }
            return
        }
        pending[pod.uid] = nil
        bound[pod.uid] = nil
        reportedUnschedulable[pod.uid] = nil
        guard pod.nodeName == node.name else { return }
        assigned[pod.uid] = pod
        if let entry = workers[pod.uid] { entry.worker.send(.pod(pod)) } else { await begin(pod) }
    }

    func gone(_ uid: String) {
        pending[uid] = nil
        bound[uid] = nil
        assigned[uid] = nil
        reportedUnschedulable[uid] = nil
        workers[uid]?.worker.send(.gone)
    }

    /// Removes the containers and files of pods that no longer exist. Called once all pods have been listed.
    func removeLeftovers() async {
        let known = Set(assigned.keys)
        let leftovers = containers.filter { !known.contains($0.key) }.flatMap { $0.value.map(\.id) }
        do { try await services.podman.remove(leftovers) } catch {
            services.log.warning("containers of deleted pods could not be removed", ["error": .string("\(error)")])
        }
        for uid in Set(journals.keys).union((Directory.names(in: services.directories.pods) ?? [])) where !known.contains(uid) {
            services.volumes.remove(uid)
            Directory.removeTree(services.directories.pod(uid))
        }
        journals = [:]
        containers = [:]
    }

    // MARK: Workers

    private func begin(_ pod: NodePod) async {
        guard !stopped else { return }
        let now = services.time.now()
        var journal: PodJournal
        var exits: [ContainerExit] = []
        if let earlier = journals.removeValue(forKey: pod.uid) {
            let outcome = Adoption.adopt(earlier, containers: containers[pod.uid] ?? [], rebooted: rebooted, now: now)
            journal = outcome.journal
            exits = outcome.exits
            // A pod that is torn down needs no containers any more, but its sandbox may still exist.
            try? await services.podman.remove(journal.tornDown ? (containers[pod.uid] ?? []).map(\.id) : outcome.remove)
            services.log.info(
                "continues with a pod", ["pod": .string(pod.key.description), "containers": .int(Int64(containers[pod.uid]?.count ?? 0))])
        } else {
            if let orphans = containers[pod.uid] { try? await services.podman.remove(orphans.map(\.id)) }
            journal =
                Adoption.lost(pod, now: now)
                ?? PodJournal(namespace: pod.key.namespace, name: pod.key.name, uid: pod.uid, startTime: now, containers: [:])
            if pod.hasEnded { journal.tornDown = true }
        }
        // The pod may have been presented again while podman was working.
        guard workers[pod.uid] == nil, !stopped else { return }
        let worker = PodWorker(pod: pod, journal: journal, services: services)
        for exit in exits { worker.send(.exited(exit)) }
        if pod.deletion != nil { worker.send(.pod(pod)) }
        let uid = pod.uid
        let task = Task { [weak self] in
            await worker.run()
            await self?.ended(uid)
        }
        workers[pod.uid] = (worker, task)
    }

    private func ended(_ uid: String) {
        if !stopped { workers[uid] = nil }
    }

    func worker(_ uid: String) -> PodWorker? { workers[uid]?.worker }

    /// Called when the kernel has dropped events about exits: compares with podman's list instead.
    func resync() async {
        guard let listed = try? await services.podman.list() else { return }
        for container in listed where !container.isRunning && !container.neverStarted {
            guard let uid = container.labels[PodmanCLI.podLabel] else { continue }
            workers[uid]?.worker.send(.exited(ContainerExit(containerID: container.id, code: container.exitCode, at: container.exitedAt)))
        }
    }

    /// Ends the workers; their containers keep running.
    func stop() async {
        stopped = true
        let tasks = workers.values.map(\.task)
        for (worker, task) in workers.values {
            task.cancel()
            worker.send(.wake)
        }
        for task in tasks { await task.value }
        workers = [:]
    }

    // MARK: Scheduling

    /// Binds pending pods to the node, oldest first, as far as they fit.
    func schedule() async {
        guard !pending.isEmpty else { return }
        for pod in pending.values.sorted(by: { ($0.creation ?? .init(seconds: 0), $0.key) < ($1.creation ?? .init(seconds: 0), $1.key) }) {
            guard bound[pod.uid] == nil, pending[pod.uid] != nil else { continue }
            let others = (Array(assigned.values) + Array(bound.values)).filter { !$0.hasEnded && $0.uid != pod.uid }
            do {
                if let refusal = SchedulingRules.refusal(of: pod, on: node, beside: others) {
                    guard reportedUnschedulable[pod.uid] != refusal else { continue }
                    reportedUnschedulable[pod.uid] = refusal
                    services.event(.warning, "FailedScheduling", refusal, on: pod)
                    try await services.api.markUnschedulable(pod, message: refusal, now: services.time.now())
                } else {
                    bound[pod.uid] = pod
                    if try await services.api.bind(pod, to: node.name) {
                        services.event(.normal, "Scheduled", "Successfully assigned \(pod.key) to \(node.name)", on: pod)
                    } else {
                        bound[pod.uid] = nil
                    }
                }
            } catch {
                bound[pod.uid] = nil
                reportedUnschedulable[pod.uid] = nil
                services.log.debug("a pod could not be scheduled now", ["pod": .string(pod.key.description), "error": .string("\(error)")])
            }
        }
    }

    var hasPending: Bool { pending.keys.contains { bound[$0] == nil } }
}
