import Base
import HTTPServing
import KubeSchema

/// Validates pods (kubernetes `pkg/apis/core/validation`), as far as the operator or its users can make mistakes.
enum PodValidation {
    static func faults(_ spec: JSONValue) -> [FieldError] {
        var faults: [FieldError] = []
        var volumes: Set<String> = []
        for (index, volume) in (spec["volumes"]?.array ?? []).enumerated() {
            let path = "spec.volumes[\(index)]"
            let name = volume["name"]?.string ?? ""
            if name.isEmpty {
                faults.append(.required("\(path).name"))
            } else if let fault = NameRules.label(name) {
                faults.append(.invalid("\(path).name", .string(name), fault))
            }
            if !volumes.insert(name).inserted { faults.append(.duplicate("\(path).name", .string(name))) }
            if (volume.object?.count ?? 0) > 2 { faults.append(.forbidden(path, "may not specify more than 1 volume type")) }
            if volume["hostPath"] != nil, (volume.at("hostPath", "path")?.string ?? "").isEmpty {
                faults.append(.required("\(path).hostPath.path"))
            }
            if volume["secret"] != nil, (volume.at("secret", "secretName")?.string ?? "").isEmpty {
                faults.append(.required("\(path).secret.secretName"))
            }
            if volume["configMap"] != nil, (volume.at("configMap", "name")?.string ?? "").isEmpty {
                faults.append(.required("\(path).configMap.name"))
            }
        }
        let containers = spec["containers"]?.array ?? []
        if containers.isEmpty { faults.append(.required("spec.containers")) }
        var names: Set<String> = []
        for list in ["initContainers", "containers"] {
            for (index, container) in (spec[list]?.array ?? []).enumerated() {
                let path = "spec.\(list)[\(index)]"
                faults += self.container(container, path: path, volumes: volumes, names: &names)
                faults += PodProbeValidation.faults(container, path: path, isInit: list == "initContainers")
            }
        }
        faults += PodProbeValidation.hostAliases(spec)
        faults += enumeration(spec["restartPolicy"], "spec.restartPolicy", ["Always", "OnFailure", "Never"])
        faults += enumeration(
            spec["dnsPolicy"], "spec.dnsPolicy", ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"])
        if let seconds = spec["activeDeadlineSeconds"], let number = seconds.int, number < 1 || number > Int(Int32.max) {
            faults.append(.invalid("spec.activeDeadlineSeconds", seconds, "must be between 1 and 2147483647, inclusive"))
        }
        if let name = spec["serviceAccountName"]?.string, !name.isEmpty, let fault = NameRules.subdomain(name) {
            faults.append(.invalid("spec.serviceAccountName", .string(name), fault))
        }
        if let name = spec["nodeName"]?.string, !name.isEmpty, let fault = NameRules.subdomain(name) {
            faults.append(.invalid("spec.nodeName", .string(name), fault))
        }
        return faults
    }

    private static func enumeration(_ value: JSONValue?, _ path: String, _ allowed: [String]) -> [FieldError] {
        guard let text = value?.string, !allowed.contains(text) else { return [] }
        return [.notSupported(path, .string(text), supported: allowed)]
    }

    private static func container(_ value: JSONValue, path: String, volumes: Set<String>, names: inout Set<String>)
        -> [FieldError]
    {
        var faults: [FieldError] = []
        let name = value["name"]?.string ?? ""
        if name.isEmpty {
            faults.append(.required("\(path).name"))
        } else if let fault = NameRules.label(name) {
            faults.append(.invalid("\(path).name", .string(name), fault))
        } else if !names.insert(name).inserted {
            faults.append(.duplicate("\(path).name", .string(name)))
        }
        let image = value["image"]?.string ?? ""
        if image.isEmpty {
            faults.append(.required("\(path).image"))
        } else if image.trimming({ $0.isWhitespace }).count != image.count {
            faults.append(.invalid("\(path).image", .string(image), "must not have leading or trailing whitespace"))
        }
        faults += enumeration(value["imagePullPolicy"], "\(path).imagePullPolicy", ["Always", "IfNotPresent", "Never"])
        faults += enumeration(
            value["terminationMessagePolicy"], "\(path).terminationMessagePolicy", ["File", "FallbackToLogsOnError"])
        for (index, entry) in (value["env"]?.array ?? []).enumerated() {
            let key = entry["name"]?.string ?? ""
            if key.isEmpty {
                faults.append(.required("\(path).env[\(index)].name"))
            } else if let fault = NameRules.environmentName(key) {
                faults.append(.invalid("\(path).env[\(index)].name", .string(key), fault))
            }
            if entry["valueFrom"] != nil, !(entry["value"]?.string ?? "").isEmpty {
                faults.append(.invalid("\(path).env[\(index)].valueFrom", "", "may not be specified when `value` is not empty"))
            }
        }
        var paths: Set<String> = []
        for (index, mount) in (value["volumeMounts"]?.array ?? []).enumerated() {
            let place = "\(path).volumeMounts[\(index)]"
            let volume = mount["name"]?.string ?? ""
            if volume.isEmpty {
                faults.append(.required("\(place).name"))
            } else if !volumes.contains(volume) {
                faults.append(FieldError(.notFound, "\(place).name", message: "Not found: \(JSONValue.string(volume).text)"))
            }
            let target = mount["mountPath"]?.string ?? ""
            if target.isEmpty { faults.append(.required("\(place).mountPath")) }
            if !paths.insert(target).inserted {
                faults.append(.invalid("\(place).mountPath", .string(target), "must be unique"))
            }
        }
        return faults + resources(value["resources"] ?? [:], path: "\(path).resources")
    }

    private static func resources(_ value: JSONValue, path: String) -> [FieldError] {
        var faults: [FieldError] = []
        for list in ["limits", "requests"] {
            for (name, amount) in (value[list]?.object ?? [:]).sorted(by: { $0.key < $1.key }) {
                guard let text = amount.string, let quantity = Quantity(text) else { continue }
                if quantity.value < 0 {
                    faults.append(.invalid("\(path).\(list)[\(name)]", amount, "must be greater than or equal to 0"))
                }
                if list == "requests", let limit = value.at("limits", name)?.string.flatMap(Quantity.init),
                    quantity.value > limit.value
                {
                    let limitText = value.at("limits", name)?.string ?? ""
                    faults.append(
                        .invalid("\(path).requests", amount, "must be less than or equal to \(name) limit of \(limitText)"))
                }
            }
        }
        return faults
    }

    // MARK: Updates

    private static let immutableMessage =
        "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
        + "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
        + "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"

    static func updateFaults(_ spec: JSONValue, old: JSONValue) -> [FieldError] {
        var faults: [FieldError] = []
        var copy = spec
        for list in ["containers", "initContainers"] {
            guard let new = spec[list]?.array, let before = old[list]?.array else { continue }
            guard new.count == before.count else {
                faults.append(.forbidden("spec.\(list)", "pod updates may not add or remove containers"))
                return faults
            }
            copy[list] = .array(
                zip(new, before).enumerated().map { index, pair in
                    if (pair.0["image"]?.string ?? "").isEmpty { faults.append(.required("spec.\(list)[\(index)].image")) }
                    var container = pair.0
                    container["image"] = pair.1["image"]
                    return container
                })
        }
        if let seconds = spec["activeDeadlineSeconds"] {
            if let number = seconds.int, number < 1 || number > Int(Int32.max) {
                faults.append(.invalid("spec.activeDeadlineSeconds", seconds, "must be between 1 and 2147483647, inclusive"))
            } else if let before = old["activeDeadlineSeconds"]?.int, let number = seconds.int, number > before {
                faults.append(.invalid("spec.activeDeadlineSeconds", seconds, "must be less than or equal to previous value"))
            }
        } else if let before = old["activeDeadlineSeconds"], !before.isNull {
            faults.append(.invalid("spec.activeDeadlineSeconds", nil, "must not update from a positive integer to nil value"))
        }
        copy["activeDeadlineSeconds"] = old["activeDeadlineSeconds"]
        let tolerations = spec["tolerations"]?.array ?? []
        if (old["tolerations"]?.array ?? []).allSatisfy(tolerations.contains) { copy["tolerations"] = old["tolerations"] }
        if (old["terminationGracePeriodSeconds"]?.int ?? 0) < 0, spec["terminationGracePeriodSeconds"]?.int == 1 {
            copy["terminationGracePeriodSeconds"] = old["terminationGracePeriodSeconds"]
        }
        if copy != old {
            let changed = Set((copy.object ?? [:]).keys).union((old.object ?? [:]).keys).filter { copy[$0] != old[$0] }.sorted()
            faults.append(.forbidden("spec", "\(immutableMessage)\nchanged: \(changed.joined(separator: ", "))"))
        }
        return faults
    }
}
