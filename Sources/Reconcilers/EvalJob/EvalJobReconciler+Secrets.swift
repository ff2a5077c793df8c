import AssayAPI
import Base
import KubeClient
import KubeCore

extension EvalJobReconciler {
    /// Before a job's first trial: the Secrets that its pods will name are there, with the keys that they ask for.
    ///
    /// A pod with a missing Secret waits for it in silence; a job says what it waits for. Once trials exist this is the pods' affair.
    func checkSecrets(_ job: EvalJob) async throws {
        var known: [String: Set<String>] = [:]
        if let name = job.spec.source.secretRef?.name { _ = try await keys(ofSecret: name, for: "spec.source.secretRef", job, &known) }
        if let name = job.spec.artifacts.git?.secretRef?.name { _ = try await keys(ofSecret: name, for: "spec.artifacts.git.secretRef", job, &known) }
        for (position, agent) in job.spec.agents.enumerated() {
            for (place, variable) in agent.env.enumerated() {
                guard let reference = variable.valueFrom?.secretKeyRef, reference.optional != true else { continue }
                let field = "spec.agents[\(position)].env[\(place)].valueFrom.secretKeyRef"
                guard let keys = try await keys(ofSecret: reference.name, for: field, job, &known) else { continue }
                guard keys.contains(reference.key) else {
                    throw JobObstacle.waiting(
                        .secretNotFound,
                        "\(field): the Secret \"\(reference.name)\" has no key \"\(reference.key)\"; "
                            + (keys.isEmpty ? "it has none" : "it has: \(keys.sorted().prefix(20).joined(separator: ", "))"),
                        on: .ready, retryAfterSeconds: 10)
                }
            }
        }
    }

    /// nil: it cannot be read.
    private func keys(ofSecret name: String, for field: String, _ job: EvalJob, _ known: inout [String: Set<String>]) async throws -> Set<String>? {
        if let keys = known[name] { return keys }
        let namespace = job.metadata.namespace ?? ""
        do {
            let secret = try await client.get(.secrets, ObjectKey(namespace: namespace, name: name))
            let keys = Set((secret["data"]?.object ?? [:]).keys)
            known[name] = keys
            return keys
        } catch {
            // Not being allowed to read it is no reason to hold the job up: the node reads it.
            if error.isForbidden { return nil }
            guard error.isNotFound else { throw error }
            throw JobObstacle.waiting(
                .secretNotFound, "\(field): there is no Secret \"\(name)\" in namespace \(namespace); create it", on: .ready, retryAfterSeconds: 10)
        }
    }
}
