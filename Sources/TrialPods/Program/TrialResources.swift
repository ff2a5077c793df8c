import AssayAPI
import EvalModel

/// Requests and limits of the trial container: the task's needs under the job's overrides, then the pod templates, the target's first.
///
/// Memory is reserved as it is limited, so that a trial's memory is its own; CPU is reserved and may be exceeded.
struct TrialResources: Sendable, Hashable {
    private(set) var requests: [String: String]
    private(set) var limits: [String: String]

    init(_ request: TrialPodRequest) {
        let overrides = request.job.spec.environment
        let needs = request.task.environment
        let memory = "\(overrides.overrideMemoryMB ?? needs.memoryMB)Mi"
        let storage = "\(overrides.overrideStorageMB ?? needs.storageMB)Mi"
        // Both are bounded where they are read; a builder of pods does not rest on that.
        let milli = Int((min(max(overrides.overrideCPUs ?? needs.cpus, 0), 1e9) * 1000).rounded(.up))
        requests = ["cpu": milli % 1000 == 0 ? "\(milli / 1000)" : "\(milli)m", "memory": memory]
        limits = ["memory": memory, "ephemeral-storage": storage]
        for template in [request.target.podTemplate, overrides.podTemplate] {
            for (name, quantity) in template?.resources?.requests ?? [:] { requests[name] = quantity.text }
            for (name, quantity) in template?.resources?.limits ?? [:] { limits[name] = quantity.text }
        }
    }

    var cpus: Double { amount(requests["cpu"]) ?? 0 }
    var memoryMB: Int { mebibytes(requests["memory"]) }
    var memoryLimitMB: Int { mebibytes(limits["memory"]) }
    var storageMB: Int { mebibytes(limits["ephemeral-storage"]) }

    private func amount(_ text: String?) -> Double? { text.flatMap { Quantity($0).amount } }
    private func mebibytes(_ text: String?) -> Int { Int(min(((amount(text) ?? 0) / 1_048_576).rounded(.up), 1e12)) }
}
