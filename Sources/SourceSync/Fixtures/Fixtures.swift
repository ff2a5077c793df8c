import Base
import EvalFormats
import Git

/// The fixtures of a commit: files that belong to its tree, and lie elsewhere.
public struct Fixtures: Sendable {
    let store: FixtureStore
    private let blobs: [GitObjectID: FixturesLock.Blob]
    private let files: [(path: GitPath, id: GitObjectID)]

    /// Reads the lock file of a commit.
    ///
    /// - Throws: a `SourceError` when there is no such file, or when it is none. Waiting does not help then.
    public static func read(_ path: GitPath, of tree: GitTree, in store: FixtureStore) async throws(SourceError) -> Fixtures {
        let bytes: [UInt8]?
        do { bytes = try await tree.read(path.text, limit: 16 << 20) } catch { throw SourceError(error) }
        guard let bytes else {
            throw SourceError(.fixtureMismatch, "commit \(tree.commit.short) has no file \"\(path)\"; write it with assay fixtures lock")
        }
        do {
            return try Fixtures(try FixturesLock.parse(bytes, file: path.text), in: store)
        } catch let error as FileFormatError {
            throw SourceError(.fixtureMismatch, error.description)
        } catch {
            throw SourceError(.fixtureMismatch, "\(path): \(error)")
        }
    }

    init(_ lock: FixturesLock, in store: FixtureStore) throws(GitError) {
        self.store = store
        var blobs: [GitObjectID: FixturesLock.Blob] = [:]
        var files: [(path: GitPath, id: GitObjectID)] = []
        for blob in lock.blobs {
            // The tree knows a fixture by the beginning of its SHA-256, which is as long as the ids of git.
            guard let id = GitObjectID(blob.sha256.prefix(40)) else { continue }
            if let known = blobs[id], known.size != blob.size || known.sha256 != blob.sha256 {
                throw GitError(.invalidInput, "\"\(known.path)\" and \"\(blob.path)\" have one SHA-256 and two sizes")
            }
            files.append((try GitPath(parsing: blob.path), id))
            if blobs[id] == nil { blobs[id] = blob }
        }
        self.blobs = blobs
        self.files = files
    }

    /// The fixture that an id of the tree stands for; nil for a file of the repository.
    subscript(id: GitObjectID) -> FixturesLock.Blob? { blobs[id] }

    /// The commit's tree with the fixtures in their places.
    ///
    /// - Throws: `.invalidInput` when a fixture's place is taken.
    public func added(to tree: GitTree) throws(GitError) -> GitTree { try tree.adding(files) }

    /// The fixtures among the entries of an export, each once.
    public func blobs(among items: [TreeExport.Item]) -> [FixturesLock.Blob] {
        var seen = Set<GitObjectID>()
        return items.compactMap { item in
            guard case .file(let id, _) = item.kind, let blob = blobs[id], seen.insert(id).inserted else { return nil }
            return blob
        }
    }
}
