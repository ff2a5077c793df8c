import AssayTesting
import Foundation
import Git
import Subprocess
import Testing

@Suite("A person's working tree, and snapshots of folders")
struct WorkingTreeTests {
    let bench: Workbench

    init() throws { bench = try Workbench() }

    private func tree(_ path: String) async throws -> WorkingTree { try #require(try await WorkingTree.containing(path)) }

    @Test func aFolderOfARepositoryIsFoundFromInside() async throws {
        let source = try await bench.repository(files: ["a b/tasks/t/task.toml": "x\n"])
        let found = try await tree("\(source)/a b/tasks")
        #expect(found.root == source && found.path == "a b/tasks")
        #expect(try await found.head == bench.head(source))
        #expect(try await found.isCommitted())
        try await bench.git(source, "remote", "add", "origin", "https://example.com/a/b.git")
        #expect(try await found.address(ofRemote: "origin") == "https://example.com/a/b.git")
        #expect(try await found.address(ofRemote: "none") == nil)
    }

    @Test func aFolderOutsideIsInNone() async throws {
        try bench.write(["plain/a": "1"], in: bench.path)
        #expect(try await WorkingTree.containing("\(bench.path)/plain") == nil)
    }

    @Test func aBareRepositoryIsOne() async throws {
        try await bench.git(bench.path, "init", "-q", "--bare", "bare.git")
        let found = try await tree("\(bench.path)/bare.git")
        #expect(found.root == "\(bench.path)/bare.git" && found.head == nil)
    }

    @Test(
        "what is not committed",
        arguments: [["tasks/t/new": "1"], ["tasks/t/task.toml": "changed"], ["tasks/t2/task.toml": "1"]])
    func changes(files: [String: String]) async throws {
        let source = try await bench.repository(files: ["tasks/t/task.toml": "x\n", "other": "1"])
        try bench.write(["other": "changed elsewhere"], in: source)
        let found = try await tree("\(source)/tasks")
        #expect(try await found.isCommitted(), "changes elsewhere do not count")
        try bench.write(files, in: source)
        #expect(try await !found.isCommitted())
    }

    @Test func ignoredFilesAreLeftOutAndDeletedOnesTooAndAnIgnoredFolderHasNoList() async throws {
        let source = try await bench.repository(files: [".gitignore": "*.log\nbuild/\n", "tasks/t/a": "1", "tasks/t/b": "1"])
        try bench.write(["tasks/t/x.log": "1", "tasks/t/new": "1", "build/out/task.toml": "1"], in: source)
        try FileManager.default.removeItem(atPath: "\(source)/tasks/t/b")
        let files = try #require(try await tree("\(source)/tasks").files())
        #expect(Set(files) == ["t/a", "t/b", "t/new"])
        #expect(try await tree("\(source)/build/out").files() == nil)
        #expect(try await !tree("\(source)/build/out").isCommitted())

        let snapshot = try await SnapshotStore(directory: "\(bench.path)/s").snapshot(of: "\(source)/tasks", files: files)
        let names = try await bench.git(snapshot.repository, "ls-tree", "-r", "--name-only", snapshot.commit.hex)
        #expect(names == "t/a\nt/new")
    }

    @Test func aSnapshotHasTheBytesAndModesAndIsTheSameForTheSameContent() async throws {
        let folder = "\(bench.path)/plain folder"
        try bench.write(
            [
                "t/run.sh": "#!/bin/bash\n", "t/crlf": "a\r\nb\r\n", ".gitattributes": "* text=auto eol=lf\n", "t/skip.log": "1",
                ".gitignore": "*.log\n", "t/link": "-> crlf",
            ],
            in: folder)
        let store = SnapshotStore(directory: "\(bench.path)/s")
        let first = try await store.snapshot(of: folder)
        #expect(try await store.snapshot(of: folder) == first)
        let listed = try await bench.git(first.repository, "ls-tree", "-r", first.commit.hex)
        #expect(listed.contains("100755 blob") && listed.contains("120000 blob") && listed.contains("t/skip.log"), "\(listed)")
        let bytes = try await Command("git", ["-C", first.repository, "cat-file", "blob", "\(first.commit.hex):t/crlf"]).run().stdout
        #expect(bytes == Array("a\r\nb\r\n".utf8))

        try bench.write(["t/crlf": "other"], in: folder)
        let second = try await store.snapshot(of: folder)
        #expect(second.commit != first.commit && second.repository == first.repository)
        #expect(try await bench.git(first.repository, "cat-file", "-t", first.commit.hex) == "commit", "the first one stays")
    }

    @Test func aRepositoryOfAnotherUserIsRefusedWithTheCommandThatAllowsIt() async throws {
        try #require(getuid() == 0, "run this test as root: nobody else can give files away")
        let source = try await bench.repository(files: ["tasks/t/task.toml": "x\n"])
        _ = try await Command("chown", ["-R", "12345", source]).run()
        let error = await #expect(throws: GitError.self) { try await WorkingTree.containing("\(source)/tasks") }
        #expect(error?.message.contains("git config --global --add safe.directory \(source)") == true, "\(error?.message ?? "")")
    }
}
