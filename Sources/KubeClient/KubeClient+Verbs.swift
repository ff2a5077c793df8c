import Base
import KubeCore

// `keeping` is the part of the response that is built. Callers that need only the new resource version pass `.metadata`: the server then
// sends no more than that.
extension KubeClient {
    /// Reads one object or a subresource of it.
    public func get(
        _ type: ResourceType, _ key: ObjectKey, subresource: String? = nil, keeping projection: ObjectProjection = .whole
    ) async throws(KubeError) -> JSONValue {
        try await json(keeping: projection) { () throws(KubeRequestError) in try .get(type, key, subresource: subresource) }
    }

    /// Creates an object, in `namespace` or in the namespace that the object names, and returns it as stored.
    ///
    /// - Parameter fieldValidation: what the server does about unknown fields: `Strict`, `Warn` or `Ignore`. nil: the server's default, `Warn`.
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

    /// Replaces a whole object. If its metadata has a `resourceVersion` and the object has changed since, the server answers with a conflict.
    @discardableResult
    public func update(
        _ type: ResourceType, _ object: JSONValue, fieldManager: String? = nil, dryRun: Bool = false
    ) async throws(KubeError) -> JSONValue {
        try await json { () throws(KubeRequestError) in
            try .update(type, object, fieldManager: fieldManager, dryRun: dryRun)
        }
    }

    /// Replaces the status of an object. Its other fields are ignored, except for name and resource version.
    @discardableResult
    public func updateStatus(
        _ type: ResourceType, _ object: JSONValue, fieldManager: String? = nil
    ) async throws(KubeError) -> JSONValue {
        try await json { () throws(KubeRequestError) in
            try .update(type, object, subresource: "status", fieldManager: fieldManager)
        }
    }

    /// Changes an object or a subresource of it.
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

    /// Server-side apply: makes `manager` the owner of the fields in `object`. Creates the object if it does not exist.
    ///
    /// - Parameter force: take over fields that other managers own, instead of failing with a conflict.
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

    /// Deletes an object. Returns the object if the server still has it (because of finalizers or a grace period), otherwise a `Status`.
    @discardableResult
    public func delete(
        _ type: ResourceType, _ key: ObjectKey, options: DeleteOptions = DeleteOptions(), keeping projection: ObjectProjection = .whole
    ) async throws(KubeError) -> JSONValue {
        try await json(keeping: projection) { () throws(KubeRequestError) in try .delete(type, key, options: options) }
    }

    /// Deletes the objects that a list with `selecting` would return.
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
