import Base
import HTTPServing

extension APICore {
    func get(_ request: ResourceRequest) throws(APIFailure) -> ServerResponse {
        guard let object = store.get(request.kind.id, request.key) else { throw request.kind.notFound(request.name ?? "") }
        return try answer(request, object)
    }

    func create(_ request: ResourceRequest) throws(APIFailure) -> ServerResponse {
        let options = try WriteOptions(request.http, options: "CreateOptions")
        if request.kind.custom?.isTerminating == true {
            throw APIFailure(
                405, "MethodNotAllowed",
                "create not allowed while custom resource definition is terminating", details: [:])
        }
        let body = try request.decodeBody(options)
        if Self.reviewKinds.contains(request.kind.plural) { return review(request, body.value) }
        var value = body.value
        var target = request
        target.namespace = try namespace(of: value, request)
        var managers = FieldManagers([:])
        let object: StoredObject?
        do {
            object = try admit(&value, target, isDryRun: options.isDryRun) { (value: JSONValue) throws(APIFailure) in
                var value = value
                request.kind.strategy.applyDefaults(&value)
                managers.noteCreation(of: value, kind: request.kind, manager: options.manager, now: self.now.rfc3339)
                return managers.value
            }
        } catch {
            throw error.warning(body.warnings)
        }
        let warnings = body.warnings + MetadataRules.warnings(value, old: nil, isCustom: request.kind.isCustom)
        guard let object else { return answer(target, value: value, status: 201, warnings: warnings) }
        if request.kind.id == .customResourceDefinitions { refreshDefinitions() }
        return try answer(target, object, status: 201, warnings: warnings)
    }

    /// The namespace of a new object: that of the path; the body may only repeat it.
    func namespace(of value: JSONValue, _ request: ResourceRequest) throws(APIFailure) -> String {
        let named = value.at("metadata", "namespace")?.string ?? ""
        guard request.kind.isNamespaced else {
            if !named.isEmpty { throw .badRequest("namespace must not be provided") }
            return ""
        }
        if request.namespace.isEmpty { throw .badRequest("an empty namespace may not be set during creation") }
        guard named.isEmpty || named == request.namespace else {
            throw .badRequest("the namespace of the provided object does not match the namespace sent on the request")
        }
        return request.namespace
    }

    /// Completes, checks and stores a new object. Used for POST and for an apply that creates.
    /// - Parameter value: in: the decoded object; out: the object as it was (or in a dry run would have been) stored, with `apiVersion` and
    ///   `kind`.
    /// - Parameter managed: returns the `managedFields` for the completed object.
    /// - Returns: the stored object; nil for a dry run.
    func admit(
        _ value: inout JSONValue, _ request: ResourceRequest, isDryRun: Bool, managed: (JSONValue) throws(APIFailure) -> JSONValue?
    ) throws(APIFailure) -> StoredObject? {
        let kind = request.kind
        if kind.isNamespaced { try checkNamespace(request) }
        let owned = value
        if let version = value.at("metadata", "resourceVersion")?.string, !version.isEmpty {
            throw .unexpected("resourceVersion should not be set on objects to be created")
        }
        MetadataRules.prepareForCreate(
            &value, kind: kind, namespace: request.namespace, uid: newUID(), now: now.rfc3339)
        kind.strategy.prepareForCreate(&value)
        kind.strategy.applyDefaults(&value)
        // The status of a new pod depends on its defaults, so it is computed again after they are applied.
        if kind.id == .pods { kind.strategy.prepareForCreate(&value) }
        let faults = MetadataRules.faults(value, kind: kind)
        let name = value.at("metadata", "name")?.string ?? ""
        let all = faults + kind.strategy.validate(value, preceding: faults)
        if !all.isEmpty { throw kind.invalid(name, all) }
        var tracked = owned
        tracked.set(["metadata", "managedFields"], to: nil)
        if kind.hasStatus { tracked["status"] = nil }
        value.set(["metadata", "managedFields"], to: try managed(tracked))
        let key = StoreKey(namespace: request.namespace, name: name)
        if isDryRun {
            if store.get(kind.id, key) != nil { throw .alreadyExists(kind.group, kind.plural, name) }
            return nil
        }
        do {
            let made = try store.create(kind.id, key, kind.stored(value), needsNamespace: kind.isNamespaced)
            if kind.id == .namespaces { makeDefaultAccount(in: name) }
            return made
        } catch {
            switch error {
            case .exists: throw .alreadyExists(kind.group, kind.plural, name)
            case .namespaceMissing: throw .notFound("", "namespaces", request.namespace)
            case .namespaceTerminating: throw terminating(request, name)
            case .missing, .changed: throw kind.conflict(name)
            }
        }
    }

    /// Creates the service account `default`, which the controller manager of a cluster creates in each namespace.
    func makeDefaultAccount(in namespace: String) {
        guard let kind = registry.kind(of: .serviceAccounts) else { return }
        var value: JSONValue = ["metadata": ["name": "default"]]
        MetadataRules.prepareForCreate(&value, kind: kind, namespace: namespace, uid: newUID(), now: now.rfc3339)
        // After the first start the account exists already, and the error is ignored.
        _ = try? store.create(kind.id, StoreKey(namespace: namespace, name: "default"), value, needsNamespace: true)
    }

    private func checkNamespace(_ request: ResourceRequest) throws(APIFailure) {
        guard let namespace = store.get(.namespaces, StoreKey(text: request.namespace)) else {
            throw .notFound("", "namespaces", request.namespace)
        }
        if namespace.isDeleting { throw terminating(request, "") }
    }

    private func terminating(_ request: ResourceRequest, _ name: String) -> APIFailure {
        let cause: JSONValue = [
            "reason": "NamespaceTerminating", "message": .string("namespace \(request.namespace) is being terminated"),
            "field": "metadata.namespace",
        ]
        return .forbidden(
            request.kind.group, request.kind.plural, name,
            "unable to create new content in namespace \(request.namespace) because it is being terminated", causes: [cause])
    }

    /// A random UUID (RFC 9562, version 4).
    func newUID() -> String {
        var bytes = (0..<16).map { _ in UInt8.random(in: 0...255) }
        bytes[6] = bytes[6] & 0x0F | 0x40
        bytes[8] = bytes[8] & 0x3F | 0x80
        let digits = hex(bytes)
        var parts: [Substring] = []
        var rest = Substring(digits)
        for length in [8, 4, 4, 4, 12] {
            parts.append(rest.prefix(length))
            rest = rest.dropFirst(length)
        }
        return parts.joined(separator: "-")
    }
}
