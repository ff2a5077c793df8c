import Base
import KubeCore
import KubeRuntime

/// Runs one pod from its acceptance to its end. Each pod has one task, which does everything in sequence: it takes a message, updates its state,
/// does the steps that `PodPlan` decides, and writes the status.
actor PodWorker {
    enum Message: Sendable {
        case pod(NodePod)
        /// The object does not exist any more, or another pod has its name.
        case gone
        case exited(ContainerExit)
        case pulled(container: String, failure: String?, seconds: Double)
        case outOfMemory(container: String, id: String)
        case overLimit(String?)
        /// The result of one startup probe of a container's instance: `failure` is nil when it succeeded.
        case probed(container: String, id: String, failure: StartupFailure?)
        case wake
    }

    nonisolated let uid: String
    nonisolated let key: ObjectKey
    nonisolated let intake: AsyncStream<Message>.Continuation
    private nonisolated let messages: AsyncStream<Message>
    /// The containers that still run, for readers of logs.
    private nonisolated let running = Locked(Set<String>())

    let services: NodeServices
    var pod: NodePod
    var journal: PodJournal
    let log: Log

    private var finished = false
    private var released = false
    private var lastWritten: JSONValue?
    private var retryAt: Timestamp?
    private var retries = 0
    private var wakeTask: Task<Void, Never>?
    var watches: [String: [Task<Void, Never>]] = [:]
    private var usageTask: Task<Void, Never>?
    var pulls: [String: Task<Void, Never>] = [:]
    /// After a failed pull of an image: when the next attempt may start, and the registry's message.
    var pullBackoff: [String: (until: Timestamp, failures: Int, message: String)] = [:]
    var pulledImages: Set<String> = []
    var sawOutOfMemory: Set<String> = []
    var killedByNode: Set<String> = []
    var hasSandbox = false

    init(pod: NodePod, journal: PodJournal, services: NodeServices) {
        uid = pod.uid
        key = pod.key
        self.pod = pod
        self.journal = journal
        self.services = services
        log = services.log.with(["pod": .string(pod.key.description)])
        (messages, intake) = AsyncStream.makeStream()
    }

    nonisolated func send(_ message: Message) { intake.yield(message) }

    nonisolated func isRunning(_ container: String) -> Bool { running.withLock { $0.contains(container) } }

    /// Why a container has no log yet; the answer to a request for that log.
    func waitingReason(of container: String) -> String {
        if case .waiting(let reason?, _) = journal.containers[container]?.state { return reason }
        return pod.initContainers.isEmpty ? "ContainerCreating" : "PodInitializing"
    }

    /// Runs until the pod is deleted, or until the task is cancelled (containers then keep running).
    func run() async {
        defer {
            wakeTask?.cancel()
            usageTask?.cancel()
            (watches.values.flatMap { $0 } + Array(pulls.values)).forEach { $0.cancel() }
        }
        for (name, record) in journal.containers where record.isRunning { follow(name, record) }
        noteRunning()
        await settle()
        for await message in messages {
            if Task.isCancelled { return }
            await take(message)
            if finished { return }
            await settle()
            if finished || Task.isCancelled { return }
        }
    }

    // MARK: Messages

    private func take(_ message: Message) async {
        switch message {
        case .pod(let latest):
            // The watch may deliver an older state than the answer to this worker's last write.
            guard !latest.isOlder(than: pod) else { return }
            pod = latest
            if latest.deletion != nil { noteDeletion() }
        case .gone:
            await vanish()
        case .exited(let exit):
            await containerEnded(exit)
        case .pulled(let container, let failure, let seconds):
            pullEnded(container, failure: failure, seconds: seconds)
        case .outOfMemory(let container, let id):
            guard journal.containers[container]?.containerID == id, journal.containers[container]?.isRunning == true else { return }
            sawOutOfMemory.insert(id)
            try? await services.podman.signal("KILL", [id])
        case .overLimit(let text):
            usageTask = nil
            if let text, journal.ending == nil, !journal.tornDown {
                services.event(.warning, "Evicted", text, on: pod)
                end(PodEnding(cause: .evicted, reason: "Evicted", message: text, graceSeconds: 1))
            }
        case .probed(let container, let id, let failure):
            await startupProbed(container, id, failure)
        case .wake:
            break
        }
    }

    private func noteDeletion() {
        let grace = max(0, pod.deletionGraceSeconds ?? pod.terminationGraceSeconds)
        guard var ending = journal.ending else {
            guard !journal.tornDown else { return }
            return end(PodEnding(cause: .deleted, graceSeconds: grace))
        }
        guard grace < ending.graceSeconds else { return }
        ending.graceSeconds = grace
        journal.ending = ending
        let latest = services.time.now().adding(seconds: Double(grace))
        for (name, record) in journal.containers {
            if let killAt = record.killAt { journal.containers[name]?.killAt = min(killAt, latest) }
        }
        save()
    }

    private func noteDeadline() {
        guard journal.ending == nil, !journal.tornDown, let deadline = PodPlan.deadline(of: pod, journal), services.time.now() >= deadline else {
            return
        }
        let text = "Pod was active on the node longer than the specified deadline"
        services.event(.normal, "DeadlineExceeded", text, on: pod)
        end(PodEnding(cause: .deadline, reason: "DeadlineExceeded", message: text, graceSeconds: pod.terminationGraceSeconds))
    }

    private func end(_ ending: PodEnding) {
        let running = journal.containers.filter(\.value.isRunning).keys.sorted()
        log.info(
            "the pod is ended",
            [
                "cause": .string(ending.cause.rawValue), "graceSeconds": .int(Int64(ending.graceSeconds)),
                "running": .array(running.map { .string($0) }),
            ])
        journal.ending = ending
        save()
    }

    /// Called when the object is deleted: removes the containers at once, and all files of the pod.
    private func vanish() async {
        for attempt in 1...5 {
            do {
                try await removeContainers(andSandbox: true)
                break
            } catch {
                log.warning("containers of a deleted pod could not be removed", ["error": .string("\(error)"), "attempt": .int(Int64(attempt))])
                try? await services.time.sleep(seconds: Double(attempt))
            }
        }
        services.volumes.remove(uid)
        Directory.removeTree(services.directories.pod(uid))
        running.withLock { $0 = [] }
        finished = true
    }

    // MARK: Steps

    /// Performs the plan's steps until nothing is left to do but wait.
    private func settle() async {
        // Limited to 64 rounds, so that messages are read even if the plan always has another step.
        for _ in 0..<64 {
            if Task.isCancelled || finished { return }
            noteDeadline()
            let now = services.time.now()
            let decision = PodPlan.next(pod, journal, now: now)
            var steps = decision.steps.filter { isDue($0, now) }
            if steps.isEmpty {
                await publish()
                wake(at: decision.wakeAt)
                return
            }
            // The status is written before the volumes are prepared, so that others see that the pod was accepted.
            if case .prepare = steps[0] { await publish() }
            // Not for a pod that has ended its sidecars: its status was published then.
            if steps.contains(.tearDown), journal.ending == nil, journal.stoppingSince == nil { await publish() }
            while !steps.isEmpty, !finished {
                let step = steps.removeFirst()
                await perform(step)
            }
        }
        wake(at: services.time.now().adding(seconds: 1))
    }

    private func isDue(_ step: PodPlan.Step, _ now: Timestamp) -> Bool {
        switch step {
        case .prepare, .tearDown: return retryAt.map { $0 <= now } ?? true
        case .release: return !released && (retryAt.map { $0 <= now } ?? true)
        case .start(let name): return pulls[name] == nil
        case .stop, .kill: return true
        }
    }

    private func perform(_ step: PodPlan.Step) async {
        switch step {
        case .prepare: await prepare()
        case .start(let name): await start(name)
        case .stop(let names, let grace): await stop(names, graceSeconds: grace)
        case .kill(let names): await kill(names)
        case .tearDown: await tearDown()
        case .release: await release()
        }
    }

    private func prepare() async {
        do {
            if let refusal = MountPlan.refusal(of: pod, cacheDirectory: services.volumes.cacheDirectory) {
                retryAt = services.time.now().adding(seconds: 120)
                services.event(.warning, "FailedMount", refusal, on: pod)
                return
            }
            // Making the sandbox takes as long as making a container, so the volumes are made at the same time.
            async let sandbox: Void = makeSandbox()
            let values = try await services.api.values(VolumeStore.references(of: pod), namespace: pod.key.namespace, fields: services.fields)
            try services.volumes.prepare(pod, values: values)
            for container in pod.allContainers {
                try Directory.make(services.logs.directory(uid: uid, container: container.name), mode: 0o755)
            }
            try FileWriting.replace(hostsFile, with: Array(Self.hosts(pod).utf8), mode: 0o644, durable: false)
            if let resolver = pod.resolver { try FileWriting.replace(resolverFile, with: Array(resolver.utf8), mode: 0o644, durable: false) }
            try await sandbox
            journal.ready = true
            retryAt = nil
            retries = 0
            save()
        } catch {
            // Waits like the kubelet does for mounts: half a second, doubling to two minutes.
            retries += 1
            let wait = BackoffPolicy(initialSeconds: 0.5, capSeconds: 122).seconds(afterFailures: retries)
            retryAt = services.time.now().adding(seconds: wait)
            if let failure = error as? SandboxFailure {
                services.event(.warning, "FailedCreatePodSandBox", failure.message, on: pod)
            } else {
                services.event(.warning, "FailedMount", (error as? VolumeFailure)?.message ?? "\(error)", on: pod)
            }
        }
    }

    private func tearDown() async {
        do {
            try await removeContainers(andSandbox: false)
        } catch {
            retryAt = services.time.now().adding(seconds: 1)
            log.warning("containers could not be removed", ["error": .string("\(error)")])
            return
        }
        retryAt = nil
        let now = services.time.now()
        // Once a pod was initialised, a container without a recorded end counts as failed.
        if journal.ready, PodStatusBuilder.isInitialized(pod, journal.containers) {
            for container in pod.containers where journal.containers[container.name]?.end == nil {
                var record = journal.containers[container.name] ?? ContainerRecord()
                record.state = .ended(
                    .lost(
                        containerID: record.containerID, started: Timestamp(seconds: 0), now: now,
                        whilePodWas: journal.ending?.cause == .deleted ? "deleted" : "terminated"))
                journal.containers[container.name] = record
            }
        }
        journal.tornDown = true
        save()
        await publish()
        await removeSandbox()
    }

    private func release() async {
        do {
            released = true
            if case .gone = try await services.api.release(pod) { await vanish() }
        } catch {
            released = false
            retryAt = services.time.now().adding(seconds: 1)
            log.warning("the pod object could not be deleted", ["error": .string("\(error)")])
        }
    }

    /// All instances that may exist, whether their ids are known or not.
    private func removeContainers(andSandbox: Bool) async throws {
        (watches.values.flatMap { $0 } + Array(pulls.values)).forEach { $0.cancel() }
        watches = [:]
        pulls = [:]
        usageTask?.cancel()
        var names = andSandbox ? [sandboxName] : []
        for (name, record) in journal.containers where record.hasRun || record.starting {
            for instance in 0...record.restarts { names.append(containerName(name, instance)) }
            if let id = record.containerID { services.exits.forget(id) }
        }
        try await remove(names)
    }

    // MARK: Status

    func publish() async {
        noteRunning()
        let status = PodStatusBuilder.status(
            of: pod, journal: journal, in: .init(hostIP: services.hostIP, now: services.time.now()))
        guard status != lastWritten, !(pod.status.contains(status)) else { return }
        do {
            switch try await services.api.writeStatus(status, of: pod) {
            case .written(let object):
                lastWritten = status
                log.debug("status written", ["phase": status["phase"] ?? .null])
                // The stored status is kept, because conditions that do not change keep the transition times in it.
                if let latest = try? NodePod(object), latest.uid == uid {
                    pod = latest
                    if latest.deletion != nil { noteDeletion() }
                }
            case .gone:
                await vanish()
            }
        } catch {
            log.debug("the status could not be written", ["error": .string("\(error)")])
            lastWritten = nil
            wake(at: services.time.now().adding(seconds: 1))
        }
    }

    private func noteRunning() {
        let names = Set(journal.containers.filter { $0.value.isRunning || $0.value.starting }.keys)
        running.withLock { $0 = names }
    }

    func save() {
        do { try JournalFile(directories: services.directories).save(journal) } catch {
            log.error("the journal of the pod could not be written", ["error": .string("\(error)")])
        }
    }

    // MARK: Time

    private func wake(at time: Timestamp?) {
        wakeTask?.cancel()
        wakeTask = nil
        let now = services.time.now()
        var next = [time, retryAt.flatMap { $0 > now ? $0 : nil }].compactMap { $0 }.min()
        if lastWritten == nil { next = min(next ?? .init(seconds: .max), now.adding(seconds: 1)) }
        watchUsage()
        guard let next else { return }
        let clock = services.time
        wakeTask = Task { [intake] in
            do { try await clock.sleep(seconds: max(0.001, next - now)) } catch { return }
            intake.yield(.wake)
        }
    }

    /// Measures the volumes that have a limit from time to time.
    private func watchUsage() {
        guard usageTask == nil, journal.ready, !journal.tornDown, journal.ending == nil, VolumeStore.hasLimits(pod) else { return }
        let (pod, volumes) = (pod, services.volumes)
        usageTask = Task.detached { [intake, services] in
            if let text = await services.measuring.watch(services.time, { volumes.overLimit(pod) }) { intake.yield(.overLimit(text)) }
        }
    }
}

extension JSONValue {
    /// Whether every field of `other` exists here with the same value.
    fileprivate func contains(_ other: JSONValue) -> Bool {
        guard let mine = object, let theirs = other.object else { return self == other }
        return theirs.allSatisfy { key, value in value.isNull ? mine[key] == nil || mine[key] == .null : mine[key] == value }
    }
}
