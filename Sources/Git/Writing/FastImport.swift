import Base

/// Builds the input stream of one `git fast-import` that writes commits (gitfastimport(5)).
///
/// Paths are checked here, because fast-import of git 2.39 accepts `../x` and `.git/hooks/x`.
public struct FastImportStream: Sendable {
    public struct Identity: Sendable, Hashable {
        public let name: String
        public let email: String

        /// - Throws: `.invalidInput` when the name or email contains a character that would end its part of the line early.
        public init(name: String, email: String) throws(GitError) {
            for part in [name, email] where part.isEmpty || part.contains(where: { "<>\n\0".contains($0) }) {
                throw GitError(
                    .invalidInput, "\(quoted("\(name) <\(email)>")) is no committer: name and address must not be empty nor hold < > or line breaks")
            }
            self.name = name
            self.email = email
        }
    }

    public enum Change: Sendable, Hashable {
        /// A file whose content is in the stream.
        case file([UInt8], at: GitPath)
        /// An object that the repository already has.
        case entry(TreeEntry.Kind, GitObjectID, at: GitPath)
    }

    /// The ref on which the commits are built. Nothing else uses it, and it is never pushed.
    public static let ref = "refs/assay/next"

    public private(set) var bytes: [UInt8] = []
    public private(set) var commits = 0
    private let committer: Identity

    /// - Parameter parent: the parent of the first commit; nil starts a separate history (an orphan).
    public init(parent: GitObjectID?, committer: Identity) {
        self.committer = committer
        bytes += Array("feature done\nreset \(Self.ref)\n".utf8)
        if let parent { bytes += Array("from \(parent.hex)\n".utf8) }
        bytes.append(0x0A)
    }

    /// Adds a commit on top of the previous one. The date is part of the input, so the same input always gives the same commit.
    public mutating func commit(message: String, date: Timestamp, changes: [Change]) {
        commits += 1
        let text = Array((message.hasSuffix("\n") ? message : message + "\n").utf8)
        bytes += Array(
            "commit \(Self.ref)\nmark :1\ncommitter \(committer.name) <\(committer.email)> \(date.seconds) +0000\ndata \(text.count)\n".utf8)
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

    /// Returns the whole stream. It ends with a request for the id of the last commit, which fast-import writes to its output (reading the ref
    /// would not be safe, because another process may have set it). Without the final command fast-import treats the input as
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

    /// Always quotes the path in C style, because a name may contain spaces, quotes and any byte but NUL.
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
