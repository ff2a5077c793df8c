import Base
import Git
import Subprocess

/// git as a user would run it, without the machine's configuration.
public enum TestGit {
    /// - Parameter date: of new commits, in seconds since 1970; nil: now.
    /// - Returns: the standard output.
    /// - Throws: `CommandFailure` with git's message.
    @discardableResult
    public static func run(_ directory: String, _ arguments: [String], input: [UInt8]? = nil, date: Int? = nil) async throws -> [UInt8] {
        var environment = [
            "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.com",
            "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.com", "LC_ALL": "C",
        ]
        if let date {
            environment["GIT_AUTHOR_DATE"] = "\(date) +0000"
            environment["GIT_COMMITTER_DATE"] = "\(date) +0000"
        }
        let command = Command(
            "git", ["-C", directory] + arguments, environment: .inheriting(adding: environment), standardInput: input.map { .bytes($0) } ?? .none)
        let result = try await command.run()
        guard result.succeeded else { throw CommandFailure("git \(arguments) in \(directory): \(result.stderrText)") }
        return result.stdout
    }

    /// The same, with the output as text without white space at its ends.
    @discardableResult
    public static func text(_ directory: String, _ arguments: [String], input: [UInt8]? = nil, date: Int? = nil) async throws -> String {
        let text = String(decoding: try await run(directory, arguments, input: input, date: date), as: UTF8.self)
        guard let last = text.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(text[...last].drop(while: \.isWhitespace))
    }

    /// A pack of files in the form that a collector sends, and the id of the tree that holds them.
    ///
    /// - Parameters:
    ///   - files: by their path in the tree.
    ///   - directory: for a repository that is removed again.
    public static func pack(_ files: [String: [UInt8]], in directory: String) async throws -> (bytes: [UInt8], tree: String) {
        let repository = "\(directory)/pack-\(UInt64.random(in: 0 ... .max))"
        defer { Directory.removeTree(repository) }
        try await run(directory, ["init", "-q", "--bare", repository])
        var objects: [String] = []
        let root = try await tree(files.map { ($0.key.split(separator: "/").map(String.init), $0.value) }, repository, &objects)
        let names = Array(objects.map { $0 + "\n" }.joined().utf8)
        return (try await run(repository, ["pack-objects", "--stdout", "-q"], input: names), root)
    }

    private static func tree(_ files: [([String], [UInt8])], _ repository: String, _ objects: inout [String]) async throws -> String {
        var lines = ""
        for (name, group) in Dictionary(grouping: files, by: { $0.0[0] }).sorted(by: { $0.key < $1.key }) {
            if group.count == 1, group[0].0.count == 1 {
                let blob = try await text(repository, ["hash-object", "-w", "--no-filters", "--stdin"], input: group[0].1)
                objects.append(blob)
                lines += "100644 blob \(blob)\t\(name)\n"
            } else {
                let inner = try await tree(group.map { (Array($0.0.dropFirst()), $0.1) }, repository, &objects)
                lines += "040000 tree \(inner)\t\(name)\n"
            }
        }
        let id = try await text(repository, ["mktree"], input: Array(lines.utf8))
        objects.append(id)
        return id
    }
}

/// A program that a test needs has failed.
public struct CommandFailure: Error, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}
