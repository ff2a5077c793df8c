import EvalModel
import Git

/// Why a source cannot be used, with the error type for the trials that need it.
public struct SourceError: Error, Sendable, Hashable, CustomStringConvertible {
    public let type: TrialErrorType
    public let message: String
    /// Whether a retry may succeed without any change.
    public let isTransient: Bool
    /// The kind of git's error; nil when the error is not from git.
    public let git: GitError.Kind?

    public init(_ type: TrialErrorType, _ message: String, isTransient: Bool = false, git: GitError.Kind? = nil) {
        self.type = type
        self.message = message
        self.isTransient = isTransient
        self.git = git
    }

    public init(_ error: GitError) {
        self.init(error.kind == .pathNotFound ? .taskNotFound : .sourceSyncFailed, error.message, isTransient: error.isTransient, git: error.kind)
    }

    public var description: String { message }
    public var trialError: TrialError { TrialError(type, message) }
}
