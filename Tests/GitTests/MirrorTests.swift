import AssayTesting
import Base
import Foundation
import Testing

@testable import Git

@Suite struct MirrorTests {
    let bench: Workbench
    let git = GitClient()
    let store: MirrorStore

    init() throws {
        bench = try Workbench()
        store = MirrorStore(directory: "\(bench.path)/cache", git: git)
    }

    @Test("catalogue 41: of several first clones into one cache, one succeeds, and the mirror is complete")
    func coldClones() async throws {
        let source = try await bench.repository(files: Dictionary(uniqueKeysWithValues: (0..<50).map { ("f\($0)", "\($0)\n") }))
        let commit = try await bench.head(source)
        let remote = try bench.remote(source)
        let paths = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<8 { group.addTask { try await store.ensure(commit, from: remote) } }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(paths == [store.path(for: remote)])
        #expect(Directory.names(in: store.directory)?.filter { $0.contains(".new-") || $0.contains(".old-") } == [])
        try await bench.git(store.path(for: remote), "fsck", "--strict", "--full")
    }

    @Test("a mirror keeps a requested commit that the source no longer has")
    func kept() async throws {
        let source = try await bench.repository()
        let remote = try bench.remote(source)
        let lost = try await bench.commit(source, ["x": "1"])
        let path = try await store.ensure(lost, from: remote)
        try await bench.git(source, "reset", "-q", "--hard", "HEAD~1")
        let next = try await bench.commit(source, ["y": "1"])
        #expect(try await store.ensure(next, from: remote) == path)
        try await bench.git(path, "gc", "-q", "--prune=now")
        #expect(try await git.contains(lost, in: path))
        #expect(try await store.existing(remote, having: lost) == path)
        #expect(!FileEntry.exists("\(path)/shallow"))
    }

    @Test("a branch that is replaced by branches below its name, and the reverse, does not stop a fetch")
    func renamedBranches() async throws {
        let source = try await bench.repository()
        let remote = try bench.remote(source)
        try await bench.git(source, "branch", "topic")
        let first = try await bench.head(source)
        let path = try await store.ensure(first, from: remote)
        try await bench.git(source, "branch", "-m", "topic", "topic/one")
        let second = try await bench.commit(source, ["x": "1"])
        #expect(try await store.ensure(second, from: remote) == path)
        try await bench.git(source, "branch", "-m", "topic/one", "topic")
        let third = try await bench.commit(source, ["x": "2"])
        #expect(try await store.ensure(third, from: remote) == path)
        #expect(try await git.contains(first, in: path))
    }

    @Test func aCommitThatNoRefReaches() async throws {
        let source = try await bench.repository()
        let hidden = try #require(GitObjectID(try await bench.git(source, "commit-tree", "-m", "x", "HEAD^{tree}")))
        try await bench.git(source, "config", "uploadpack.allowAnySHA1InWant", "true")
        let path = try await store.ensure(hidden, from: try bench.remote(source))
        #expect(try await git.contains(hidden, in: path))
    }

    @Test func aCommitThatDoesNotExist() async throws {
        let source = try await bench.repository()
        let missing = try #require(GitObjectID(String(repeating: "e", count: 40)))
        let remote = try bench.remote(source)
        await #expect { try await store.ensure(missing, from: remote) } throws: { ($0 as? GitError)?.kind == .refNotFound }
    }

    @Test("catalogue 42: a corrupt cache is rebuilt", arguments: ["pack", "garbage", "empty", "missing-blob"])
    func corrupt(kind: String) async throws {
        let source = try await bench.repository(files: ["a": String(repeating: "a\n", count: 1000)])
        let remote = try bench.remote(source)
        let first = try await bench.head(source)
        let path = try await store.ensure(first, from: remote)
        let second = try await bench.commit(source, ["b": "2"])
        switch kind {
        case "garbage":
            Directory.removeTree("\(path)/objects")
            try "junk".write(toFile: "\(path)/HEAD", atomically: false, encoding: .utf8)
        case "empty":
            Directory.removeTree(path)
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        default:
            for name in Directory.names(in: "\(path)/objects/pack") ?? [] { Directory.removeTree("\(path)/objects/pack/\(name)") }
            for name in Directory.names(in: "\(path)/objects") ?? [] where name.count == 2 {
                if kind == "pack" || name < "80" { Directory.removeTree("\(path)/objects/\(name)") }
            }
        }
        #expect(try await store.ensure(second, from: remote) == path)
        try await bench.git(path, "fsck", "--full")
        let tree = try await GitTree.load(second, in: path, git: git)
        #expect(try await tree.read("b") == Array("2".utf8))
    }

    @Test("catalogue 42: lock files that a killed git left do not stop the cache")
    func staleLocks() async throws {
        let source = try await bench.repository()
        let remote = try bench.remote(source)
        let path = try await store.ensure(try await bench.head(source), from: remote)
        try Directory.make("\(path)/refs/heads/feature")
        for name in ["packed-refs.lock", "HEAD.lock", "shallow.lock", "refs/heads/main.lock", "refs/heads/feature/x.lock"] {
            try "".write(toFile: "\(path)/\(name)", atomically: false, encoding: .utf8)
        }
        try await bench.git(source, "branch", "feature/x")
        let next = try await bench.commit(source, ["x": "1"])
        #expect(try await store.ensure(next, from: remote) == path)
    }

