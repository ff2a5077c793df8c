import Base
import KubeClient
import KubeCore

/// Why a status was not written.
public enum StatusWriteError: Error, Sendable, CustomStringConvertible {
    /// The object is gone, or another object has its name now.
    case gone(ObjectKey)
    /// Every attempt found that the object had changed in the meantime.
    case contended(ObjectKey, attempts: Int)
    case client(KubeError)

    public var description: String {
        switch self {
        case .gone(let key): "\(key) is gone"
        case .contended(let key, let attempts): "the status of \(key) was changed by others during \(attempts) attempts"
        case .client(let error): error.description
        }
    }
}

extension KubeClient {
    /// Writes a status as a full PUT with the object's version. When somebody else wrote first, the object is read again and the status is
    /// computed anew.
    ///
    /// A lost response is handled the same way: the object is read back and `compute` runs on it again. So `compute` must give the same
    /// result for a status that it was already applied to.
    /// - Parameters:
    ///   - cached: the object that the first attempt computes from; nil reads it first.
    ///   - uid: of the intended object; an object created again under its name is never written to.
    ///   - attempts: how often a write is tried. After each conflict there is a pause of 10 ms doubling to 1 s, with jitter.
    ///   - compute: the new status for the object; nil when there is nothing to write.
    /// - Returns: the object as stored.
    @discardableResult
    public func updateStatus(
        retryingConflicts type: ResourceType, _ key: ObjectKey, cached: JSONValue? = nil, uid: String? = nil,
        attempts: Int = 30, time: any TimeSource = SystemTime(), compute: @Sendable (JSONValue) throws -> JSONValue?
    ) async throws -> JSONValue {
        var known = cached
        let backoff = BackoffPolicy(initialSeconds: 0.01, capSeconds: 1, jitter: 1...2)
        for attempt in 1...max(1, attempts) {
            let object: JSONValue
            if let known { object = known } else { object = try await fresh(type, key) }
            if let uid, object.at("metadata", "uid")?.string != uid { throw StatusWriteError.gone(key) }
            guard let status = try compute(object), status != object["status"] else { return object }
            var changed = object
            changed["status"] = status
            do {
                return try await updateStatus(type, changed)
            } catch {
                if error.isNotFound { throw StatusWriteError.gone(key) }
                guard error.isConflict else { throw StatusWriteError.client(error) }
            }
            known = nil
            try await time.sleep(seconds: backoff.seconds(afterFailures: attempt))
        }
        throw StatusWriteError.contended(key, attempts: attempts)
    }

    private func fresh(_ type: ResourceType, _ key: ObjectKey) async throws(StatusWriteError) -> JSONValue {
        do { return try await get(type, key) } catch {
            if error.isNotFound { throw .gone(key) }
            throw .client(error)
        }
    }
}
