import Base
import HTTPServing

/// A change of an existing object, before it is checked and stored.
struct Mutation {
    /// The resulting object, decoded and pruned.
    var value: JSONValue
    var warnings: [String] = []
    /// The `managedFields` of a change that tracked them itself (an apply).
    var managers: FieldManagers?
}

extension APICore {
    func replace(_ request: ResourceRequest) throws(APIFailure) -> ServerResponse {
        let options = try WriteOptions(request.http, options: "UpdateOptions")
        let body = try request.decodeBody(options)
        let name = request.name ?? ""
        let named = body.value.at("metadata", "name")?.string ?? ""
        guard named == name else {
            throw .badRequest(
                named.isEmpty
                    ? "the name of the object (\(name) based on URL) was undeterminable: name must be provided"
                    : "the name of the object (\(named)) does not match the name on the URL (\(name))")
        }
        let namespace = body.value.at("metadata", "namespace")?.string ?? ""
        guard namespace.isEmpty || namespace == request.namespace else {
            throw .badRequest("the namespace of the provided object does not match the namespace sent on the request")
        }
        let version = body.value.at("metadata", "resourceVersion")?.string ?? ""
        guard version.isEmpty || UInt64(version) != nil else {
            throw .unexpected("strconv.ParseUint: parsing \(JSONValue.string(version).text): invalid syntax")
        }
        if version.isEmpty || version == "0", !request.kind.strategy.allowsUnconditionalUpdate {
            guard let current = store.get(request.kind.id, request.key) else { throw request.kind.notFound(name) }
            try checkIdentity(body.value, request, current)
            throw .invalid(
                request.kind.group, request.kind.plural, name,
                [
                    .invalid("metadata.resourceVersion", 0, "must be specified for an update")
                ])
        }
        return try mutate(request, options) { _ in Mutation(value: body.value, warnings: body.warnings) }
    }

    /// Reads, changes, checks and stores an object. Repeats this when another writer was faster and the change does not name a version.
    func mutate(
        _ request: ResourceRequest, _ options: WriteOptions, _ change: (JSONValue) throws(APIFailure) -> Mutation
    ) throws(APIFailure) -> ServerResponse {
        let name = request.name ?? ""
        // The loop is short in practice, because each failed attempt means that another write has succeeded.
        for _ in 0..<100 {
            guard let current = store.get(request.kind.id, request.key) else { throw request.kind.notFound(name) }
            let old = request.kind.full(current)
            let mutation = try change(old)
            let result: JSONValue
            do {
                result = try complete(mutation, request, options, current: current, old: old)
            } catch {
                throw error.warning(mutation.warnings)
            }
            let warnings = mutation.warnings + MetadataRules.warnings(result, old: old, isCustom: request.kind.isCustom)
            guard result != old else { return try answer(request, current, warnings: warnings) }
            let isLast = isDeletable(result)
            if options.isDryRun { return answer(request, value: result, warnings: warnings) }
            let stored = request.kind.stored(result)
            do {
                let written =
                    isLast
                    ? try store.delete(request.kind.id, current, last: stored)
                    : try store.update(request.kind.id, current, stored)
                if request.kind.id == .customResourceDefinitions { refreshDefinitions() }
                return try answer(request, written, warnings: warnings)
            } catch let refusal as StoreRefusal {
                if refusal == .missing { throw request.kind.notFound(name) }
                // A PUT names the version that it read, and that version is out of date now.
                if request.http.method == "PUT", mutation.value.at("metadata", "resourceVersion") != nil {
                    throw request.kind.conflict(name)
                }
            } catch let failure as APIFailure {
                throw failure
            } catch {
                throw .internalError("\(error)")
            }
        }
        throw request.kind.conflict(name)
    }

