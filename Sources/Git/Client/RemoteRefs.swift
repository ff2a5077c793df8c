import Base

/// The refs that a remote lists: its branches and tags, and its default branch.
public struct RemoteRefs: Sendable, Hashable {
    /// Full ref names (`refs/heads/main`) and the objects that they point to.
    public var refs: [String: GitObjectID]
    /// Annotated tags (`refs/tags/v1`) and the commits that they lead to.
    public var peeled: [String: GitObjectID]
    /// The commit of HEAD; nil if the remote has no HEAD, or HEAD names a branch that does not exist.
    public var head: GitObjectID?
    /// The branch that HEAD names, even if it has no commit yet; nil if the remote does not say.
    public var defaultBranch: String?

    public init(
        refs: [String: GitObjectID] = [:], peeled: [String: GitObjectID] = [:], head: GitObjectID? = nil,
        defaultBranch: String? = nil
    ) {
        self.refs = refs
        self.peeled = peeled
        self.head = head
        self.defaultBranch = defaultBranch
    }

    public var isEmpty: Bool { refs.isEmpty }
    public func commit(ofBranch branch: GitBranch) -> GitObjectID? { refs[branch.ref] }

    /// Parses the output of `git ls-remote --symref`. Lines of any other form are ignored.
    public init(parsing output: String) {
        self.init()
        for line in output.split(separator: "\n") {
            let parts = line.split(separator: "\t")
            guard parts.count == 2 else { continue }
            let name = String(parts[1])
            if parts[0].hasPrefix("ref: ") {
                if name == "HEAD", parts[0].hasPrefix("ref: refs/heads/") { defaultBranch = String(parts[0].dropFirst(16)) }
            } else if let id = GitObjectID(parts[0]) {
                if name == "HEAD" {
                    head = id
                } else if name.hasSuffix("^{}") {
                    peeled[String(name.dropLast(3))] = id
                } else {
                    refs[name] = id
                }
            }
        }
    }

    /// The result of looking up a ref that a user wrote.
    public enum Resolution: Sendable, Hashable {
        /// Found. The name is the full ref, HEAD, or the commit id itself.
        case commit(GitObjectID, name: String)
        /// A commit id or the beginning of one. The list of refs cannot resolve it; the history has to be read.
        case ask
    }

    /// Looks up a ref. A full commit id is a commit, and `refs/...` is taken literally. Otherwise it is a branch or a tag with that name; when
    /// both exist and differ, the user has to say which. Otherwise it may be the beginning of a commit id.
    ///
    /// - Parameter ref: nil means the default branch.
    public func resolve(_ ref: GitRef?, place: String) throws(GitError) -> Resolution {
        guard let ref, ref.text != "HEAD" else {
            if let head { return .commit(head, name: defaultBranch.map { "refs/heads/\($0)" } ?? "HEAD") }
            let hints = hints(for: defaultBranch ?? "main")
            throw GitError(
                .refNotFound,
                isEmpty
                    ? "the repository \(place) has no commit yet"
                    : "the default branch \(quoted(defaultBranch ?? "HEAD")) of \(place) does not exist; set ref to one of: \(hints.joined(separator: ", "))",
                hints: hints)
        }
        if ref.commit != nil { return .ask }
        if ref.text.hasPrefix("refs/"), let id = commit(ref.text) { return .commit(id, name: ref.text) }
        let branch = commit("refs/heads/\(ref.text)")
        let tag = commit("refs/tags/\(ref.text)")
        if let branch, let tag, branch != tag {
            throw GitError(
                .refNotFound, "\(quoted(ref.text)) is both a branch and a tag of \(place); write refs/heads/\(ref.text) or refs/tags/\(ref.text)",
                hints: ["refs/heads/\(ref.text)", "refs/tags/\(ref.text)"])
        }
        if let branch { return .commit(branch, name: "refs/heads/\(ref.text)") }
        if let tag { return .commit(tag, name: "refs/tags/\(ref.text)") }
        if ref.isAbbreviation { return .ask }
        throw notFound(ref, place: place)
    }

    /// The error for a missing ref. It lists refs with similar names.
    public func notFound(_ ref: GitRef, place: String) -> GitError {
        let hints = hints(for: ref.text)
        let advice = isEmpty ? "the repository has no commit yet" : "it has: \(hints.joined(separator: ", "))"
        return GitError(.refNotFound, "\(place) has no branch, tag or commit \(quoted(ref.text)); \(advice)", hints: hints)
    }

    private func commit(_ name: String) -> GitObjectID? { peeled[name] ?? refs[name] }

    /// At most eight existing names, most similar first.
    private func hints(for text: String) -> [String] {
        let wanted = text.lowercased()
        let names = refs.keys.compactMap { name -> String? in
            for prefix in ["refs/heads/", "refs/tags/"] where name.hasPrefix(prefix) { return String(name.dropFirst(prefix.count)) }
            return nil
        }
        let ranked = Set(names).sorted { a, b in
            let (x, y) = (distance(a.lowercased(), wanted), distance(b.lowercased(), wanted))
            return x == y ? a < b : x < y
        }
        return Array(ranked.prefix(8))
    }
}

/// The edit distance between two names (Levenshtein), each truncated to 64 characters.
private func distance(_ a: String, _ b: String) -> Int {
    let a = Array(a.unicodeScalars.prefix(64)), b = Array(b.unicodeScalars.prefix(64))
    var row = Array(0...b.count)
    for (i, x) in a.enumerated() {
        var diagonal = row[0]
        row[0] = i + 1
        for (j, y) in b.enumerated() {
            let above = row[j + 1]
            row[j + 1] = x == y ? diagonal : min(diagonal, above, row[j]) + 1
            diagonal = above
        }
    }
    return row[b.count]
}
