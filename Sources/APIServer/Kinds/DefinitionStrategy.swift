import Base
import KubeSchema

/// The strategy of CustomResourceDefinitions: they are checked on arrival, and their kinds are served as soon as they are stored.
struct DefinitionStrategy: KindStrategy {
    /// Present until the last custom resource of the definition is deleted.
    static let finalizer = "customresourcecleanup.apiextensions.k8s.io"

    func applyDefaults(_ value: inout JSONValue) {
        guard let kind = value.at("spec", "names", "kind")?.string else { return }
        if value.at("spec", "names", "singular") == nil {
            value.set(["spec", "names", "singular"], to: .string(kind.lowercased()))
        }
        if value.at("spec", "names", "listKind") == nil { value.set(["spec", "names", "listKind"], to: .string("\(kind)List")) }
        if value.at("spec", "conversion") == nil { value.set(["spec", "conversion"], to: ["strategy": "None"]) }
    }

    func prepareForCreate(_ value: inout JSONValue) {
        value["status"] = Self.status(of: value["spec"] ?? [:], old: nil)
    }

    func prepareForUpdate(_ value: inout JSONValue, old: JSONValue) {
        value["status"] = value["spec"] == old["spec"] ? old["status"] : Self.status(of: value["spec"] ?? [:], old: old["status"])
    }

    var countsGenerations: Bool { true }
    var returnsDeletedObject: Bool { true }

    func markDeleting(_ value: inout JSONValue) {
        var conditions = value.at("status", "conditions")?.array ?? []
        conditions.removeAll { $0["type"]?.string == "Terminating" }
        conditions.append(
            Self.condition(
                "Terminating", "InstanceDeletionPending",
                "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"))
        value.set(["status", "conditions"], to: .array(conditions))
    }

    private static func condition(_ type: String, _ reason: String, _ message: String) -> JSONValue {
        [
            "type": .string(type), "status": "True", "reason": .string(reason), "message": .string(message),
            "lastTransitionTime": .string(SystemTime().now().rfc3339),
        ]
    }

    private static func status(of spec: JSONValue, old: JSONValue?) -> JSONValue {
        let storage = (spec["versions"]?.array ?? []).first { $0["storage"]?.bool == true }?["name"]?.string ?? ""
        var stored = (old?["storedVersions"]?.array ?? []).compactMap(\.string)
        if !stored.contains(storage) { stored.append(storage) }
        let conditions =
            old?["conditions"] ?? [
                condition("NamesAccepted", "NoConflicts", "no conflicts found"),
                condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
            ]
        return [
            "acceptedNames": spec["names"] ?? [:], "storedVersions": .array(stored.map { .string($0) }), "conditions": conditions,
        ]
    }

    func validate(_ value: JSONValue, preceding: [FieldError]) -> [FieldError] {
        let spec = value["spec"] ?? [:]
        var faults: [FieldError] = []
        let group = spec["group"]?.string ?? ""
        let plural = spec.at("names", "plural")?.string ?? ""
        if group.isEmpty {
            faults.append(.required("spec.group"))
        } else if let fault = NameRules.subdomain(group) {
            faults.append(.invalid("spec.group", .string(group), fault))
        } else if !group.contains(".") {
            faults.append(.invalid("spec.group", .string(group), "should be a domain with at least one dot"))
        }
        for (field, name) in [("plural", plural), ("kind", spec.at("names", "kind")?.string ?? "")] where name.isEmpty {
            faults.append(.required("spec.names.\(field)"))
        }
        if !plural.isEmpty, let fault = NameRules.label(plural) {
            faults.append(.invalid("spec.names.plural", .string(plural), fault))
        }
        if value.at("metadata", "name")?.string != "\(plural).\(group)", !plural.isEmpty {
            faults.append(
                .invalid("metadata.name", value.at("metadata", "name") ?? "", "must be spec.names.plural+\".\"+spec.group"))
        }
        let scope = spec["scope"]?.string ?? ""
        if scope.isEmpty {
            faults.append(.required("spec.scope"))
        } else if scope != "Namespaced" && scope != "Cluster" {
            faults.append(.notSupported("spec.scope", .string(scope), supported: ["Cluster", "Namespaced"]))
        }
        return faults + versionFaults(spec)
    }

    private func versionFaults(_ spec: JSONValue) -> [FieldError] {
        var faults: [FieldError] = []
        let versions = spec["versions"]?.array ?? []
        var names: Set<String> = []
        for (index, version) in versions.enumerated() {
            let path = "spec.versions[\(index)]"
            let name = version["name"]?.string ?? ""
            if let fault = NameRules.label(name) { faults.append(.invalid("\(path).name", .string(name), fault)) }
            if !names.insert(name).inserted {
                faults.append(.invalid("spec.versions", .array(versions), "must contain unique version names"))
            }
            let schemaPath = "\(path).schema.openAPIV3Schema"
            guard let schema = version.at("schema", "openAPIV3Schema") else {
                faults.append(.required(schemaPath, "schemas are required"))
                continue
            }
            do {
                faults += try StructuralSchema(schema).compileErrors(path: schemaPath)
            } catch let error as SchemaError {
                faults.append(.invalid(error.path.isEmpty ? schemaPath : "\(schemaPath).\(error.path)", nil, error.message))
            } catch {
                faults.append(.invalid(schemaPath, nil, "\(error)"))
            }
            for (number, column) in (version["additionalPrinterColumns"]?.array ?? []).enumerated() {
                let place = "\(path).additionalPrinterColumns[\(number)]"
                let text = column["jsonPath"]?.string ?? ""
                if (try? JSONPathExpression(text)) == nil {
                    faults.append(.invalid("\(place).jsonPath", .string(text), "is an invalid path"))
                }
                let allowed = ["integer", "number", "string", "boolean", "date"]
                if let type = column["type"]?.string, !allowed.contains(type) {
                    faults.append(.notSupported("\(place).type", .string(type), supported: allowed.sorted()))
                }
            }
        }
        if versions.filter({ $0["storage"]?.bool == true }).count != 1 {
            faults.append(.invalid("spec.versions", .array(versions), "must have exactly one version marked as storage version"))
        }
        return faults
    }

    func validateUpdate(_ value: JSONValue, old: JSONValue, preceding: [FieldError]) -> [FieldError] {
        var faults = validate(value, preceding: preceding)
        for path in [["group"], ["scope"], ["names", "plural"], ["names", "kind"]] {
            let new = path.reduce(value["spec"]) { $0?[$1] }
            let before = path.reduce(old["spec"]) { $0?[$1] }
            if new != before {
                faults.append(.invalid("spec.\(path.joined(separator: "."))", new ?? .null, "field is immutable"))
            }
        }
        return faults
    }
}
