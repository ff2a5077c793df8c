import Base
import Git

/// Where the cache gets a tree that it lacks.
public protocol TreeOrigin: Sendable {
    /// Writes the tree's stream.
    ///
    /// - Throws: why there is no such tree. `isTransient` says whether trying again may help.
    func write(_ tree: TreeReference, for credential: TreeToken.Credential, to sink: TreeSink) async throws(SourceError)
}

/// Makes streams from the mirrors, which it fills from the origins of the repositories.
public struct MirrorTrees: TreeOrigin {
    public typealias Credentials = @Sendable (GitURL, TreeToken.Credential) async throws -> GitCredentials

    private let resolver: SourceResolver
    private let credentials: Credentials
    private let limits: TreeStream.Limits

    /// - Parameter credentials: what a repository is fetched with.
    public init(resolver: SourceResolver, limits: TreeStream.Limits = TreeStream.Limits(), credentials: @escaping Credentials) {
        self.resolver = resolver
        self.limits = limits
        self.credentials = credentials
    }

    public func write(_ tree: TreeReference, for credential: TreeToken.Credential, to sink: TreeSink) async throws(SourceError) {
        let url = try resolver.address(ofPrepared: tree.repository)
        let git: GitCredentials
        do { git = try await credentials(url, credential) } catch {
            throw SourceError(.sourceSyncFailed, "\(error)", isTransient: true)
        }
        let source = PinnedSource(url: url, commit: tree.commit, ref: nil, extent: tree.extent)
        let limits = limits
        let fixtures = try await fixtures(of: tree, source, git)
        try await resolver.withTree(source, credentials: git) { (found) async throws(GitError) in
            // A second attempt, on a mirror that was cloned again, begins anew.
            try sink.restart()
            let whole = try fixtures?.added(to: found) ?? found
            try await TreeWriting(tree: whole, reference: tree, limits: limits, fixtures: fixtures).write(to: sink)
        }
    }

    /// The tree's fixtures. Those that it holds are in the store when this returns: usually the job's preparation has put them there.
    private func fixtures(of tree: TreeReference, _ source: PinnedSource, _ git: GitCredentials) async throws(SourceError) -> Fixtures? {
        guard let lock = tree.fixtures else { return nil }
        let found = try await resolver.tree(source, credentials: git)
        let fixtures = try await Fixtures.read(lock, of: found, in: resolver.fixtures)
        let fetcher = FixtureFetcher(resolver: resolver, source: source, tree: found, credentials: git)
        do {
            let whole = try fixtures.added(to: found)
            for blob in fixtures.blobs(among: try TreeWriting(tree: whole, reference: tree, limits: limits, fixtures: fixtures).items()) {
                try await fetcher.fetch(blob)
            }
        } catch let error as SourceError {
            throw error
        } catch let error as GitError {
            throw SourceError(error)
        } catch {
            throw SourceError(.sourceSyncFailed, "\(error)", isTransient: true)
        }
        return fixtures
    }
}

/// Writes the parts of one commit's tree.
struct TreeWriting: Sendable {
    let tree: GitTree
    let reference: TreeReference
    let limits: TreeStream.Limits
    /// What of `tree` is not in the repository.
    var fixtures: Fixtures?

    func write(to sink: TreeSink) async throws(GitError) {
        let items = try items()
        let files = items.compactMap { item -> GitObjectID? in
            if case .file(let id, _) = item.kind, fixtures?[id] == nil { id } else { nil }
        }
        let sizes = try await tree.sizes(of: files)
        let state = Locked(State(encoder: TreeStreamEncoder(limits: limits), items: items[...], sizes: sizes, fixtures: fixtures))
        try sink.write(state.withLock { $0.encoder.begin() })
        try state.withLock { (state) throws(GitError) in try state.advance(sink) }
        try await tree.readFiles(files) { (_, piece, last) throws(GitError) in
            try state.withLock { (state) throws(GitError) in
                try sink.write(try Self.checked { () throws(TreeStreamError) in try state.encoder.content(piece) })
                if last { try state.advance(sink) }
            }
        }
        try sink.write(state.withLock { (state) throws(GitError) in try Self.checked { () throws(TreeStreamError) in try state.encoder.end() } })
    }

    private struct State: Sendable {
        var encoder: TreeStreamEncoder
        var items: ArraySlice<TreeExport.Item>
        /// Of the files among all items, in their order.
        let sizes: [Int]
        let fixtures: Fixtures?
        var begun = 0

        /// Writes the heads of the next items and the fixtures among them, up to and with the next file, whose content git sends next.
        mutating func advance(_ sink: TreeSink) throws(GitError) {
            while let item = items.popFirst() {
                let kind: TreeStream.Entry.Kind
                var isFile = false
                switch item.kind {
                case .directory: kind = .directory
                case .link(let target): kind = .link(target)
                case .file(let id, _) where fixtures?[id] != nil:
                    try write(fixture: id, at: item.path, sink)
                    continue
                case .file(_, let executable):
                    kind = .file(executable: executable, size: sizes[begun])
                    begun += 1
                    isFile = true
                }
                let entry = TreeStream.Entry(path: item.path, kind: kind)
                try sink.write(try TreeWriting.checked { () throws(TreeStreamError) in try encoder.entry(entry) })
                if isFile { return }
            }
        }

        private mutating func write(fixture id: GitObjectID, at path: [String], _ sink: TreeSink) throws(GitError) {
            guard let fixtures, let blob = fixtures[id] else { return }
            let entry = TreeStream.Entry(path: path, kind: .file(executable: false, size: blob.size))
            try sink.write(try TreeWriting.checked { () throws(TreeStreamError) in try encoder.entry(entry) })
            try fixtures.store.read(blob) { (piece) throws(GitError) in
                try sink.write(try TreeWriting.checked { () throws(TreeStreamError) in try encoder.content(piece) })
            }
        }
    }

    private static func checked<R>(_ body: () throws(TreeStreamError) -> R) throws(GitError) -> R {
        do { return try body() } catch {
            if case .tooLarge = error { throw GitError(.tooLarge, "\(error)") }
            throw GitError(.invalidInput, "\(error)")
        }
    }

    /// What the stream holds, in its order.
    func items() throws(GitError) -> [TreeExport.Item] {
        let export = TreeExport(tree)
        guard !reference.parts.isEmpty else { return try export.items(of: reference.path, links: reference.links) }
        guard tree.isDirectory(reference.path.text) else {
            throw GitError(.pathNotFound, "commit \(tree.commit.short) of \(reference.repository) has no folder \"\(reference.path)\"")
        }
        var items: [TreeExport.Item] = []
        var folders: Set<[String]> = []
        for part in reference.parts {
            let path = reference.path / part
            let found: [TreeExport.Item]
            switch tree.resolve(path.text) {
            case .entry(let entry) where entry.kind == .file || entry.kind == .executable:
                found = [.init(path: part.components, kind: .file(entry.id, executable: entry.kind == .executable))]
            case .entry(let entry) where entry.kind == .directory:
                found =
                    [.init(path: part.components, kind: .directory)]
                    + (try export.items(of: path)).map { .init(path: part.components + $0.path, kind: $0.kind) }
            default: continue
            }
            for length in 1..<max(1, part.components.count) where folders.insert(Array(part.components.prefix(length))).inserted {
                items.append(.init(path: Array(part.components.prefix(length)), kind: .directory))
            }
            items += found
        }
        return items.sorted { $0.path.lexicographicallyPrecedes($1.path, by: TreeStreamRule.precedes) }
    }
}
