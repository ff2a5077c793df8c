import Base
import EvalFormats
import Foundation
import Git
import Rollout
import Subprocess
import Testing

/// A directory for one test, removed at its end.
final class Workbench: Sendable {
    let path: String

    init() throws {
        let place = "\(NSTemporaryDirectory())/assay-rollout-\(UUID().uuidString)".replacingOccurrences(of: "//", with: "/")
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
        path = URL(filePath: place).resolvingSymlinksInPath().path
    }

    deinit { Directory.removeTree(path) }

    @discardableResult
    func git(_ directory: String, _ arguments: String...) async throws -> String {
        let identity = ["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"]
        let result = try await Command("git", ["-C", "\(path)/\(directory)"] + identity + arguments).run()
        try #require(result.succeeded, "git \(arguments): \(result.stderrText)")
        return result.stdoutText.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    func write(_ name: String, _ text: String) throws {
        let file = "\(path)/\(name)"
        try FileManager.default.createDirectory(atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try text.write(toFile: file, atomically: false, encoding: .utf8)
    }

    /// A folder of tasks, committed in a repository of its own unless told otherwise.
    func dataset(_ name: String, tasks: [String], committed: Bool = true) async throws {
        for task in tasks { try write("\(name)/\(task)/task.toml", "version = \"1.0\"\n") }
        guard committed else { return }
        try await git(name, "init", "--quiet")
        try await git(name, "add", "--all")
        try await git(name, "commit", "--quiet", "--message", "tasks")
    }

    var locator: DatasetLocator { DatasetLocator(directory: path, snapshots: SnapshotStore(directory: "\(path)/snapshots")) }

    func job(_ text: String, name: String? = nil) async throws -> RolloutJob {
        let file = try JobFile.parse(Array(text.utf8))
        return RolloutJob(file, name: name ?? file.name ?? "unnamed", datasets: try await locator.locate(file.datasets))
    }
}
