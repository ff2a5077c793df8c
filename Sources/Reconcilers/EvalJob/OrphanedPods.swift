import AssayAPI
import Base
import KubeClient
import KubeCore
import KubeRuntime

/// Releases trial pods whose job is gone for good. Otherwise their finalizer would keep them, and their namespace, for ever.
struct OrphanedPods: Sendable {
    private let client: KubeClient
    private let podWriter: TrialPodWriter
    private let podsByOwner: StoreIndex<TrialPod, ObjectKey>
    private let podsByUID: StoreIndex<TrialPod, String>
    private let log: Log

    /// - Parameter podsByUID: the pods that are trials of an existing or former job, by its UID.
    init(client: KubeClient, podWriter: TrialPodWriter, pods: Store<TrialPod>, podsByUID: StoreIndex<TrialPod, String>, log: Log) {
        self.podsByUID = podsByUID
        self.client = client
        self.podWriter = podWriter
        self.log = log
        podsByOwner = pods.index { entry in entry.object.jobKey.map { [$0] } ?? [] }
    }

    /// The number of pods that name the job as their owner.
    func podCount(of job: ObjectKey) -> Int { podsByOwner.count(for: job) }

    /// - Parameter owner: the UID of the job that now has the key, according to the cache.
    func release(of key: ObjectKey, owner: String?) async throws {
        // Usually all pods that name the job are its trials, and the thousand of them need not be looked at.
        if let owner, podsByOwner.count(for: key) == podsByUID.count(for: owner) { return }
        // Only possible orphans are processed; pods of the existing job are not.
        let found = podsByOwner.unordered(key).filter { $0.isTracked && ($0.isOrphaned || $0.identity.jobUID != owner) }
        guard !found.isEmpty else { return }
        // No operator waits for a pod without an owner. Whoever removed the owner wanted to keep the pod, and can delete it once it is
        // released.
        for pod in found where pod.isOrphaned {
            log.warning("releasing a pod without owner", ["object": .string(key.description), "pod": .string(pod.name)])
            try await podWriter.release(pod, .preserve, jobUID: pod.identity.jobUID)
        }
        let orphans = found.filter { !$0.isOrphaned }
        guard !orphans.isEmpty else { return }
        // The cache of jobs may be older than that of pods, so the server is asked which job exists.
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
