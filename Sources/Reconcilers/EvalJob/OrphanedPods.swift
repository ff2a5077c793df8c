import AssayAPI
import Base
import KubeClient
import KubeCore
import KubeRuntime

/// Releases trial pods whose job is gone for good: their finalizer would keep them, and their namespace, for ever.
struct OrphanedPods: Sendable {
    private let client: KubeClient
    private let podWriter: TrialPodWriter
    private let podsByOwner: StoreIndex<TrialPod, ObjectKey>
    private let log: Log

    init(client: KubeClient, podWriter: TrialPodWriter, pods: Store<TrialPod>, log: Log) {
        self.client = client
        self.podWriter = podWriter
        self.log = log
        podsByOwner = pods.index { entry in entry.object.jobKey.map { [$0] } ?? [] }
    }

    /// - Parameter owner: the UID of the job that has the key now, by the cache.
    func release(of key: ObjectKey, owner: String?) async throws {
        // Only pods that can be orphans are walked, and those of a job that is there are none.
        let found = podsByOwner.objects(for: key).filter { $0.isTracked && ($0.isOrphaned || $0.identity.jobUID != owner) }
        guard !found.isEmpty else { return }
        // Without an owner nobody waits for it: whoever took the owner away wanted it kept, and can delete it from now on.
        for pod in found where pod.isOrphaned {
            log.warning("releasing a pod without owner", ["object": .string(key.description), "pod": .string(pod.name)])
            try await podWriter.release(pod, .preserve, jobUID: pod.identity.jobUID)
        }
        let orphans = found.filter { !$0.isOrphaned }
        guard !orphans.isEmpty else { return }
        // The cache of jobs may be behind that of pods: the server knows which job there is.
        var actual: String?
        do { actual = try await client.get(.evalJobs, key).at("metadata", "uid")?.string } catch {
            guard error.isNotFound else { throw error }
        }
        for pod in orphans where pod.identity.jobUID != actual {
            log.warning("releasing a pod whose job is gone", ["object": .string(key.description), "pod": .string(pod.name)])
            try await podWriter.release(pod, .delete, jobUID: pod.identity.jobUID)
        }
    }
}
