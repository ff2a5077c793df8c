import Base

/// The tree of one commit, listed once. Lookups follow links within the repository.
///
/// Links are followed only by looking up entries of the tree, never on a file system.
public final class GitTree: Sendable {
    public let commit: GitObjectID
    let git: GitClient
    let repository: String
    let remote: GitClient.Remote?
    /// Keeps the mirror from being evicted.
    private let mirror: MirrorStore.Mirror?
    /// The bytes of a path. Unicode treats some different strings as equal ("é" as one scalar or two); git does not.
    private typealias Key = [UInt8]

    private let listed: [TreeEntry]
    /// Does not contain the root.
    private let entries: [Key: TreeEntry]
    private let children: [Key: [String]]
    private let linkTargets: [Key: String]
    /// Whether only a part of the commit is listed, because the mirror has no more.
    public let isSparse: Bool
    private let cache = Locked([GitObjectID: [UInt8]]())

    /// Lists the commit. Missing objects are fetched from `remote`.
    public static func load(
        _ commit: GitObjectID, in repository: String, git: GitClient, remote: GitClient.Remote? = nil
    ) async throws(GitError) -> GitTree {
        try await load(commit, in: repository, of: nil, git: git, remote: remote)
    }

    /// Lists the commit in a mirror, which is not evicted as long as the tree exists: what the mirror has of it.
    public static func load(
        _ commit: GitObjectID, in mirror: MirrorStore.Mirror, extent: MirrorExtent = .full, git: GitClient
    ) async throws(GitError) -> GitTree {
        try await load(commit, in: mirror.path, of: mirror, extent: extent, git: git, remote: nil)
    }

    private static func load(
        _ commit: GitObjectID, in repository: String, of mirror: MirrorStore.Mirror?, extent: MirrorExtent = .full, git: GitClient,
        remote: GitClient.Remote?
    ) async throws(GitError) -> GitTree {
        let entries = try await git.listTree(commit, recursive: true, in: repository, remote: remote).filter { extent.covers($0.path) }
        let links = entries.filter { $0.kind == .link }
        if let remote { try await git.fetchMissing(links.map(\.id), of: commit, from: remote, into: repository) }
        let targets = try await git.readBlobs(links.map(\.id), limit: 16 << 20, in: repository, remote: remote)
        var linkTargets: [Key: String] = [:]
        for (link, target) in zip(links, targets) { linkTargets[Key(link.path.utf8)] = String(decoding: target, as: UTF8.self) }
        var isSparse = false
        if case .sparse = extent { isSparse = true }
        return GitTree(commit, entries, linkTargets, git: git, repository: repository, mirror: mirror, remote: remote, isSparse: isSparse)
    }

    private init(
        _ commit: GitObjectID, _ entries: [TreeEntry], _ linkTargets: [Key: String], git: GitClient, repository: String,
        mirror: MirrorStore.Mirror?, remote: GitClient.Remote?, isSparse: Bool
    ) {
        self.isSparse = isSparse
        self.commit = commit
        self.git = git
        self.repository = repository
        self.mirror = mirror
        self.remote = remote
        self.linkTargets = linkTargets
        listed = entries
        var byPath: [Key: TreeEntry] = [:]
        var children: [Key: [String]] = [:]
        for entry in entries {
            let path = Key(entry.path.utf8)
            byPath[path] = entry
            let slash = path.lastIndex(of: UInt8(ascii: "/"))
            let name = String(decoding: path[(slash.map { $0 + 1 } ?? 0)...], as: UTF8.self)
            children[Key(path[..<(slash ?? 0)]), default: []].append(name)
        }
        self.entries = byPath
        self.children = children
    }

    /// A tree of which only the entries are known: reading a file of it fails. Whoever lists them has the content under the ids.
    public static func listed(_ commit: GitObjectID, _ entries: [TreeEntry], linkTargets: [(path: String, target: String)]) -> GitTree {
        let targets = Dictionary(linkTargets.map { (Key($0.path.utf8), $0.target) }, uniquingKeysWith: { $1 })
        return GitTree(commit, entries, targets, git: GitClient(), repository: "/dev/null", mirror: nil, remote: nil, isSparse: false)
    }

