import Base
import Foundation
import Git
import Glibc
import Subprocess
import Testing

/// Writers in separate processes: many at once, and killed at any moment.
@Suite(.serialized) struct ProcessTests {
    /// `ledger-writer` is in the directory of this test bundle.
    private static let writer = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().appending(path: "ledger-writer")
        .path

    private func write(_ bench: Bench, writer: Int, runs count: Int, deadline: Double = 300) -> Command {
        Command(
            Self.writer,
            [
                "file://\(bench.remote)", Bench.branch, "\(bench.path)/writer-\(writer)", "job-\(writer)", "0", "\(count)",
                "\(bench.path)/acknowledged-\(writer)",
            ], deadlineSeconds: deadline)
    }

    @Test("catalogue 26: fifty processes with twenty runs each on one branch: a thousand runs, each once, a linear history, all succeed")
    func fifty() async throws {
        let bench = try await Bench()
        let began = SystemTime().monotonic()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<50 {
                group.addTask {
                    let result = try await write(bench, writer: writer, runs: 20).run()
                    #expect(result.succeeded, "writer \(writer): \(result.exit) \(result.stderrText.suffix(1000))")
                }
            }
            try await group.waitForAll()
        }
        print("50 processes with 20 runs each: \(Int(SystemTime().monotonic() - began)) s")
        let found = try await bench.ids()
        #expect(found.count == 1000 && Set(found).count == 1000)
        try await bench.expectSound()
    }

    @Test("catalogue 28, 37: a hundred kills of writers: no acknowledged record is missing, and none is there twice")
    func kills() async throws {
        let bench = try await Bench()
        let kills = Locked(0)
        // Four writers run at the same time; each is killed twenty-five times.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<4 {
                group.addTask {
                    for _ in 0..<25 {
                        let running = try RunningCommand.start(write(bench, writer: writer, runs: 10_000))
                        try await Task.sleep(for: .milliseconds(Int.random(in: 50...900)))
                        // The whole process group, so that git is also killed in the middle of its work.
                        running.signal(SIGKILL)
                        if await running.wait() == .signal(SIGKILL) { kills.withLock { $0 += 1 } }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(kills.withLock { $0 } == 100)
        var acknowledged: Set<String> = []
        for writer in 0..<4 {
            let lines = String(decoding: FileReading.whole("\(bench.path)/acknowledged-\(writer)") ?? [], as: UTF8.self).split(separator: "\n")
            acknowledged.formUnion(lines.map(String.init))
            // No new runs: only those that the killed writers left.
            let last = try await write(bench, writer: writer, runs: 0).run()
            #expect(last.succeeded, "\(last.stderrText)")
        }
        let found = try await bench.ids()
        #expect(acknowledged.count > 100)
        #expect(acknowledged.isSubset(of: found), "\(acknowledged.subtracting(found).count) of \(acknowledged.count) are missing")
        #expect(found.count == Set(found).count)
        print("100 kills: \(acknowledged.count) runs acknowledged, \(found.count) on the branch")
        try await bench.expectSound()
    }
}

/// A directory with a bare repository, removed at the end of its test.
private final class Bench: Sendable {
    let path: String
    static let branch = "assay/runs/v1"
    var remote: String { "\(path)/remote.git" }

    init() async throws {
        path = "\(NSTemporaryDirectory())/assay-writers-\(UUID().uuidString)".replacingOccurrences(of: "//", with: "/")
        try Directory.make(path)
        try await git("/", "init", "-q", "--bare", "-b", "main", remote)
    }

    deinit { Directory.removeTree(path) }

    @discardableResult
    private func git(_ directory: String, _ arguments: String...) async throws -> String {
        let environment = ["GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"]
        let result = try await Command("git", ["-C", directory] + arguments, environment: .inheriting(adding: environment)).run()
        try #require(result.succeeded, "git \(arguments): \(result.stderrText)")
        return result.stdoutText.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// The ids on the branch, in the order of its commits.
    func ids() async throws -> [String] {
        try await git(remote, "log", "--reverse", "--format=%s", Self.branch).split(separator: "\n").map { String($0.dropFirst("Run: ".count)) }
    }

    /// fsck finds nothing, and the history is linear.
    func expectSound() async throws {
        try await git(remote, "fsck", "--strict", "--no-dangling")
        #expect(try await git(remote, "rev-list", "--min-parents=2", Self.branch).isEmpty)
    }
}
