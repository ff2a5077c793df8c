import Artifacts
import Base
import EvalModel
import KubeRuntime
import TrialPods

/// What a process remembers of a job between two passes. Everything in it can be found again after a restart; it saves
/// the work of finding it each time. Only the worker that holds the job's key touches it.
final class JobMemory: Sendable {
    struct State: Sendable {
        /// Of the spec that the rest was worked out from; until the job begins, its spec may change.
        var generation: Int?
        var prepared: PreparedJob?
        var recorder: (any RunRecorder)?
        var artifactsChecked = false
        /// When the remote, which did not answer, is asked again; by the monotonic clock.
        var artifactsCheckDue = 0.0
        /// When the Secret for the remote is read again; by the monotonic clock.
        var credentialDue = 0.0
        /// The job had begun before this process saw it: the ledger may know runs that the status does not.
        var wasRunning: Bool?
        /// Runs that were handed to the ledger and are not in the status yet, by index.
        var submitted: [Int: (name: String, trial: RecordedTrial)] = [:]
        /// Failed tries whose record was handed over, by pod.
        var keptRetries: Set<String> = []
        /// How often reading the end of a pod has failed, by pod.
        var readFailures: [String: Int] = [:]
        /// Pods that are gone though nobody counted them, as they were seen last, by name.
        var vanished: [String: VanishedPod] = [:]
        /// The name of the job's own record, once it was handed over.
        var jobRecord: String?
        /// How ended pods ended, by UID: a thousand that end together are looked at in each of many passes.
        var ended: [String: EndedPod] = [:]
        /// As the last pass found it.
        var running = 0
        /// ConfigMaps that the job's trials share and that are there, by name.
        var sharedMade: Set<String> = []
    }

    struct EndedPod: Sendable {
        let version: String?
        let fate: PodFate
    }

    struct VanishedPod: Sendable {
        let pod: TrialPod
        let noticedAt: Timestamp
    }

    let state = Locked(State())
}
