import Artifacts
import AssayAPI
import Base
import Git
import Glibc
import KubeClient
import KubeCore
import PodmanNode
import Planning
import Reconcilers
import Rollout
import Subprocess
import TrialPods

/// One `assay run`: control plane, node and operator in this process, for one job, until the job ends.
struct LaptopSession: Sendable {
    let documents: JobDocuments
    let state: StateDirectory
    let podman: String
    let pushInterval: Double
    let bounds: PodFateBounds
    /// The outputs of a job of Rollout, and the content of its config.json.
    var rollout: (outputs: JobOutputs, configuration: JSONValue)?
    /// Whether a job that exists is deleted and starts again as a new one.
    var anew = false

    /// Returns the exit status.
    ///
    /// - Parameter allowUnpushed: exit with 0 although results wait on this machine.
    func run(minimumPassRate: Double?, allowUnpushed: Bool = false) async throws -> Int32 {
        let display = ProgressDisplay()
        // Signals are handled from here on, because starting in a new directory takes seconds.
        let stopping = Locked(Stopping())
        let interrupts = Interrupts { _ in
            let (count, target) = stopping.withLock { state in
                state.count += 1
                return (state.count, state.target)
            }
            if count > 1 { _exit(ExitStatus.interrupted) }
            display.say("stopping: trials that run are ended, results are kept (Ctrl-C again to leave at once)")
            if let target { Task { await target.interrupt() } }
        }
        defer { withExtendedLifetime(interrupts) {} }

        let cache = try CacheHost.onThisMachine(cacheDirectory: state.cache)
        try cache.start()
        defer { cache.stop() }
        let egress = try EgressService(cacheDirectory: state.cache)
        let proxy = try egress.start()
        defer { proxy.stop(drainSeconds: 0) }
        let host: ControlPlaneHost
        do {
            host = try await ControlPlaneHost.start(
                .init(
                    dataDirectory: state.apiServer, nodeDirectory: state.node, cacheDirectory: SourceCache.socketDirectory(in: state.cache),
                    egressDirectory: EgressService.directory(in: state.cache), podman: podman))
        } catch let error as PodmanNodeError {
            throw UsageError("\(error)")
        }
        if stopping.withLock({ $0.count }) > 0 {
            // This run has created nothing yet, but containers of an earlier run may exist.
            await host.stop(removeContainers: true)
            return ExitStatus.interrupted
        }
        var configuration = OperatorConfiguration(
            setting: .laptop, stateDirectory: state.artifacts, cacheDirectory: state.cache, resultsDirectory: state.results,
            pods: TrialPodSettings(assayImage: Laptop.image), defaultTarget: Laptop.target, pushInterval: pushInterval,
            committer: try OperatorCommand.committer(nil), urlPolicy: [.local, .shorthand], bounds: bounds)
        configuration.keepsFinishedSeconds = 60
        configuration.cache = cache
        configuration.networks = egress.networks
        configuration.imageBuilder = host.node.map { PodmanImageBuilder(node: $0, directory: state.builds) }
        let metrics = MetricsRegistry()
        let traces = TraceOptions.exporter(currentEnvironment(), metrics: metrics) { display.say("warning: \($0)") }
        configuration.traces = traces
        let runner = Operator(client: host.client, configuration: configuration, instance: "laptop-\(getpid())", metrics: metrics)
        let applied: Applied
        let working: Task<Void, Never>
        do { (applied, working) = try await apply(host.client, runner, display) } catch {
            await traces?.stop(within: 0)
            await host.stop(removeContainers: false)
            throw error
        }

        let client = host.client
        let key = applied.key
        let target = Stopping.Target(client: client, key: key)
        let isStopping = stopping.withLock { state in
            state.target = target
            return state.count > 0
        }
        if isStopping { await target.interrupt() }

        let watch = JobWatch(client: client, key: key, display: display) { job in
            // Written only after the job has begun: a job that cannot begin writes no results, so `assay results` keeps reading
            // the previous ones.
            try noteResults(of: job)
            try beginOutputs(of: job)
            let warnings = try await runner.warnings(of: job)
            for warning in warnings.prefix(Self.warningLines) { display.say("warning: \(warning.line.replacingControls)") }
            if warnings.count > Self.warningLines {
                display.say("and \(warnings.count - Self.warningLines) warnings more: `assay plan` lists them all")
            }
        } hasCounted: {
            // What could not be written now is written at the end, which also reports an error.
            do { try rollout?.outputs.writeNew() } catch { display.say("the outputs of a trial are not written yet: \(error)") }
        } isInterrupted: {
            stopping.withLock { $0.count } > 0
        } isCurrent: { job in
            job.identity.map { runner.hasLooked(at: $0) } ?? false
        }
        var ended = try await watch.waitForEnd()
        if ended.stalled == nil { ended.job = try await watch.waitUntilPushed() }
        display.finish()
        working.cancel()
        await working.value
        let dropped = await traces?.stop(within: TraceOptions.flushSeconds) ?? 0
        if dropped > 0 {
            Assay.printError("\(dropped) spans of the job's trace were dropped: the server does not take them (--log-level warning says why)")
        }
        let runs = ended.stalled == nil ? try await runner.records(of: ended.job, limit: JobReport.rows) : []
        await host.stop(removeContainers: stopping.withLock { $0.count } > 0)

        let report = JobReport(job: ended.job, state: state, runs: runs)
        report.print(stalled: ended.stalled, alreadyDone: applied.wasComplete)
        do throws(FileError) { try JobSummary(report: report, stalled: ended.stalled).write(currentEnvironment()) } catch {
            Assay.printError("the job summary is not written: \(error)")
        }
        try finishOutputs(of: ended)
        if ended.job.status?.isOver != true, ended.stalled == nil {
            display.say("the job is not over: the same command goes on with the trials that have no result")
        }
        if stopping.withLock({ $0.count }) > 0 { return ExitStatus.interrupted }
        return report.exitStatus(stalled: ended.stalled, minimumPassRate: minimumPassRate, allowUnpushed: allowUnpushed)
    }

