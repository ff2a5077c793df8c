import Base
import EvalFormats
import Git
import Glibc
import HTTPTransport

/// Gets fixtures into the store, each verified by size and SHA-256.
///
/// The credentials are those of the benchmark's repository and go nowhere else: web addresses and other repositories are read without any.
public struct FixtureFetcher: Sendable {
    private let resolver: SourceResolver
    private let source: PinnedSource
    private let tree: GitTree
    private let credentials: GitCredentials
    private let transport: HTTPTransport
    private let tls: TLSOptions

    /// - Parameters:
    ///   - tree: of `source`, without fixtures.
    ///   - tls: which web servers to trust; by default those of the system.
    public init(
        resolver: SourceResolver, source: PinnedSource, tree: GitTree, credentials: GitCredentials = .none, transport: HTTPTransport = .shared,
        tls: TLSOptions = TLSOptions()
    ) {
        self.resolver = resolver
        self.source = source
        self.tree = tree
        self.credentials = credentials
        self.transport = transport
        self.tls = tls
    }

    /// Fetches what the store lacks.
    ///
    /// - Throws: a `SourceError`: `fixture_mismatch` when the bytes are others, `source_sync_failed` when there are none.
    public func fetch(_ blob: FixturesLock.Blob) async throws(SourceError) {
        let isKept = resolver.fixtures.has(blob)
        resolver.fixtures.metrics?.lookedUp(found: isKept)
        guard !isKept else { return }
        let place: FixturePlace
        do { place = try FixturePlace(parsing: blob.url) } catch {
            throw SourceError(.fixtureMismatch, "the fixture \"\(blob.path.replacingControls)\": \(error.message)")
        }
        try await resolver.fixtures.put(blob, from: FixturePlace.shown(blob.url)) { (file) async throws(SourceError) in
            switch place {
            case .web(let url): try await download(url, blob, to: file)
            case .file(let path): try await copy(path, of: tree, blob, to: file)
            case .git(let repository, let commit, let path):
                try await copy(path, of: try await tree(repository, commit), blob, to: file)
            }
        }
    }

    private func tree(_ repository: String?, _ commit: GitObjectID) async throws(SourceError) -> GitTree {
        guard let repository else {
            // The other commit is fetched as the benchmark's own is, but never only in part: the file may lie anywhere.
            let extent: MirrorExtent = source.extent == .full || source.extent == .linked ? source.extent : .shallow
            return try await resolver.tree(PinnedSource(url: source.url, commit: commit, ref: nil, extent: extent), credentials: credentials)
        }
        return try await resolver.tree(PinnedSource(url: try resolver.url(repository), commit: commit, ref: nil))
    }

    // MARK: Places

    private func download(_ url: String, _ blob: FixturesLock.Blob, to file: FixtureFile) async throws(SourceError) {
        let addresses = resolver.webAddresses
        guard addresses.allow(url) else { throw absent(blob, "only https:// addresses are used") }
        do {
            let request = HTTPRequest(url: url, timeouts: HTTPTimeouts(connect: 20, total: 3600, idle: 60), tls: tls)
            let response = try await transport.download(request, to: addresses)
            guard response.status == 200 else {
                throw absent(
                    blob, "the server answered with status \(response.status)", isTransient: response.status >= 500 || response.status == 429)
            }
            for try await piece in response.body { try file.write(piece) }
        } catch let error as SourceError {
            throw error
        } catch {
            throw absent(blob, "\(error)", isTransient: true)
        }
    }

    private func copy(_ path: GitPath, of tree: GitTree, _ blob: FixturesLock.Blob, to file: FixtureFile) async throws(SourceError) {
        guard case .entry(let entry) = tree.resolve(path.text), entry.kind == .file || entry.kind == .executable else {
            if tree === self.tree, source.url.isLocal {
                return try copyUncommitted("\(source.snapshot?.directory ?? source.url.path)/\(path.text)", blob, to: file)
            }
            throw absent(blob, "commit \(tree.commit.short) has no file \"\(path)\"")
        }
        let failure = Locked<SourceError?>(nil)
        do {
            try await tree.readFiles([entry.id]) { (_, piece, _) throws(GitError) in
                do throws(SourceError) { try file.write(piece) } catch {
                    failure.withLock { $0 = error }
                    throw GitError(.refused, error.message)
                }
            }
        } catch {
            throw failure.withLock { $0 } ?? SourceError(error)
        }
    }

    /// A file beside the commit, in the folder of the user of this machine.
    private func copyUncommitted(_ path: String, _ blob: FixturesLock.Blob, to file: FixtureFile) throws(SourceError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else { throw absent(blob, "there is no file \(path), and no such file in the commit") }
        defer { close(descriptor) }
        var offset = 0
        while let piece = FileReading.piece(descriptor, at: offset, count: 1 << 20) {
            try file.write(piece)
            offset += piece.count
        }
    }

    private func absent(_ blob: FixturesLock.Blob, _ why: String, isTransient: Bool = false) -> SourceError {
        SourceError(
            .sourceSyncFailed, "the fixture \"\(blob.path.replacingControls)\" cannot be had from \(FixturePlace.shown(blob.url)): \(why)",
            isTransient: isTransient)
    }
}
