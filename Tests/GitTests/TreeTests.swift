import AssayTesting
import Base
import Foundation
import Subprocess
import Testing

@testable import Git

@Suite struct TreeTests {
    let bench: Workbench
    let git = GitClient()

    init() throws { bench = try Workbench() }

    /// The tree of HEAD in a work tree, read from its `.git`.
    private func tree(_ files: [String: String]) async throws -> (tree: GitTree, repository: String) {
        let source = try await bench.repository(files: files)
        return (try await GitTree.load(try await bench.head(source), in: "\(source)/.git", git: git), source)
    }

    private static let shared = [
        "tasks/a/task.toml": "version = \"1.0\"\n", "tasks/a/tests/test.sh": "#!/bin/bash\n", "tasks/a/tests/data": "-> ../../../shared/data",
        "tasks/a/tests/near": "-> test.sh", "tasks/a/tests/abs": "-> /etc/passwd", "tasks/a/tests/up": "-> ../../../../../etc/passwd",
        "tasks/a/tests/gone": "-> nothing", "tasks/a/tests/deep/ü name.txt": "x", "tasks/b": "-> ../other/b",
        "other/b/task.toml": "version = \"1.0\"\n",
        "shared/data/one": "1\n", "shared/data/loop": "-> ../data", "circle": "-> circle", "empty": "",
    ]

    @Test(
        "lookups of paths",
        arguments: [
            ("", "root"), ("tasks/a/task.toml", "tasks/a/task.toml"), ("tasks/a/tests/data/one", "shared/data/one"),
            ("tasks/b/task.toml", "other/b/task.toml"),
            ("tasks/a/../b/task.toml", "other/b/task.toml"), ("shared/data/loop/loop/one", "shared/data/one"), ("tasks/a/tests/abs", "outside"),
            ("tasks/a/tests/up", "outside"), ("tasks/a/tests/gone", "missing"), ("circle", "outside"), ("../x", "outside"),
            ("tasks/a/task.toml/x", "missing"),
            ("nope", "missing"), ("shared/data", "shared/data"),
        ])
    func places(path: String, leads: String) async throws {
        let (tree, _) = try await tree(Self.shared)
        let place =
            switch tree.resolve(path) {
            case .root: "root"
            case .entry(let entry): entry.path
            case .missing: "missing"
            case .outside: "outside"
            }
        #expect(place == leads)
    }

    @Test func readingFollowsLinksInside() async throws {
        let (tree, _) = try await tree(Self.shared)
        #expect(try await tree.read("tasks/a/tests/data/one") == Array("1\n".utf8))
        #expect(try await tree.read("tasks/a/tests/abs") == nil)
        #expect(try await tree.read("empty") == [])
        #expect(tree.folders(in: try GitPath(parsing: "tasks"), having: "task.toml") == ["tasks/a", "tasks/b"])
        try await tree.prefetch(["tasks/b/task.toml", "nope"])
        #expect(try await tree.read("tasks/b/task.toml") == Array("version = \"1.0\"\n".utf8))
    }

    @Test func aFileThatIsTooLarge() async throws {
        let (tree, _) = try await tree(["big": String(repeating: "x", count: 2000)])
        await #expect { try await tree.read("big", limit: 1000) } throws: { ($0 as? GitError)?.kind == .tooLarge }
    }

