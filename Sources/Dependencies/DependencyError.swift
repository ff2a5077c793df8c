/// Why a program could not be installed or pinned: what happened, where, and what to do.
public struct DependencyError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Kind: Sendable, Hashable {
        /// The list, a name or a version is wrong.
        case badInput
        /// There is no such platform, or no checksum for it: nothing was downloaded.
        case notPinned
        /// The download did not complete. What has arrived is kept, and the next try goes on from there.
        case download
        /// What was downloaded is not what the list promises. It is removed.
        case mismatch
        /// A directory or a file could not be written.
        case disk
    }

    public let kind: Kind
    public let description: String

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}
