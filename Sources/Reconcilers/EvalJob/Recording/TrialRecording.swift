import Artifacts
import AssayAPI
import Base
import EvalModel
import KubeClient
import KubeCore
import KubeRuntime
import Planning
import Tracing
import TrialPods

/// Records how trials ended, outside the controller's workers: reads the collector's log, submits the record to the results backend, and
/// asks the backend which trials it has. It needs the job's plan and its results backend, but not the source, and it does not start or stop
/// trials.
///
/// A pass offers work and a later pass takes the result; the end of the work wakes that pass. Failed work is offered again after its own
/// backoff, so that one pod whose log cannot be read delays no other.
final class TrialRecording: Sendable {
    /// One piece of work for a job.
    enum Work: Hashable, Sendable {
        /// Record the run of a trial.
        case run(index: Int)
        /// Record a try that ended because of infrastructure, given by its pod. The record is kept beside the run before the next try
        /// begins.
        case retry(pod: String)
        /// Ask whether the ledger has a record of a trial that is about to start.
        case lookUp(TrialPlan.Creation)
        /// Record the job itself.
        case job
        /// Push waiting results now.
        case flush
    }

    /// What a job's records are made from and where they go.
    struct Place: Sendable {
        let context: TrialCollection.Context
        let recorder: any RunRecorder
        let memory: JobMemory

        var identity: JobIdentity { context.job }
    }

    private struct Key: Hashable, Sendable {
        let job: JobIdentity
        let work: Work
    }

    private enum Outcome: Sendable {
        case recorded(Int, JobMemory.SubmittedTrial)
        case kept(pod: String)
        case notRecorded(TrialPlan.Creation)
        case jobRecorded(String)
        case flushed
        case failed(String)
    }

    private let collection: TrialCollection
    private let setting: OperatorConfiguration.Setting
    private let events: EventRecorder
    private let traces: TraceExporter?
    private let time: any TimeSource
    private let log = Log("recording")
    private let tasks: TaskPool<Key, Outcome>
    private let packs = PackBudget(limit: packBytes)

    /// Pieces of work that run at the same time in the process.
    private static let width = 64
    /// Bytes of packs that all running work together may hold in memory.
    private static let packBytes = 24 << 20
    /// Seconds for one piece of work, such as reading a log of 10 MiB from a slow kubelet, or a push.
    private static let deadlineSeconds = 300.0

    init(
        collection: TrialCollection, setting: OperatorConfiguration.Setting, events: EventRecorder, traces: TraceExporter?,
        time: any TimeSource,
        wake: @escaping @Sendable (ObjectKey) -> Void
    ) {
        self.collection = collection
        self.setting = setting
        self.events = events
        self.traces = traces
        self.time = time
        tasks = TaskPool(
            width: Self.width, deadlineSeconds: Self.deadlineSeconds, time: time,
            late: { _ in .failed("it was not over after \(Int(Self.deadlineSeconds)) seconds") }, onFinish: { wake($0.job.key) })
    }

    func stop() async { await tasks.stop() }

    func forget(_ job: JobIdentity, _ memory: JobMemory) {
        let begun = memory.state.withLock { state in
            defer { state.recording = [] }
            return state.recording
        }
        for work in begun { tasks.cancel(Key(job: job, work: work)) }
    }

    // MARK: Results

    /// Takes the results of finished work.
    func takeFinished(_ job: JobIdentity, _ memory: JobMemory) {
        let begun = memory.state.withLock { $0.recording }
        for work in begun {
            guard let outcome = tasks.take(Key(job: job, work: work)) else { continue }
            let now = time.monotonic()
            let failures = memory.state.withLock { state in
                state.recording.remove(work)
                switch outcome {
                case .recorded(let index, let trial): state.submitted[index] = trial
                case .kept(let pod): state.keptRetries.insert(pod)
                case .notRecorded(let creation): state.notRecorded.insert(creation)
                case .jobRecorded(let name): state.jobRecord = name
                case .flushed: break
                case .failed:
                    var failure = state.recordingFailures[work] ?? RecordingFailure(at: now)
                    if state.recordingFailures[work] != nil { failure.again(at: now) }
                    state.recordingFailures[work] = failure
                    return failure.count
                }
                state.recordingFailures.removeValue(forKey: work)
                return 0
            }
            if case .failed(let message) = outcome {
                log.warning(
                    "recording failed and is tried again",
                    ["object": .string(job.description), "work": .string("\(work)"), "attempts": JSONValue(failures), "error": .string(message)])
            }
        }
    }

    /// Whether the run of a trial is being recorded.
    static func isRecording(_ index: Int, in state: JobMemory.State) -> Bool { state.recording.contains(.run(index: index)) }

    // MARK: Work

    /// Starts a piece of work unless it has started already.
    /// - Returns: the seconds after which to offer it again, when it has failed before.
    private func offer(_ work: Work, _ place: Place, _ body: @escaping @Sendable (_ logIsLost: Bool) async throws -> Outcome) -> Double? {
        let now = time.monotonic()
        let failure = place.memory.state.withLock { state -> RecordingFailure? in
            if let failure = state.recordingFailures[work], failure.nextAt > now { return failure }
            state.recording.insert(work)
            return nil
        }
        if let failure { return max(0.02, failure.nextAt - now) }
        let logIsLost = place.memory.state.withLock { $0.recordingFailures[work]?.logIsLost(at: now) ?? false }
        tasks.start(Key(job: place.identity, work: work), group: place.identity.uid) {
            do { return try await body(logIsLost) } catch { return .failed("\(error)") }
        }
        return nil
    }