    @Test("an export has the files, modes and links, and shares no files with git")
    func export() async throws {
        let (tree, _) = try await tree(Self.shared)
        let target = "\(bench.path)/out"
        let report = try await TreeExport(tree).export(try GitPath(parsing: "tasks/a"), to: target)
        #expect(bench.text("out/task.toml") == "version = \"1.0\"\n")
        #expect(bench.text("out/tests/deep/ü name.txt") == "x")
        #expect(access("\(target)/tests/test.sh", X_OK) == 0)
        let files = FileManager.default
        #expect(try files.destinationOfSymbolicLink(atPath: "\(target)/tests/near") == "test.sh")
        #expect(try files.destinationOfSymbolicLink(atPath: "\(target)/tests/abs") == "/etc/passwd")
        #expect(try files.destinationOfSymbolicLink(atPath: "\(target)/tests/up") == "../../../../../etc/passwd")
        // A linked file outside the exported part is copied, because that part is not exported.
        #expect(bench.text("out/tests/data/one") == "1\n")
        #expect(try files.attributesOfItem(atPath: "\(target)/tests/data")[.type] as? FileAttributeType == .typeDirectory)
        #expect(report.danglingLinks == ["tasks/a/tests/abs", "tasks/a/tests/gone", "tasks/a/tests/up"])
        #expect(!files.fileExists(atPath: "\(target)/.git"))
        #expect(report.files == 4)
    }

