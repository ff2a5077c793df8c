/// How much of a repository a mirror has.
public enum MirrorExtent: Sendable, Hashable, Codable {
    /// All branches and tags with their history.
    case full
    /// The commits that were asked for, without history.
    case shallow
    /// Of the commits that were asked for, only the files at or below these paths, and no history. There is at least one path.
    case sparse([GitPath])
    /// No objects of its own: it reads those of a repository on this machine, which must stay there.
    case linked

    /// Whether the mirror has the file or folder, or a folder above a part that it has.
    func covers(_ path: String) -> Bool {
        guard case .sparse(let paths) = self else { return true }
        return paths.contains { part in part.isRoot || path == part.text || path.hasPrefix(part.text + "/") || part.text.hasPrefix(path + "/") }
    }

    /// Whether the mirror has the content of the file.
    func has(file path: String) -> Bool {
        guard case .sparse(let paths) = self else { return true }
        return paths.contains { $0.isRoot || path == $0.text || path.hasPrefix($0.text + "/") }
    }

    /// As one word, the same for the same extent. A path has no line break.
    public var text: String {
        switch self {
        case .full: "full"
        case .shallow: "shallow"
        case .sparse(let paths): "sparse:" + Set(paths.map(\.text)).sorted().joined(separator: "\n")
        case .linked: "linked"
        }
    }

    /// - Throws: `.invalidInput` for a text that `text` does not make.
    public init(parsing text: String) throws(GitError) {
        switch text {
        case "full": self = .full
        case "shallow": self = .shallow
        case "linked": self = .linked
        default:
            guard text.hasPrefix("sparse:") else { throw GitError(.invalidInput, "\(quoted(text)) is no extent of a mirror") }
            var paths: [GitPath] = []
            for path in text.dropFirst("sparse:".count).split(separator: "\n", omittingEmptySubsequences: false) {
                paths.append(try GitPath(parsing: String(path)))
            }
            self = .sparse(paths)
        }
    }

    public init(from decoder: any Decoder) throws {
        try self.init(parsing: try decoder.singleValueContainer().decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}
