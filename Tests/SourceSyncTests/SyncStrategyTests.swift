import AssayTesting
import Base
import Git
import Glibc
import Testing

@testable import SourceSync

/// How a benchmark comes to where trials read it.
@Suite("Strategies of sync")
struct SyncStrategyTests {
    private let bench: Workbench
    private let resolver: SourceResolver
    private static let files = ["tasks/a/task.toml": "version = \"1.0\"\n", "tasks/a/tests/test.sh": "#!true\n", "other/big": "0123456789\n"]

    init() throws {
        bench = try Workbench()
        resolver = SourceResolver(cacheDirectory: "\(bench.path)/cache", policy: [.local])
    }

    private func sync(_ strategy: any SyncStrategy, repo: String, ref: String? = nil, pinned: GitObjectID? = nil) async throws -> PinnedSource {
        try await strategy.sync(SyncRequest(repo: repo, ref: ref, pinned: pinned), with: resolver)
    }

    /// The files with objects of the mirror of a source.
    private func objects(_ source: PinnedSource) -> [String] {
        let mirror = resolver.mirrors.path(for: GitClient.Remote(source.url, extent: source.extent))
        return (Directory.names(in: "\(mirror)/objects") ?? []).filter { $0 != "info" && $0 != "pack" }
            + (Directory.names(in: "\(mirror)/objects/pack") ?? [])
    }

    private func text(_ path: String, _ source: PinnedSource) async throws -> String? {
        try await resolver.tree(source).read(path).map { String(decoding: $0, as: UTF8.self) }
    }

    // MARK: noop

    @Test("noop: a directory without changes is its HEAD; nothing is copied, and the job's repository is not asked")
    func noop() async throws {
        let place = try await bench.repository(files: Self.files)
        let head = try await bench.head(place)
        let source = try await sync(NoopSync(directory: place), repo: "https://nowhere.invalid/org/repo", ref: "main")
        #expect(source.commit == head && source.extent == .linked && source.snapshot == nil && source.repositoryName == place)
        #expect(try await text("other/big", source) == "0123456789\n")
        #expect(objects(source).isEmpty)
        // What a job began with stays, whatever happens in the directory.
        try await bench.commit(place, ["other/big": "changed\n"])
        #expect(try await sync(NoopSync(directory: place), repo: "x", pinned: head).commit == head)
        #expect(try await text("other/big", source) == "0123456789\n")
    }

    @Test("noop: changes that are not committed are in a snapshot, which names the commit below them")
    func dirty() async throws {
        let place = try await bench.repository(files: Self.files.merging([".gitignore": "ignored\n"]) { $1 })
        let head = try await bench.head(place)
        try bench.write(["other/big": "changed\r\n", "new/file": "new\n", "ignored": "x\n"], in: place)
        unlink("\(place)/tasks/a/tests/test.sh")
        let source = try await sync(NoopSync(directory: place), repo: "x")
        #expect(source.commit != head && source.snapshot == SourceSnapshot(of: place, head: head) && source.repositoryName == place)
        let tree = try await resolver.tree(source)
        #expect(try await text("other/big", source) == "changed\r\n")
        #expect(try await text("new/file", source) == "new\n")
        #expect(!tree.exists("ignored") && !tree.exists("tasks/a/tests/test.sh") && tree.exists("tasks/a/task.toml"))
        #expect(try await sync(NoopSync(directory: place), repo: "x").commit == source.commit)
        try bench.write(["other/big": "changed again\n"], in: place)
        let again = try await sync(NoopSync(directory: place), repo: "x", pinned: source.commit)
        #expect(again.commit == source.commit && again.repositoryName == place)
        #expect(try await text("other/big", again) == "changed\r\n")
    }

    @Test("noop: a directory that is in no repository")
    func plain() async throws {
        let place = "\(bench.path)/plain"
        try bench.write(Self.files.merging([".assay/secret": "x", ".hidden": "kept"]) { $1 }, in: place)
        let source = try await sync(NoopSync(directory: place), repo: "x")
        #expect(source.snapshot == SourceSnapshot(of: place, head: nil))
        let tree = try await resolver.tree(source)
        #expect(tree.exists(".hidden") && !tree.exists(".assay"))
        #expect(try await text("other/big", source) == "0123456789\n")
    }

    @Test("noop: what cannot work is refused")
    func refusals() async throws {
        let place = try await bench.repository(files: Self.files)
        let head = try await bench.head(place)
        func refusal(_ directory: String, ref: String? = nil) async -> String {
            let error = await #expect(throws: SourceError.self) { try await sync(NoopSync(directory: directory), repo: "x", ref: ref) }
            return error?.message ?? ""
        }
        #expect(await refusal("\(bench.path)/none") == "there is no directory \(bench.path)/none")
        #expect(await refusal("\(place)/tasks").contains("name the root of the repository"))
        let other = String(repeating: "0123456789", count: 4)
        #expect(await refusal(place, ref: other).contains("its HEAD is \(head.short)"))
        try bench.write(["new": "x"], in: place)
        #expect(await refusal(place, ref: head.hex).contains("its files are not all committed"))
        #expect(await refusal(place, ref: other).contains("use a target with sync oneshot"))
    }