    @Test func exportOfWhatIsNotThere() async throws {
        let (tree, _) = try await tree(Self.shared)
        for path in ["nope", "tasks/a/task.toml"] {
            await #expect { try await TreeExport(tree).export(try GitPath(parsing: path), to: "\(bench.path)/none") } throws: {
                ($0 as? GitError)?.kind == .pathNotFound
            }
        }
    }

    @Test("catalogue 51: attributes and ignore files in a tree change no byte of the export")
    func attributes() async throws {
        let (tree, _) = try await tree([
            "t/.gitattributes": "* text eol=crlf export-subst filter=evil ident\nhidden export-ignore\n",
            "t/.gitignore": "*\n!.gitignore\n!.gitattributes\n!kept\n!hidden\n",
            "t/kept": "$Format:%H$ $Id$\nline\n", "t/hidden": "h",
        ])
        try await TreeExport(tree).export(try GitPath(parsing: "t"), to: "\(bench.path)/out")
        #expect(bench.text("out/kept") == "$Format:%H$ $Id$\nline\n")
        #expect(bench.text("out/hidden") == "h")
    }

    /// A tree object with these raw entries, written without git's checks.
    private func literalTree(_ repository: String, _ entries: [(mode: String, name: String, id: String)]) async throws -> String {
        var bytes: [UInt8] = []
        for entry in entries {
            bytes += Array("\(entry.mode) \(entry.name)\u{0}".utf8)
            var rest = entry.id[...]
            while !rest.isEmpty {
                bytes.append(try #require(UInt8(rest.prefix(2), radix: 16)))
                rest = rest.dropFirst(2)
            }
        }
        return try await bench.git(repository, "hash-object", "-t", "tree", "-w", "--stdin", "--literally", input: bytes)
    }

    @Test("catalogue 51: names that are equal only in Unicode are two files, and a combining mark after a slash begins a name")
    func equivalentNames() async throws {
        let source = try await bench.repository()
        func blob(_ text: String) async throws -> String { try await bench.git(source, "hash-object", "-w", "--stdin", input: Array(text.utf8)) }
        let inner = try await literalTree(source, [("100644", "\u{301}x", try await blob("three"))])
        let root = try await literalTree(
            source, [("40000", "d", inner), ("100644", "e\u{301}", try await blob("two")), ("100644", "\u{E9}", try await blob("one"))])
        let commit = try #require(GitObjectID(try await bench.git(source, "commit-tree", "-m", "x", root)))
        let tree = try await GitTree.load(commit, in: "\(source)/.git", git: git)
        #expect(try await tree.read("\u{E9}") == Array("one".utf8))
        #expect(try await tree.read("e\u{301}") == Array("two".utf8))
        #expect(try await tree.read("d/\u{301}x") == Array("three".utf8))
        #expect(try GitPath(parsing: "d/\u{301}x").components.count == 2)
        #expect(try await TreeExport(tree).export(.root, to: "\(bench.path)/out").files == 3)
        #expect(
            FileReading.whole("\(bench.path)/out/\u{E9}") == Array("one".utf8) && FileReading.whole("\(bench.path)/out/e\u{301}") == Array("two".utf8)
        )
    }

    @Test("a link that leads out of the exported part and back leads to the same file")
    func reentrantLinks() async throws {
        let (tree, _) = try await tree([
            "t/a/real": "r", "t/a/deep/around": "-> ../../../shared/back", "shared/back": "-> ../t/a/real", "t/a/near": "-> deep/../real",
            "t/a/data": "-> ../../shared/data", "shared/data/up": "-> ../../t/a/real", "t/a/by-name": "-> ../../t/a/real",
        ])
        try await TreeExport(tree).export(try GitPath(parsing: "t/a"), to: "\(bench.path)/out")
        for path in ["real", "deep/around", "near", "data/up", "by-name"] { #expect(bench.text("out/\(path)") == "r", "\(path)") }
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: "\(bench.path)/out/near") == "deep/../real")
    }

    @Test(
        "catalogue 46, 50: a hostile tree writes nothing outside the destination", arguments: ["dotgit", "dotdot", "link-then-folder", "submodule"])
    func hostileTrees(kind: String) async throws {
        let source = try await bench.repository()
        let blob = try await bench.git(source, "hash-object", "-w", "--stdin", input: Array("evil".utf8))
        let victim = "\(bench.path)/victim"
        try FileManager.default.createDirectory(atPath: victim, withIntermediateDirectories: true)
        let link = try await bench.git(source, "hash-object", "-w", "--stdin", input: Array(victim.utf8))
        let inner = try await literalTree(source, [("100644", "file", blob)])
        let root: String
        switch kind {
        case "dotgit": root = try await literalTree(source, [("40000", ".git", inner)])
        case "dotdot": root = try await literalTree(source, [("40000", "..", inner)])
        case "submodule": root = try await literalTree(source, [("160000", "sub", blob), ("100644", "x", blob)])
        default: root = try await literalTree(source, [("120000", "a", link), ("40000", "a", inner)])
        }
        let commit = try #require(GitObjectID(try await bench.git(source, "commit-tree", "-m", "x", root)))
        let tree = try await GitTree.load(commit, in: "\(source)/.git", git: git)
        let out = "\(bench.path)/out"
        let report = try? await TreeExport(tree).export(.root, to: out)
        #expect(Directory.names(in: victim) == [])
        #expect(!FileEntry.exists("\(bench.path)/file"))
        #expect(!FileEntry.exists("\(out)/.git"))
        if kind == "submodule" { #expect(report?.submodules == ["sub"] && tree.submodules(below: "") == ["sub"]) }
    }

    @Test("an object stream that is split anywhere gives the same objects", arguments: [1, 2, 3, 7, 64, 1000])
    func batchChunks(size: Int) throws {
        let ids = [String(repeating: "1", count: 40), String(repeating: "2", count: 40), String(repeating: "3", count: 40)].compactMap {
            GitObjectID($0)
        }
        let stream = Array("\(ids[0]) blob 5\nhello\n\(ids[1]) blob 0\n\n\(ids[2]) blob 3\n\n\n\n\n".utf8)
        var parser = BatchParser(ids: ids)
        var got: [[UInt8]] = [[], [], []]
        var ends = 0
        for start in stride(from: 0, to: stream.count, by: size) {
            try parser.feed(Array(stream[start..<min(start + size, stream.count)])) { (index, piece, last) throws(GitError) in
                got[index] += piece
                if last { ends += 1 }
            }
        }
        #expect(got == [Array("hello".utf8), [], Array("\n\n\n".utf8)])
        #expect(ends == 3)
        #expect(parser.isComplete)
    }

    @Test func aMissingObjectIsCorruption() async throws {
        let source = try await bench.repository()
        let missing = try #require(GitObjectID(String(repeating: "e", count: 40)))
        await #expect { try await git.readBlobs([missing], in: "\(source)/.git") } throws: { ($0 as? GitError)?.kind == .corrupt }
    }
}
