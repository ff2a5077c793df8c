import EvalModel
import Git

/// Why a source cannot be used, with the type that the trials that need it end with.
public struct SourceError: Error, Sendable, Hashable, CustomStringConvertible {
    public let type: TrialErrorType
    public let message: String
    /// Whether trying again with nothing changed may help.
    public let isTransient: Bool
    /// What git made of it; nil when it was not git.
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
