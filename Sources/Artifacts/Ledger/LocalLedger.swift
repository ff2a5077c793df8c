import Base
import EvalModel
import Git

/// `backend: local`: the layout of the branch in a directory. A record is there when its metadata.json is, which is written
/// last and synced.
public actor LocalLedger {
    public let directory: String
    private let scratch: String
    private let client: GitClient

    /// - Parameter scratch: a private directory for git objects on their way into files.
    public init(directory: String, scratch: String, client: GitClient = GitClient()) {
        self.directory = directory
        self.scratch = scratch
        self.client = client
    }

    /// Writes the record's files, then its metadata.json; does nothing when that is there.
    public func submit(_ run: PendingRun) async throws(ArtifactError) {
        let folder = "\(directory)/\(run.folder)"
        let metadata = "\(folder)/\(PendingRun.metadataFile)"
        if PlainFile.exists(metadata) { return }
        do {
            try PlainFile.makeDirectories(folder)
            if let pack = run.pack { try await export(pack, to: folder) }
            for (path, content) in run.files.sorted(by: { $0.key < $1.key }) where path.text != PendingRun.metadataFile {
                try PlainFile.replace("\(folder)/\(path.text)", with: content)
            }
            for (path, content) in run.files where path.text == PendingRun.metadataFile {
                try PlainFile.replace("\(folder)/\(path.text)", with: content)
            }
        } catch let error as GitError {
            throw error.kind == .storage ? ArtifactError(error) : ArtifactError(.damaged, error.message)
        } catch {
            throw ArtifactError(.storage, "cannot write the results of run \(run.id): \(error)")
        }
    }

    /// nil when the run is not there.
    public func record(of id: RunID) -> RunRecord? {
        guard let bytes = PlainFile.read("\(directory)/\(id.path)/\(PendingRun.metadataFile)") else { return nil }
        return try? JSONValueDecoder().decode(RunRecord.self, from: JSONValue(parsing: bytes))
    }

    private func export(_ pack: PendingRun.Pack, to folder: String) async throws {
        let repository = "\(scratch)/unpack-\(UInt64.random(in: 0 ... .max)).git"
        defer { PlainFile.removeTree(repository) }
        let url = try GitURL(parsing: "file://\(repository)", allowing: .local)
        let store = try await GitStore(at: repository, remote: .init(url), client: client)
        try await store.take(pack: pack.bytes)
        let entries = try await store.allEntries(ofTree: pack.tree)
        for entry in entries where entry.kind == .directory { try PlainFile.makeDirectories("\(folder)/\(try GitPath(parsing: entry.path).text)") }
        // Links stay out: a record's folder is read by programs that would follow them.
        for entry in entries where entry.kind == .file || entry.kind == .executable {
            let path = try GitPath(parsing: entry.path)
            if !path.parent.isRoot { try PlainFile.makeDirectories("\(folder)/\(path.parent.text)") }
            try PlainFile.replace("\(folder)/\(path.text)", with: try await client.readBlob(entry.id, in: repository))
        }
    }
}
