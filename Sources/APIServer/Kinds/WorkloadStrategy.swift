import Base
import KubeSchema

/// The strategy of Deployments and DaemonSets. They are only stored: no controller of this server creates pods for them.
struct WorkloadStrategy: KindStrategy {
    func applyDefaults(_ value: inout JSONValue) {
        guard var spec = value.at("spec", "template", "spec")?.object else { return }
        PodDefaults.applyToTemplate(&spec)
        value.set(["spec", "template", "spec"], to: .object(spec))
    }

    func prepareForCreate(_ value: inout JSONValue) { value["status"] = [:] }
    func prepareForUpdate(_ value: inout JSONValue, old: JSONValue) { value["status"] = old["status"] }
    var countsGenerations: Bool { true }

    func validate(_ value: JSONValue, preceding: [FieldError]) -> [FieldError] {
        var faults: [FieldError] = []
        let wanted = value.at("spec", "selector", "matchLabels")?.object ?? [:]
        let labels = value.at("spec", "template", "metadata", "labels")?.object ?? [:]
        if value.at("spec", "selector") == nil {
            faults.append(.required("spec.selector"))
        } else if !wanted.allSatisfy({ labels[$0.key] == $0.value }) {
            faults.append(
                .invalid("spec.template.metadata.labels", .object(labels), "`selector` does not match template `labels`"))
        }
        faults += PodValidation.faults(value.at("spec", "template", "spec") ?? [:]).map { fault in
            FieldError(
                fault.kind, fault.field.hasPrefix("spec") ? "spec.template.\(fault.field)" : fault.field, message: fault.message)
        }
        return faults
    }
}