    /// This tree with further files, whose content is not in the repository: reading one of them fails.
    ///
    /// - Parameter files: the paths, each with an id that stands for the content.
    /// - Throws: `.invalidInput` for a path that the commit has, or that lies below a file or a link.
    public func adding(_ files: [(path: GitPath, id: GitObjectID)]) throws(GitError) -> GitTree {
        var added: [TreeEntry] = []
        var folders = Set<String>()
        let paths = Set(files.map(\.path.text))
        for file in files {
            guard entry(file.path.text) == nil else {
                throw GitError(.invalidInput, "\(quoted(file.path.text)) is in commit \(commit.short) already")
            }
            for length in 1..<max(1, file.path.components.count) {
                let folder = file.path.components.prefix(length).joined(separator: "/")
                if paths.contains(folder) || entry(folder).map({ $0.kind != .directory }) == true {
                    throw GitError(.invalidInput, "\(quoted(file.path.text)) lies below \(quoted(folder)), which is no folder")
                }
                if entry(folder) == nil, folders.insert(folder).inserted { added.append(TreeEntry(kind: .directory, id: file.id, path: folder)) }
            }
            added.append(TreeEntry(kind: .file, id: file.id, path: file.path.text))
        }
        return GitTree(commit, listed + added, linkTargets, git: git, repository: repository, mirror: mirror, remote: remote, isSparse: isSparse)
    }

    /// The result of looking up a path, with links followed.
    public enum Place: Sendable, Hashable {
        /// The entry. Its `path` has no links. The root is a directory with an empty path.
        case entry(TreeEntry)
        case root
        /// The path does not exist.
        case missing
        /// A link that leads out of the repository or in a circle.
        case outside
    }

    /// - Parameter path: relative to the root. `..` and `.` are resolved.
    public func resolve(_ path: String) -> Place {
        var hops = 0
        return resolve(path.pathComponents, from: [], &hops)
    }

    private func resolve(_ parts: [String], from base: [String], _ hops: inout Int) -> Place {
        var at = base
        var rest = parts[...]
        while let part = rest.popFirst() {
            if part == "." { continue }
            if part == ".." {
                guard !at.isEmpty else { return .outside }
                at.removeLast()
                continue
            }
            let path = Key((at + [part]).joined(separator: "/").utf8)
            guard let entry = entries[path] else { return .missing }
            switch entry.kind {
            case .directory: at.append(part)
            case .link:
                hops += 1
                guard hops <= 20, let target = linkTargets[path], !target.hasPrefix("/") else { return .outside }
                rest = target.pathComponents[...] + rest
            case .file, .executable, .submodule:
                return rest.isEmpty ? .entry(entry) : .missing
            }
        }
        guard !at.isEmpty else { return .root }
        return entry(at.joined(separator: "/")).map(Place.entry) ?? .missing
    }

    /// The target of a link, as stored.
    func target(ofLink path: String) -> String? { linkTargets[Key(path.utf8)] }

    /// The entry at a path, without following links.
    func entry(_ path: String) -> TreeEntry? { entries[Key(path.utf8)] }

