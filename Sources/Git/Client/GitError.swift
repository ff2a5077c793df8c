import Base

/// What went wrong with a repository: what, where, and what to do about it. Holds no secret.
public struct GitError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Kind: String, Sendable, Hashable, Codable {
        /// An address, ref or path that is refused before git sees it.
        case invalidInput
        /// The host cannot be found or reached, or broke off: may pass.
        case unreachable
        /// A deadline passed, or the remote sent too slowly: may pass.
        case timeout
        /// The credential is missing, wrong, or not allowed to see the repository.
        case authentication
        /// The remote has no such branch, tag or commit.
        case refNotFound
        /// The commit has no such path.
        case pathNotFound
        /// Nothing, or something else than a git repository, is there.
        case notARepository
        /// The remote does not let us: a hook, a protected branch, a limit.
        case refused
        /// Somebody else wrote to the branch first.
        case conflict
        /// A pack or an object is larger than the remote takes.
        case tooLarge
        /// Objects are missing or damaged.
        case corrupt
        /// This machine's disk is full or not writable.
        case storage
        /// There is no git, or it does not start.
        case gitMissing
        /// The task was cancelled.
        case cancelled
        /// Anything else that git said.
        case failed
    }

    public let kind: Kind
    public let message: String
    /// Refs that exist, close to the one that does not; for messages.
    public let hints: [String]

    public init(_ kind: Kind, _ message: String, hints: [String] = []) {
        self.kind = kind
        self.message = message
        self.hints = hints
    }

    public var description: String { message }

    /// Whether the same request may succeed later with nothing changed by a person.
    public var isTransient: Bool {
        switch kind {
        case .unreachable, .timeout, .conflict, .corrupt, .storage, .cancelled, .failed: true
        case .invalidInput, .authentication, .refNotFound, .pathNotFound, .notARepository, .refused, .tooLarge, .gitMissing: false
        }
    }
}
