import AssayTesting
import Base
import Git
import Testing

@testable import SourceSync

/// A source that is pushed to all the time, with `sync: continuous`.
@Suite("A source that moves")
struct ContinuousReadersTests {
    private static let pushes = 200
    private static let filesEach = 20

    /// Commit `number` has this number in every file.
    private static func files(_ number: Int) -> String {
        var text = "commit refs/heads/main\ncommitter A <a@example.com> \(1_700_000_000 + number) +0000\ndata 4\nmore\n"
        if number > 0 { text += "from refs/heads/main^0\n" }
        let content = "commit \(number)\n"
        for file in 0..<filesEach { text += "M 100644 inline tasks/a/tests/\(file)\ndata \(content.utf8.count)\n\(content)\n" }
        return text + "M 100644 inline tasks/a/task.toml\ndata 16\nversion = \"1.0\"\n\n\n"
    }

    @Test(
        "200 pushes while readers look: every reader gets one whole commit, never an older one, and the mirror stays as small as its history",
        arguments: [MirrorExtent.full, .shallow])
    func readers(extent: MirrorExtent) async throws {
        let bench = try Workbench()
        let origin = "\(bench.path)/origin.git"
        try await bench.git(bench.path, "init", "-q", "--bare", "-b", "main", origin)
        let numbers = Locked<[GitObjectID: Int]>([:])
        @Sendable func push(_ number: Int) async throws {
            try await TestGit.run(origin, ["fast-import", "--quiet"], input: Array(Self.files(number).utf8))
            let head = try await bench.head(origin, "refs/heads/main")
            numbers.withLock { $0[head] = number }
        }
        try await push(0)
        let resolver = SourceResolver(cacheDirectory: "\(bench.path)/cache", policy: [.local])
        let (isOver, looks) = (Locked(false), Locked(0))
        let strategy = ContinuousSync(extent, interval: 0.05)
        let request = SyncRequest(repo: "file://\(origin)", ref: "main")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    var last = -1
                    while true {
                        let ends = isOver.withLock { $0 }
                        let source = try await strategy.sync(request, with: resolver)
                        let tree = try await resolver.tree(source)
                        var found: Set<String> = []
                        for file in 0..<Self.filesEach {
                            found.insert(String(decoding: try #require(try await tree.read("tasks/a/tests/\(file)")), as: UTF8.self))
                        }
                        // The writer notes a commit after it has pushed it.
                        let isNoted = await eventually { numbers.withLock { $0[source.commit] } != nil }
                        try #require(isNoted)
                        let number = try #require(numbers.withLock { $0[source.commit] })
                        #expect(found == ["commit \(number)\n"], "commit \(number) has \(found)")
                        #expect(number >= last, "\(number) after \(last)")
                        last = number
                        looks.withLock { $0 += 1 }
                        if ends { return }
                    }
                }
            }
            for number in 1...Self.pushes { try await push(number) }
            isOver.withLock { $0 = true }
            try await group.waitForAll()
        }
        #expect(looks.withLock { $0 } >= 8)
        let last = try await OneshotSync(extent).sync(request, with: resolver)
        #expect(numbers.withLock { $0[last.commit] } == Self.pushes)
        let mirrors = (Directory.names(in: "\(bench.path)/cache") ?? []).filter {
            $0.hasSuffix(".git") || $0.contains(".new-") || $0.contains(".old-")
        }
        #expect(mirrors.count == 1, "\(mirrors)")
        // A commit has one blob and four trees; what readers make of it must not add to that.
        let size = Directory.usage(of: "\(bench.path)/cache", upTo: .max)
        #expect(size < 16 << 20, "\(size) bytes after \(Self.pushes) commits")
    }
}