    /// The names in a directory, sorted by bytes. The path must not contain links.
    public func names(in path: String) -> [String] { (children[Key(path.utf8)] ?? []).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) } }

    /// Whether a file or folder exists at the path.
    public func exists(_ path: String) -> Bool {
        switch resolve(path) {
        case .entry(let entry): entry.kind != .submodule
        case .root: true
        case .missing, .outside: false
        }
    }

    /// Whether a folder is there, links followed.
    public func isDirectory(_ path: String) -> Bool {
        switch resolve(path) {
        case .entry(let entry): entry.kind == .directory
        case .root: true
        case .missing, .outside: false
        }
    }

    /// The submodules below a directory, as paths relative to it, sorted by bytes.
    public func submodules(below path: String) -> [String] {
        let real: String
        switch resolve(path) {
        case .root: real = ""
        case .entry(let entry) where entry.kind == .directory: real = entry.path
        default: return []
        }
        return submodules(in: real, named: "")
    }

    private func submodules(in directory: String, named prefix: String) -> [String] {
        names(in: directory).flatMap { name -> [String] in
            let path = directory.isEmpty ? name : "\(directory)/\(name)"
            switch entry(path)?.kind {
            case .submodule: return [prefix + name]
            case .directory: return submodules(in: path, named: "\(prefix)\(name)/")
            default: return []
            }
        }
    }

    /// The directories directly in `path` that contain a file with this name, as paths relative to the root. Links to directories are listed under
    /// their own names.
    public func folders(in path: GitPath, having file: String) -> [String] {
        let real: String
        switch resolve(path.text) {
        case .root: real = ""
        case .entry(let entry) where entry.kind == .directory: real = entry.path
        default: return []
        }
        return names(in: real).map { path.isRoot ? $0 : "\(path.text)/\($0)" }.filter { exists("\($0)/\(file)") }
    }

    /// The directories anywhere below `path` that have a file of this name, as paths below the root, sorted by bytes. Links are not followed.
    public func allFolders(below path: GitPath, having file: String) -> [String] {
        let prefix = path.isRoot ? [] : Key((path.text + "/").utf8)
        let ending = Key(("/" + file).utf8)
        return entries.keys.filter { $0.starts(with: prefix) && $0.count > ending.count && $0.suffix(ending.count).elementsEqual(ending) }
            .map { $0.dropLast(ending.count) }.sorted { $0.lexicographicallyPrecedes($1) }.map { String(decoding: $0, as: UTF8.self) }
    }

    /// The bytes of a file; nil when it does not exist.
    ///
    /// - Throws: `.tooLarge` beyond `limit`; `.corrupt` when the object is damaged.
    public func read(_ path: String, limit: Int = 1 << 20) async throws(GitError) -> [UInt8]? {
        guard case .entry(let entry) = resolve(path), entry.kind == .file || entry.kind == .executable else { return nil }
        if let known = cache.withLock({ $0[entry.id] }) { return known }
        do {
            return try await git.readBlob(entry.id, limit: limit, in: repository, remote: remote)
        } catch  where error.kind == .tooLarge {
            throw GitError(.tooLarge, "\(quoted(path)) in commit \(commit.short) is larger than \(limit) bytes")
        }
    }

    /// Reads many files at once, so that `read` finds them in memory.
    public func prefetch(_ paths: some Sequence<String>, limit: Int = 64 << 20) async throws(GitError) {
        var wanted: [GitObjectID] = []
        for path in paths {
            if case .entry(let entry) = resolve(path), entry.isBlob { wanted.append(entry.id) }
        }
        let unique = Array(Set(wanted))
        if let remote { try await git.fetchMissing(unique, of: commit, from: remote, into: repository) }
        let blobs = try await git.readBlobs(unique, limit: limit, in: repository, remote: remote)
        cache.withLock { cache in
            for (id, bytes) in zip(unique, blobs) { cache[id] = bytes }
        }
    }

    /// The sizes of files in bytes, in the order of `ids`.
    ///
    /// - Throws: `.corrupt` when an object is missing.
    public func sizes(of ids: [GitObjectID]) async throws(GitError) -> [Int] {
        var sizes: [Int] = []
        for (id, size) in zip(ids, try await git.sizes(of: ids, in: repository, isPartial: false)) {
            guard let size else { throw GitError(.corrupt, "the object \(id.short) of commit \(commit.short) is missing in \(repository)") }
            sizes.append(size)
        }
        return sizes
    }

    /// Reads files of any size, in the order of `ids`; see `GitClient.readObjects`.
    public func readFiles(
        _ ids: [GitObjectID], receive: @escaping @Sendable (_ index: Int, _ piece: ArraySlice<UInt8>, _ last: Bool) throws(GitError) -> Void
    ) async throws(GitError) {
        try await git.readObjects(ids, in: repository, remote: remote, receive: receive)
    }
}
