import AssayAPI
import EvalModel

/// Requests and limits of the trial container: the task's needs with the job's overrides, then the pod templates, first the target's.
///
/// Memory is reserved up to its limit, so that no other pod can take it from the trial. CPU is reserved, and a trial may use more than its
/// reservation.
struct TrialResources: Sendable, Hashable {
    private(set) var requests: [String: String]
    private(set) var limits: [String: String]

    init(_ request: TrialPodRequest) { self.init(request, request.task.environment) }

    /// Those of a separate verifier. It works when the trial's container has ended, so that only what it needs beyond that is requested; its
    /// limits are its own.
    static func verifier(_ request: TrialPodRequest) -> TrialResources {
        let trial = TrialResources(request)
        var resources = TrialResources(request, request.task.verifierEnvironment)
        resources.requests = [
            "cpu": cpu(max(0, resources.cpus - trial.cpus)), "memory": "\(max(0, resources.memoryMB - trial.memoryMB))Mi",
        ]
        return resources
    }

    static func cpu(_ amount: Double) -> String {
        // Both values are checked where they are read, but the conversion to Int must not depend on that.
        let milli = Int((min(max(amount, 0), 1e9) * 1000).rounded(.up))
        return milli % 1000 == 0 ? "\(milli / 1000)" : "\(milli)m"
    }

    private init(_ request: TrialPodRequest, _ needs: TaskEnvironment) {
        let overrides = request.jobSpec.environment
        let memory = "\(overrides.overrideMemoryMB ?? needs.memoryMB)Mi"
        let storage = "\(overrides.overrideStorageMB ?? needs.storageMB)Mi"
        requests = ["cpu": Self.cpu(overrides.overrideCPUs ?? needs.cpus), "memory": memory]
        limits = ["memory": memory, "ephemeral-storage": storage]
        if needs.gpus > 0 {
            requests[GPUNodes.resource] = "\(needs.gpus)"
            limits[GPUNodes.resource] = "\(needs.gpus)"
        }
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
