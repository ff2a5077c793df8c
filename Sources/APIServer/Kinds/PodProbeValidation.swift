import Base
import HTTPServing
import KubeSchema

/// Validates probes, sidecars and host aliases of pods (kubernetes `pkg/apis/core/validation`: `validateInitContainers`, `validateProbe`,
/// `ValidateHostAliases`).
enum PodProbeValidation {
    private static let kinds = ["livenessProbe", "readinessProbe", "startupProbe"]

    static func faults(_ container: JSONValue, path: String, isInit: Bool) -> [FieldError] {
        var faults: [FieldError] = []
        let policy = container["restartPolicy"]?.string
        if let policy, !["Always", "OnFailure", "Never"].contains(policy) {
            faults.append(.notSupported("\(path).restartPolicy", .string(policy), supported: ["Always", "OnFailure", "Never"]))
        }
        for kind in kinds {
            guard let probe = container[kind], !probe.isNull else { continue }
            let place = "\(path).\(kind)"
            if isInit, policy != "Always" {
                faults.append(.forbidden(place, "may not be set for init containers without restartPolicy=Always"))
                continue
            }
            faults += self.probe(probe, place, isReadiness: kind == "readinessProbe")
        }
        return faults
    }

    private static func probe(_ probe: JSONValue, _ path: String, isReadiness: Bool) -> [FieldError] {
        var faults: [FieldError] = []
        let handlers = ["exec", "httpGet", "tcpSocket", "grpc"].filter { probe[$0] != nil && probe[$0]?.isNull == false }
        if handlers.isEmpty { faults.append(.required(path, "must specify a handler type")) }
        for extra in handlers.dropFirst() { faults.append(.forbidden("\(path).\(extra)", "may not specify more than 1 handler type")) }
        if handlers.first == "exec", (probe.at("exec", "command")?.array ?? []).isEmpty { faults.append(.required("\(path).exec.command")) }
        for field in ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] {
            if let number = probe[field]?.int, number < 0 {
                faults.append(.invalid("\(path).\(field)", .int(Int64(number)), "must be greater than or equal to 0"))
            }
        }
        if !isReadiness, let number = probe["successThreshold"]?.int, number != 1 {
            faults.append(.invalid("\(path).successThreshold", .int(Int64(number)), "must be 1"))
        }
        return faults
    }

    static func hostAliases(_ spec: JSONValue) -> [FieldError] {
        var faults: [FieldError] = []
        for (index, alias) in (spec["hostAliases"]?.array ?? []).enumerated() {
            let path = "spec.hostAliases[\(index)]"
            let address = alias["ip"]?.string ?? ""
            if IPAddress(address) == nil {
                faults.append(.invalid("\(path).ip", .string(address), "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"))
            }
            for (position, name) in (alias["hostnames"]?.array ?? []).enumerated() {
                guard let text = name.string, let fault = NameRules.subdomain(text) else { continue }
                faults.append(.invalid("\(path).hostnames[\(position)]", name, fault))
            }
        }
        return faults
    }
}