    /// The most warnings about tasks that are shown.
    private static let warningLines = 20

    // MARK: Outputs of Rollout

    private func beginOutputs(of job: EvalJob) throws {
        guard let rollout, let uid = job.metadata.uid, let start = job.status?.startTime else { return }
        try rollout.outputs.begin(uid: uid, total: job.status?.trials?.total ?? 0, startedAt: start, configuration: rollout.configuration)
    }

    private func finishOutputs(of ended: JobWatch.End) throws {
        guard let rollout, ended.job.status?.startTime != nil, ended.stalled == nil else { return }
        let isOver = ended.job.status?.isOver == true
        let trials = ended.job.status?.trials
        try rollout.outputs.finish(
            isOver: isOver, cancelled: !isOver || ended.job.status?.phase == .cancelled || trials?.skipped ?? 0 > 0,
            endedAt: ended.job.status?.completionTime)
        print("outputs: \(rollout.outputs.directory)")
    }

    /// The number of interrupts, and the job to interrupt once it exists.
    private struct Stopping {
        struct Target: Sendable {
            let client: KubeClient
            let key: ObjectKey
            func interrupt() async { try? await setInterrupted("true") }
            func clearInterrupted() async throws { try await setInterrupted(.null) }

            private func setInterrupted(_ value: JSONValue) async throws {
                try await client.patch(.evalJobs, key, .merge(["metadata": ["annotations": [AssayNames.interruptedAnnotation: value]]]))
            }
        }

        var count = 0
        var target: Target?
    }

    private struct Applied {
        var key: ObjectKey
        var wasComplete: Bool
    }

