import Base
import EvalFormats
import Git
import Glibc

/// `assay fixtures lock`: writes the lock file of a benchmark's fixtures.
enum FixturesLockCommand: Subcommand {
    static let syntax = CommandSyntax(
        name: "fixtures lock", summary: "Write the sizes and SHA-256s of a benchmark's fixtures.",
        details: """
            LOCK lists files of the benchmark that are not in its repository (spec.source.fixtures). Each file that it lists and
            that is in the working tree is measured again; files that are not there stay as they are.

            Exit status: 0 written; 2 bad input.
            """,
        positionals: [.init(name: "LOCK", help: "The lock file, in the git repository (default: fixtures.lock).", required: false)],
        options: [
            .init(name: "add", value: "PATH", help: "A file to add, or to give another address (repeatable).", repeats: true),
            .init(name: "url", value: "URL", help: "Where added files are: {path} and {sha256} stand for both (default: {path})."),
        ])

    static func run(_ arguments: Arguments) async throws -> Int32 {
        let file = Path.absolute(arguments.positionals.first ?? "fixtures.lock")
        guard let tree = try await WorkingTree.containing(Path.parent(of: file)) else {
            throw UsageError("\(Path.parent(of: file)) is in no git repository, and a lock file belongs to one")
        }
        var blobs: [String: FixturesLock.Blob] = [:]
        if FileEntry.exists(file) {
            for blob in try FixturesLock.parse(FileReading.bytes(file, limit: 16 << 20), file: file).blobs { blobs[blob.path] = blob }
        }
        for path in blobs.keys {
            guard FileEntry.kind("\(tree.root)/\(path)") == .file else { continue }
            blobs[path] = try measured(path, in: tree.root, url: blobs[path]?.url ?? path)
        }
        for added in arguments.all("add") {
            let full = Path.absolute(added)
            guard full.hasPrefix(tree.root + "/") else { throw UsageError("--add: \(full) is not in the repository \(tree.root)") }
            let path = try GitPath(parsing: String(full.dropFirst(tree.root.utf8.count + 1))).text
            blobs[path] = try measured(path, in: tree.root, url: arguments.value("url") ?? "{path}")
        }
        guard !blobs.isEmpty else { throw UsageError("there is nothing to lock: name files with --add") }
        try FileWriting.replace(file, with: FixturesLock(blobs: Array(blobs.values)).serialized())
        Output.write("\(blobs.count) fixtures in \(file)\n")
        return ExitStatus.success
    }

    private static func measured(_ path: String, in root: String, url: String) throws -> FixturesLock.Blob {
        let full = "\(root)/\(path)"
        var info = stat()
        guard lstat(full, &info) == 0, info.st_mode & S_IFMT == S_IFREG, let digest = FileReading.sha256(of: full) else {
            throw UsageError("\(full) is no file that can be read")
        }
        return FixturesLock.Blob(
            path: path, url: url.replacing("{path}", with: path).replacing("{sha256}", with: digest), sha256: digest, size: Int(info.st_size))
    }
}
