import Artifacts
import AssayAPI
import Base
import EvalModel

extension EvalJobReconciler {
    /// The records of a job's first trials, in the order of its trials; those that are not recorded are left out.
    func records(of job: EvalJob, limit: Int, now: Timestamp) async throws -> [RunRecord] {
        let uid = job.metadata.uid ?? ""
        let memory = memories.withLock { $0[uid] } ?? JobMemory()
        var pass = JobPass(job: job, memory: memory, now: now)
        let recorder = try await recorder(for: &pass)
        let matrix = try await prepared(&pass).matrix
        var found: [RunRecord] = []
        var rest = matrix.prefix(limit)[...]
        while !rest.isEmpty {
            let batch = rest.prefix(8)
            rest = rest.dropFirst(batch.count)
            let some = try await withThrowingTaskGroup(of: RunRecord?.self) { group in
                for trial in batch { group.addTask { try await recorder.record(of: trial.runID(jobUID: uid)) } }
                return try await group.reduce(into: [RunRecord]()) { if let record = $1 { $0.append(record) } }
            }
            found += some.sorted { $0.index < $1.index }
        }
        return found
    }
}