    /// Applies the objects of the file to the server and starts the operator. An existing job continues, unless what it measures
    /// has changed.
    private func apply(_ client: KubeClient, _ runner: Operator, _ display: ProgressDisplay) async throws -> (Applied, Task<Void, Never>) {
        let writer = DocumentWriter(client: client)
        for (type, object) in documents.others {
            _ = try await writer.put(type, object)
        }
        let key = ObjectKey(namespace: JobDocuments.namespace, name: documents.jobName)
        try await pauseOthers(than: key, client, display)
        let before = try await existing(key, client)
        var working: Task<Void, Never>?
        do {
            let wasCancelled = before?.status?.phase == .cancelled && documents.job.at("spec", "cancel")?.bool != true
            if before != nil, anew || wasCancelled {
                display.say(
                    anew
                        ? "the job starts anew as a job of its own; its earlier results stay"
                        : "the job was cancelled before (spec.cancel), which ended it; it starts anew as a job of its own")
                // The operator removes the finalizers; it decides what to do with results that are not recorded yet.
                working = Task { await runner.run() }
                try await remove(key, client)
            } else if let before, let moved = await SourceChange.of(before, comparedTo: documents, cacheDirectory: state.cache) {
                guard rollout == nil else { throw UsageError(moved.refusal(of: documents.displayName)) }
                display.say(moved.notice(of: documents.displayName))
            }
            let answer = try await writer.put(.evalJobs, documents.job)
            if let before {
                // The job was stopped by Ctrl-C or because the process was killed.
                if before.metadata.annotations?[AssayNames.interruptedAnnotation] != nil {
                    try await Stopping.Target(client: client, key: key).clearInterrupted()
                }
                if let trials = before.status?.trials, before.status?.isOver != true {
                    let done = trials.completed + trials.failed
                    if done > 0 { display.say("going on: \(done) of \(trials.total) trials have their result") }
                }
            }
            let job = try EvalJob(json: answer)
            let wasComplete = before?.metadata.uid == job.metadata.uid && job.status?.isOver == true
            return (Applied(key: key, wasComplete: wasComplete), working ?? Task { await runner.run() })
        } catch {
            working?.cancel()
            await working?.value
            throw error
        }
    }

    /// Pauses unfinished jobs of other files, which a killed process has left: the user did not ask for them now.
    private func pauseOthers(than key: ObjectKey, _ client: KubeClient, _ display: ProgressDisplay) async throws {
        for object in try await client.list(.evalJobs, namespace: key.namespace).items {
            guard let other = try? EvalJob(json: object), other.key != key, other.status?.isOver != true,
                other.metadata.annotations?[AssayNames.interruptedAnnotation] == nil
            else { continue }
            await Stopping.Target(client: client, key: other.key).interrupt()
            display.say("the job \(other.metadata.name), which an earlier run left, is not over: it waits until its own file is run again")
        }
    }

    private func existing(_ key: ObjectKey, _ client: KubeClient) async throws -> EvalJob? {
        do { return try EvalJob(json: try await client.get(.evalJobs, key)) } catch let error as KubeError {
            guard error.isNotFound else { throw error }
            return nil
        }
    }

    /// Deletes the job and waits until the operator has removed its finalizers.
    private func remove(_ key: ObjectKey, _ client: KubeClient) async throws {
        _ = try await client.delete(.evalJobs, key)
        for _ in 0..<600 {
            if try await existing(key, client) == nil { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw UsageError(
            "the cancelled job \(key.name) is not gone after 30 s; `assay run` again goes on with it, another metadata.name goes past it")
    }

    /// Records where the results are, for later `assay results` commands.
    private func noteResults(of job: EvalJob) throws {
        var note: JSONValue = ["directory": .string(state.results)]
        if job.spec.artifacts.backend == .git, let git = job.spec.artifacts.git {
            note = ["remote": .string(git.remote), "branch": .string(git.branch), "path": .string(git.path ?? "")]
        }
        try FileWriting.replace("\(state.path)/last-results.json", with: note.serialized(pretty: true) + [0x0A], durable: false)
    }
}
