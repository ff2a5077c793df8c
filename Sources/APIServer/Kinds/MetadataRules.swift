import Base
import KubeSchema

/// The rules for `metadata` that are the same for every kind.
enum MetadataRules {
    /// The faults of a new object's metadata.
    static func faults(_ value: JSONValue, kind: ServedKind) -> [FieldError] {
        let metadata = value["metadata"] ?? [:]
        var faults: [FieldError] = []
        let name = metadata["name"]?.string ?? ""
        if let prefix = metadata["generateName"]?.string, !prefix.isEmpty,
            let fault = kind.strategy.fault(inName: prefix, isPrefix: true)
        {
            faults.append(.invalid("metadata.generateName", .string(prefix), fault))
        }
        if name.isEmpty {
            faults.append(.required("metadata.name", "name or generateName is required"))
        } else if let fault = kind.strategy.fault(inName: name, isPrefix: false) {
            faults.append(.invalid("metadata.name", .string(name), fault))
        }
        return faults + commonFaults(metadata)
    }

    private static func commonFaults(_ metadata: JSONValue) -> [FieldError] {
        var faults: [FieldError] = []
        for (key, value) in (metadata["labels"]?.object ?? [:]).sorted(by: { $0.key < $1.key }) {
            if let fault = NameRules.qualified(key) { faults.append(.invalid("metadata.labels", .string(key), fault)) }
            if let text = value.string, let fault = NameRules.labelValue(text) {
                faults.append(.invalid("metadata.labels", .string(text), fault))
            }
        }
        var size = 0
        for (key, value) in (metadata["annotations"]?.object ?? [:]).sorted(by: { $0.key < $1.key }) {
            if let fault = NameRules.qualified(key.lowercased()) {
                faults.append(.invalid("metadata.annotations", .string(key), fault))
            }
            size += key.utf8.count + (value.string?.utf8.count ?? 0)
        }
        if size > 256 * 1024 { faults.append(.tooLong("metadata.annotations", limit: 256 * 1024)) }
        for finalizer in (metadata["finalizers"]?.array ?? []).compactMap(\.string) {
            if let fault = NameRules.qualified(finalizer) {
                faults.append(.invalid("metadata.finalizers", .string(finalizer), fault))
            }
        }
        for owner in metadata["ownerReferences"]?.array ?? [] {
            for member in ["apiVersion", "kind", "name", "uid"] where (owner[member]?.string ?? "").isEmpty {
                let words = member == "apiVersion" ? "version must not be empty" : "must not be empty"
                faults.append(.invalid("metadata.ownerReferences.\(member)", "", words))
            }
        }
        let controllers = (metadata["ownerReferences"]?.array ?? []).filter { $0["controller"]?.bool == true }
        if controllers.count > 1 {
            faults.append(
                .invalid(
                    "metadata.ownerReferences", metadata["ownerReferences"] ?? [],
                    "Only one reference can have Controller set to true. Found \"true\" in references for "
                        + controllers.prefix(2).map { "\($0["kind"]?.string ?? "")/\($0["name"]?.string ?? "")" }.joined(
                            separator: " and ")))
        }
        return faults
    }

    /// The faults of an update's metadata.
    static func updateFaults(_ value: JSONValue, old: JSONValue, isCustom: Bool) -> [FieldError] {
        let metadata = value["metadata"] ?? [:]
        var faults = commonFaults(metadata)
        if old.at("metadata", "deletionTimestamp")?.string != nil {
            let before = Set((old.at("metadata", "finalizers")?.array ?? []).compactMap(\.string))
            let added = (metadata["finalizers"]?.array ?? []).compactMap(\.string).filter { !before.contains($0) }
            if !added.isEmpty {
                let list = added.sorted().map { JSONValue.string($0).text }.joined(separator: ", ")
                let fault = FieldError.forbidden(
                    "metadata.finalizers",
                    "no new finalizers can be added if the object is being deleted, found new finalizers []string{\(list)}")
                // A real server validates a custom resource's metadata twice, and reports the fault twice.
                faults += isCustom ? [fault, fault] : [fault]
            }
        }
        return faults
    }

    /// The faults of a change to an immutable field. A real server validates a custom resource's metadata twice, and reports a fault twice.
    static func immutableFaults(_ value: JSONValue, old: JSONValue, isCustom: Bool) -> [FieldError] {
        var faults: [FieldError] = []
        for key in ["uid", "deletionTimestamp"] {
            guard let text = value.at("metadata", key)?.string, !text.isEmpty, text != old.at("metadata", key)?.string else { continue }
            faults.append(.invalid("metadata.\(key)", .string(text), "field is immutable"))
        }
        return isCustom ? faults + faults : faults
    }

    /// The finalizers that are allowed without a domain.
    private static let standardFinalizers: Set<String> = ["orphan", "foregroundDeletion", "kubernetes"]

    /// Warnings about custom resource metadata that is allowed but discouraged (apiextensions-apiserver `validateKubeFinalizerName`).
    static func warnings(_ value: JSONValue, old: JSONValue?, isCustom: Bool) -> [String] {
        guard isCustom else { return [] }
        let before = Set((old?.at("metadata", "finalizers")?.array ?? []).compactMap(\.string))
        let added = Set((value.at("metadata", "finalizers")?.array ?? []).compactMap(\.string)).subtracting(before)
        return added.sorted().compactMap { name in
            guard !name.contains("/"), !standardFinalizers.contains(name) else { return nil }
            let path = name.contains(".") ? "including a path (/) " : ""
            return "metadata.finalizers: \(JSONValue.string(name).text): prefer a domain-qualified finalizer name \(path)to avoid "
                + "accidental conflicts with other finalizer writers"
        }
    }

    /// Removes the metadata that a client may not set on a new object, and sets what the server decides.
    static func prepareForCreate(_ value: inout JSONValue, kind: ServedKind, namespace: String, uid: String, now: String) {
        var metadata = value["metadata"]?.object ?? [:]
        for key in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion"] { metadata[key] = nil }
        metadata["uid"] = .string(uid)
        metadata["creationTimestamp"] = .string(now)
        metadata["namespace"] = kind.isNamespaced ? .string(namespace) : nil
        metadata["generation"] = kind.strategy.countsGenerations ? 1 : nil
        if let prefix = metadata["generateName"]?.string, !prefix.isEmpty, (metadata["name"]?.string ?? "").isEmpty {
            metadata["name"] = .string(generatedName(prefix))
        }
        value["metadata"] = .object(metadata)
    }

    /// Restores the metadata that no update may change.
    static func prepareForUpdate(_ value: inout JSONValue, old: JSONValue) {
        var metadata = value["metadata"]?.object ?? [:]
        let before = old["metadata"]?.object ?? [:]
        for key in [
            "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "namespace", "name",
            "selfLink",
            "generateName",
        ] {
            metadata[key] = before[key]
        }
        value["metadata"] = .object(metadata)
    }

    private static let alphabet = Array("bcdfghjklmnpqrstvwxz2456789")

    private static func generatedName(_ prefix: String) -> String {
        String(prefix.prefix(58)) + String((0..<5).map { _ in alphabet.randomElement() ?? "x" })
    }

    /// Removes empty members, as Go's `omitempty` does.
    static func dropEmpty(_ value: inout JSONValue) {
        guard var metadata = value["metadata"]?.object else { return }
        for (key, member) in metadata {
            switch member {
            case .null, .string(""), .array([]): metadata[key] = nil
            case .object(let members) where members.isEmpty: metadata[key] = nil
            default: break
            }
        }
        value["metadata"] = .object(metadata)
    }
}
