import Base

/// Reading many folders at once: a process for each level of them, not one for each folder.
extension GitClient {
    /// The direct entries of each tree, in the order of `ids`; through one `cat-file --batch`.
    public func readTrees(_ ids: [GitObjectID], in repository: String, remote: Remote? = nil) async throws(GitError) -> [[TreeEntry]] {
        let blobs = try await readBlobs(ids, limit: 1 << 30, in: repository, remote: remote)
        var trees: [[TreeEntry]] = []
        trees.reserveCapacity(blobs.count)
        for (id, bytes) in zip(ids, blobs) { trees.append(try RawTree.entries(bytes, idLength: id.hex.utf8.count / 2)) }
        return trees
    }

    /// Every file and link below each tree, by path, in the order of `ids`.
    public func readFiles(below ids: [GitObjectID], in repository: String, remote: Remote? = nil) async throws(GitError) -> [[TreeEntry]] {
        var found = [[TreeEntry]](repeating: [], count: ids.count)
        var level = ids.enumerated().map { (root: $0.offset, prefix: "", tree: $0.element) }
        // Paths are bounded where trees are taken in; what is deeper than this was made to be.
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

    /// The sizes of objects in bytes, in the order of `ids`; nil for those that the repository does not hold. Asks no remote.
    ///
    /// - Parameter isPartial: whether objects may be missing. git 2.39 would fetch, one by one, what it is asked about, and no
    ///   setting keeps it from that; it does not in a repository beside, without a remote, that has the same objects.
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
        guard lines.count == ids.count else { throw GitError(.corrupt, "git told \(lines.count) sizes of \(ids.count) objects in \(repository)") }
        return lines
    }

    /// Gets those of the objects that are not here, with the folders below them, in one request. Files come when they are
    /// asked for by their own id.
    public func fetchAbsent(_ ids: [GitObjectID], into repository: String, from remote: Remote) async throws(GitError) {
        let sizes = try await sizes(of: ids, in: repository, isPartial: true)
        let absent = zip(ids, sizes).compactMap { $1 == nil ? $0 : nil }
        guard !absent.isEmpty else { return }
        try await fetchObjects(absent, filter: "blob:none", into: repository, from: remote)
    }
}