    /// The object that results from a change, complete and checked.
    private func complete(
        _ mutation: Mutation, _ request: ResourceRequest, _ options: WriteOptions, current: StoredObject, old: JSONValue
    ) throws(APIFailure) -> JSONValue {
        let kind = request.kind
        let name = request.name ?? ""
        var value = mutation.value
        if request.http.method == "PUT" { try checkIdentity(value, request, current) }
        let version = value.at("metadata", "resourceVersion")?.string ?? ""
        guard version.isEmpty || version == "0" || version == String(current.revision) else { throw kind.conflict(name) }
        let fixed = MetadataRules.immutableFaults(value, old: old, isCustom: kind.isCustom)
        let managed = value.at("metadata", "managedFields")
        let isStatus = request.subresource == "status"
        if isStatus {
            kind.strategy.prepareForStatusUpdate(&value, old: old)
        } else {
            kind.strategy.prepareForUpdate(&value, old: old)
        }
        MetadataRules.prepareForUpdate(&value, old: old)
        kind.strategy.applyDefaults(&value)
        MetadataRules.dropEmpty(&value)
        value["apiVersion"] = .string(kind.apiVersion)
        value["kind"] = .string(kind.kind)
        value.set(["metadata", "resourceVersion"], to: old.at("metadata", "resourceVersion"))
        if kind.strategy.countsGenerations, !isStatus, Self.meaning(value, kind) != Self.meaning(old, kind) {
            value.set(["metadata", "generation"], to: JSONValue((old.at("metadata", "generation")?.int ?? 0) + 1))
        }
        value.set(["metadata", "managedFields"], to: managedFields(mutation, managed, value, request, options, old: old))
        let faults = fixed + MetadataRules.updateFaults(value, old: old, isCustom: kind.isCustom)
        let more =
            isStatus
            ? kind.strategy.validateStatusUpdate(value, old: old, preceding: faults)
            : kind.strategy.validateUpdate(value, old: old, preceding: faults)
        if !(faults + more).isEmpty { throw kind.invalid(name, faults + more) }
        return value
    }

    /// Refuses a body with another uid than the stored object, because it means an object that no longer exists.
    private func checkIdentity(_ value: JSONValue, _ request: ResourceRequest, _ current: StoredObject) throws(APIFailure) {
        let kind = request.kind
        let uid = value.at("metadata", "uid")?.string ?? ""
        guard !uid.isEmpty, uid != current.uid else { return }
        let key = "/registry/\(kind.group.isEmpty ? "" : kind.group + "/")\(kind.plural)/\(request.key.text)"
        throw kind.conflict(
            current.name,
            "StorageError: invalid object, Code: 4, Key: \(key), ResourceVersion: 0, AdditionalErrorMsg: "
                + "Precondition failed: UID in precondition: \(uid), UID in object meta: \(current.uid)")
    }

    /// The part of an object whose changes are counted in its generation.
    private static func meaning(_ value: JSONValue, _ kind: ServedKind) -> JSONValue {
        var value = value
        value["metadata"] = nil
        if kind.hasStatus { value["status"] = nil }
        return value
    }

    private func managedFields(
        _ mutation: Mutation, _ given: JSONValue?, _ value: JSONValue, _ request: ResourceRequest, _ options: WriteOptions,
        old: JSONValue
    ) -> JSONValue? {
        if let managers = mutation.managers { return managers.value }
        let subresource = request.subresource ?? ""
        var managers = FieldManagers(old, given: given, subresource: subresource)
        managers.noteChange(
            from: old, to: value, kind: request.kind, manager: options.manager, subresource: subresource, now: now.rfc3339)
        return managers.value
    }

    /// Whether an object whose deletion was requested can be removed now, because no finalizer or grace period keeps it.
    func isDeletable(_ value: JSONValue) -> Bool {
        let metadata = value["metadata"] ?? [:]
        guard metadata["deletionTimestamp"]?.string != nil, (metadata["finalizers"]?.array ?? []).isEmpty else { return false }
        if value["kind"]?.string == "Namespace", !(value.at("spec", "finalizers")?.array ?? []).isEmpty { return false }
        return (metadata["deletionGracePeriodSeconds"]?.int ?? 0) == 0
    }
}
