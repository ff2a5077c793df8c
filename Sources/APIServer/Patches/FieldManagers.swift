import Base

/// Tracks which manager owns which fields (`metadata.managedFields`), and does server-side apply.
///
/// Source: structured-merge-diff `merge.Updater` and apimachinery `managedfields`, reduced to one version of a kind.
struct FieldManagers {
    struct Entry: Equatable {
        var manager: String
        var operation: String
        var subresource: String
        var apiVersion: String
        var time: String
        var fields: FieldTree

        func isSame(_ other: Entry) -> Bool {
            manager == other.manager && operation == other.operation && subresource == other.subresource
                && (operation == "Apply" || apiVersion == other.apiVersion)
        }
    }

    private(set) var entries: [Entry]

    /// If more managers than this have made updates, the oldest are merged into one.
    private static let maximumUpdaters = 10

    init(_ object: JSONValue) {
        entries = (object.at("metadata", "managedFields")?.array ?? []).compactMap { value in
            guard let operation = value["operation"]?.string, let fields = value["fieldsV1"] else { return nil }
            return Entry(
                manager: value["manager"]?.string ?? "", operation: operation, subresource: value["subresource"]?.string ?? "",
                apiVersion: value["apiVersion"]?.string ?? "", time: value["time"]?.string ?? "",
                fields: FieldTree(fieldsV1: fields))
        }
    }

    var value: JSONValue? {
        let sorted = entries.sorted {
            ($0.operation, $0.time, $0.manager, $0.subresource) < ($1.operation, $1.time, $1.manager, $1.subresource)
        }
        guard !sorted.isEmpty else { return nil }
        return .array(
            sorted.map { entry in
                var members: [String: JSONValue] = [
                    "manager": .string(entry.manager), "operation": .string(entry.operation),
                    "apiVersion": .string(entry.apiVersion),
                    "fieldsType": "FieldsV1", "fieldsV1": entry.fields.fieldsV1,
                ]
                if !entry.time.isEmpty { members["time"] = .string(entry.time) }
                if !entry.subresource.isEmpty { members["subresource"] = .string(entry.subresource) }
                return .object(members)
            })
    }

    /// Members that no manager owns: they identify the object, or the server sets them.
    private static let unowned: [[String]] =
        [["f:apiVersion"], ["f:kind"], ["f:status", "f:qosClass"]]
        + [
            "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "selfLink", "managedFields",
            "deletionTimestamp", "deletionGracePeriodSeconds",
        ].map { ["f:metadata", "f:\($0)"] }

    private static func owned(_ tree: FieldTree, kind: ServedKind, subresource: String) -> FieldTree {
        var tree = tree
        for path in unowned { tree.remove(path) }
        // A manager does not own fields that the request's path does not write.
        if subresource == "status" {
            tree.children = tree.children.filter { $0.key == "f:status" || (!kind.isCustom && $0.key == "f:metadata") }
        } else if kind.hasStatus {
            tree.children["f:status"] = nil
        }
        tree.children["f:metadata"]?.isMember = false
        if tree.children["f:metadata"]?.isEmpty == true { tree.children["f:metadata"] = nil }
        return tree
    }

    // MARK: Updates

    /// Takes the client's list over, so that a client can edit it. One empty entry ends the tracking. Without a list, or through a subresource,
    /// the object's list is kept (managedfields `decodeLiveOrNew`).
    init(_ object: JSONValue, given: JSONValue?, subresource: String) {
        self.init(object)
        guard subresource.isEmpty, let list = given?.array else { return }
        let edited = FieldManagers(["metadata": ["managedFields": .array(list)]])
        if list == [[:]] || !edited.entries.isEmpty { self = edited }
    }

    /// Records the manager of a new object's fields, including defaults.
    mutating func noteCreation(of object: JSONValue, kind: ServedKind, manager: String, now: String) {
        guard Self.canTrack(object, kind) else { return }
        noteUpdate(from: kind.shape.blank, to: object, kind: kind, manager: manager, subresource: "", now: now)
    }

    /// Whether the object fits its shape. A custom resource may hold values that its schema's shape does not allow (a list where the schema has
    /// a format); an object of a built-in kind always fits.
    private static func canTrack(_ object: JSONValue, _ kind: ServedKind) -> Bool {
        !kind.isCustom || TypedCheck.faults(in: object, shape: kind.shape).isEmpty
    }

    /// The manager that owns the fields of an object that was not tracked before its first apply (managedfields `skipNonAppliedManager`).
    private static let beforeFirstApply = "before-first-apply"

    /// Records the fields that a write other than an apply has changed. Does nothing for an object that is not tracked.
    mutating func noteChange(
        from old: JSONValue, to new: JSONValue, kind: ServedKind, manager: String, subresource: String, now: String
    ) {
        guard !entries.isEmpty else { return }
        guard Self.canTrack(new, kind) else {
            entries = []
            return
        }
        noteUpdate(from: old, to: new, kind: kind, manager: manager, subresource: subresource, now: now)
    }

    private mutating func noteUpdate(
        from old: JSONValue, to new: JSONValue, kind: ServedKind, manager: String, subresource: String, now: String
    ) {
        let difference = TypedMerge.difference(from: old, to: new, shape: kind.shape)
        let changed = Self.owned(difference.changed, kind: kind, subresource: subresource)
        let removed = difference.removed
        guard !changed.isEmpty || !removed.isEmpty else { return }
        var mine = Entry(
            manager: manager, operation: "Update", subresource: subresource, apiVersion: kind.apiVersion, time: now,
            fields: changed)
        var others: [Entry] = []
        for var entry in entries {
            if entry.isSame(mine) {
                mine.fields = entry.fields.union(changed).subtractingRecursively(removed)
                if mine.fields == entry.fields { mine.time = entry.time }
            } else {
                entry.fields = entry.fields.subtractingRecursively(removed).subtracting(changed)
                if !entry.fields.isEmpty { others.append(entry) }
            }
        }
        entries = mine.fields.isEmpty ? others : others + [mine]
        foldOldUpdaters()
    }

