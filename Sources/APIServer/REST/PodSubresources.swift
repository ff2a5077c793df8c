import Base
import HTTPServing

extension APICore {
    /// Binds a pod to a node.
    func bind(_ request: ResourceRequest) throws(APIFailure) -> ServerResponse {
        let options = try WriteOptions(request.http, options: "CreateOptions")
        let body = try subresourceBody(request)
        guard let node = body.at("target", "name")?.string, !node.isEmpty else {
            throw .invalid("", "Binding", request.name ?? "", [.required("target.name")])
        }
        let moment = now.rfc3339
        _ = try mutateInside(request.kind, request.key) { (old: JSONValue) throws(APIFailure) in
            let taken = old.at("spec", "nodeName")?.string ?? ""
            guard taken.isEmpty else {
                throw request.kind.conflict(
                    request.name ?? "", "pod \(request.name ?? "") is already assigned to node \"\(taken)\"")
            }
            guard old.at("metadata", "deletionTimestamp") == nil else {
                throw request.kind.conflict(
                    request.name ?? "", "pod \(request.name ?? "") is being deleted, cannot be assigned to a host")
            }
            if options.isDryRun { return nil }
            var value = old
            value.set(["spec", "nodeName"], to: .string(node))
            var conditions = value.at("status", "conditions")?.array ?? []
            conditions.removeAll { $0["type"]?.string == "PodScheduled" }
            conditions.append(["type": "PodScheduled", "status": "True", "lastTransitionTime": .string(moment)])
            value.set(["status", "conditions"], to: .array(conditions))
            return value
        }
        return success(request)
    }

    /// Deletes a pod for a client that drains its node, and records the reason in the pod.
    func evict(_ request: ResourceRequest) throws(APIFailure) -> ServerResponse {
        let body = try subresourceBody(request)
        let options = try DeletionOptions(body["deleteOptions"] ?? [:], query: request.http.query)
        let moment = now.rfc3339
        if !options.isDryRun {
            _ = try mutateInside(request.kind, request.key) { (old: JSONValue) throws(APIFailure) in
                var value = old
                var conditions = (value.at("status", "conditions")?.array ?? []).filter {
                    $0["type"]?.string != "DisruptionTarget"
                }
                conditions.append([
                    "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
                    "message": "Eviction API: evicting", "lastTransitionTime": .string(moment),
                ])
                value.set(["status", "conditions"], to: .array(conditions))
                return value
            }
        }
        switch try remove(request.kind, request.key, options) {
        case .gone(let object), .pending(let object): try store.settle(object.revision)
        case .dry: break
        }
        return success(request)
    }

    /// `PUT /api/v1/namespaces/NAME/finalize`: replaces `spec.finalizers`.
    func finalizeNamespace(_ request: ResourceRequest) throws(APIFailure) -> ServerResponse {
        let options = try WriteOptions(request.http, options: "UpdateOptions")
        let body = try request.decodeBody(options)
        let object = try mutateInside(request.kind, request.key) { (old: JSONValue) throws(APIFailure) in
            var value = old
            value.set(["spec", "finalizers"], to: body.value.at("spec", "finalizers"))
            return value
        }
        guard let object else { throw request.kind.notFound(request.name ?? "") }
        return try answer(request, object)
    }

    func subresourceBody(_ request: ResourceRequest) throws(APIFailure) -> JSONValue {
        if (request.http.header("content-type") ?? "").hasPrefix("application/vnd.kubernetes.protobuf") {
            guard let value = ProtobufObject.decode(request.http.body) else { throw .unsupportedProtobuf }
            return value
        }
        guard let value = try? JSONValue(parsing: request.http.body), value.object != nil else {
            throw .badRequest("the body is no JSON object")
        }
        return value
    }

    private func success(_ request: ResourceRequest) -> ServerResponse {
        let status: JSONValue = ["kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Success", "code": 201]
        return finish(request, 201, [request.format.encode(status)], [])
    }

    /// Makes a change on behalf of the server itself, without validation. When `change` returns nil, the object stays as it is.
    /// - Returns: the object after the change, or its last state when the change caused its deletion.
    @discardableResult
    func mutateInside(
        _ kind: ServedKind, _ key: StoreKey, _ change: (JSONValue) throws(APIFailure) -> JSONValue?
    ) throws(APIFailure) -> StoredObject? {
        for _ in 0..<100 {
            guard let current = store.get(kind.id, key) else { throw kind.notFound(key.name) }
            let old = kind.full(current)
            guard let value = try change(old), value != old else { return current }
            do {
                if isDeletable(value) {
                    let gone = try store.delete(kind.id, current, last: kind.stored(value))
                    if kind.id == .customResourceDefinitions { refreshDefinitions() }
                    return gone
                }
                return try store.update(kind.id, current, kind.stored(value))
            } catch {
                if error == .missing { throw kind.notFound(key.name) }
            }
        }
        throw kind.conflict(key.name)
    }
}
