import Base

extension GitClient {
    /// Passes every file and link below a folder of a commit to `receive`, by path, without keeping a list: a branch with a hundred thousand records
    /// has a million files.
    ///
    /// - Parameter folders: passes the folders instead of the files.
    /// - Throws: `.pathNotFound` when the commit does not have the folder.
    public func forEachFile(
        of commit: GitObjectID, at path: GitPath = .root, folders: Bool = false, in repository: String, remote: Remote? = nil,
        receive: @escaping @Sendable (TreeEntry) -> Bool
    ) async throws(GitError) {
        let spec = path.isRoot ? "\(commit.hex)^{tree}" : "\(commit.hex):\(path.text)"
        guard let tree = try await revParse(spec, in: repository, remote: remote) else {
            throw GitError(.pathNotFound, "commit \(commit.short) has no path \(quoted(path.description))")
        }
        let damaged = Locked(false)
        let call = Call(
            arguments: ["ls-tree", "-r", "-z", "--full-tree"] + (folders ? ["-d"] : []) + [tree.hex], repository: repository, remote: remote,
            doing: "list \(quoted(path.description)) of commit \(commit.short) in", place: remote?.url.text ?? repository)
        try await records(of: call, endingIn: 0) { record in
            guard let entry = try? Self.parseTree([UInt8](record)).first else {
                damaged.withLock { $0 = true }
                return false
            }
            return receive(entry)
        }
        if damaged.withLock({ $0 }) { throw GitError(.corrupt, "git listed a tree in a form that is not understood") }
    }
}
