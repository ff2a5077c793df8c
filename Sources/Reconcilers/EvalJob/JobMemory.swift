import Artifacts
import Base
import EvalModel
import KubeRuntime

/// What a process remembers of a job between two passes. Everything in it can be found again after a restart; it saves
/// the work of finding it each time. Only the worker that holds the job's key touches it.
final class JobMemory: Sendable {
    struct State: Sendable {
        var prepared: PreparedJob?
        /// A preparation that failed, and when to try again.
        var preparationRetry: Double?
        var recorder: (any RunRecorder)?
        var artifactsChecked = false
        /// The job had begun before this process saw it: the ledger may know runs that the status does not.
        var wasRunning: Bool?
        /// Runs that were handed to the ledger and are not in the status yet, by index.
        var submitted: [Int: (name: String, trial: RecordedTrial)] = [:]
        /// Failed tries whose record was handed over, by pod.
        var keptRetries: Set<String> = []
        /// The name of the job's own record, once it was handed over.
        var jobRecord: String?
    }

    let state = Locked(State())
}
