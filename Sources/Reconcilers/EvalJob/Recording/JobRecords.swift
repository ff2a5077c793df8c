import Artifacts
import AssayAPI
import Base
import EvalModel
import Planning

extension EvalJobReconciler {
    /// The records of a job's first trials, in the order of its trials; trials without a record are left out. Unlike a pass, this waits for
    /// the source and the remote.
    func records(of job: EvalJob, limit: Int) async throws -> [RunRecord] {
        guard let identity = job.identity else { return [] }
        let recorder = try await backends.open(job, identity)
        let matrix = try await preparedNow(job, identity).matrix
        var found: [RunRecord] = []
        var rest = matrix.prefix(limit)[...]
        while !rest.isEmpty {
            let batch = rest.prefix(8)
            rest = rest.dropFirst(batch.count)
            let some = try await withThrowingTaskGroup(of: RunRecord?.self) { group in
                for trial in batch { group.addTask { try await recorder.record(of: trial.runID(jobUID: identity.uid)) } }
                return try await group.reduce(into: [RunRecord]()) { if let record = $1 { $0.append(record) } }
            }
            found += some.sorted { $0.index < $1.index }
        }
        return found
    }

    /// What is ignored in the files of a job's tasks.
    func warnings(of job: EvalJob) async throws -> [JobPlan.Warning] {
        guard let identity = job.identity else { return [] }
        return TaskWarnings.grouped(try await preparedNow(job, identity))
    }

    private func preparedNow(_ job: EvalJob, _ identity: JobIdentity) async throws -> PreparedJob {
        if let known = memory(of: identity.uid).state.withLock({ $0.prepared }) { return known }
        if let kept = job.status?.plan, let plan = try? await plans.read(kept, for: identity, spec: job.spec) { return plan }
        let pins = try requirements.overlays.pins(job.status?.overlays ?? [], in: identity.namespace)
        let overlays = try await sources.overlays(pins) { [credentials] url, secret in
            try await credentials.credentials(for: url, secret: secret, namespace: identity.namespace)
        }
        let sync = try requirements.target(of: job, identity).syncStrategy(time: time)
        return try await sources.prepare(job, pinnedTo: job.status?.source?.commit, sync: sync, overlays: overlays) { [credentials] url in
            try await credentials.credentials(
                for: url, secret: job.spec.source.secretRef?.name, namespace: identity.namespace, only: job.spec.source.repo)
        }
    }
}
