import AssayAPI
import Base
import KubeClient
import KubeCore
import KubeRuntime
import SourceSync
import TrialPods
import TrialRuntime

/// Runs the pod that reads a claim, to its end.
struct ClaimPods: Sendable {
    let client: KubeClient
    let settings: TrialPodSettings
    let cache: SourceCache
    let time: any TimeSource

    private static let pollSeconds = 1.0
    /// Seconds that a pod may wait for a node, its claim and its image.
    private static let startSeconds = 600.0

    struct Read: Sendable {
        var sent: ClaimMessage.Sent
        /// The name of the pack among the uploads.
        var upload: String
    }

    /// - Throws: a transient error that names the claim, because claims may be made later.
    func read(_ claim: ClaimSpec, _ template: PodTemplate?, for job: JobIdentity) async throws(SourceError) -> Read {
        let key = ObjectKey(
            namespace: job.namespace,
            name: "assay-claim-\(SHA256.hex(of: "\(job.uid)\n\(claim.name)\n\(claim.path ?? "")".utf8).prefix(20))")
        do {
            try await check(claim, in: job.namespace)
            try await create(key, claim, template, job)
            let message = try await end(of: key, claim)
            await remove(key)
            return Read(sent: try verified(message, key.name, claim), upload: key.name)
        } catch {
            await remove(key)
            if let error = error as? SourceError { throw error }
            throw failure(claim, "\(error)")
        }
    }

    private func failure(_ claim: ClaimSpec, _ why: String) -> SourceError {
        SourceError(.sourceSyncFailed, "the PersistentVolumeClaim \"\(claim.name)\" cannot be read: \(why)", isTransient: true)
    }

    private func missing(_ claim: ClaimSpec, in namespace: String) -> SourceError {
        SourceError(
            .sourceSyncFailed, "there is no PersistentVolumeClaim \"\(claim.name)\" in namespace \(namespace); create it or change spec.claim",
            isTransient: true)
    }

    /// An operator that may not read claims learns from its pod that there is none.
    private func check(_ claim: ClaimSpec, in namespace: String) async throws {
        do { _ = try await client.get(.persistentVolumeClaims, ObjectKey(namespace: namespace, name: claim.name)) } catch {
            if error.isNotFound { throw missing(claim, in: namespace) }
            if !error.isForbidden { throw error }
        }
    }

    private func create(_ key: ObjectKey, _ claim: ClaimSpec, _ template: PodTemplate?, _ job: JobIdentity) async throws {
        cache.uploads.remove(key.name)
        let access = cache.access(forClaim: key.name, pod: key.name, namespace: key.namespace, seconds: Double(ClaimPod.deadlineSeconds))
        let owner = OwnerReference(apiVersion: EvalJob.resource.apiVersion, kind: EvalJob.resource.kind, name: job.name, uid: job.uid)
        let pod = try ClaimPod(settings).pod(
            name: key.name, namespace: key.namespace, owner: owner, claim: claim, upload: key.name, cache: access, template: template)
        // A pod of an earlier process has sent a part of its files to a disk that may be gone: it goes first.
        for attempt in 0... {
            let outcome = try await client.createOnce(.pods, pod, namespace: key.namespace) {
                ObjectMeta(of: $0).labels?[NetworkCheckPod.label] != nil
            }
            switch outcome {
            case .created: return
            case .taken: throw failure(claim, "a pod of somebody else has the name \(key.name); delete it")
            case .existed:
                guard attempt < 60 else { throw failure(claim, "the pod \(key.name) of an earlier try is not gone after a minute") }
                await remove(key)
                try await time.sleep(seconds: Self.pollSeconds)
            }
        }
    }

    private func end(of key: ObjectKey, _ claim: ClaimSpec) async throws -> ClaimMessage {
        let begin = time.monotonic()
        while true {
            try Task.checkCancellation()
            let pod = try await client.get(.pods, key)
            let phase = pod.at("status", "phase")?.string ?? "Pending"
            let state = pod.at("status", "containerStatuses")?.array?.first?["state"]
            if phase == "Succeeded" || phase == "Failed" {
                let text = state?.at("terminated", "message")?.string ?? ""
                return ClaimMessage(text) ?? .failure(text.isEmpty ? pod.at("status", "message")?.string ?? "its pod failed without a message" : text)
            }
            if phase == "Pending" {
                let unscheduled = pod.at("status", "conditions")?.array?.first { $0["type"] == "PodScheduled" && $0["status"] == "False" }
                let why = unscheduled?["message"]?.string ?? state?.at("waiting", "message")?.string ?? state?.at("waiting", "reason")?.string
                if let why, why.contains("persistentvolumeclaim \"\(claim.name)\" not found") { throw missing(claim, in: key.namespace) }
                if time.monotonic() - begin > Self.startSeconds {
                    throw failure(claim, "the pod \(key.name) has not started after \(Int(Self.startSeconds)) s: \(why ?? "no reason is known")")
                }
            }
            try await time.sleep(seconds: Self.pollSeconds)
        }
    }

    /// - Throws: when the pod failed, or when what it has sent is not what it says.
    private func verified(_ message: ClaimMessage, _ upload: String, _ claim: ClaimSpec) throws(SourceError) -> ClaimMessage.Sent {
        switch message {
        case .failure(let why): throw failure(claim, why)
        case .sent(let sent):
            let file = cache.uploads.path(upload)
            guard FileReading.sha256(of: file) == sent.sha256 else {
                throw failure(claim, "the operator has not got all of its files; it is read again")
            }
            return sent
        }
    }

    private func remove(_ key: ObjectKey) async {
        // A new task, because requests of a cancelled task fail.
        await Task { await delete(key) }.value
    }

    private func delete(_ key: ObjectKey) async {
        do { try await client.delete(.pods, key, options: DeleteOptions(gracePeriodSeconds: 0), keeping: .metadata) } catch {
            if !error.isNotFound { Log("evaljob").warning("the pod of a claim is left", ["pod": .string("\(key)"), "error": .string("\(error)")]) }
        }
    }
}
