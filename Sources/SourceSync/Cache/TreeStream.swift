import Git

/// The form in which a tree is sent to a trial pod and kept in the cache.
///
/// ```
/// "assay-tree 1\n"
/// each entry: kind (1 byte), length of the path (2 bytes), size (8 bytes), path, content        numbers are big-endian
/// "e", SHA-256 of everything before the digest (32 bytes)
/// ```
///
/// Kinds: `d` a folder, `f` a file (mode 0644), `x` an executable file (0755), `l` a symbolic link, whose content is its target. Entries are
/// in strictly increasing order of their paths, compared name by name as bytes, and each entry's folder comes before it: no path can occur
/// twice, and nothing can lie below a file or a link.
public enum TreeStream {
    static let magic = Array("assay-tree 1\n".utf8)
    static let digestBytes = 32
    /// Bytes of an entry before its path.
    static let headBytes = 11
    /// The most bytes of a link's target (PATH_MAX of Linux).
    static let maximumTarget = 4095

    public struct Entry: Sendable, Hashable {
        public enum Kind: Sendable, Hashable {
            case directory
            /// `size`: in bytes.
            case file(executable: Bool, size: Int)
            case link(String)
        }

        /// The names of the path, each without a slash; never empty.
        public var path: [String]
        public var kind: Kind

        public init(path: [String], kind: Kind) {
            self.path = path
            self.kind = kind
        }
    }

    /// What a stream may hold.
    public struct Limits: Sendable, Hashable {
        public var entries: Int
        /// Bytes of all files together.
        public var bytes: Int

        public init(entries: Int = TreeExport.maximumEntries, bytes: Int = 16 << 30) {
            self.entries = entries
            self.bytes = bytes
        }
    }
}

/// Why bytes are not a stream of a tree, or a tree cannot be written as one.
public enum TreeStreamError: Error, Sendable, Hashable, CustomStringConvertible {
    case malformed(String)
    /// The stream ended before its end.
    case truncated
    /// The digest is not that of the bytes.
    case digest
    case tooLarge(String)

    public var description: String {
        switch self {
        case .malformed(let what): "the stream of the tree is malformed: \(what)"
        case .truncated: "the stream of the tree ended early"
        case .digest: "the stream of the tree does not have the SHA-256 that it names"
        case .tooLarge(let what): "the tree is too large: \(what)"
        }
    }
}

/// The rule for paths in a stream. Encoder and decoder hold every entry to it.
struct TreeStreamRule: Sendable {
    let limits: TreeStream.Limits
    private(set) var entries = 0
    private(set) var bytes = 0
    private var last: [String] = []
    /// How many names at the beginning of `last` are folders.
    private var folders = 0

    init(_ limits: TreeStream.Limits) { self.limits = limits }

    /// Checks the next entry.
    mutating func admit(_ entry: TreeStream.Entry) throws(TreeStreamError) {
        let path = entry.path
        entries += 1
        guard entries <= limits.entries else { throw .tooLarge("it has more than \(limits.entries) entries") }
        guard !path.isEmpty, path.reduce(path.count - 1, { $0 + $1.utf8.count }) <= GitPath.maximumLength else {
            throw .malformed("a path is empty or longer than \(GitPath.maximumLength) bytes")
        }
        for name in path {
            if let why = GitPath.problem(component: name) { throw .malformed("a path is refused: \(why)") }
        }
        let common = zip(last, path).prefix { $0.utf8.elementsEqual($1.utf8) }.count
        guard common == last.count ? path.count > common : common < path.count && Self.precedes(last[common], path[common]) else {
            throw .malformed("a path comes twice or out of order")
        }
        guard path.count - 1 <= min(common, folders) else { throw .malformed("a path lies below something that is no folder of the stream") }
        switch entry.kind {
        case .directory: folders = path.count
        case .file(_, let size):
            guard size >= 0, size <= limits.bytes - bytes else { throw .tooLarge("its files have more than \(limits.bytes) bytes") }
            bytes += size
            folders = path.count - 1
        case .link(let target):
            guard !target.isEmpty, target.utf8.count <= TreeStream.maximumTarget, !target.utf8.contains(0) else {
                throw .malformed("the target of a link is empty, too long or holds a NUL")
            }
            folders = path.count - 1
        }
        last = path
    }

    static func precedes(_ a: String, _ b: String) -> Bool { a.utf8.lexicographicallyPrecedes(b.utf8) }
}
