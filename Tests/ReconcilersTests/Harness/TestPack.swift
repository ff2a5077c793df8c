import Base
import EvalModel
import Subprocess
import Testing
import TrialPods
import TrialRuntime

/// A pack as a collector sends it, made by git once.
struct TestPack: Sendable {
    let description: TrialReport.Pack
    let framed: [UInt8]

    /// What it holds: `logs/verifier/reward.txt`.
    static let reward = "1\n"

    static func make(in directory: String) async throws -> TestPack {
        let repository = "\(directory)/pack.git"
        _ = try await git(directory, ["init", "-q", "--bare", repository])
        let blob = try await text(repository, ["hash-object", "-w", "--stdin"], Array(reward.utf8))
        let verifier = try await text(repository, ["mktree"], Array("100644 blob \(blob)\treward.txt\n".utf8))
        let logs = try await text(repository, ["mktree"], Array("040000 tree \(verifier)\tverifier\n".utf8))
        let root = try await text(repository, ["mktree"], Array("040000 tree \(logs)\tlogs\n".utf8))
        let bytes = try await git(
            repository, ["pack-objects", "--stdout", "-q"], Array([blob, verifier, logs, root].map { $0 + "\n" }.joined().utf8))
        let description = TrialReport.Pack(sha256: SHA256.hex(of: bytes), bytes: bytes.count, tree: root)
        return TestPack(description: description, framed: PackFrame.encode(bytes, description: description))
    }

    private static func text(_ directory: String, _ arguments: [String], _ input: [UInt8]) async throws -> String {
        String(decoding: try await git(directory, arguments, input), as: UTF8.self).filter { !$0.isWhitespace }
    }

    /// git as a user would run it, without the machine's configuration.
    @discardableResult
    static func git(_ directory: String, _ arguments: [String], _ input: [UInt8]? = nil) async throws -> [UInt8] {
        let command = Command(
            "git", ["-C", directory] + arguments,
            environment: .inheriting(adding: [
                "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.com",
                "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.com", "LC_ALL": "C",
            ]), standardInput: input.map { .bytes($0) } ?? .none)
        let result = try await command.run()
        try #require(result.succeeded, "git \(arguments) in \(directory): \(result.stderrText)")
        return result.stdout
    }
}
