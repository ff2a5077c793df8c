import Base
import KubeSchema

/// The strategy of pods: what the API server itself decides. Everything that happens to a pod afterwards is decided by the node.
struct PodStrategy: KindStrategy {
    func applyDefaults(_ value: inout JSONValue) {
        guard value["spec"] != nil else { return }
        PodDefaults.apply(&value)
    }

    func prepareForCreate(_ value: inout JSONValue) {
        value["status"] = ["phase": "Pending", "qosClass": .string(PodQuality.of(value["spec"] ?? [:]))]
    }

    func validate(_ value: JSONValue, preceding: [FieldError]) -> [FieldError] { PodValidation.faults(value["spec"] ?? [:]) }

    func prepareForUpdate(_ value: inout JSONValue, old: JSONValue) { value["status"] = old["status"] }

    func validateUpdate(_ value: JSONValue, old: JSONValue, preceding: [FieldError]) -> [FieldError] {
        PodValidation.updateFaults(value["spec"] ?? [:], old: old["spec"] ?? [:])
    }

    func prepareForStatusUpdate(_ value: inout JSONValue, old: JSONValue) {
        value["spec"] = old["spec"]
        value.set(["metadata", "ownerReferences"], to: old.at("metadata", "ownerReferences"))
        if value.at("status", "qosClass") == nil { value.set(["status", "qosClass"], to: old.at("status", "qosClass")) }
    }

    var countsGenerations: Bool { true }
    var returnsDeletedObject: Bool { true }

    /// Source of the rule: registry/core/pod/strategy.go, `CheckGracefulDelete`.
    func gracePeriod(_ value: JSONValue, asked: Int?) -> Int? {
        let phase = value.at("status", "phase")?.string
        if (value.at("spec", "nodeName")?.string ?? "").isEmpty || phase == "Failed" || phase == "Succeeded" { return 0 }
        let period = asked ?? value.at("spec", "terminationGracePeriodSeconds")?.int ?? 0
        return period < 0 ? 1 : period
    }
}

/// The quality of service class (kubernetes `pkg/apis/core/v1/helper/qos`).
enum PodQuality {
    static func of(_ spec: JSONValue) -> String {
        var hasAny = false
        var isGuaranteed = true
        for list in ["containers", "initContainers"] {
            for container in spec[list]?.array ?? [] {
                for resource in ["cpu", "memory"] {
                    let limit = amount(container.at("resources", "limits", resource))
                    let request = amount(container.at("resources", "requests", resource))
                    if limit != nil || request != nil { hasAny = true }
                    if limit == nil || request != limit { isGuaranteed = false }
                }
            }
        }
        return !hasAny ? "BestEffort" : isGuaranteed ? "Guaranteed" : "Burstable"
    }

    private static func amount(_ value: JSONValue?) -> Double? {
        guard let number = value?.string.flatMap(Quantity.init)?.value, number > 0 else { return nil }
        return number
    }
}
