import Base
import Git
import Glibc

/// A whole commit as a file of the store, from which its parts are read without a repository.
///
/// - Guarantees: the content of a file is what the commit has, or reading it fails: each is compared with the SHA-256 that it had when the whole
///   stream had the right digest. The commit stays readable when the store has removed its file.
final class StoredRepository: TreeContents {
    private struct Content: Sendable {
        let offset: Int
        let size: Int
    }

    /// Its files have their SHA-256 as ids.
    let tree: GitTree
    private let descriptor: Int32
    private let contents: [GitObjectID: Content]

    /// Reads the whole file.
    ///
    /// - Parameter descriptor: of the file; it is closed with this object, and when this throws.
    /// - Throws: `.corrupt` when the file is no complete stream with the right digest.
    init(_ descriptor: Int32, of commit: GitObjectID) throws(GitError) {
        var listing = Listing(commit: commit)
        do {
            var decoder = TreeStreamDecoder()
            var offset = 0
            while let piece = FileReading.piece(descriptor, at: offset, count: 256 << 10) {
                try decoder.feed(piece) { listing.receive($0) }
                offset += piece.count
            }
            _ = try decoder.finish()
        } catch {
            close(descriptor)
            throw GitError(.corrupt, "a stored tree is damaged: \(error)")
        }
        listing.endFile()
        self.descriptor = descriptor
        tree = .listed(commit, listing.entries, linkTargets: listing.links)
        contents = listing.contents
    }

    deinit { close(descriptor) }

    func sizes(of ids: [GitObjectID]) throws(GitError) -> [Int] {
        var sizes: [Int] = []
        for id in ids { sizes.append(try content(id).size) }
        return sizes
    }

    func readFiles(
        _ ids: [GitObjectID], receive: @escaping @Sendable (_ index: Int, _ piece: ArraySlice<UInt8>, _ last: Bool) throws(GitError) -> Void
    ) throws(GitError) {
        for (index, id) in ids.enumerated() {
            let content = try content(id)
            var hash = SHA256()
            var done = 0
            repeat {
                let piece = FileReading.range(descriptor, content.offset + done..<content.offset + min(content.size, done + 256 << 10))
                guard !piece.isEmpty || content.size == 0 else { throw damaged }
                hash.update(piece)
                done += piece.count
                try receive(index, piece[...], done == content.size)
            } while done < content.size
            guard hash.hexDigest() == id.hex else { throw damaged }
        }
    }

    private func content(_ id: GitObjectID) throws(GitError) -> Content {
        guard let content = contents[id] else { throw damaged }
        return content
    }

    private var damaged: GitError { GitError(.corrupt, "the stored tree of commit \(tree.commit.short) is damaged") }

    /// What a stream holds, and where.
    private struct Listing {
        let commit: GitObjectID
        var entries: [TreeEntry] = []
        var links: [(path: String, target: String)] = []
        var contents: [GitObjectID: Content] = [:]
        /// Where the next entry begins.
        private var position = TreeStream.magic.count
        private var file: (path: String, kind: TreeEntry.Kind, content: Content)?
        private var hash = SHA256()

        init(commit: GitObjectID) { self.commit = commit }

        mutating func receive(_ event: TreeStreamDecoder.Event) {
            switch event {
            case .content(let piece): hash.update(piece)
            case .entry(let entry):
                endFile()
                let path = entry.path.joined(separator: "/")
                position += TreeStream.headBytes + path.utf8.count
                switch entry.kind {
                // Nobody reads the id of a folder or a link.
                case .directory: entries.append(TreeEntry(kind: .directory, id: commit, path: path))
                case .link(let target):
                    position += target.utf8.count
                    links.append((path, target))
                    entries.append(TreeEntry(kind: .link, id: commit, path: path))
                case .file(let executable, let size):
                    file = (path, executable ? .executable : .file, Content(offset: position, size: size))
                    hash = SHA256()
                    position += size
                }
            }
        }

        /// Takes the file that began last.
        mutating func endFile() {
            guard let file, let id = GitObjectID(hash.hexDigest()) else { return }
            contents[id] = file.content
            entries.append(TreeEntry(kind: file.kind, id: id, path: file.path))
            self.file = nil
        }
    }
}
