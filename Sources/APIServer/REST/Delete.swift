import Base
import HTTPServing

/// The options of a deletion, from the body's `DeleteOptions` or from the query.
struct DeletionOptions: Sendable {
    enum Propagation: String, Sendable { case orphan = "Orphan", background = "Background", foreground = "Foreground" }

    var gracePeriodSeconds: Int?
    var propagation: Propagation?
    var uid: String?
    var resourceVersion: String?
    var isDryRun = false

    init() {}

    init(_ request: ServerRequest) throws(APIFailure) {
        let body = try Self.parseBody(request)
        try self.init(body, query: request.query)
    }

    init(_ body: JSONValue, query: HTTPQuery) throws(APIFailure) {
        let asked = try query.integer("gracePeriodSeconds")
        gracePeriodSeconds = body["gracePeriodSeconds"]?.int ?? asked
        if let seconds = gracePeriodSeconds, seconds < 0 { gracePeriodSeconds = 1 }
        let orphans = body["orphanDependents"]?.bool ?? query["orphanDependents"].map { $0 == "true" }
        let policy = body["propagationPolicy"]?.string ?? query["propagationPolicy"]
        if let policy {
            guard let known = Propagation(rawValue: policy) else {
                throw .invalid(
                    "meta.k8s.io", "DeleteOptions", "",
                    [
                        .notSupported("propagationPolicy", .string(policy), supported: ["Foreground", "Background", "Orphan", "nil"])
                    ])
            }
            guard orphans == nil else {
                throw .invalid(
                    "meta.k8s.io", "DeleteOptions", "",
                    [.invalid("propagationPolicy", .string(policy), "orphanDependents and deletionPropagation cannot be both set")])
            }
            propagation = known
        } else if let orphans {
            propagation = orphans ? .orphan : .background
        }
        uid = body.at("preconditions", "uid")?.string
        resourceVersion = body.at("preconditions", "resourceVersion")?.string
        isDryRun = (body["dryRun"]?.array ?? []).contains("All") || query.all("dryRun").contains("All")
    }

    private static func parseBody(_ request: ServerRequest) throws(APIFailure) -> JSONValue {
        guard !request.body.isEmpty else { return [:] }
        if (request.header("content-type") ?? "").hasPrefix("application/vnd.kubernetes.protobuf") {
            return ProtobufObject.decode(request.body) ?? [:]
        }
        guard let value = try? JSONValue(parsing: request.body), value.object != nil else {
            throw .badRequest("the body is no DeleteOptions")
        }
        if let named = value["kind"]?.string, !named.isEmpty, named != "DeleteOptions" {
            throw .badRequest("no kind \"\(named)\" is registered for version \"\(value["apiVersion"]?.string ?? "")\"")
        }
        return value
    }
}

extension APICore {
    /// The result of a request to delete an object.
    enum Deletion {
        /// The object is deleted; the value is its last state.
        case gone(StoredObject)
        /// The object remains for now, because of its grace period or its finalizers.
        case pending(StoredObject)
        /// The result of a dry run: the object as it would have been returned.
        case dry(JSONValue)
    }

    /// The namespaces that cannot be deleted (apiserver `plugin/namespace/lifecycle`).
    private static let immortalNamespaces: Set<String> = ["default", "kube-system", "kube-public"]

    func delete(_ request: ResourceRequest) throws(APIFailure) -> ServerResponse {
        let options = try DeletionOptions(request.http)
        if request.kind.id == .namespaces, let name = request.name, Self.immortalNamespaces.contains(name) {
            throw .forbidden("", "namespaces", name, "this namespace may not be deleted")
        }
        switch try remove(request.kind, request.key, options) {
        case .pending(let object): return try answer(request, object)
        case .dry(let value): return answer(request, value: value)
        case .gone(let object):
            if request.kind.strategy.returnsDeletedObject { return try answer(request, object) }
            try store.settle(object.revision)
            var details: JSONValue = [
                "name": .string(object.name), "kind": .string(request.kind.plural), "uid": .string(object.uid),
            ]
            if !request.kind.group.isEmpty { details["group"] = .string(request.kind.group) }
            let status: JSONValue = [
                "kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Success", "details": details,
            ]
            return finish(request, 200, [request.format.encode(status)], [])
        }
    }

    /// Deletes an object, or marks it as being deleted. Follows apiserver `registry.Store.Delete` with `rest.BeforeDelete`.
    func remove(_ kind: ServedKind, _ key: StoreKey, _ options: DeletionOptions) throws(APIFailure) -> Deletion {
        for _ in 0..<100 {
            guard let current = store.get(kind.id, key) else { throw kind.notFound(key.name) }
            let old = kind.full(current)
            try checkPreconditions(kind, current, options)
            var value = old
            let isHeld = mark(&value, kind, options)
            do {
                if isHeld {
                    guard value != old else { return .pending(current) }
                    if options.isDryRun { return .dry(value) }
                    let written = try store.update(kind.id, current, kind.stored(value))
                    if kind.id == .customResourceDefinitions { refreshDefinitions() }
                    return .pending(written)
                }
                if options.isDryRun { return .dry(value) }
                let gone = try store.delete(kind.id, current, last: kind.stored(value))
                if kind.id == .customResourceDefinitions { refreshDefinitions() }
                return .gone(gone)
            } catch {
                if error == .missing { throw kind.notFound(key.name) }
            }
        }
        throw kind.conflict(key.name)
    }

