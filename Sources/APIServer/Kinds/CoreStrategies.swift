import Base
import KubeSchema

struct NamespaceStrategy: KindStrategy {
    func applyDefaults(_ value: inout JSONValue) {
        guard let name = value.at("metadata", "name")?.string, !name.isEmpty else { return }
        value.set(["metadata", "labels", "kubernetes.io/metadata.name"], to: .string(name))
    }
    func prepareForCreate(_ value: inout JSONValue) {
        value["spec"] = ["finalizers": ["kubernetes"]]
        value["status"] = ["phase": "Active"]
    }
    func prepareForUpdate(_ value: inout JSONValue, old: JSONValue) {
        value["spec"] = old["spec"]
        value["status"] = old["status"]
    }
    func fault(inName name: String, isPrefix: Bool) -> String? { NameRules.label(name, isPrefix: isPrefix) }
    var returnsDeletedObject: Bool { true }
    func markDeleting(_ value: inout JSONValue) { value.set(["status", "phase"], to: "Terminating") }
}

/// ConfigMaps and Secrets have the same rules for immutability and for the grammar of keys.
struct ConfigStrategy: KindStrategy {
    let isSecret: Bool

    func applyDefaults(_ value: inout JSONValue) {
        guard isSecret else { return }
        if (value["type"]?.string ?? "").isEmpty { value["type"] = "Opaque" }
        guard let texts = value["stringData"]?.object else { return }
        for (key, text) in texts { value.set(["data", key], to: .string(Base64.encode(Array((text.string ?? "").utf8)))) }
        value["stringData"] = nil
    }

    func validate(_ value: JSONValue, preceding: [FieldError]) -> [FieldError] {
        var faults: [FieldError] = []
        var size = 0
        for field in ["data", "binaryData"] {
            for (key, content) in (value[field]?.object ?? [:]).sorted(by: { $0.key < $1.key }) {
                if let fault = NameRules.configKey(key) { faults.append(.invalid("\(field)[\(key)]", .string(key), fault)) }
                let count = content.string?.utf8.count ?? 0
                size += isSecret || field == "binaryData" ? count * 3 / 4 : count
            }
        }
        if size > 1 << 20 {
            faults.append(FieldError(.tooLong, isSecret ? "data" : "", message: "Too long: may not be more than 1048576 bytes"))
        }
        return faults
    }

    func validateUpdate(_ value: JSONValue, old: JSONValue, preceding: [FieldError]) -> [FieldError] {
        var faults: [FieldError] = []
        if isSecret, value["type"] != old["type"] {
            faults.append(.invalid("type", value["type"] ?? "", "field is immutable"))
        }
        if old["immutable"]?.bool == true {
            if value["immutable"]?.bool != true {
                faults.append(.forbidden("immutable", "field is immutable when `immutable` is set"))
            }
            for field in ["data", "binaryData"] where (value[field] ?? [:]) != (old[field] ?? [:]) {
                faults.append(.forbidden(field, "field is immutable when `immutable` is set"))
            }
        }
        return faults + validate(value, preceding: preceding)
    }
}

struct LeaseStrategy: KindStrategy {
    func validate(_ value: JSONValue, preceding: [FieldError]) -> [FieldError] {
        var faults: [FieldError] = []
        if let seconds = value.at("spec", "leaseDurationSeconds"), let number = seconds.int, number <= 0 {
            faults.append(.invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
        }
        if let count = value.at("spec", "leaseTransitions"), let number = count.int, number < 0 {
            faults.append(.invalid("spec.leaseTransitions", count, "must be greater than or equal to 0"))
        }
        return faults
    }
}

struct EventStrategy: KindStrategy {
    /// Adds the members of an event that Go writes even when they are empty.
    func applyDefaults(_ value: inout JSONValue) {
        for key in ["eventTime", "firstTimestamp", "lastTimestamp"] where value[key] == nil { value[key] = .null }
        for key in ["reportingComponent", "reportingInstance"] where value[key] == nil { value[key] = "" }
        if value["source"] == nil { value["source"] = [:] }
    }

    func validate(_ value: JSONValue, preceding: [FieldError]) -> [FieldError] {
        let namespace = value.at("metadata", "namespace")?.string ?? ""
        let involved = value.at("involvedObject", "namespace")?.string ?? ""
        if involved.isEmpty ? namespace != "default" && namespace != "kube-system" : involved != namespace {
            return [.invalid("involvedObject.namespace", .string(involved), "does not match event.namespace")]
        }
        return []
    }

    func validateUpdate(_ value: JSONValue, old: JSONValue, preceding: [FieldError]) -> [FieldError] { [] }
    func fault(inName name: String, isPrefix: Bool) -> String? { NameRules.subdomain(name, isPrefix: isPrefix) }
}
