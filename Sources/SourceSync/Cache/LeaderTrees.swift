import Base
import EvalModel
import Git

/// Gets trees from the replica that leads, for the others.
public struct LeaderTrees: TreeOrigin {
    private let key: [UInt8]
    private let leader: @Sendable () async throws -> CacheAddress?
    private let time: any TimeSource

    /// - Parameters:
    ///   - key: the one that all replicas sign tokens with.
    ///   - leader: where the cache of the leader is; nil when there is no leader now.
    public init(key: [UInt8], time: any TimeSource = SystemTime(), leader: @escaping @Sendable () async throws -> CacheAddress?) {
        self.key = key
        self.time = time
        self.leader = leader
    }

    public func write(_ tree: TreeReference, for credential: TreeToken.Credential, to sink: TreeSink) async throws(SourceError) {
        let now = time.now().seconds
        let token = TreeToken(holder: .replica, credential: credential, trees: [tree.id], issued: now, expires: now + 120).signed(with: key)
        do {
            guard let address = try await leader() else {
                throw SourceError(.sourceSyncFailed, "no replica of the operator leads now", isTransient: true)
            }
            try await TreeClient(address: address, token: token).read(tree, within: 900) { bytes, _ in try sink.write(bytes) }
        } catch let error as SourceError {
            throw error
        } catch let error as GitError {
            throw SourceError(error)
        } catch let error as TreeClientError {
            switch error {
            case .failed(let error): throw SourceError(error.type, error.message)
            case .unavailable(let error): throw SourceError(error.type, error.message, isTransient: true)
            case .corrupt, .refused, .cancelled: throw SourceError(.sourceSyncFailed, "the leader's cache: \(error)", isTransient: true)
            }
        } catch {
            throw SourceError(.sourceSyncFailed, "the leader cannot be found: \(error)", isTransient: true)
        }
    }
}
