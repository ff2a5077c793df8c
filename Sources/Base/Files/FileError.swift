import Glibc

/// A file system call that failed: the operation, the path and the reason.
public struct FileError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The operation, as a verb: `write`, `make the directory`.
    public let operation: String
    public let path: String
    /// `errno`.
    public let number: Int32

    public init(_ operation: String, _ path: String, _ number: Int32 = errno) {
        self.operation = operation
        self.path = path
        self.number = number
    }

    /// The disk is full, over its quota, or mounted read-only: writing again fails until somebody changes that.
    public var isFull: Bool { number == ENOSPC || number == EDQUOT || number == EROFS }

    /// The file is larger than the reader's limit.
    public var isTooLarge: Bool { number == EFBIG }

    /// `cannot write /a/b: No space left on device`.
    public var description: String { "cannot \(operation) \(path): \(String(cString: strerror(number)))" }
}
