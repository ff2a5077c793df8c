import EvalFormats
import EvalModel
import Testing

@Suite("registry.json")
struct RegistryTests {
    private func parse(_ text: String) throws(FileFormatError) -> RegistryFile { try RegistryFile.parse(Array(text.utf8)) }

    @Test("entries, with and without a repository of their own")
    func entries() throws {
        let registry = try parse(
            """
            [{"name": "d", "version": "1.0", "description": "x", "unknown": 1,
              "tasks": [{"name": "a", "path": "tasks/a/"}, {"path": "./tasks/b", "git_url": "https://example.com/r", "git_commit_id": "abc"},
                        {"name": "c", "path": ".", "git_url": "https://example.com/c", "git_commit_id": "head"}],
              "metrics": [{"type": "mean"}, {"type": "uv-script", "kwargs": {"script_path": "x"}}]},
             {"name": "empty", "version": "head", "tasks": []}]
            """)
        #expect(
            registry.entries == [
                RegistryEntry(
                    name: "d", version: "1.0", description: "x",
                    tasks: [
                        TaskReference(name: "a", path: "tasks/a"),
                        TaskReference(name: "b", path: "tasks/b", repo: "https://example.com/r", ref: "abc"),
                        TaskReference(name: "c", path: "", repo: "https://example.com/c"),
                    ], metrics: [.mean]),
                RegistryEntry(name: "empty", version: "head", tasks: []),
            ])
        #expect(registry.warnings == ["[0].metrics[1].type: metric \"uv-script\" of dataset \"d\" is ignored"])
    }

    @Test(
        "mistakes of a dataset are named with their place",
        arguments: [
            ("[1]", "[0]: must be an object, not a number"),
            ("[{\"version\": \"1\"}]", "[0].name: is required"), ("[{\"name\": \"d\"}]", "[0].version: is required"),
            ("[{\"name\": \"d\", \"version\": 1.0}]", "[0].version: must be a string, not a number"),
            ("[{\"name\": \"d\", \"version\": \"1\", \"tasks\": {}}]", "[0].tasks: must be a list, not an object"),
            ("[{\"name\": \"d\", \"version\": \"1\", \"tasks\": [{\"name\": \"a\"}]}]", "[0].tasks[0].path: is required"),
            ("[{\"name\": \"d\", \"version\": \"1\", \"tasks\": [{\"path\": 3}]}]", "[0].tasks[0].path: must be a string"),
            ("[{\"name\": \"d\", \"version\": \"1\", \"tasks\": [{\"path\": \"../x\"}]}]", "[0].tasks[0].path: path \"../x\" must not contain .."),
            ("[{\"name\": \"d\", \"version\": \"1\", \"tasks\": [{\"path\": \".\"}]}]", "[0].tasks[0].name: is required"),
            ("[{\"name\": \"d\", \"version\": \"1\", \"tasks\": [{\"path\": \"a\", \"git_commit_id\": \"abc\"}]}]", "git_commit_id: needs a git_url"),
            (
                "[{\"name\": \"d\", \"version\": \"1\", \"tasks\": [{\"path\": \"a\"}, {\"path\": \"b/a\"}]}]",
                "tasks[1].name: task \"a\" is in dataset \"d\" twice"
            ),
            ("[{\"name\": \"d\", \"version\": \"1\"}, {\"name\": \"d\", \"version\": \"1\"}]", "[1].version: dataset \"d\" has version \"1\" twice"),
        ] as [(String, String)])
    func mistakes(text: String, message: String) throws {
        let file = try parse(text)
        let error = try #require(file.broken.first?.error)
        #expect(error.description.hasPrefix("registry.json: "))
        #expect(error.description.contains(message), "\(error)")
        if let name = file.broken.first?.name {
            let selection = #expect(throws: RegistrySelectionError.self) { try file.select(name: name, version: nil) }
            #expect(selection?.description == error.description)
        }
    }

    @Test(
        "a file that is no array of datasets",
        arguments: [
            ("{}", "must be an array of datasets, not an object"), ("[\n{]", "line 2, column 2"), ("", "line 1"),
        ])
    func unreadable(text: String, message: String) {
        let error = #expect(throws: FileFormatError.self) { try parse(text) }
        #expect(error?.description.hasPrefix("registry.json: ") == true)
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
    }

    @Test(
        "mistakes in other datasets do not matter",
        arguments: [
            "{\"name\": \"e\", \"version\": \"1\", \"tasks\": [{\"path\": \"../x\"}]}", "{\"name\": \"e\"}", "7", "{}",
            "{\"name\": \"e\", \"version\": \"1\", \"tasks\": [{\"path\": \"a\", \"git_commit_id\": \"abc\"}]}",
            "{\"name\": \"d\", \"version\": \"0.9\", \"tasks\": 3}",
        ])
    func others(other: String) throws {
        let good = "{\"name\": \"d\", \"version\": \"1\", \"tasks\": [{\"path\": \"a\"}]}"
        for text in ["[\(good), \(other)]", "[\(other), \(good)]"] {
            let file = try parse(text)
            #expect(try file.select(name: "d", version: nil).tasks == [TaskReference(name: "a", path: "a")])
            #expect(try file.select(name: "d", version: "1").version == "1")
            #expect(file.broken.count == 1)
        }
    }

    private func registry(_ versions: [String]) -> RegistryFile {
        RegistryFile(entries: versions.map { RegistryEntry(name: "d", version: $0, tasks: []) })
    }

    @Test(
        "which version",
        arguments: [
            (["1.0", "2.0"], nil, "2.0"), (["1.0", "head", "2.0"], nil, "head"), (["1.9", "1.10"], nil, "1.10"), (["1.0", "2.0"], "1.0", "1.0"),
            (["2.0", "2.0-rc1"], nil, "2.0"), (["2.0-rc2", "2.0-rc10", "1.9"], nil, "2.0-rc2"), (["2.0-rc.2", "2.0-rc.10"], nil, "2.0-rc.10"),
            (["v1.2", "1.1"], nil, "v1.2"), (["1", "1.0.1"], nil, "1.0.1"), (["2024.01", "2023.12"], nil, "2024.01"),
        ] as [([String], String?, String)])
    func selection(versions: [String], asked: String?, expected: String) throws {
        #expect(try registry(versions).select(name: "d", version: asked).version == expected)
        #expect(try registry(versions.reversed()).select(name: "d", version: asked).version == expected)
    }

    @Test("catalogue 18: versions of 25 digits are ordered by value")
    func longVersions() throws {
        let versions = ["9", "1234567890123456789012345", "999999999999999999999999", "1234567890123456789012346"]
        #expect(versions.map { DatasetVersion($0) }.sorted().map(\.text) == [versions[0], versions[2], versions[1], versions[3]])
        #expect(try registry(versions).select(name: "d", version: nil).version == versions[3])
    }

    @Test("what is not there is answered with what is")
    func missing() {
        let file = registry(["1.10", "1.9"])
        let version = #expect(throws: RegistrySelectionError.self) { try file.select(name: "d", version: "3") }
        #expect(version?.description == "the registry has no version \"3\" of dataset \"d\": it has 1.9, 1.10")
        let name = #expect(throws: RegistrySelectionError.self) { try file.select(name: "e", version: nil) }
        #expect(name?.description == "the registry has no dataset \"e\": it has d")
    }
}

