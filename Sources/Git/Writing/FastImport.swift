import Base

/// The commits of one `git fast-import`, as its input stream (gitfastimport(5)).
///
/// Paths are checked here: fast-import of git 2.39 accepts `../x` and `.git/hooks/x`.
public struct FastImportStream: Sendable {
    public struct Identity: Sendable, Hashable {
        public let name: String
        public let email: String

        /// - Throws: `.invalidInput` when a part holds what ends the line of the stream early.
        public init(name: String, email: String) throws(GitError) {
            for part in [name, email] where part.isEmpty || part.contains(where: { "<>\n\0".contains($0) }) {
                throw GitError(.invalidInput, "\(quoted("\(name) <\(email)>")) is no committer: name and address must not be empty nor hold < > or line breaks")
            }
            self.name = name
            self.email = email
        }
    }

    public enum Change: Sendable, Hashable {
        /// The content of a file, written with the stream.
        case file([UInt8], at: GitPath)
        /// An object that the repository holds already.
        case entry(TreeEntry.Kind, GitObjectID, at: GitPath)
    }

    /// Where the commits are built; nothing else uses the name, and no push sends it.
    public static let ref = "refs/assay/next"

    public private(set) var bytes: [UInt8] = []
    public private(set) var commits = 0
    private let committer: Identity

    /// - Parameter parent: the commit that the first one follows; nil begins a history of its own (an orphan).
    public init(parent: GitObjectID?, committer: Identity) {
        self.committer = committer
        bytes += Array("feature done\nreset \(Self.ref)\n".utf8)
        if let parent { bytes += Array("from \(parent.hex)\n".utf8) }
        bytes.append(0x0A)
    }

    /// Adds a commit on top of the one before. The same input gives the same commit: its date is a part of it.
    public mutating func commit(message: String, date: Timestamp, changes: [Change]) {
        commits += 1
        let text = Array((message.hasSuffix("\n") ? message : message + "\n").utf8)
        bytes += Array("commit \(Self.ref)\nmark :1\ncommitter \(committer.name) <\(committer.email)> \(date.seconds) +0000\ndata \(text.count)\n".utf8)
        bytes += text
        for change in changes {
            switch change {
            case .file(let content, let path):
                bytes += Array("M 100644 inline \(Self.pathText(path))\ndata \(content.count)\n".utf8)
                bytes += content
                bytes.append(0x0A)
            case .entry(let kind, let id, let path):
                bytes += Array("M \(Self.mode(kind)) \(id.hex) \(Self.pathText(path))\n".utf8)
            }
        }
        bytes.append(0x0A)
    }

    /// The whole stream: it ends by asking for the id of the last commit, which fast-import writes to its output (the ref may
    /// have been set by another process by the time it is read). Without the final command fast-import treats the input as
    /// truncated and keeps nothing.
    public consuming func finished() -> [UInt8] {
        bytes += Array(((commits > 0 ? "get-mark :1\n" : "") + "done\n").utf8)
        return bytes
    }

    private static func mode(_ kind: TreeEntry.Kind) -> String {
        switch kind {
        case .file: "100644"
        case .executable: "100755"
        case .link: "120000"
        case .directory: "040000"
        case .submodule: "160000"
        }
    }

    /// C-style, always: a name may hold spaces, quotes and any byte but NUL.
    static func pathText(_ path: GitPath) -> String {
        var out = "\""
        for byte in path.text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): out += "\\" + String(UnicodeScalar(byte))
            case 0x20..<0x7F: out += String(UnicodeScalar(byte))
            default:
                let octal = String(byte, radix: 8)
                out += "\\" + String(repeating: "0", count: 3 - octal.count) + octal
            }
        }
        return out + "\""
    }
}