    private mutating func foldOldUpdaters() {
        let updaters = entries.filter { $0.operation == "Update" && $0.subresource.isEmpty }.sorted { $0.time < $1.time }
        guard updaters.count > Self.maximumUpdaters else { return }
        let old = updaters.prefix(updaters.count - Self.maximumUpdaters + 1)
        entries.removeAll { entry in old.contains { $0 == entry } }
        guard var folded = old.last else { return }
        folded.manager = "ancient-changes"
        folded.fields = old.reduce(FieldTree()) { $0.union($1.fields) }
        entries.append(folded)
    }

    // MARK: Apply

    /// Applies a configuration.
    /// - Parameters:
    ///   - live: the existing object; nil when it has to be created.
    ///   - force: take fields over from other managers instead of failing.
    /// - Returns: the resulting object, without defaults.
    /// - Throws: a conflict that names the managers and fields.
    mutating func apply(
        _ configuration: JSONValue, to live: JSONValue, kind: ServedKind, manager: String, subresource: String, force: Bool,
        now: String
    ) throws(APIFailure) -> JSONValue {
        let shape = kind.shape
        if entries.isEmpty, live != [:] {
            let faults = TypedCheck.faults(in: live, shape: shape)
            guard faults.isEmpty else {
                let name = "\(live.at("metadata", "namespace")?.string ?? "")/\(live.at("metadata", "name")?.string ?? "")"
                throw .unexpected(
                    "failed to create manager for existing fields: failed to convert new object (\(name); \(kind.apiVersion), "
                        + "Kind=\(kind.kind)) to smd typed: \(TypedCheck.list(faults))")
            }
            noteUpdate(from: shape.blank, to: live, kind: kind, manager: Self.beforeFirstApply, subresource: "", now: "")
        }
        let set = Self.owned(FieldTree(of: configuration, shape: shape), kind: kind, subresource: subresource)
        var mine = Entry(
            manager: manager, operation: "Apply", subresource: subresource, apiVersion: kind.apiVersion, time: now, fields: set)
        let previous = entries.first { $0.isSame(mine) }
        var others = entries.filter { !$0.isSame(mine) }
        let merged = TypedMerge.merge(configuration, over: live, shape: shape)
        // Fields that the request's path does not write cannot cause a conflict.
        let changed = Self.owned(
            TypedMerge.difference(from: live, to: merged, shape: shape).changed, kind: kind, subresource: subresource)
        var conflicts: [(entry: Entry, fields: FieldTree)] = []
        for entry in others {
            let contested = entry.fields.intersection(changed)
            if !contested.isEmpty { conflicts.append((entry, contested)) }
        }
        if !conflicts.isEmpty && !force { throw Self.conflict(conflicts) }
        for index in others.indices { others[index].fields = others[index].fields.subtracting(changed) }
        others.removeAll(where: \.fields.isEmpty)
        // Fields that this manager no longer applies are removed, unless another manager owns them.
        var result = merged
        if let previous {
            let kept = others.reduce(set) { $0.union($1.fields) }
            let gone = previous.fields.subtracting(kept)
            result = TypedMerge.removing(withoutOwnedItems(gone, kept), from: merged, shape: shape) ?? [:]
            if previous.fields == set { mine.time = previous.time }
        }
        entries = set.isEmpty ? others : others + [mine]
        return result
    }

    /// An item of a list is removed as a whole only when no manager owns a part of it.
    private func withoutOwnedItems(_ gone: FieldTree, _ kept: FieldTree) -> FieldTree {
        var result = gone
        for (key, child) in gone.children {
            guard let counterpart = kept.children[key] else { continue }
            var rest = withoutOwnedItems(child, counterpart)
            if !counterpart.isEmpty { rest.isMember = false }
            result.children[key] = rest.isEmpty ? nil : rest
        }
        return result
    }

    private static func conflict(_ conflicts: [(entry: Entry, fields: FieldTree)]) -> APIFailure {
        let listed = conflicts.flatMap { conflict in conflict.fields.paths.map { (name(conflict.entry), $0) } }
        let causes = listed.map { manager, path -> JSONValue in
            ["reason": "FieldManagerConflict", "message": .string("conflict with \(manager)"), "field": .string(path)]
        }
        let words: String
        if listed.count == 1, let only = listed.first {
            words = "Apply failed with 1 conflict: conflict with \(only.0): \(only.1)"
        } else {
            let groups = Dictionary(grouping: listed, by: \.0).sorted { $0.key < $1.key }.map { manager, paths in
                (["conflicts with \(manager):"] + paths.map { "- \($0.1)" }).joined(separator: "\n")
            }
            words = "Apply failed with \(listed.count) conflicts: \(groups.joined(separator: "\n"))"
        }
        return APIFailure(409, "Conflict", words, details: ["causes": .array(causes)])
    }

    private static func name(_ entry: Entry) -> String {
        var text = JSONValue.string(entry.manager).text
        if !entry.subresource.isEmpty { text += " with subresource \"\(entry.subresource)\"" }
        if entry.operation == "Update" { text += " using \(entry.apiVersion)" }
        return text
    }
}
