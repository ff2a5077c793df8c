import Git

/// Where a fixture's bytes are, as the `url` of a lock file says.
enum FixturePlace: Sendable, Hashable {
    /// An https address.
    case web(String)
    /// A file of the repository at the benchmark's commit; on one machine also a file of the folder that is not committed.
    case file(GitPath)
    /// `git:COMMIT:PATH`, a file of the repository at another commit, or `git+URL#COMMIT:PATH`, of another repository.
    case git(repository: String?, commit: GitObjectID, path: GitPath)

    /// - Throws: `.invalidInput` with what an address may be.
    init(parsing url: String) throws(GitError) {
        if url.hasPrefix("git:") {
            self = try Self.object(url.dropFirst("git:".count), of: nil, url)
        } else if url.hasPrefix("git+") {
            let rest = url.dropFirst("git+".count)
            guard let mark = rest.lastIndex(of: "#") else { throw Self.malformed(url) }
            self = try Self.object(rest[rest.index(after: mark)...], of: String(rest[..<mark]), url)
        } else if url.contains("://") {
            self = .web(url)
        } else {
            self = .file(try GitPath(parsing: url))
        }
    }

    private static func object(_ text: Substring, of repository: String?, _ url: String) throws(GitError) -> FixturePlace {
        guard let colon = text.firstIndex(of: ":"), let commit = GitObjectID(text[..<colon]) else { throw malformed(url) }
        return .git(repository: repository, commit: commit, path: try GitPath(parsing: String(text[text.index(after: colon)...])))
    }

    private static func malformed(_ url: String) -> GitError {
        GitError(
            .invalidInput,
            "the address \"\(shown(url))\" is refused: write git:COMMIT:PATH or git+https://HOST/REPOSITORY#COMMIT:PATH, with the whole id of the commit"
        )
    }

    /// An address for messages. What follows a question mark may be a signature that gives access.
    static func shown(_ url: String) -> String {
        let end = url.firstIndex { $0 == "?" } ?? url.endIndex
        return String(url[..<end]).replacingControls
    }
}
