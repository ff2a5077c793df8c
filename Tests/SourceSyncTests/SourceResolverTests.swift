import AssayTesting
import Base
import EvalFormats
import EvalModel
import Git
import SourceSync
import Testing

@Suite struct SourceResolverTests {
    let bench: Workbench
    let resolver: SourceResolver

    init() throws {
        bench = try Workbench()
        resolver = SourceResolver(cacheDirectory: "\(bench.path)/cache", policy: [.local, .shorthand])
    }

    static let files = [
        "tasks/b/task.toml": "version = \"1.0\"\n", "tasks/a/task.toml": "version = \"1.0\"\n", "tasks/c": "-> ../more/c", "tasks/notes.md": "x",
        "tasks/nested/deep/task.toml": "version = \"1.0\"\n", "more/c/task.toml": "version = \"1.0\"\n", "registry.json": "[]",
    ]

    @Test(
        "the commit that a ref is pinned to",
        arguments: ["none", "branch", "full-branch", "light-tag", "annotated-tag", "tag-of-tag", "commit", "abbreviation", "detached"])
    func pins(kind: String) async throws {
        let source = try await bench.repository(files: Self.files)
        let first = try await bench.head(source)
        try await bench.git(source, "tag", "light")
        try await bench.git(source, "tag", "-a", "v1", "-m", "one")
        try await bench.git(source, "tag", "-a", "v2", "-m", "two", "v1")
        try await bench.git(source, "branch", "old")
        let second = try await bench.commit(source, ["x": "1"])
        if kind == "detached" { try await bench.git(source, "checkout", "-q", "--detach", first.hex) }
        let (ref, commit): (String?, GitObjectID) =
            switch kind {
            case "none": (nil, second)
            case "branch": ("old", first)
            case "full-branch": ("refs/heads/old", first)
            case "light-tag": ("light", first)
            case "annotated-tag": ("v1", first)
            case "tag-of-tag": ("v2", first)
            case "commit": (first.hex, first)
            case "abbreviation": (String(first.hex.prefix(8)), first)
            default: (nil, first)
            }
        let pinned = try await resolver.pin("file://\(source)", ref: ref)
        #expect(pinned.commit == commit)
        #expect(pinned.url.isLocal)
        #expect(try await resolver.tree(pinned).exists("tasks/a/task.toml"))
    }

    @Test("uncommitted changes are ignored")
    func dirtyCheckout() async throws {
        let source = try await bench.repository(files: Self.files)
        try bench.write(["tasks/new/task.toml": "version = \"1.0\"\n"], in: source)
        let tree = try await resolver.tree(try await resolver.pin("file://\(source)", ref: nil))
        #expect(try await resolver.tasks(in: tree, at: "tasks").map(\.name) == ["a", "b", "c"])
    }

    @Test("a branch that moved is pinned again; a commit id works even if the source is gone")
    func movement() async throws {
        let source = try await bench.repository(files: Self.files)
        let first = try await resolver.pin("file://\(source)", ref: "main")
        let moved = try await bench.commit(source, ["x": "1"])
        #expect(try await resolver.pin("file://\(source)", ref: "main").commit == moved)
        Directory.removeTree(source)
        #expect(try await resolver.pin("file://\(source)", ref: first.commit.hex).commit == first.commit)
        #expect(try await resolver.tree(first).exists("tasks/a"))
    }

    @Test func tasksOfAFolder() async throws {
        let source = try await bench.repository(files: Self.files)
        let tree = try await resolver.tree(try await resolver.pin("file://\(source)", ref: nil))
        let tasks = try await resolver.tasks(in: tree, at: "./tasks/")
        #expect(tasks.map(\.name) == ["a", "b", "c"])
        #expect(tasks.map(\.path) == ["tasks/a", "tasks/b", "tasks/c"])
        #expect(try await resolver.tasks(in: tree, at: "tasks", include: ["[ab]"], exclude: ["b"]).map(\.name) == ["a"])
        #expect(try await resolver.tasks(in: tree, at: "tasks/a").map(\.path) == ["tasks/a"])
        let folder = GitTreeFolder(tree, path: try GitPath(parsing: "tasks/c"))
        #expect(try await folder.read("task.toml") == Array("version = \"1.0\"\n".utf8))
        #expect(folder.exists(""))
        #expect(try await resolver.file("registry.json", in: tree) == Array("[]".utf8))
    }

    @Test(
        "a folder without a task says where task.toml files are",
        arguments: [
            (["tasks/easy/a/task.toml", "tasks/easy/b/task.toml"], "tasks", "\"tasks/easy/a\", \"tasks/easy/b\"", "\"tasks/easy\""),
            (["bench/one/task.toml", "docs/x.md"], "docs", "\"bench/one\"", "\"bench\""),
            (["deep/er/t/task.toml", "x"], ".", "\"deep/er/t\"", "\"deep/er\""),
            (
                (1...7).map { "all/of/t\($0)/task.toml" }, ".",
                (1...5).map { "\"all/of/t\($0)\"" }.joined(separator: ", ") + " and 2 more", "\"all/of\""
            ),
        ])
    func nested(files: [String], path: String, found: String, such: String) async throws {
        let source = try await bench.repository(files: Dictionary(uniqueKeysWithValues: files.map { ($0, "version = \"1.0\"\n") }))
        let tree = try await resolver.tree(try await resolver.pin("file://\(source)", ref: nil))
        let error = await #expect(throws: SourceError.self) { try await resolver.tasks(in: tree, at: path) }
        #expect(error?.type == .taskNotFound)
        let message = error?.message ?? ""
        #expect(message.contains("has no subfolder with a task.toml; there are task.toml files in \(found): "), "\(message)")
        #expect(message.hasSuffix("such as \(such)"), "\(message)")
    }

