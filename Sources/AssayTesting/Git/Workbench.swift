import Base
import Git
import Glibc

/// A directory with git repositories for one test, removed at its end.
public final class Workbench: Sendable {
    public let path: String

    public init() throws {
        let place = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        path = "\(place)/assay-test-\(UInt64.random(in: 0 ... .max))"
        try Directory.make(path)
    }

    deinit { Directory.removeTree(path) }

    /// All commits have one date, so that equal content has equal ids.
    @discardableResult
    public func git(_ directory: String, _ arguments: String..., input: [UInt8]? = nil) async throws -> String {
        try await TestGit.text(directory, arguments, input: input, date: 1_700_000_000)
    }

    /// A repository with a work tree, holding the files; returns its path.
    public func repository(_ name: String = "source", files: [String: String] = ["README.md": "hello\n"]) async throws -> String {
        let directory = "\(path)/\(name)"
        try Directory.make(directory)
        try await git(directory, "init", "-q", "-b", "main")
        try write(files, in: directory)
        try await git(directory, "add", "-A")
        try await git(directory, "commit", "-q", "--allow-empty", "-m", "first")
        return directory
    }

    /// Writes files. A text such as `-> ../x` makes a symbolic link to `../x`, and one that begins with `#!` is made executable.
    public func write(_ files: [String: String], in directory: String) throws {
        for (name, text) in files {
            let file = "\(directory)/\(name)"
            try Directory.make(Path.parent(of: file))
            if text.hasPrefix("-> ") {
                guard symlink(String(text.dropFirst(3)), file) == 0 else { throw CommandFailure("cannot make the link \(file)") }
            } else {
                try FileWriting.write(text.utf8, to: file, mode: text.hasPrefix("#!") ? 0o755 : 0o644)
            }
        }
    }

    @discardableResult
    public func commit(_ directory: String, _ files: [String: String] = [:], message: String = "more") async throws -> GitObjectID {
        try write(files, in: directory)
        try await git(directory, "add", "-A")
        try await git(directory, "commit", "-q", "--allow-empty", "-m", message)
        return try await head(directory)
    }

    public func head(_ directory: String, _ name: String = "HEAD") async throws -> GitObjectID {
        let text = try await git(directory, "rev-parse", "\(name)^{commit}")
        guard let id = GitObjectID(text) else { throw CommandFailure("git names no commit: \(text)") }
        return id
    }

    public func remote(_ directory: String) throws -> GitClient.Remote {
        GitClient.Remote(try GitURL(parsing: "file://\(directory)", allowing: .local))
    }

    /// The text of a file below `path`; nil if there is none.
    public func text(_ file: String) -> String? { FileReading.whole("\(path)/\(file)").map { String(decoding: $0, as: UTF8.self) } }

    /// A git for which https addresses are other names of repositories on this machine. `body` is shell that comes first.
    public func gitServing(_ addresses: [String: String], _ body: String = "", settings: GitClient.Settings = GitClient.Settings()) throws
        -> GitClient
    {
        let names = addresses.map { "-c url.file://\($0.value).insteadOf=\($0.key)" }.joined(separator: " ")
        let script = """
            #!/bin/sh
            export GIT_ALLOW_PROTOCOL=file:https
            for word in "$@"; do case "$word" in fetch) fetch=1;; ls-remote) look=1;; https://slow.*) slow=1;; esac; done
            \(body)
            exec git \(names) "$@"
            """
        let file = "\(path)/git-\(UInt64.random(in: 0 ... .max))"
        try FileWriting.replace(file, with: Array(script.utf8), mode: 0o755)
        var settings = settings
        settings.executable = file
        return GitClient(settings: settings)
    }
}
