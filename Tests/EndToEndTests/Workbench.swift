import Base
import Foundation
import Subprocess
import Testing

/// All end-to-end tests are below this suite and run one after the other, because they share the machine's cores and its podman.
@Suite(.serialized) struct EndToEnd {}

/// A temporary working directory with everything that a job needs: a benchmark in a git repository and a bare repository for the results. The real
/// executable runs in it, with real podman and real git.
final class Workbench: Sendable {
    let directory: String
    var benchmark: String { "\(directory)/benchmark" }
    var results: String { "\(directory)/results.git" }

    /// The checkout's root.
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    /// The statically linked executable, which also runs in containers without the Swift runtime. `scripts/test` builds it and passes its path.
    static func executable() throws -> String {
        let path = currentEnvironment()["ASSAY_BINARY"] ?? "\(root)/.build/bin/release/assay"
        try #require(
            FileManager.default.isExecutableFile(atPath: path),
            "no executable at \(path): build it with `swift build -c release --static-swift-stdlib --scratch-path .build/static --product assay`")
        return path
    }

    /// - Parameter name: the purpose, written to the file `purpose`.
    init(_ name: String) throws {
        // Short, so that podman's run root below it is not too long and is removed with it (see NodeDirectories.podmanRunRoot).
        directory = "\(FileManager.default.temporaryDirectory.path)/e2e-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try write("purpose", name + "\n")
    }

    /// A workbench for the duration of `body`. Containers that remain are reported as an error and removed.
    static func with(_ name: String, _ body: (Workbench) async throws -> Void) async throws {
        let bench = try Workbench(name)
        do { try await body(bench) } catch {
            await bench.remove()
            throw error
        }
        let left = await bench.containersLeft()
        #expect(left.isEmpty, "containers are left behind: \(left)")
        await bench.remove()
    }

    /// Stops the remaining containers of the node and removes the directory.
    func remove() async {
        for node in await containers() { _ = try? await Command("kill", ["-9", "\(node)"]).run() }
        // Processes of podman that are ending may still create files or hold a mount for a moment.
        for _ in 0..<20 {
            // Killed containers leave mounts behind, which rm must not descend into.
            for line in ((try? String(contentsOfFile: "/proc/mounts", encoding: .utf8)) ?? "").split(separator: "\n").reversed() {
                let words = line.split(separator: " ")
                if words.count > 1, words[1].hasPrefix(directory) { _ = try? await Command("umount", ["-l", String(words[1])]).run() }
            }
            _ = try? await Command("rm", ["-rf", "--one-file-system", directory]).run()
            if !FileManager.default.fileExists(atPath: directory) { return }
            try? await Task.sleep(for: .milliseconds(250))
        }
    }

    // MARK: Programs

    @discardableResult
    func assay(_ words: String..., expecting status: Int32? = nil, seconds: Double = 300) async throws -> CommandResult {
        try await assay(words, expecting: status, seconds: seconds)
    }

    /// - Parameters:
    ///   - place: the working directory; the workbench's own by default.
    ///   - environment: variables to add. The user's cache is the workbench's own.
    @discardableResult
    func assay(
        _ words: [String], expecting status: Int32? = nil, in place: String? = nil, environment: [String: String] = [:], seconds: Double = 300
    ) async throws -> CommandResult {
        let result = try await Command(
            Self.executable(), words,
            environment: .inheriting(adding: environment.merging(["XDG_CACHE_HOME": "\(directory)/cache"]) { own, _ in own }),
            workingDirectory: place ?? directory, deadlineSeconds: seconds
        ).run()
        if let status {
            #expect(
                result.exit == .code(status),
                "assay \(words.joined(separator: " ")): \(result.exit)\n\(result.stdoutText)\n\(result.stderrText)")
        }
        return result
    }

    func start(_ words: [String], to log: String) throws -> RunningCommand {
        try start(Self.executable(), words, to: log)
    }

    /// Runs any program, with its output in a file of the workbench.
    func start(_ program: String, _ words: [String], to log: String) throws -> RunningCommand {
        let handle = try FileLog("\(directory)/\(log)")
        return try RunningCommand.start(
            Command(program, words, workingDirectory: directory), onStdout: handle.append, onStderr: handle.append)
    }

    @discardableResult
    func git(_ words: String..., in repository: String? = nil) async throws -> String {
        let identity = ["-c", "user.name=Tester", "-c", "user.email=tester@localhost", "-c", "init.defaultBranch=main"]
        let result = try await Command("git", ["-C", repository ?? benchmark] + identity + words, deadlineSeconds: 60).run()
        try #require(result.succeeded, "git \(words.joined(separator: " ")): \(result.stderrText)")
        return result.stdoutText.trimmed
    }

    /// git's output; nil when git fails, for things that may not exist yet.
    func gitAnswer(_ words: String..., in repository: String) async -> String? {
        guard let result = try? await Command("git", ["-C", repository] + words, deadlineSeconds: 60).run(), result.succeeded else { return nil }
        return result.stdoutText.trimmed
    }

    // MARK: Content

    func write(_ path: String, _ text: String, executable: Bool = false) throws {
        let full = path.hasPrefix("/") ? path : "\(directory)/\(path)"
        try FileManager.default.createDirectory(
            atPath: (full as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try text.write(toFile: full, atomically: true, encoding: .utf8)
        if executable { try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: full) }
    }

    func read(_ path: String) throws -> String { try String(contentsOfFile: "\(directory)/\(path)", encoding: .utf8) }

    /// The repository's test-dataset in its own benchmark repository, and an empty bare repository for results.
    func useTestDataset() async throws {
        try FileManager.default.createDirectory(atPath: benchmark, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: "\(Self.root)/test-dataset", toPath: "\(benchmark)/test-dataset")
        try await commitBenchmark()
    }

    /// A task folder in the Rollout format.
    func task(
        _ name: String, toml: String = "", instruction: String = "Do it.", solution: String = "true",
        test: String? = "mkdir -p /logs/verifier; echo 1 > /logs/verifier/reward.txt"
    ) throws {
        let folder = "\(benchmark)/tasks/\(name)"
        try write("\(folder)/task.toml", "version = \"1.0\"\n" + toml)
        try write("\(folder)/instruction.md", instruction)
        try write("\(folder)/environment/README", "The trial runs in the target's default image.\n")
        try write("\(folder)/solution/solve.sh", "#!/bin/bash\n" + solution + "\n", executable: true)
        if let test {
            try write("\(folder)/tests/test.sh", "#!/bin/bash\n" + test + "\n", executable: true)
        } else {
            try write("\(folder)/tests/README", "There is no test.sh here.\n")
        }
    }

    func commitBenchmark() async throws {
        if !FileManager.default.fileExists(atPath: "\(benchmark)/.git") { try await git("init", "--quiet") }
        try await git("add", "--all")
        try await git("commit", "--quiet", "--message", "benchmark")
        if !FileManager.default.fileExists(atPath: results) {
            try await git("init", "--quiet", "--bare", results, in: directory)
        }
    }

    /// The paths and first lines of the commits on the artifact branch, newest first.
    func log(_ format: String = "%s", branch: String = "assay/runs/v1") async throws -> [String] {
        try await git("log", "--format=\(format)", branch, in: results).split(separator: "\n").map(String.init)
    }

    /// Monitors that do not end by themselves. A monitor may exist a moment longer than its container.
    func containersLeft() async -> [String] {
        for _ in 0..<300 {
            if await containers().isEmpty { return [] }
            try? await Task.sleep(for: .milliseconds(100))
        }
        let text = (try? await Command("ps", ["-eo", "pid,etime,args"]).run().stdoutText) ?? ""
        return text.split(separator: "\n").filter { $0.contains("conmon") && $0.contains(directory) }.map { String($0.prefix(600)) }
    }

    /// The pids of container monitors that belong to this directory.
    func containers() async -> [Int32] {
        guard let text = try? await Command("ps", ["-eo", "pid,args"]).run().stdoutText else { return [] }
        return text.split(separator: "\n").compactMap { line in
            line.contains("conmon") && line.contains(directory) ? line.split(separator: " ").first.flatMap { Int32($0) } : nil
        }
    }
}

/// Appends a process's output to a file, so that a failing test can show it.
private final class FileLog: Sendable {
    private let handle: FileHandle
    init(_ path: String) throws {
        if !FileManager.default.fileExists(atPath: path) { _ = FileManager.default.createFile(atPath: path, contents: nil) }
        handle = try #require(FileHandle(forWritingAtPath: path))
        handle.seekToEndOfFile()
    }
    @Sendable func append(_ bytes: [UInt8]) { handle.write(Data(bytes)) }
}

extension String {
    var trimmed: String { trimmingCharacters(in: .whitespacesAndNewlines) }
}

/// Waits until a condition holds; fails the test when it does not in time.
func eventually(
    _ what: String, seconds: Double = 120, sourceLocation: SourceLocation = #_sourceLocation, _ condition: () async throws -> Bool
) async throws {
    let end = SystemTime().monotonic() + seconds
    while SystemTime().monotonic() < end {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(100))
    }
    Issue.record("not within \(seconds) s: \(what)", sourceLocation: sourceLocation)
}
