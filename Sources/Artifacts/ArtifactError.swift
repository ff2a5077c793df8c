import Git

/// Why results cannot be kept or published: what, where, and what to do. Holds no secret.
public struct ArtifactError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Kind: String, Sendable, Hashable {
        /// The branch is the remote's default branch, which is never created.
        case branchIsDefault
        /// May pass: results wait in the local store.
        case unreachable
        /// The remote does not take what is pushed: a hook, a protection, a credential.
        case refused
        /// The remote does not take a push of that size: fewer records at once may go through.
        case tooLarge
        /// The address, branch or path is not usable as written.
        case invalid
        /// This machine's disk.
        case storage
        /// A pack does not hold what its report says.
        case damaged
        /// There is no such run, branch or place to read.
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
        let kind: Kind = switch error.kind {
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