    private func checkPreconditions(_ kind: ServedKind, _ current: StoredObject, _ options: DeletionOptions) throws(APIFailure) {
        if let uid = options.uid, uid != current.uid {
            throw .conflict(
                kind.group, kind.kind, current.name,
                "the UID in the precondition (\(uid)) does not match the UID in record (\(current.uid)). "
                    + "The object might have been deleted and then recreated")
        }
        if let version = options.resourceVersion, version != String(current.revision) {
            throw .conflict(
                kind.group, kind.kind, current.name,
                "the ResourceVersion in the precondition (\(version)) does not match the ResourceVersion in record "
                    + "(\(current.revision)). The object might have been modified")
        }
    }

    /// Marks the object as being deleted.
    /// - Returns: whether the object remains for now.
    private func mark(_ value: inout JSONValue, _ kind: ServedKind, _ options: DeletionOptions) -> Bool {
        let metadata = value["metadata"] ?? [:]
        let deletion = metadata["deletionTimestamp"]?.string.flatMap(Timestamp.init(rfc3339:))
        let generation = metadata["generation"]?.int ?? 0
        let grace = kind.strategy.gracePeriod(value, asked: options.gracePeriodSeconds)
        // For a pod that is already being deleted, the grace period can only be shortened.
        if let deletion, let pending = metadata["deletionGracePeriodSeconds"]?.int, grace != nil {
            guard let asked = options.gracePeriodSeconds, asked < pending else { return true }
            value.set(["metadata", "deletionTimestamp"], to: .string(deletion.adding(seconds: Double(asked - pending)).rfc3339))
            value.set(["metadata", "deletionGracePeriodSeconds"], to: JSONValue(asked))
            return asked > 0 || !(metadata["finalizers"]?.array ?? []).isEmpty
        }
        setPropagation(&value, options.propagation)
        if kind.id == .customResourceDefinitions { addFinalizer(&value, DefinitionStrategy.finalizer) }
        let finalizers = value.at("metadata", "finalizers")?.array ?? []
        let isNamespace = kind.id == .namespaces && !(value.at("spec", "finalizers")?.array ?? []).isEmpty
        let isHeld = !finalizers.isEmpty || isNamespace
        if let grace {
            let moment = now.adding(seconds: Double(grace))
            value.set(["metadata", "deletionTimestamp"], to: .string(moment.rfc3339))
            value.set(["metadata", "deletionGracePeriodSeconds"], to: JSONValue(grace))
            if generation > 0 { value.set(["metadata", "generation"], to: JSONValue(generation + 1)) }
            return grace > 0 || isHeld
        }
        guard isHeld else { return false }
        if deletion == nil {
            value.set(["metadata", "deletionTimestamp"], to: .string(now.rfc3339))
            if generation > 0 { value.set(["metadata", "generation"], to: JSONValue(generation + 1)) }
            kind.strategy.markDeleting(&value)
        }
        if kind.id != .namespaces { value.set(["metadata", "deletionGracePeriodSeconds"], to: 0) }
        return true
    }

    /// Sets the finalizers that make the garbage collector do what the client asked for.
    private func setPropagation(_ value: inout JSONValue, _ propagation: DeletionOptions.Propagation?) {
        guard let propagation else { return }
        var finalizers = (value.at("metadata", "finalizers")?.array ?? []).filter {
            $0 != .string(GarbageCollector.orphanFinalizer) && $0 != .string(GarbageCollector.foregroundFinalizer)
        }
        switch propagation {
        case .orphan: finalizers.append(.string(GarbageCollector.orphanFinalizer))
        case .foreground: finalizers.append(.string(GarbageCollector.foregroundFinalizer))
        case .background: break
        }
        value.set(["metadata", "finalizers"], to: finalizers.isEmpty ? nil : .array(finalizers))
    }

    private func addFinalizer(_ value: inout JSONValue, _ finalizer: String) {
        var finalizers = value.at("metadata", "finalizers")?.array ?? []
        // The finalizer is removed from a definition when its clean-up is done, and must not be added again.
        guard value.at("metadata", "deletionTimestamp") == nil, !finalizers.contains(.string(finalizer)) else { return }
        finalizers.append(.string(finalizer))
        value.set(["metadata", "finalizers"], to: .array(finalizers))
    }

    func deleteCollection(_ request: ResourceRequest) throws(APIFailure) -> ServerResponse {
        let options = try DeletionOptions(request.http)
        let selection = try Selection(namespace: request.namespace, query: request.http.query, kind: request.kind)
        let listing = store.references(in: request.kind.id).filter(selection.matches).sorted { $0.key < $1.key }
        for object in listing {
            do {
                _ = try remove(request.kind, object.key, options)
            } catch  where error.code == 404 {
                continue
            }
        }
        let revision = store.revision
        try store.settle(revision)
        return try answerList(request, objects: listing, revision: revision)
    }
}
