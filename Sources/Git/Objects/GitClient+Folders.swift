import Base

/// Reads many folders at once, with one process for each level of folders.
extension GitClient {
    /// The direct entries of each tree, in the order of `ids`, read with one `cat-file --batch`.
    public func readTrees(_ ids: [GitObjectID], in repository: String, remote: Remote? = nil) async throws(GitError) -> [[TreeEntry]] {
        let blobs = try await readBlobs(ids, limit: 1 << 30, in: repository, remote: remote)
        var trees: [[TreeEntry]] = []
        trees.reserveCapacity(blobs.count)
        for (id, bytes) in zip(ids, blobs) { trees.append(try RawTree.entries(bytes, idLength: id.hex.utf8.count / 2)) }
        return trees
    }

    /// All files and links below each tree, by path, in the order of `ids`.
    public func readFiles(below ids: [GitObjectID], in repository: String, remote: Remote? = nil) async throws(GitError) -> [[TreeEntry]] {
        var found = [[TreeEntry]](repeating: [], count: ids.count)
        var level = ids.enumerated().map { (root: $0.offset, prefix: "", tree: $0.element) }
        // Paths have a limited depth when trees are accepted. A deeper tree was not written by Assay.
        for _ in 0..<64 where !level.isEmpty {
            let trees = try await readTrees(level.map(\.tree), in: repository, remote: remote)
            var next: [(root: Int, prefix: String, tree: GitObjectID)] = []
            for (folder, entries) in zip(level, trees) {
                for var entry in entries {
                    entry.path = folder.prefix + entry.path
                    if entry.kind == .directory { next.append((folder.root, entry.path + "/", entry.id)) }
                    if entry.isBlob { found[folder.root].append(entry) }
                }
            }
            level = next
        }
        return found.map { $0.sorted { $0.path < $1.path } }
    }

    /// The sizes of objects in bytes, in the order of `ids`; nil for objects that the repository does not have. No remote is contacted.
    ///
    /// - Parameter isPartial: whether objects may be missing. git 2.39 would fetch each missing object separately, and no setting prevents that. So
    ///   git then runs in a second repository that has the same objects and no remote.
    public func sizes(of ids: [GitObjectID], in repository: String, isPartial: Bool) async throws(GitError) -> [Int?] {
        guard let first = ids.first else { return [] }
        var place = repository
        var environment: [String: String] = [:]
        if isPartial {
            place = "\(repository)/assay-probe.git"
            if !FileEntry.exists("\(place)/HEAD") {
                let format = first.hex.utf8.count == 40 ? "sha1" : "sha256"
                try await run(Call(arguments: ["init", "--quiet", "--bare", "--object-format=\(format)", place], doing: "prepare \(place)"))
            }
            environment["GIT_OBJECT_DIRECTORY"] = "\(repository)/objects"
        }
        let request = ids.map { $0.hex + "\n" }.joined()
        let output = try await run(
            Call(
                arguments: ["cat-file", "--batch-check=%(objectsize)"], repository: place, input: .bytes(Array(request.utf8)),
                environment: environment,
                doing: "look for objects in", place: repository))
        let lines = output.split(separator: 10).map { Int(String(decoding: $0, as: UTF8.self)) }
        guard lines.count == ids.count else {
            throw GitError(.corrupt, "git returned \(lines.count) sizes for \(ids.count) objects in \(repository)")
        }
        return lines
    }

    /// Fetches the missing objects and the folders below them in one request. Files are fetched when they are requested by their own ids.
    public func fetchAbsent(_ ids: [GitObjectID], into repository: String, from remote: Remote) async throws(GitError) {
        let sizes = try await sizes(of: ids, in: repository, isPartial: true)
        let absent = zip(ids, sizes).compactMap { $1 == nil ? $0 : nil }
        guard !absent.isEmpty else { return }
        try await fetchObjects(absent, filter: "blob:none", into: repository, from: remote)
    }
}