    /// Records the run of a pod that ended.
    func record(_ pod: TrialPod, end: PodFate.End, error: TrialError?, trial: TrialCoordinate, _ place: Place) -> Double? {
        offer(.run(index: trial.index), place) { [self] logIsLost in
            let (run, recorded) = try await submit(pod, end: end, error: error, slot: .final, trial: trial, place, logIsLost: logIsLost)
            return .recorded(trial.index, .init(name: run.name, trial: recorded))
        }
    }

    /// Records the run of a trial that has no pod.
    func record(_ error: TrialError, trial: TrialCoordinate, now: Timestamp, _ place: Place) -> Double? {
        offer(.run(index: trial.index), place) { [self] _ in
            let (run, recorded, record) = try collection.pendingRun(without: error, trial: trial, context: place.context, now: now)
            try await place.recorder.submit(run)
            traces?.record(JobTraces.trial(record))
            return .recorded(trial.index, .init(name: run.name, trial: recorded))
        }
    }

    /// Records a try that ended because of infrastructure, before the next try begins.
    func keep(_ pod: TrialPod, end: PodFate.End, trial: TrialCoordinate, _ place: Place) -> Double? {
        offer(.retry(pod: pod.uid), place) { [self] logIsLost in
            _ = try await submit(pod, end: end, error: end.error, slot: .retry(pod.identity.retry), trial: trial, place, logIsLost: logIsLost)
            return .kept(pod: pod.uid)
        }
    }

    /// Asks the ledger before a trial runs again: its record may exist although it was not counted.
    func lookUp(_ creation: TrialPlan.Creation, trial: TrialCoordinate, _ place: Place) -> Double? {
        offer(.lookUp(creation), place) { [self] _ in
            do {
                guard let known = try await place.recorder.record(of: trial.runID(jobUID: place.identity.uid)), known.kind == "run" else {
                    return .notRecorded(creation)
                }
                // The process that recorded it may have died before it exported the trial's spans.
                traces?.record(JobTraces.trial(known))
                let recorded = RecordedTrial(index: trial.index, agentIndex: trial.agentIndex, outcome: known.trialOutcome)
                return .recorded(trial.index, .init(name: known.runId.rawValue, trial: recorded))
            } catch {
                // On the laptop an unreachable remote holds up no trial. On a cluster a trial that could not be looked up does not run, so
                // none runs twice.
                guard setting == .laptop else { throw error }
                return .notRecorded(creation)
            }
        }
    }

    /// Records the job itself.
    func record(_ job: JobRecord, _ place: Place) -> Double? {
        offer(.job, place) { [traces] _ in
            let run = try PendingRun(job: job)
            try await place.recorder.submit(run)
            traces?.record([JobTraces.job(job)])
            return .jobRecorded(run.name)
        }
    }

    /// Pushes waiting results without waiting for the push interval, once a job has ended or all its trials are stopped: users read the
    /// branch then. The backend limits how soon after a failed push it tries again.
    func flush(_ place: Place) {
        _ = offer(.flush, place) { [log] _ in
            do { try await place.recorder.flush() } catch {
                log.warning("results wait for the remote", ["object": .string(place.identity.description), "error": .string("\(error)")])
            }
            return .flushed
        }
    }

    private func submit(
        _ pod: TrialPod, end: PodFate.End, error: TrialError?, slot: PendingRun.Slot, trial: TrialCoordinate, _ place: Place, logIsLost: Bool
    ) async throws -> (PendingRun, RecordedTrial) {
        // Held until the pack is on the disk.
        let reservation = try await packs.reserve(end.report?.pack?.bytes ?? 0)
        defer { reservation.release() }
        var (run, recorded, record): (PendingRun, RecordedTrial, RunRecord)
        // The verdict is valid without the outputs; a problem with the outputs becomes part of the record.
        var cut = end
        cut.report?.pack = nil
        do {
            (run, recorded, record) = try await collection.pendingRun(
                of: pod, end: end, error: error, slot: slot, trial: trial, context: place.context)
        } catch let failure as KubeError {
            guard logIsLost else { throw failure }
            let why =
                error
                ?? TrialError(
                    .artifactTruncated, "the collector's log could not be read for \(Int(RecordingFailure.logSeconds / 60)) minutes: \(failure)")
            (run, recorded, record) = try await collection.pendingRun(of: pod, end: cut, error: why, slot: slot, trial: trial, context: place.context)
        }
        do {
            try await place.recorder.submit(run)
        } catch {
            guard error.kind == .damaged, run.pack != nil else { throw error }
            let why = recorded.outcome.error ?? TrialError(.artifactTruncated, error.message)
            (run, recorded, record) = try await collection.pendingRun(of: pod, end: cut, error: why, slot: slot, trial: trial, context: place.context)
            try await place.recorder.submit(run)
        }
        traces?.record(JobTraces.trial(record))
        if let error = recorded.outcome.error, error.isInfrastructure {
            events.record(
                .warning, reason: Reason.trialFailed.rawValue, message: "trial \(trial.index) (\(trial.agent), \(trial.task)): \(error)",
                on: EventSubject(.evalJobs, place.identity.key, uid: place.identity.uid))
        }
        return (run, recorded)
    }
}
