import Git

/// Why results cannot be stored, published or read. The message says what failed, where, and what to do. Contains no secret.
public struct ArtifactError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Kind: String, Sendable, Hashable {
        /// The branch is the remote's default branch. Assay never creates that branch.
        case branchIsDefault
        /// The remote did not answer. This may be temporary; results wait in the local store.
        case unreachable
        /// The remote rejects the push because of a hook, a branch protection or the credential.
        case refused
        /// The push is larger than the remote accepts. A push of fewer records may succeed.
        case tooLarge
        /// The address, branch or path is not valid.
        case invalid
        /// This machine's disk failed or is full.
        case storage
        /// The content of a pack does not match its report.
        case damaged
        /// The run, branch or place to read does not exist.
        case notFound
        case failed
    }

    public let kind: Kind
    public let message: String

    public init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    public init(_ error: GitError) {
        let kind: Kind =
            switch error.kind {
            case .unreachable, .timeout, .conflict, .cancelled: .unreachable
            case .authentication, .refused, .notARepository: .refused
            case .tooLarge: .tooLarge
            case .invalidInput, .gitMissing: .invalid
            case .storage: .storage
            case .corrupt, .refNotFound, .pathNotFound, .failed: .failed
            }
        self.init(kind, error.message)
    }

    public var description: String { message }
}
