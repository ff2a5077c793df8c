import Base

/// The defaults of a pod (kubernetes `pkg/apis/core/v1/defaults.go` and the admission plugins that every cluster runs). Also used for the pods
/// in templates.
enum PodDefaults {
    static func apply(_ pod: inout JSONValue) {
        var spec = pod["spec"]?.object ?? [:]
        // From the admission plugin ServiceAccount.
        if (spec["serviceAccountName"] ?? spec["serviceAccount"])?.string ?? "" == "" { spec["serviceAccountName"] = "default" }
        applyToTemplate(&spec)
        // The admission plugins Priority and DefaultTolerationSeconds set these.
        set(&spec, "priority", 0)
        set(&spec, "preemptionPolicy", "PreemptLowerPriority")
        var tolerations = spec["tolerations"]?.array ?? []
        for condition in ["not-ready", "unreachable"] {
            let key = "node.kubernetes.io/\(condition)"
            let isTolerated = tolerations.contains { toleration in
                let effect = toleration["effect"]?.string ?? ""
                let tolerated = toleration["key"]?.string ?? ""
                return (tolerated == key || tolerated.isEmpty) && (effect == "NoExecute" || effect.isEmpty)
            }
            if !isTolerated {
                tolerations.append(["key": .string(key), "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300])
            }
        }
        spec["tolerations"] = .array(tolerations)
        pod["spec"] = .object(spec)
    }

    /// The defaults that also apply to the templates of workloads.
    static func applyToTemplate(_ spec: inout [String: JSONValue]) {
        set(&spec, "restartPolicy", "Always")
        set(&spec, "dnsPolicy", "ClusterFirst")
        set(&spec, "schedulerName", "default-scheduler")
        set(&spec, "terminationGracePeriodSeconds", 30)
        set(&spec, "securityContext", [:])
        if let account = spec["serviceAccountName"] ?? spec["serviceAccount"] {
            spec["serviceAccountName"] = account
            spec["serviceAccount"] = account
        }
        set(&spec, "enableServiceLinks", true)
        for list in ["initContainers", "containers"] {
            guard let containers = spec[list]?.array else { continue }
            spec[list] = .array(containers.map(container))
        }
        if let volumes = spec["volumes"]?.array { spec["volumes"] = .array(volumes.map(volume)) }
    }

    private static func set(_ members: inout [String: JSONValue], _ key: String, _ value: JSONValue) {
        if members[key] == nil { members[key] = value }
    }

    private static func container(_ value: JSONValue) -> JSONValue {
        guard var members = value.object else { return value }
        set(&members, "resources", [:])
        set(&members, "terminationMessagePath", "/dev/termination-log")
        set(&members, "terminationMessagePolicy", "File")
        if members["imagePullPolicy"] == nil, let image = members["image"]?.string {
            members["imagePullPolicy"] = isLatest(image) ? "Always" : "IfNotPresent"
        }
        // A limit without a request also becomes the request.
        if let limits = members["resources"]?["limits"]?.object {
            var requests = members["resources"]?["requests"]?.object ?? [:]
            for (resource, limit) in limits where requests[resource] == nil { requests[resource] = limit }
            members["resources"]?["requests"] = .object(requests)
        }
        if let ports = members["ports"]?.array {
            members["ports"] = .array(
                ports.map { port in
                    var port = port
                    if port["protocol"] == nil { port["protocol"] = "TCP" }
                    return port
                })
        }
        if let env = members["env"]?.array {
            members["env"] = .array(
                env.map { entry in
                    var entry = entry
                    if entry.at("valueFrom", "fieldRef") != nil, entry.at("valueFrom", "fieldRef", "apiVersion") == nil {
                        entry.set(["valueFrom", "fieldRef", "apiVersion"], to: "v1")
                    }
                    if entry.at("valueFrom", "resourceFieldRef") != nil,
                        entry.at("valueFrom", "resourceFieldRef", "divisor") == nil
                    {
                        entry.set(["valueFrom", "resourceFieldRef", "divisor"], to: "0")
                    }
                    return entry
                })
        }
        for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
            guard var settings = members[probe]?.object else { continue }
            set(&settings, "timeoutSeconds", 1)
            set(&settings, "periodSeconds", 10)
            set(&settings, "successThreshold", 1)
            set(&settings, "failureThreshold", 3)
            members[probe] = .object(settings)
        }
        return .object(members)
    }

    /// Whether an image has no tag or the tag `latest`; false for a digest.
    private static func isLatest(_ image: String) -> Bool {
        if image.contains("@") { return false }
        let last = image.split(separator: "/").last ?? ""
        let parts = last.split(separator: ":")
        return parts.count < 2 || parts[1] == "latest"
    }

    private static func volume(_ value: JSONValue) -> JSONValue {
        guard var members = value.object else { return value }
        if members.count == 1 { members["emptyDir"] = [:] }
        for kind in ["secret", "configMap", "downwardAPI", "projected"] {
            guard var source = members[kind]?.object else { continue }
            set(&source, "defaultMode", 420)
            members[kind] = .object(source)
        }
        if var source = members["hostPath"]?.object {
            set(&source, "type", "")
            members["hostPath"] = .object(source)
        }
        return .object(members)
    }
}