@Suite("folders of tasks")
struct DatasetFolderTests {
    @Test("the folders that hold a task.toml, sorted")
    func listing() throws {
        let files = [
            "tasks/b/task.toml", "tasks/a/task.toml", "tasks/README.md", "tasks/c/other", "tasks/d/deep/task.toml", "other/x/task.toml",
            "tasks2/y/task.toml", "tasks/B/task.toml",
        ]
        let tasks = DatasetFolder.tasks(at: try SourcePath("tasks"), taskFiles: files)
        #expect(
            tasks == [
                TaskReference(name: "B", path: "tasks/B"), TaskReference(name: "a", path: "tasks/a"), TaskReference(name: "b", path: "tasks/b"),
            ])
        #expect(DatasetFolder.tasks(at: try SourcePath("."), taskFiles: ["x/task.toml", "y/z/task.toml"]).map(\.path) == ["x"])
        #expect(DatasetFolder.tasks(at: try SourcePath("tasks/a"), taskFiles: files).map(\.path) == ["tasks/a"])
        #expect(DatasetFolder.tasks(at: try SourcePath("none"), taskFiles: files) == [])
        // Two folders to git, one name to Unicode: neither is dropped without a word.
        let alike = DatasetFolder.tasks(at: try SourcePath("t"), taskFiles: ["t/\u{E9}/task.toml", "t/e\u{301}/task.toml", "t/\u{301}x/task.toml"])
        #expect(alike.map { Array($0.name.utf8) } == ["e\u{301}", "\u{E9}", "\u{301}x"].map { Array($0.utf8) })
        #expect(throws: TrialMatrixError.self) { try TrialMatrix(agents: ["a"], datasets: [Dataset(name: "d", tasks: alike)], attempts: 1) }
    }

    @Test(
        "include and exclude",
        arguments: [
            (nil, nil, ["easy-1", "easy-2", "hard-1"]), (["easy-*"], nil, ["easy-1", "easy-2"]), (["*-1"], ["hard*"], ["easy-1"]),
            ([], ["*"], []), (["none"], nil, []), (["easy-1", "hard-1"], [], ["easy-1", "hard-1"]),
        ] as [([String]?, [String]?, [String])])
    func selection(include: [String]?, exclude: [String]?, expected: [String]) throws {
        let files = ["easy-1", "easy-2", "hard-1"].map { "\($0)/task.toml" }
        let tasks = DatasetFolder.tasks(at: try SourcePath(""), taskFiles: files, include: include, exclude: exclude)
        #expect(tasks.map(\.name) == expected)
    }

    @Test(
        "globs",
        arguments: [
            ("*", "", true), ("*", "abc", true), ("a*c", "abbbc", true), ("a*c", "abbbd", false), ("?", "a", true), ("?", "", false),
            ("a?c", "abc", true), ("[ab]x", "bx", true), ("[!ab]x", "bx", false), ("[!ab]x", "cx", true), ("[a-c]1", "b1", true),
            ("[a-c]1", "d1", false),
            ("[]]", "]", true), ("[a", "[a", true), ("\\*", "*", true), ("\\*", "a", false), ("**a", "bca", true), ("a", "A", false),
            ("é?", "éx", true),
            ("*a*b*c*", "xxaxxbxxcxx", true), ("", "", true), ("", "a", false), ("a\\", "a\\", true), ("[a-]", "-", true),
        ] as [(String, String, Bool)])
    func globs(pattern: String, name: String, matches: Bool) {
        #expect(Glob(pattern).matches(name) == matches)
    }

    @Test("a hostile glob does not take for ever")
    func hostile() {
        let pattern = String(repeating: "a*", count: 200) + "b"
        #expect(!Glob(pattern).matches(String(repeating: "a", count: 5000)))
    }
}
