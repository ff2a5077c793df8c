import Base
import Glibc
import Subprocess

/// A private bare repository in which the outputs become git objects.
///
/// Git never reads the trial's directory. It reads redacted copies under names that the collector chose, and trees are written entry by entry.
/// So filters, attributes, ignore files, hooks and configuration of the trial have no effect.
struct PackStore: Sendable {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    let directory: String

    private var gitDirectory: String { directory + "/repository" }

    func create() async throws {
        _ = try await git(["init", "--quiet", "--bare", "--template=", gitDirectory], inRepository: false)
    }

    /// Writes files as blobs, byte for byte; returns the object ids in the same order.
    func blobs(_ paths: [String]) async throws -> [String] {
        guard !paths.isEmpty else { return [] }
        let lines = paths.joined(separator: "\n") + "\n"
        let ids = Self.lines(
            try await git(["hash-object", "-w", "--no-filters", "--stdin-paths"], input: Array(lines.utf8)))
        guard ids.count == paths.count else {
            throw Failure(description: "git hash-object answered \(ids.count) times for \(paths.count) files")
        }
        return ids
    }

    /// The compressed size of each object on disk, in bytes.
    func sizes(_ ids: [String]) async throws -> [Int] {
        guard !ids.isEmpty else { return [] }
        let lines = ids.joined(separator: "\n") + "\n"
        let sizes = Self.lines(
            try await git(["cat-file", "--batch-check=%(objectsize:disk)"], input: Array(lines.utf8))
        ).compactMap { Int($0) }
        guard sizes.count == ids.count else {
            throw Failure(description: "git cat-file knew \(sizes.count) of \(ids.count) objects")
        }
        return sizes
    }

    /// Writes trees, each given as a list of records for `mktree -z`; returns the ids in the same order.
    func trees(_ trees: [[String]]) async throws -> [String] {
        guard !trees.isEmpty else { return [] }
        var input: [UInt8] = []
        for records in trees {
            for record in records {
                input.append(contentsOf: record.utf8)
                input.append(0)
            }
            input.append(0)
        }
        let ids = Self.lines(try await git(["mktree", "-z", "--batch"], input: input))
        guard ids.count == trees.count else {
            throw Failure(description: "git mktree answered \(ids.count) times for \(trees.count) trees")
        }
        return ids
    }

    /// One packfile of exactly these objects; nil when it is larger than `limit`.
    func pack(_ ids: [String], limit: Int) async throws -> [UInt8]? {
        let lines = ids.joined(separator: "\n") + "\n"
        let result = try await run(
            ["pack-objects", "--stdout", "--quiet", "--threads=1", "--delta-base-offset"], input: Array(lines.utf8),
            outputLimit: limit)
        guard !result.truncated else { return nil }
        return result.stdout
    }

    private static func lines(_ bytes: [UInt8]) -> [String] {
        String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    private func git(_ arguments: [String], inRepository: Bool = true, input: [UInt8]? = nil) async throws -> [UInt8] {
        try await run(arguments, inRepository: inRepository, input: input, outputLimit: 64 << 20).stdout
    }

    private func run(
        _ arguments: [String], inRepository: Bool = true, input: [UInt8]?, outputLimit: Int
    ) async throws -> CommandResult {
        var environment = [
            "PATH": currentEnvironment()["PATH"] ?? "/usr/local/bin:/usr/bin:/bin",
            "HOME": directory, "LC_ALL": "C", "TMPDIR": directory,
            "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0",
            // The loose objects are needed for a short time only, so they need not be synced to disk.
            "GIT_CONFIG_COUNT": "2", "GIT_CONFIG_KEY_0": "core.fsync", "GIT_CONFIG_VALUE_0": "none",
            "GIT_CONFIG_KEY_1": "gc.auto", "GIT_CONFIG_VALUE_1": "0",
        ]
        if inRepository { environment["GIT_DIR"] = gitDirectory }
        let result = try await Command(
            "git", arguments, environment: .exact(environment), workingDirectory: directory,
            standardInput: input.map { .bytes($0) } ?? .none, deadlineSeconds: 300, outputLimit: outputLimit
        ).run()
        guard result.succeeded else {
            let word = arguments.first ?? ""
            throw Failure(
                description: "git \(word) ended with \(result.timedOut ? "a timeout" : result.exit.description): "
                    + String(result.stderrText.suffix(300)).replacingControls)
        }
        return result
    }
}
