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

    /// Those of separate verifiers, in the order of their steps; empty in shared mode. Their limits are their own. They work one after the other,
    /// the last one when the trial's container has ended, so that only what they need beyond that is requested, by the first for all.
    static func verifiers(_ request: TrialPodRequest) -> [TrialResources] {
        guard request.isVerifiedSeparately else { return [] }
        let trial = TrialResources(request)
        var verifiers = (0..<max(1, request.task.steps.count)).map { TrialResources(request, request.task.verifierEnvironment(ofStep: $0)) }
        func beyond<Amount: Numeric & Comparable>(_ amount: (TrialResources) -> Amount) -> Amount {
            let needs = verifiers.enumerated().map { $0 < verifiers.count - 1 ? amount($1) : max(0, amount($1) - amount(trial)) }
            return needs.max() ?? 0
        }
        let all = ["cpu": cpu(beyond(\.cpus)), "memory": "\(beyond(\.memoryMB))Mi"]
        for step in verifiers.indices { verifiers[step].requests = step == 0 ? all : ["cpu": "0", "memory": "0Mi"] }
        return verifiers
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