    @Test("catalogue 42: a reader continues while the cache is rebuilt")
    func readersUnharmed() async throws {
        let source = try await bench.repository(files: ["big": String(repeating: "0123456789\n", count: 200_000), "z": "end"])
        let remote = try bench.remote(source)
        let commit = try await bench.head(source)
        let path = try await store.ensure(commit, from: remote)
        let entries = try await git.listTree(commit, in: path)
        let rebuilt = Locked(false)
        let total = Locked(0)
        // The first piece starts a rebuild; the reader holds git back until it is done.
        let gate = DispatchSemaphore(value: 0)
        async let reading: Void = git.readObjects(entries.map(\.id), in: path) { (_, piece, _) throws(GitError) in
            if total.withLock({
                $0 += piece.count; return $0 == piece.count
            }) {
                gate.wait()
            }
        }
        try await store.rebuild(remote)
        rebuilt.withLock { $0 = true }
        gate.signal()
        try await reading
        #expect(total.withLock { $0 } == 200_000 * 11 + 3)
        #expect(try await git.contains(commit, in: path))
    }

    @Test func aLockIsHeldByOne() async throws {
        let file = "\(bench.path)/lock"
        let first = try await FileLock.acquire(file, deadline: 1)
        await #expect { try await FileLock.acquire(file, deadline: 0.05) } throws: { ($0 as? GitError)?.kind == .timeout }
        first.release()
        _ = try await FileLock.acquire(file, deadline: 1)
    }

    @Test("private repositories have separate mirrors by Secret, or by content if the Secret is not known")
    func apart() throws {
        let url = try GitURL(parsing: "https://h/r")
        func path(_ password: String, of name: String?) throws -> String {
            store.path(
                for: .init(url, credentials: try .secret(["password": Array(password.utf8)], of: name, for: url, directory: "\(bench.path)/c")))
        }
        #expect(try path("one", of: nil) != path("two", of: nil))
        #expect(try path("one", of: nil) != store.path(for: .init(url)))
        #expect(try path("one", of: "a/s") == path("two", of: "a/s"))
        #expect(try path("one", of: "a/s") != path("one", of: "b/s"))
        #expect(try path("one", of: "a/s") != path("one", of: nil))
        #expect(try path("one", of: "a/s") != store.path(for: .init(url)))
    }

    @Test("a shallow checkout, as in CI, can be a source")
    func shallowSource() async throws {
        let source = try await bench.repository()
        try await bench.commit(source, ["a": "1"])
        try await bench.git(bench.path, "clone", "-q", "--depth", "1", "file://\(source)", "ci")
        let commit = try await bench.head("\(bench.path)/ci")
        let path = try await store.ensure(commit, from: try bench.remote("\(bench.path)/ci"))
        #expect(try await GitTree.load(commit, in: path, git: git).exists("a"))
    }

    @Test("a minimal fetch gets one commit without history and only the requested files", arguments: [true, false])
    func minimalFetch(filter: Bool) async throws {
        let source = try await bench.repository(files: ["tasks/a/x": "x", "tasks/b/y": "y", "other": "o"])
        let old = try await bench.head(source)
        let commit = try await bench.commit(source, ["tasks/a/x": "x2"])
        try await bench.git(source, "config", "uploadpack.allowFilter", filter ? "true" : "false")
        let remote = try bench.remote(source)
        let repository = "\(bench.path)/fetch.git"
        try await git.initialise(repository)
        try await git.fetchMinimal(commit, from: remote, into: repository, paths: [try GitPath(parsing: "tasks/a")])
        #expect(try await !git.contains(old, in: repository))
        let tree = try await GitTree.load(commit, in: repository, git: git, remote: remote)
        #expect(try await tree.read("tasks/a/x") == Array("x2".utf8))
        // Other files are fetched when they are requested.
        #expect(try await tree.read("other") == Array("o".utf8))
    }

    @Test("a minimal fetch gets files and links together: nothing is fetched separately afterwards")
    func minimalFetchIsComplete() async throws {
        let source = try await bench.repository(files: [
            "tasks/a/x": "x", "tasks/a/l": "-> x", "links/one": "-> ../tasks/a/x", "links/two": "-> one", "other": "o",
        ])
        try await bench.git(source, "config", "uploadpack.allowFilter", "true")
        let commit = try await bench.head(source)
        let remote = try bench.remote(source)
        let repository = "\(bench.path)/fetch.git"
        try await git.initialise(repository)
        try await git.fetchMinimal(commit, from: remote, into: repository, paths: [try GitPath(parsing: "tasks/a")])
        let missing = try await git.missing(of: commit, in: repository)
        #expect(missing.count == 1)
        Directory.removeTree(source)
        let tree = try await GitTree.load(commit, in: repository, git: git, remote: remote)
        #expect(try await tree.read("links/two") == Array("x".utf8))
        try await TreeExport(tree).export(try GitPath(parsing: "tasks/a"), to: "\(bench.path)/out")
        #expect(bench.text("out/x") == "x")
    }

    @Test func minimalFetchOfAnOldCommit() async throws {
        let source = try await bench.repository(files: ["a": "1"])
        let old = try await bench.head(source)
        try await bench.commit(source, ["a": "2"])
        let repository = "\(bench.path)/fetch.git"
        try await git.initialise(repository)
        let remote = try bench.remote(source)
        try await git.fetchMinimal(old, from: remote, into: repository, paths: [])
        #expect(try await GitTree.load(old, in: repository, git: git, remote: remote).read("a") == Array("1".utf8))
    }
}
