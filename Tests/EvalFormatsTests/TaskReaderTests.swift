import EvalFormats
import EvalModel
import Foundation
import Testing

@Suite("task folders")
struct TaskReaderTests {
    private static let complete = ["instruction.md", "environment/Dockerfile", "tests/test.sh", "solution/solve.sh"]

    private func load(_ paths: [String], toml: String? = "version = \"1.0\"", needsSolution: Bool = false) async throws -> LoadedTask {
        let files = toml.map { ["task.toml": Array($0.utf8)] } ?? [:]
        return try await TaskReader.load(name: "x", from: ListedTaskFolder(paths: paths, files: files), needsSolution: needsSolution)
    }

    @Test("a complete task")
    func valid() async throws {
        let loaded = try await load(Self.complete, needsSolution: true)
        #expect(loaded.task.hasInstruction)
        #expect(loaded.task.environment.hasDockerfile)
        #expect(loaded.task.refusal(image: .dockerfile, canBuild: false) != nil)
        #expect(loaded.task.refusal(image: .dockerfile, canBuild: true) == nil)
        #expect(loaded.task.refusal(image: .task("rootfs:/"), canBuild: false) == nil)
        #expect(loaded.warnings == [])
    }

    @Test(
        "what is missing is said",
        arguments: [
            ([], nil, false, "no such folder", TrialErrorType.taskNotFound),
            (["instruction.md"], nil, false, "task \"x\" has no task.toml", .taskInvalid),
            (["instruction.md", "environment/Dockerfile"], "", false, "task \"x\" has no tests/test.sh", .taskInvalid),
            (["environment/Dockerfile"], "", false, "task \"x\" has no instruction.md, no tests/test.sh", .taskInvalid),
            (["instruction.md", "tests/test.sh"], "", false, "task \"x\" has no environment/ (or environment.docker_image", .taskInvalid),
            (["instruction.md", "environment/x", "tests/other.sh"], "", false, "task \"x\" has no tests/test.sh", .taskInvalid),
            (["instruction.md", "environment/x", "tests/test.sh"], "", true, "task \"x\" has no solution/solve.sh, which the oracle", .taskInvalid),
        ] as [([String], String?, Bool, String, TrialErrorType)])
    func missing(paths: [String], toml: String?, needsSolution: Bool, message: String, type: TrialErrorType) async {
        let error = await #expect(throws: TrialError.self) {
            try await load(paths, toml: toml.map { "version = \"1.0\"\n\($0)" }, needsSolution: needsSolution)
        }
        #expect(error?.type == type)
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    @Test("docker_image stands for environment/")
    func image() async throws {
        let loaded = try await load(["instruction.md", "tests/test.sh"], toml: "version = \"1.0\"\nenvironment.docker_image = \"i\"")
        #expect(TaskRequirements.unmet(by: loaded.task) == [])
        let built = try await load(Self.complete, toml: "version = \"1.0\"\nenvironment.docker_image = \"i\"")
        #expect(TaskRequirements.unmet(by: built.task) == [])
    }

    @Test("docker-compose.yaml must be a file")
    func compose() async throws {
        let error = await #expect(throws: TrialError.self) { try await load(Self.complete + ["environment/docker-compose.yaml/x"]) }
        #expect(error?.message == "task \"x\": environment/docker-compose.yaml is no file")
    }

    @Test("a folder steps/ without [[steps]] is an ordinary folder")
    func plainStepsFolder() async throws {
        #expect(try await load(Self.complete + ["steps/one/instruction.md"]).task.refusal(image: .task("i"), canBuild: true) == nil)
    }

    @Test("the id of the build context is that of the folder in git; a directory on disk has none")
    func context() async throws {
        struct Folder: TaskFolder {
            let files: ListedTaskFolder
            func exists(_ path: String) -> Bool { files.exists(path) }
            func read(_ path: String) -> [UInt8]? { files.read(path) }
            func treeID(_ path: String) -> String? { path == "environment" ? "abc" : nil }
        }
        let files = ListedTaskFolder(paths: Self.complete, files: ["task.toml": []])
        #expect(try await TaskReader.load(name: "x", from: Folder(files: files)).task.environment.context == "abc")
        #expect(try await TaskReader.load(name: "x", from: files).task.environment.context == nil)
    }