    // MARK: Modes

    @Test("shallow has the one commit, full has all of them")
    func shallow() async throws {
        let place = try await bench.repository(files: Self.files)
        let head = try await bench.commit(place, ["other/big": "second\n"])
        for (extent, commits) in [(MirrorExtent.shallow, "1"), (.full, "2")] {
            let source = try await sync(OneshotSync(extent), repo: "file://\(place)", ref: "main")
            #expect(source.commit == head && source.ref == "refs/heads/main" && source.extent == extent)
            #expect(try await text("other/big", source) == "second\n")
            let mirror = resolver.mirrors.path(for: GitClient.Remote(source.url, extent: extent))
            #expect(try await bench.git(mirror, "rev-list", "--count", head.hex) == commits)
        }
        let error = await #expect(throws: SourceError.self) {
            try await sync(OneshotSync(.shallow), repo: "file://\(place)", ref: String(head.hex.prefix(9)))
        }
        #expect(error?.message.contains("syncOptions.mode full") == true)
    }

    @Test("sparse has the files of its paths only, and says so of others")
    func sparse() async throws {
        let place = try await bench.repository(files: Self.files.merging(["tasks/a/link": "-> ../../other/big", "top": "t\n"]) { $1 })
        try await bench.git(place, "config", "uploadpack.allowFilter", "true")
        let extent = MirrorExtent.sparse([try GitPath(parsing: "tasks"), try GitPath(parsing: "top")])
        let source = try await sync(OneshotSync(extent), repo: "file://\(place)")
        let tree = try await resolver.tree(source)
        #expect(try await text("tasks/a/task.toml", source) == "version = \"1.0\"\n")
        #expect(try await text("top", source) == "t\n")
        #expect(!tree.exists("other/big") && tree.isSparse)
        let mirror = resolver.mirrors.path(for: GitClient.Remote(source.url, extent: extent))
        let blob = try await bench.git(place, "rev-parse", "HEAD:other/big")
        #expect(try await bench.git(mirror, "rev-list", "--objects", "--missing=print", "--all").contains("?\(blob)"))
        #expect(try await resolver.tasks(in: tree, at: "tasks").map(\.name) == ["a"])
        let error = await #expect(throws: SourceError.self) { try await resolver.tasks(in: tree, at: "other") }
        #expect(error?.message.contains("only syncOptions.sparsePaths of the EvalTarget are there") == true, "\(error?.message ?? "")")
    }

    @Test("sparse works with a server that cannot filter, and a damaged mirror is made again")
    func recovery() async throws {
        let place = try await bench.repository(files: Self.files)
        let extent = MirrorExtent.sparse([try GitPath(parsing: "tasks")])
        let source = try await sync(OneshotSync(extent), repo: "file://\(place)")
        #expect(try await !resolver.tree(source).exists("other/big"))
        let mirror = resolver.mirrors.path(for: GitClient.Remote(source.url, extent: extent))
        Directory.removeTree("\(mirror)/objects/pack")
        #expect(try await text("tasks/a/task.toml", source) == "version = \"1.0\"\n")
    }

    @Test("the extent of a mirror has one text, in plans and in requests to the cache service")
    func extents() throws {
        let paths = [try GitPath(parsing: "b/c"), try GitPath(parsing: "a")]
        for extent in [MirrorExtent.full, .shallow, .linked, .sparse(paths.reversed())] {
            #expect(try MirrorExtent(parsing: extent.text) == extent)
            let tree = TreeReference(
                repository: "r", commit: try #require(GitObjectID(String(repeating: "ab", count: 20))), path: .root, extent: extent)
            #expect(try TreeReference(word: tree.word) == tree)
        }
        #expect(MirrorExtent.sparse(paths).text == MirrorExtent.sparse(paths.reversed()).text)
        #expect(throws: GitError.self) { try MirrorExtent(parsing: "half") }
    }

    @Test("catalogue 41: of several first syncs of one sparse mirror, one fetches, and all get the files")
    func together() async throws {
        let place = try await bench.repository(files: Self.files)
        let extent = MirrorExtent.sparse([try GitPath(parsing: "tasks")])
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<6 {
                // Each has its own store, as each process has.
                let resolver = SourceResolver(cacheDirectory: "\(bench.path)/cache", policy: [.local])
                group.addTask {
                    let source = try await OneshotSync(extent).sync(SyncRequest(repo: "file://\(place)", ref: "main"), with: resolver)
                    return try await resolver.tree(source).read("tasks/a/task.toml") == Array("version = \"1.0\"\n".utf8)
                }
            }
            for try await isRight in group { #expect(isRight) }
        }
        #expect((Directory.names(in: "\(bench.path)/cache") ?? []).filter { $0.hasSuffix(".git") }.count == 1)
    }

    @Test("catalogues 44, 45 and 46: a ref, an address or a path that git could read as something else is refused", arguments: MirrorExtentCase.all)
    func hostile(it: MirrorExtentCase) async throws {
        let error = await #expect(throws: (any Error).self) {
            let extent: MirrorExtent = try it.path.map { MirrorExtent.sparse([try GitPath(parsing: $0)]) } ?? .shallow
            return try await sync(OneshotSync(extent), repo: it.repo, ref: it.ref)
        }
        #expect("\(error.map { "\($0)" } ?? "")".contains("refused"), "\(it): \(error.map { "\($0)" } ?? "")")
        #expect((Directory.names(in: "\(bench.path)/cache") ?? []).isEmpty)
    }

    struct MirrorExtentCase: Sendable {
        var repo = "https://127.0.0.1:1/x"
        var ref: String?
        var path: String?

        static let all: [MirrorExtentCase] = [
            .init(ref: "--upload-pack=touch /tmp/x"), .init(ref: "-x"), .init(ref: "a\nb"), .init(repo: "ext::sh -c true"),
            .init(repo: "https://u:p@h/x"),
            .init(repo: "https://h/x\ny"), .init(repo: "--upload-pack=x"), .init(path: "../x"), .init(path: "a/.git/hooks"), .init(path: "a\0b"),
            .init(path: String(repeating: "a/", count: 2600) + "a"),
        ]
    }

    // MARK: continuous

    /// A clock that a test moves.
    private final class Clock: TimeSource {
        let seconds = Locked(1000.0)
        func now() -> Timestamp { Timestamp(seconds: Int64(monotonic())) }
        func monotonic() -> Double { seconds.withLock { $0 } }
        func sleep(seconds: Double) async throws {}
    }

    @Test("continuous: within the interval a ref means what it meant, without asking the remote; then it is asked again")
    func continuous() async throws {
        let place = try await bench.repository(files: Self.files)
        let first = try await bench.head(place)
        let clock = Clock()
        let strategy = ContinuousSync(.shallow, interval: 60, time: clock)
        #expect(try await sync(strategy, repo: "file://\(place)", ref: "main").commit == first)
        let second = try await bench.commit(place, ["new": "x"])
        rename(place, "\(place).away")
        clock.seconds.withLock { $0 += 59 }
        #expect(try await sync(strategy, repo: "file://\(place)", ref: "main").commit == first)
        clock.seconds.withLock { $0 += 2 }
        await #expect(throws: SourceError.self) { try await sync(strategy, repo: "file://\(place)", ref: "main") }
        rename("\(place).away", place)
        #expect(try await sync(strategy, repo: "file://\(place)", ref: "main").commit == second)
        // Another mode has its own mirror, and a job that began keeps its commit.
        #expect(try await sync(ContinuousSync(.full, interval: 60, time: clock), repo: "file://\(place)", ref: "main").extent == .full)
        #expect(try await sync(strategy, repo: "file://\(place)", pinned: first).commit == first)
    }

    @Test("continuous: a sync that was answered before another began does not end after it: a ref never goes back")
    func overlap() async throws {
        let place = try await bench.repository(files: Self.files)
        let strategy = ContinuousSync(.shallow, interval: 60)
        let (isAnswered, isOpen, hasEnded) = (Locked(false), Locked(false), Locked(false))
        let first = SyncRequest(repo: "file://\(place)", ref: "main") { _ in
            isAnswered.withLock { $0 = true }
            // Held for at most 30 s, between the remote's answer and the fetch.
            for _ in 0..<3000 where !isOpen.withLock({ $0 }) { usleep(10_000) }
        }
        async let early = strategy.sync(first, with: resolver)
        try #require(await eventually { isAnswered.withLock { $0 } })
        try await bench.commit(place, ["new": "x"])
        async let late = {
            defer { hasEnded.withLock { $0 = true } }
            return try await sync(strategy, repo: "file://\(place)", ref: "main")
        }()
        try #require(await eventually { hasEnded.withLock { $0 } || resolver.recent.waiting == 1 })
        isOpen.withLock { $0 = true }
        let commits = try await (early.commit, late.commit)
        #expect(try await sync(strategy, repo: "file://\(place)", ref: "main").commit == commits.1, "\(commits)")
    }
}
