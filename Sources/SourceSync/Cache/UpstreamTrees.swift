import Base
import EvalModel
import Git

/// Gets trees from another instance of the cache service, for one that has no mirrors: a replica of the operator from the one that leads, an instance
/// on a node from the replicas.
public struct UpstreamTrees: TreeOrigin {
    private let name: String
    private let key: [UInt8]
    private let address: @Sendable () async throws -> CacheAddress?
    private let time: any TimeSource

    /// - Parameters:
    ///   - name: of the other instance, for messages: "the replica that leads".
    ///   - key: the one that all instances sign tokens with.
    ///   - address: where the other instance is; nil when there is none now.
    public init(_ name: String, key: [UInt8], time: any TimeSource = SystemTime(), address: @escaping @Sendable () async throws -> CacheAddress?) {
        self.name = name
        self.key = key
        self.time = time
        self.address = address
    }

    public func write(_ tree: TreeReference, for credential: TreeToken.Credential, to sink: TreeSink) async throws(SourceError) {
        do {
            guard let address = try await address() else {
                throw SourceError(.sourceSyncFailed, "\(name) is not there now", isTransient: true)
            }
            do { try await read(tree, from: address, credential, sink, suspect: false) } catch TreeClientError.corrupt {
                // Its file may be damaged. It looks, and makes it anew.
                try sink.restart()
                try await read(tree, from: address, credential, sink, suspect: true)
            }
        } catch let error as SourceError {
            throw error
        } catch let error as GitError {
            throw SourceError(error)
        } catch let error as TreeClientError {
            switch error {
            case .failed(let error): throw SourceError(error.type, error.message)
            case .unavailable(let error), .unreachable(let error): throw SourceError(error.type, error.message, isTransient: true)
            case .corrupt, .refused, .cancelled: throw SourceError(.sourceSyncFailed, "\(name): \(error)", isTransient: true)
            }
        } catch {
            throw SourceError(.sourceSyncFailed, "\(name) cannot be found: \(error)", isTransient: true)
        }
    }

    private func read(
        _ tree: TreeReference, from address: CacheAddress, _ credential: TreeToken.Credential, _ sink: TreeSink, suspect: Bool
    ) async throws {
        let now = time.now().seconds
        let token = TreeToken(holder: .replica, credential: credential, trees: [tree.id], issued: now, expires: now + 120).signed(with: key)
        try await TreeClient(address: address, token: token).read(tree, suspect: suspect, within: 900) { bytes, _ in try sink.write(bytes) }
    }
}
