import Base
import EvalModel
import Git
import Glibc

/// `backend: local`: writes the same layout as the branch into a directory. metadata.json is written last and synced: a record is complete
/// when its metadata.json exists. Of several writers of one record, also in other processes, the first one writes it and the others leave it as it is.
public actor LocalLedger {
    public let directory: String
    private let scratch: String
    private let client: GitClient
    private let disk = DiskQueue("assay.results")

    /// - Parameter scratch: a private directory for temporary git objects, which are then written out as files.
    public init(directory: String, scratch: String, client: GitClient = GitClient()) {
        self.directory = directory
        self.scratch = scratch
        self.client = client
    }

    /// Writes the record's files, then its metadata.json. Does nothing if metadata.json exists. Everything written is on the disk when this
    /// returns.
    /// - Throws: `.damaged` when the record's pack fails its check (the caller then submits the record without the pack); `.storage` when the
    ///   record cannot be written.
    public func submit(_ run: PendingRun) async throws(ArtifactError) {
        let folder = "\(directory)/\(run.folder)"
        if FileEntry.exists("\(folder)/\(PendingRun.metadataFile)") { return }
        do {
            try Directory.make(folder)
            let lock = try await lock(folder)
            defer { lock?.release() }
            if FileEntry.exists("\(folder)/\(PendingRun.metadataFile)") { return }
            if let pack = run.pack { try await export(pack, to: folder, except: Set(run.files.keys)) }
            let directory = directory
            try await disk.run { Self.write(run, to: folder, in: directory) }.get()
        } catch let error as GitError {
            throw error.kind == .corrupt || error.kind == .invalidInput ? ArtifactError(.damaged, error.message) : ArtifactError(error)
        } catch {
            throw ArtifactError(.storage, "cannot write the results of run \(run.id): \(error)")
        }
    }

    /// An operator that is being replaced and its successor may record the same run at the same time.
    /// - Returns: nil where the file system cannot lock folders, as some network file systems.
    private func lock(_ folder: String) async throws(GitError) -> FileLock? {
        do { return try await FileLock.acquire(folder, deadline: 300) } catch {
            guard error.kind == .storage else { throw error }
            return nil
        }
    }

    private static func sync(_ folders: [String]) -> Result<Void, FileError> {
        do throws(FileError) {
            for folder in folders { try Directory.sync(folder) }
            return .success(())
        } catch {
            return .failure(error)
        }
    }

    private static func write(_ run: PendingRun, to folder: String, in directory: String) -> Result<Void, FileError> {
        do throws(FileError) {
            for (path, content) in run.files.sorted(by: { $0.key < $1.key }) where path.text != PendingRun.metadataFile {
                let file = "\(folder)/\(path.text)"
                try Directory.make(Path.parent(of: file))
                try FileWriting.replace(file, with: content)
            }
            if let metadata = run.metadata { try FileWriting.replace("\(folder)/\(PendingRun.metadataFile)", with: metadata) }
            // A synced file can still be lost if the entry of a folder above it was not synced.
            var path = directory
            try Directory.sync(path)
            for part in run.folder.split(separator: "/").dropLast() {
                path += "/\(part)"
                try Directory.sync(path)
            }
            return .success(())
        } catch {
            return .failure(error)
        }
    }

    /// nil if the run does not exist.
    public func record(of id: RunID) -> RunRecord? {
        guard let bytes = FileReading.whole("\(directory)/\(id.path)/\(PendingRun.metadataFile)") else { return nil }
        return try? JSONValueDecoder().decode(RunRecord.self, from: JSONValue(parsing: bytes))
    }

    private func export(_ pack: PendingRun.Pack, to folder: String, except ours: Set<GitPath>) async throws {
        let repository = "\(scratch)/unpack-\(UInt64.random(in: 0 ... .max)).git"
        defer { Directory.removeTree(repository) }
        let url = try GitURL(parsing: "file://\(repository)", allowing: .local)
        let store = try await GitStore(at: repository, remote: .init(url), client: client)
        guard try await store.take(pack: pack.bytes, holding: pack.tree) != nil else {
            throw GitError(.corrupt, "the pack does not hold the tree \(pack.tree.short) that its report names")
        }
        var folders: [String] = [folder]
        var files: [(path: String, id: GitObjectID)] = []
        for entry in try await store.allEntries(ofTree: pack.tree) {
            let path = try GitPath(parsing: entry.path)
            switch entry.kind {
            case .directory:
                folders.append("\(folder)/\(path.text)")
                try Directory.make("\(folder)/\(path.text)")
            case .file, .executable:
                if !ours.contains(path) { files.append(("\(folder)/\(path.text)", entry.id)) }
            // Links are left out, because programs that read a record's folder would follow them.
            case .link, .submodule: break
            }
        }
        let writer = PieceWriter(paths: files.map(\.path))
        do {
            try await client.readObjects(files.map(\.id), in: repository) { (index, piece, last) throws(GitError) in
                do throws(FileError) { try writer.write(index, piece, last) } catch { throw GitError(.storage, "cannot write results: \(error)") }
            }
        } catch {
            writer.close()
            throw error
        }
        let written = folders
        try await disk.run { Self.sync(written) }.get()
    }
}

/// Writes files one after another, and syncs each at its end.
private final class PieceWriter: Sendable {
    private let paths: [String]
    private let open = Locked<Int32>(-1)

    init(paths: [String]) { self.paths = paths }

    func write(_ index: Int, _ piece: ArraySlice<UInt8>, _ last: Bool) throws(FileError) {
        try open.withLock { (fd) throws(FileError) in
            let path = paths[index]
            if fd < 0 { fd = Glibc.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o644) }
            guard fd >= 0 else { throw FileError("create", path) }
            try FileWriting.write(piece, to: fd, path: path)
            guard last else { return }
            guard fsync(fd) == 0 else { throw FileError("fsync", path) }
            Glibc.close(fd)
            fd = -1
        }
    }

    func close() {
        open.withLock { fd in
            if fd >= 0 { Glibc.close(fd) }
            fd = -1
        }
    }
}