    @Test(
        "files that only look like Docker Compose's are ordinary files",
        arguments: [
            "environment/docker-compose.yml", "environment/app/docker-compose.yaml", "environment/compose.yaml",
        ])
    func ordinary(path: String) async throws {
        #expect(try await load(Self.complete + [path]).task.refusal(image: .task("i"), canBuild: true) == nil)
    }

    private struct FolderWithSubmodules: TaskFolder {
        let files: ListedTaskFolder
        let paths: [String]
        func exists(_ path: String) -> Bool { files.exists(path) }
        func read(_ path: String) -> [UInt8]? { files.read(path) }
        func submodules() -> [String] { paths }
    }

    @Test("submodules refuse the task by name", arguments: [["tests/dep"], ["environment/x", "solution/y"], []])
    func submodules(paths: [String]) async throws {
        let files = ListedTaskFolder(paths: Self.complete, files: ["task.toml": []])
        let task = try await TaskReader.load(name: "x", from: FolderWithSubmodules(files: files, paths: paths)).task
        let refusal = task.refusal(image: .task("i"), canBuild: true)
        #expect((refusal?.type == .taskInvalid) == !paths.isEmpty)
        for path in paths { #expect(refusal?.message.contains("\(path) is a git submodule") == true) }
    }

    @Test(
        "which files a task of steps must have",
        arguments: [
            (["steps/a/instruction.md", "steps/a/tests/test.sh"], "", nil), (["steps/a/instruction.md", "tests/test.sh"], "", nil),
            (["steps/a/tests/test.sh"], "", "no steps/a/instruction.md"),
            (["steps/a/instruction.md"], "", "no steps/a/tests/test.sh (or tests/test.sh)"),
            (["instruction.md", "steps/b/instruction.md", "tests/test.sh"], "", "no steps/a/instruction.md"),
            (["steps/a/instruction.md"], "[steps.verifier.environment]\ndocker_image = \"v\"", nil),
            (["steps/a/instruction.md", "steps/a/tests/Dockerfile"], "[steps.verifier]\nenvironment_mode = \"separate\"", nil),
            (["steps/a/instruction.md", "steps/a/tests/Dockerfile"], "", "no steps/a/tests/test.sh"),
            (["steps/a/instruction.md", "tests/docker-compose.yaml"], "[verifier]\nenvironment_mode = \"separate\"", nil),
        ] as [([String], String, String?)])
    func steps(paths: [String], toml: String, missing: String?) async throws {
        let text = "schema_version = \"1.4\"\n[[steps]]\nname = \"a\"\n\(toml)"
        guard let missing else {
            let task = try await load(paths + ["environment/Dockerfile"], toml: text).task
            #expect(task.steps.map(\.name) == ["a"])
            let verifiers = task.verifierImages(.shared, trial: .task("i"))
            #expect(verifiers.isEmpty == !(toml.contains("separate") || toml.contains("verifier.environment")))
            // Only a verifier of several services is refused.
            let isRefused = task.refusal(image: .task("i"), verifiers: verifiers, canBuild: true) != nil
            #expect(isRefused == paths.contains("tests/docker-compose.yaml"))
            return
        }
        let error = await #expect(throws: TrialError.self) { try await load(paths + ["environment/Dockerfile"], toml: text) }
        #expect(error?.message.contains(missing) == true, "\(error?.message ?? "")")
    }

    @Test(
        "a separate verifier whose image holds the tests needs no test.sh",
        arguments: [
            ("[verifier.environment]\ndocker_image = \"v\"", "environment/x", true),
            ("[verifier]\nenvironment_mode = \"separate\"", "tests/Dockerfile", true),
            ("[verifier]\nenvironment_mode = \"separate\"", "tests/docker-compose.yaml", true),
            ("[verifier]\nenvironment_mode = \"separate\"", "tests/x", false), ("", "tests/Dockerfile", false),
            ("[verifier]\nenvironment_mode = \"shared\"", "tests/Dockerfile", false),
        ])
    func bundledTests(toml: String, path: String, isComplete: Bool) async {
        let loaded = try? await load(["instruction.md", "environment/Dockerfile", path], toml: toml)
        #expect((loaded != nil) == isComplete)
    }

    @Test("a dataset's family decides about the rule for the reward and the limits")
    func family() async throws {
        let folder = ListedTaskFolder(paths: Self.complete, files: ["task.toml": Array("version = \"1.0\"".utf8)])
        #expect(try await TaskReader.load(name: "x", from: folder).task.schema == .harbor)
        let task = try await TaskReader.load(name: "x", from: folder, format: .rollout).task
        #expect(task.schema == .rollout)
        #expect(task.timeouts.agentSec == 600)
    }

    @Test("a directory: links stay within the boundary, large files are refused")
    func directory() async throws {
        let place = FileManager.default.temporaryDirectory.appendingPathComponent("task-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: place) }
        let task = place.appendingPathComponent("repo/task")
        try FileManager.default.createDirectory(at: task, withIntermediateDirectories: true)
        try Data("secret".utf8).write(to: place.appendingPathComponent("outside"))
        try Data("shared".utf8).write(to: place.appendingPathComponent("repo/shared"))
        try Data(count: DirectoryTaskFolder.maximumBytes + 1).write(to: task.appendingPathComponent("large"))
        for (name, target) in [("a", "../shared"), ("b", "../../outside"), ("c", "/etc/passwd"), ("d", "nowhere")] {
            try FileManager.default.createSymbolicLink(atPath: task.path + "/" + name, withDestinationPath: target)
        }
        let folder = DirectoryTaskFolder(task.path, boundary: place.path + "/repo")
        #expect(try folder.read("a") == Array("shared".utf8))
        for name in ["b", "c", "d", "none", "../../outside", ""] { #expect(try folder.read(name) == nil) }
        #expect(!folder.exists("b"))
        #expect(folder.exists(""))
        #expect(throws: TaskFolderError.self) { try folder.read("large") }
        #expect(try DirectoryTaskFolder(task.path).read("a") == nil)
        #expect(!DirectoryTaskFolder(task.path + "/none").exists(""))
    }
}

@Suite("test-dataset")
struct TestDatasetTests {
    private static let root = Fixture.repository + "/test-dataset"
    private static let tasks = [
        "agent-times-out", "fractional-reward", "hello-world", "reward-invalid", "reward-missing", "test-exits-nonzero",
        "verifier-times-out", "wrong-answer",
    ]

    @Test("every task is one, without a warning, and can run on a given image", arguments: tasks)
    func task(name: String) async throws {
        let loaded = try await TaskReader.load(name: name, from: DirectoryTaskFolder("\(Self.root)/\(name)"), needsSolution: true, format: .rollout)
        #expect(loaded.warnings == [])
        #expect(loaded.task.refusal(image: .task("rootfs:/"), canBuild: true) == nil)
        #expect(loaded.task.schema == .rollout)
        #expect(loaded.task.timeouts.agentSec == (name == "agent-times-out" ? 2 : 60))
        #expect(loaded.task.timeouts.verifierSec == (name == "verifier-times-out" ? 2 : 60))
        for script in ["solution/solve.sh", "tests/test.sh"] {
            #expect(FileManager.default.isExecutableFile(atPath: "\(Self.root)/\(name)/\(script)"))
        }
    }

    @Test("the folder, the registry and the README have the same tasks")
    func complete() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.root)
        let files = names.map { "test-dataset/\($0)/task.toml" }.filter { FileManager.default.fileExists(atPath: Fixture.repository + "/" + $0) }
        let found = DatasetFolder.tasks(at: try SourcePath("test-dataset"), taskFiles: files)
        #expect(found.map(\.name) == Self.tasks)

        let registry = try RegistryFile.parse([UInt8](Data(contentsOf: URL(fileURLWithPath: Self.root + "/registry.json"))))
        #expect(registry.warnings == [])
        let newest = try registry.select(name: "assay-self-test", version: nil)
        #expect(newest.version == "1.1")
        #expect(Set(newest.tasks) == Set(found))
        #expect(try registry.select(name: "assay-self-test", version: "1.0").tasks.count == 3)
        #expect(try registry.select(name: "assay-hello", version: nil).version == "head")

        let readme = try String(contentsOfFile: Self.root + "/README.md", encoding: .utf8)
        for name in Self.tasks { #expect(readme.contains("| `\(name)` |")) }
    }
}
