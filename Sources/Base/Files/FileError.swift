import Glibc

/// A call to the file system that failed: what was tried, where, and why.
public struct FileError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What was tried, as a verb: `write`, `make the directory`.
    public let operation: String
    public let path: String
    /// `errno`.
    public let number: Int32

    public init(_ operation: String, _ path: String, _ number: Int32 = errno) {
        self.operation = operation
        self.path = path
        self.number = number
    }

    /// The disk is full, over its quota, or mounted read-only: writing again does not help before somebody changes that.
    public var isFull: Bool { number == ENOSPC || number == EDQUOT || number == EROFS }

    /// The file is larger than what was to be read.
    public var isTooLarge: Bool { number == EFBIG }

    /// `cannot write /a/b: No space left on device`.
    public var description: String { "cannot \(operation) \(path): \(String(cString: strerror(number)))" }
}