    @Test("a commit without any task says so")
    func noTask() async throws {
        let source = try await bench.repository(files: ["tasks/README": "x"])
        let tree = try await resolver.tree(try await resolver.pin("file://\(source)", ref: nil))
        let error = await #expect(throws: SourceError.self) { try await resolver.tasks(in: tree, at: "tasks") }
        #expect(error?.message.hasSuffix("there is no task.toml below any folder of the commit") == true, "\(error?.message ?? "")")
    }

    @Test("the error for a missing path names the commit and what exists there")
    func missingPath() async throws {
        let source = try await bench.repository(files: Self.files)
        let tree = try await resolver.tree(try await resolver.pin("file://\(source)", ref: nil))
        let error = await #expect(throws: SourceError.self) { try await resolver.tasks(in: tree, at: "tasks/zzz") }
        #expect(error?.type == .taskNotFound)
        #expect(
            error?.message == "commit \(tree.commit.short) has no folder \"tasks/zzz\"; \"tasks\" has: a, b, c, nested, notes.md"
                + "; there are task.toml files in \"more/c\", \"tasks/a\", \"tasks/b\", \"tasks/nested/deep\": a dataset's path is the folder above its "
                + "tasks, from the root of the repository, such as \"tasks\"")
        await #expect(throws: SourceError.self) { try await resolver.file("nope.json", in: tree) }
    }

    @Test("the message shows a part of a long list of existing names, and how many it leaves out", arguments: [12, 13, 40])
    func manyNames(count: Int) async throws {
        let names = (0..<count).map { "n\($0 + 100)" }
        let source = try await bench.repository(files: Dictionary(uniqueKeysWithValues: names.map { ($0, "x") }))
        let tree = try await resolver.tree(try await resolver.pin("file://\(source)", ref: nil))
        let error = await #expect(throws: SourceError.self) { try await resolver.tasks(in: tree, at: "tasks") }
        #expect(error?.message.contains("its root has: n100, n101, ") == true)
        #expect(error?.message.contains(count > 12 ? ", n111 and \(count - 12) more; " : ", n111; ") == true, "\(error?.message ?? "")")
    }

    @Test(
        "the errors for unusable sources give the reason",
        arguments: [
            ("missing-ref", "has no branch, tag or commit \"nope\"; it has: main"), ("missing-commit", "has no branch, tag or commit"),
            ("missing-abbreviation", "has no branch, tag or commit \"abcdef12\""), ("empty", "has no commit yet"),
            ("folder", "no git repository is there"),
            ("nothing", "no git repository is there"), ("option", "begins with a dash"), ("ext", "transports with \"::\""),
        ])
    func failures(kind: String, says: String) async throws {
        let source = try await bench.repository(files: Self.files)
        try await bench.git(bench.path, "init", "-q", "-b", "main", "empty")
        let (repo, ref): (String, String?) =
            switch kind {
            case "missing-ref": ("file://\(source)", "nope")
            case "missing-commit": ("file://\(source)", String(repeating: "e", count: 40))
            case "missing-abbreviation": ("file://\(source)", "abcdef12")
            case "empty": ("file://\(bench.path)/empty", nil)
            case "folder": ("file://\(bench.path)", nil)
            case "nothing": ("file://\(bench.path)/nowhere", nil)
            case "option": ("file://\(source)", "--upload-pack=touch \(bench.path)/ran")
            default: ("ext::touch%\(bench.path)/ran", nil)
            }
        let error = await #expect(throws: SourceError.self) { try await resolver.pin(repo, ref: ref) }
        #expect(error?.message.contains(says) == true, "\(error?.message ?? "")")
        #expect(error?.type == .sourceSyncFailed)
        #expect(!FileEntry.exists("\(bench.path)/ran"))
    }

    @Test func localPathsOnlyWhereAllowed() async throws {
        let strict = SourceResolver(cacheDirectory: "\(bench.path)/cache")
        await #expect(throws: SourceError.self) { try await strict.pin("file:///srv/x", ref: nil) }
        #expect(try strict.url("owner/name").text == "https://github.com/owner/name.git")
    }

    @Test("catalogue 42: a tree whose objects are damaged is read from a rebuilt mirror")
    func damagedMirror() async throws {
        let source = try await bench.repository(files: Self.files)
        let pinned = try await resolver.pin("file://\(source)", ref: nil)
        let mirror = resolver.mirrors.path(for: GitClient.Remote(pinned.url))
        for folder in Directory.names(in: "\(mirror)/objects") ?? [] where folder.count == 2 { Directory.removeTree("\(mirror)/objects/\(folder)") }
        for file in Directory.names(in: "\(mirror)/objects/pack") ?? [] { Directory.removeTree("\(mirror)/objects/pack/\(file)") }
        #expect(try await resolver.tree(pinned).exists("tasks/a"))
    }

    @Test(
        "an operator on a cluster downloads nothing from its own loopback, a laptop may",
        arguments: ["http://127.0.0.1:9/r.json", "http://localhost:9/r.json", "http://[::1]:9/r.json"])
    func loopback(url: String) async {
        let strict = SourceResolver(cacheDirectory: "\(bench.path)/cache")
        var failure = await #expect(throws: RegistryDownload.Failure.self) { try await RegistryDownload(addresses: strict.webAddresses).bytes(url) }
        #expect(failure?.description.contains("must be an https:// address") == true && failure?.isTransient == false)
        failure = await #expect(throws: RegistryDownload.Failure.self) { try await RegistryDownload(addresses: resolver.webAddresses).bytes(url) }
        #expect(failure?.description.contains("cannot get") == true)
    }
}
