import Base

/// An error of a git operation: what failed, where, and what to do about it. Contains no secret.
public struct GitError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Kind: String, Sendable, Hashable, Codable {
        /// An address, ref or path that is rejected before git is started.
        case invalidInput
        /// The host cannot be found or reached, or broke off the connection. This may be temporary.
        case unreachable
        /// A deadline passed, or the remote sent too slowly. This may be temporary.
        case timeout
        /// The credential is missing, wrong, or not permitted to read the repository.
        case authentication
        /// The remote has no such branch, tag or commit.
        case refNotFound
        /// The commit has no such path.
        case pathNotFound
        /// The address does not exist or is not a git repository.
        case notARepository
        /// The remote refuses the operation because of a hook, a protected branch or a limit.
        case refused
        /// Somebody else wrote to the branch first.
        case conflict
        /// A pack or an object is larger than the remote accepts.
        case tooLarge
        /// Objects are missing or damaged.
        case corrupt
        /// This machine's disk is full or not writable.
        case storage
        /// git is not installed or does not start.
        case gitMissing
        /// The task was cancelled.
        case cancelled
        /// Any other error that git reported.
        case failed
    }

    public let kind: Kind
    public let message: String
    /// Existing refs with names similar to the missing one, for messages.
    public let hints: [String]

    public init(_ kind: Kind, _ message: String, hints: [String] = []) {
        self.kind = kind
        self.message = message
        self.hints = hints
    }

    public var description: String { message }

    /// Whether the same request may succeed later without anybody changing anything.
    public var isTransient: Bool {
        switch kind {
        case .unreachable, .timeout, .conflict, .corrupt, .storage, .cancelled, .failed: true
        case .invalidInput, .authentication, .refNotFound, .pathNotFound, .notARepository, .refused, .tooLarge, .gitMissing: false
        }
    }
}
