import Base
import Foundation
import Git
import Subprocess
import Testing

/// A directory for one test, removed at its end.
final class Workbench: Sendable {
    let path: String

    init() throws {
        path = "\(NSTemporaryDirectory())/assay-git-\(UUID().uuidString)".replacingOccurrences(of: "//", with: "/")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { Directory.removeTree(path) }

    /// git as a user would run it, without the machine's configuration.
    @discardableResult
    func git(_ directory: String, _ arguments: String..., input: [UInt8]? = nil) async throws -> String {
        let command = Command(
            "git", ["-C", directory] + arguments,
            environment: .inheriting(adding: [
                "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.com",
                "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.com", "GIT_AUTHOR_DATE": "1700000000 +0000",
                "GIT_COMMITTER_DATE": "1700000000 +0000", "LC_ALL": "C",
            ]), standardInput: input.map { .bytes($0) } ?? .none)
        let result = try await command.run()
        try #require(result.succeeded, "git \(arguments) in \(directory): \(result.stderrText)")
        return result.stdoutText.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// A repository with a work tree, holding the files; returns its path.
    func repository(_ name: String = "source", files: [String: String] = ["README.md": "hello\n"]) async throws -> String {
        let directory = "\(path)/\(name)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try await git(directory, "init", "-q", "-b", "main")
        try write(files, in: directory)
        try await git(directory, "add", "-A")
        try await git(directory, "commit", "-q", "--allow-empty", "-m", "first")
        return directory
    }

    func write(_ files: [String: String], in directory: String) throws {
        for (name, text) in files {
            let file = "\(directory)/\(name)"
            try FileManager.default.createDirectory(atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            if text.hasPrefix("-> ") {
                try FileManager.default.createSymbolicLink(atPath: file, withDestinationPath: String(text.dropFirst(3)))
            } else {
                try text.write(toFile: file, atomically: false, encoding: .utf8)
                if text.hasPrefix("#!") { try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file) }
            }
        }
    }

    @discardableResult
    func commit(_ directory: String, _ files: [String: String] = [:], message: String = "more") async throws -> GitObjectID {
        try write(files, in: directory)
        try await git(directory, "add", "-A")
        try await git(directory, "commit", "-q", "--allow-empty", "-m", message)
        return try await head(directory)
    }

    func head(_ directory: String, _ name: String = "HEAD") async throws -> GitObjectID {
        try #require(GitObjectID(try await git(directory, "rev-parse", "\(name)^{commit}")))
    }

    func remote(_ directory: String) throws -> GitClient.Remote {
        GitClient.Remote(try GitURL(parsing: "file://\(directory)", allowing: .local))
    }

    func text(_ file: String) -> String? { FileReading.whole("\(path)/\(file)").map { String(decoding: $0, as: UTF8.self) } }

    /// A git for which https addresses are other names of repositories on this machine. `body` is shell that comes first.
    func gitServing(_ addresses: [String: String], _ body: String = "", settings: GitClient.Settings = GitClient.Settings()) throws -> GitClient {
        let names = addresses.map { "-c url.file://\($0.value).insteadOf=\($0.key)" }.joined(separator: " ")
        let script = """
            #!/bin/sh
            export GIT_ALLOW_PROTOCOL=file:https
            for word in "$@"; do case "$word" in fetch) fetch=1;; ls-remote) look=1;; https://slow.*) slow=1;; esac; done
            \(body)
            exec git \(names) "$@"
            """
        let file = "\(path)/git-\(UUID().uuidString)"
        try FileWriting.replace(file, with: Array(script.utf8), mode: 0o755)
        var settings = settings
        settings.executable = file
        return GitClient(settings: settings)
    }
}
