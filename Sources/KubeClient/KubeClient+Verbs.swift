import Base
import KubeCore

// `keeping` is the part of the response that is built. Callers that need only the new resource version pass `.metadata`: the server then
// sends no more than that.
extension KubeClient {
    /// Reads one object, or a subresource of it.
    public func get(
        _ type: ResourceType, _ key: ObjectKey, subresource: String? = nil, keeping projection: ObjectProjection = .whole
    ) async throws(KubeError) -> JSONValue {
        try await json(keeping: projection) { () throws(KubeRequestError) in try .get(type, key, subresource: subresource) }
    }

    /// Creates an object, in `namespace` or in the one that it names, and returns it as stored.
    ///
    /// - Parameter fieldValidation: `Strict`, `Warn` or `Ignore`: what to do about unknown fields. Nil: the server's default, `Warn`.
    @discardableResult
    public func create(
        _ type: ResourceType, _ object: JSONValue, namespace: String? = nil, fieldManager: String? = nil,
        dryRun: Bool = false, fieldValidation: String? = nil, keeping projection: ObjectProjection = .whole
    ) async throws(KubeError) -> JSONValue {
        try await json(keeping: projection) { () throws(KubeRequestError) in
            try .create(
                type, object, namespace: namespace, fieldManager: fieldManager, dryRun: dryRun,
                fieldValidation: fieldValidation)
        }
    }

    /// Replaces an object whole. With a `resourceVersion` in its metadata it is refused with a conflict when the object has
    /// changed since.
    @discardableResult
    public func update(
        _ type: ResourceType, _ object: JSONValue, fieldManager: String? = nil, dryRun: Bool = false
    ) async throws(KubeError) -> JSONValue {
        try await json { () throws(KubeRequestError) in
            try .update(type, object, fieldManager: fieldManager, dryRun: dryRun)
        }
    }

    /// Replaces the status of an object; the rest of it is ignored but for name and version.
    @discardableResult
    public func updateStatus(
        _ type: ResourceType, _ object: JSONValue, fieldManager: String? = nil
    ) async throws(KubeError) -> JSONValue {
        try await json { () throws(KubeRequestError) in
            try .update(type, object, subresource: "status", fieldManager: fieldManager)
        }
    }

    /// Changes an object, or a subresource of it.
    @discardableResult
    public func patch(
        _ type: ResourceType, _ key: ObjectKey, _ patch: Patch, subresource: String? = nil,
        fieldManager: String? = nil, dryRun: Bool = false, fieldValidation: String? = nil, keeping projection: ObjectProjection = .whole
    ) async throws(KubeError) -> JSONValue {
        try await json(keeping: projection) { () throws(KubeRequestError) in
            try .patch(
                type, key, patch, subresource: subresource, fieldManager: fieldManager, dryRun: dryRun,
                fieldValidation: fieldValidation)
        }
    }

    /// Server-side apply: makes `manager` the owner of the fields of `object`, and creates it when it does not exist.
    ///
    /// - Parameter force: take fields from other managers instead of failing with a conflict.
    @discardableResult
    public func apply(
        _ type: ResourceType, _ object: JSONValue, manager: String, force: Bool = true, subresource: String? = nil,
        dryRun: Bool = false, fieldValidation: String? = nil
    ) async throws(KubeError) -> JSONValue {
        guard let key = ObjectKey(of: object) else {
            throw .invalidRequest("the \(type.kind) to apply has no metadata.name")
        }
        return try await patch(
            type, key, .apply(object, manager: manager, force: force), subresource: subresource, dryRun: dryRun,
            fieldValidation: fieldValidation)
    }

    /// Deletes an object. Returns the object when it stays for a while (finalizers, grace), else a `Status`.
    @discardableResult
    public func delete(
        _ type: ResourceType, _ key: ObjectKey, options: DeleteOptions = DeleteOptions(), keeping projection: ObjectProjection = .whole
    ) async throws(KubeError) -> JSONValue {
        try await json(keeping: projection) { () throws(KubeRequestError) in try .delete(type, key, options: options) }
    }

    /// Deletes what a list with `selecting` would return.
    @discardableResult
    public func deleteCollection(
        _ type: ResourceType, namespace: String?, selecting: ListOptions = ListOptions(limit: nil),
        options: DeleteOptions = DeleteOptions()
    ) async throws(KubeError) -> JSONValue {
        try await json { () throws(KubeRequestError) in
            try .deleteCollection(type, namespace: namespace, selecting: selecting, options: options)
        }
    }

    private func json(
        keeping projection: ObjectProjection = .whole, _ build: () throws(KubeRequestError) -> KubeRequest
    ) async throws(KubeError) -> JSONValue {
        var request = try KubeClient.building(build)
        if projection.isMetadataOnly { request.accept = KubeRequest.metadataOnly }
        return try await send(request).json(keeping: projection)
    }

    static func building(_ build: () throws(KubeRequestError) -> KubeRequest) throws(KubeError) -> KubeRequest {
        do { return try build() } catch { throw .invalidRequest(error.message) }
    }
}
