import Base

/// Deletes what is in a namespace that is being deleted, and then lets the namespace go.
///
/// As Kubernetes does since 1.33 (`pkg/controller/namespace/deletion`): the pods are deleted first, and nothing else is touched while one of them
/// is left, so that no NetworkPolicy or Secret that a pod needs goes before the pod. The namespace's conditions say what is left, in the words of
/// that controller.
struct NamespaceCleaner: Sendable {
    let core: APICore
    /// The kind `Namespace`.
    let kind: ServedKind

    /// The objects that are left of each resource.
    private typealias Remaining = [ResourceID: [StoredObject]]

    /// Deletes what can be deleted now.
    /// - Returns: whether nothing is left, so that the namespace was released.
    func clean(_ name: String) -> Bool {
        var remaining = delete([.pods], in: name)
        // Events come last, because the deletion of the other objects may cause some.
        if remaining.isEmpty { remaining = delete(core.store.resources.filter { $0 != .pods && $0 != .events }, in: name) }
        if remaining.isEmpty { remaining = delete([.events], in: name) }
        report(remaining, of: name)
        guard remaining.isEmpty else { return false }
        _ = try? core.mutateInside(kind, StoreKey(text: name)) { old in
            var value = old
            let rest = (old.at("spec", "finalizers")?.array ?? []).filter { $0 != "kubernetes" }
            value.set(["spec", "finalizers"], to: rest.isEmpty ? nil : .array(rest))
            return value
        }
        return true
    }

    private func delete(_ resources: [ResourceID], in name: String) -> Remaining {
        resources.reduce(into: [:]) { remaining, resource in
            let left = core.removeAll(resource, namespace: name)
            if !left.isEmpty { remaining[resource] = left }
        }
    }

    /// Writes the namespace's conditions, if they changed.
    private func report(_ remaining: Remaining, of name: String) {
        let moment = JSONValue.string(core.now.rfc3339)
        let found = Self.conditions(remaining)
        _ = try? core.mutateInside(kind, StoreKey(text: name)) { old in
            let before = old.at("status", "conditions")?.array ?? []
            var value = old
            value.set(
                ["status", "conditions"],
                to: .array(
                    found.map { condition in
                        let same = before.first { $0["type"] == condition["type"] }
                        if let same, same["status"] == condition["status"], same["message"] == condition["message"] { return same }
                        var condition = condition
                        condition["lastTransitionTime"] = moment
                        return condition
                    }))
            return value
        }
    }

    private static func conditions(_ remaining: Remaining) -> [JSONValue] {
        func condition(_ type: String, _ status: String, _ reason: String, _ message: String) -> JSONValue {
            ["type": .string(type), "status": .string(status), "reason": .string(reason), "message": .string(message)]
        }
        let contents = remaining.map { "\($0.key.plural).\($0.key.group) has \($0.value.count) resource instances" }.sorted()
        var finalizers: [String: Int] = [:]
        for object in remaining.values.joined() {
            for finalizer in object.value.at("metadata", "finalizers")?.array ?? [] { finalizers[finalizer.string ?? "", default: 0] += 1 }
        }
        let held = finalizers.map { "\($0.key) in \($0.value) resource instances" }.sorted()
        return [
            condition("NamespaceDeletionDiscoveryFailure", "False", "ResourcesDiscovered", "All resources successfully discovered"),
            condition(
                "NamespaceDeletionGroupVersionParsingFailure", "False", "ParsedGroupVersions", "All legacy kube types successfully parsed"),
            condition(
                "NamespaceDeletionContentFailure", "False", "ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
            contents.isEmpty
                ? condition("NamespaceContentRemaining", "False", "ContentRemoved", "All content successfully removed")
                : condition(
                    "NamespaceContentRemaining", "True", "SomeResourcesRemain",
                    "Some resources are remaining: " + contents.joined(separator: ", ")),
            held.isEmpty
                ? condition("NamespaceFinalizersRemaining", "False", "ContentHasNoFinalizers", "All content-preserving finalizers finished")
                : condition(
                    "NamespaceFinalizersRemaining", "True", "SomeFinalizersRemain",
                    "Some content in the namespace has finalizers remaining: " + held.joined(separator: ", ")),
        ]
    }
}

extension APICore {
    /// Deletes all objects of a resource, in one namespace or everywhere.
    /// - Returns: the objects that remain for now, because of their grace periods or finalizers.
    func removeAll(_ resource: ResourceID, namespace: String?) -> [StoredObject] {
        guard let kind = registry.kind(of: resource), namespace == nil || kind.isNamespaced else { return [] }
        for object in store.references(in: resource, namespace: namespace) where !object.isDeleting {
            _ = try? remove(kind, object.key, DeletionOptions())
        }
        return store.references(in: resource, namespace: namespace)
    }
}
