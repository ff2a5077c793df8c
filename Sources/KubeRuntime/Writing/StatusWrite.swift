import Base
import KubeClient
import KubeCore

/// A status that was not written.
public enum StatusWriteError: Error, Sendable, CustomStringConvertible {
    /// The object is gone, or another one has its name: there is nothing to write to.
    case gone(ObjectKey)
    /// Every attempt met a newer version.
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
    /// Writes a status as a full PUT with its version, computed anew from a fresh read whenever somebody else was faster.
    ///
    /// A lost answer is repaired the same way: what was written is read back and computed on again, so `compute` must give
    /// the same for a status that it has been applied to already.
    /// - Parameters:
    ///   - cached: what the first attempt computes from; nil reads first.
    ///   - uid: of the object that is meant: one made anew under its name is never written to.
    ///   - attempts: conflicts in a row are waited out with 10 ms doubling to 1 s and jitter.
    ///   - compute: the new status from the object; nil when there is nothing to write.
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
