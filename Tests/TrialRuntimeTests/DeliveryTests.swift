import AssayTesting
import Base
import EvalModel
import Foundation
import Git
import SourceSync
import Testing

@testable import TrialRuntime

@Suite struct DeliveryTests {
    let bench: Workbench
    let source: String
    let commit: GitObjectID
    var root: String { "\(bench.path)/assay" }

    init() async throws {
        bench = try Workbench()
        source = try await bench.repository(files: [
            "tasks/hello/task.toml": "version = \"1.0\"\n[environment]\ndocker_image = \"rootfs:/\"\n", "tasks/hello/instruction.md": "Say hello.\n",
            "tasks/hello/environment/Dockerfile": "FROM scratch\n", "tasks/hello/environment/code/a.py": "print()\n",
            "tasks/hello/tests/test.sh": "#!/bin/bash\necho 1 > /logs/verifier/reward.txt\n",
            "tasks/hello/tests/data/x.txt": "x\n", "tasks/hello/tests/common.sh": "-> ../../../shared/common.sh",
            "tasks/hello/solution/solve.sh": "#!/bin/bash\necho hello\n", "shared/common.sh": "#!/bin/bash\n",
            "tasks/untested/task.toml": "version = \"1.0\"\n", "tasks/untested/instruction.md": "x\n",
        ])
        commit = try await bench.head(source)
    }

    private func program(_ task: String = "tasks/hello", repo: String? = nil, local: Bool = true, solution: Bool = false) -> PodProgram {
        PodProgram(
            family: .rollout,
            delivery: .init(
                source: .init(repo: repo ?? "file://\(source)", commit: commit.hex, local: local), taskPath: task, solution: solution),
            steps: [TrialRig.step], verifier: .init(), instructionPath: "/tmp/i.md", gateTimeoutSec: 60, packLimitBytes: 1 << 20)
    }

    private func run(_ program: PodProgram, adding more: [String: String] = [:]) async throws -> (code: Int32, message: JSONValue) {
        let environment = [
            "ASSAY_ROOT": bench.path, "ASSAY_TERMINATION_LOG": "\(bench.path)/termination",
            "ASSAY_PROGRAM": String(decoding: try program.json, as: UTF8.self), "TMPDIR": bench.path,
        ].merging(more) { $1 }
        let code = await DeliveryCommand.run(environment: environment)
        return (code, try JSONValue(parsing: FileReading.whole("\(bench.path)/termination") ?? []))
    }

    /// As the agent's ConfigMap is mounted.
    private func mount(_ scripts: [AgentScript: String]) throws {
        let folder = TrialPaths(root: bench.path).agentScripts
        Directory.removeTree(folder)
        try Directory.make(folder)
        for (script, text) in scripts { try FileWriting.replace("\(folder)/\(script.rawValue)", with: text.utf8) }
    }

    private func mode(_ path: String) throws -> Int {
        try #require(try FileManager.default.attributesOfItem(atPath: "\(root)/\(path)")[.posixPermissions] as? Int)
    }

    @Test("files and folders of environment/ are delivered for services; one that the task does not have is left out")
    func environment() async throws {
        var asked = program()
        asked.delivery.files = ["Dockerfile", "code", "gone"]
        #expect(try await run(asked).code == 0)
        #expect(bench.text("assay/environment/Dockerfile") == "FROM scratch\n")
        #expect(bench.text("assay/environment/code/a.py") == "print()\n")
        #expect(Set(Directory.names(in: "\(root)/environment") ?? []) == ["Dockerfile", "code"])
        asked.delivery.files = [""]
        #expect(try await run(asked).code == 0)
        #expect(bench.text("assay/environment/code/a.py") == "print()\n" && bench.text("assay/environment/Dockerfile") == "FROM scratch\n")
        asked.delivery.files = []
        #expect(try await run(asked).code == 0)
        #expect(Directory.names(in: "\(root)/environment")?.isEmpty ?? true)
    }

    @Test("the volumes are laid out as the trial expects them")
    func layout() async throws {
        try mount([.install: "#!/bin/bash\ntrue\n", .execute: "#!/bin/bash\nfalse\n"])
        let (code, message) = try await run(program())
        #expect(code == 0)
        #expect(message.at("delivered", "commit")?.string == commit.hex)
        #expect(bench.text("assay/scripts/run.sh") == Runner.text)
        #expect(bench.text("assay/scripts/install.sh") == "#!/bin/bash\ntrue\n")
        #expect(bench.text("assay/scripts/execute.sh") == "#!/bin/bash\nfalse\n")
        #expect(bench.text("assay/scripts/instruction.md") == "Say hello.\n")
        #expect(bench.text("assay/staged/tests/data/x.txt") == "x\n")
        #expect(bench.text("assay/staged/tests/common.sh") == "#!/bin/bash\n")
        #expect(try mode("scripts/run.sh") == 0o755)
        #expect(try mode("scripts/instruction.md") == 0o644)
        #expect(try mode("staged/tests/test.sh") == 0o755)
        for folder in ["agent", "verifier", "artifacts", "setup", "command"] { #expect(try mode("logs/\(folder)") == 0o777) }
        for name in ["phase", "released"] {
            var info = stat()
            #expect(stat("\(root)/gate/\(name)", &info) == 0 && info.st_mode & S_IFMT == S_IFIFO)
            #expect(try mode("gate/\(name)") == 0o666)
        }
        #expect(!FileEntry.exists("\(root)/solution"))
        #expect(Directory.names(in: bench.path)?.filter { $0.hasPrefix(".assay-scratch") } == [])
    }

    @Test("no git history and no credential reaches a volume")
    func noHistory() async throws {
        #expect(try await run(program(solution: true)).code == 0)
        let paths = try FileManager.default.subpathsOfDirectory(atPath: root)
        #expect(!paths.contains { $0.contains(".git") || $0.contains("objects") || $0.contains("credential") })
        // The environment's folder and other tasks are nobody's business.
        #expect(!paths.contains { $0.contains("Dockerfile") || $0.contains("untested") })
    }

    @Test func theSolutionIsForTheOracle() async throws {
        #expect(try await run(program(solution: true)).code == 0)
        #expect(bench.text("assay/solution/solve.sh") == "#!/bin/bash\necho hello\n")
        #expect(try mode("solution/solve.sh") == 0o755)
    }

    @Test("the canary lines of a Harbor task's instruction are not delivered; those of a Rollout task are", arguments: [TaskSchema.harbor, .rollout])
    func canary(_ family: TaskSchema) async throws {
        let text = "<!-- harbor-canary GUID 1 -->\n\nDo it.\n"
        let source = try await bench.repository(files: [
            "t/task.toml": "version = \"1.0\"\n[environment]\ndocker_image = \"rootfs:/\"\n", "t/instruction.md": text, "t/tests/test.sh": "true\n",
        ])
        var program = program("t", repo: "file://\(source)")
        program.delivery.source.commit = try await bench.head(source).hex
        program.family = family
        #expect(try await run(program).code == 0)
        #expect(bench.text("assay/scripts/instruction.md") == (family == .harbor ? "Do it.\n" : text))
    }

    @Test(
        "the length of an instruction that is too long for a variable is told to the runner and the collector",
        arguments: [120_000, 120_001, 200_000])
    func longInstruction(_ length: Int) async throws {
        let source = try await bench.repository(files: [
            "t/task.toml": "version = \"1.0\"\n[environment]\ndocker_image = \"rootfs:/\"\n",
            "t/instruction.md": String(repeating: "x", count: length),
            "t/tests/test.sh": "true\n",
        ])
        let commit = try await bench.head(source)
        var program = program("t", repo: "file://\(source)")
        program.delivery.source.commit = commit.hex
        #expect(try await run(program).code == 0)
        let expected = length > 120_000 ? length : nil
        let collector = try PodProgram(json: FileReading.whole("\(root)/staged/.assay/program.json") ?? [], from: "test")
        #expect(collector.steps[0].longInstructionBytes == expected)
        #expect(bench.text("assay/scripts/program.sh")?.contains("\nlong_instructions=('\(expected ?? 0)')\n") == true)
    }

    @Test("the solution of a Harbor task can be run as a file")
    func executableSolution() async throws {
        let source = try await bench.repository(files: [
            "t/task.toml": "[environment]\ndocker_image = \"rootfs:/\"\n", "t/instruction.md": "x", "t/tests/test.sh": "true\n",
            "t/solution/data.txt": "x\n", "t/solution/solve.sh": "#!/usr/bin/python3\n",
        ])
        let solution = "\(root)/solution/solve.sh"
        for family in TaskSchema.allCases {
            var program = program("t", repo: "file://\(source)", solution: true)
            program.delivery.source.commit = try await bench.head(source).hex
            program.family = family
            #expect(try await run(program).code == 0)
            #expect(FileManager.default.isExecutableFile(atPath: solution))
        }
    }

    @Test("running it again gives the same")
    func again() async throws {
        try mount([.install: "x"])
        #expect(try await run(program()).code == 0)
        #expect(FileEntry.exists("\(root)/scripts/install.sh"))
        try "left over".write(toFile: "\(root)/staged/tests/left", atomically: false, encoding: .utf8)
        #expect(try await run(program(solution: true)).code == 0)
        #expect(!FileEntry.exists("\(root)/staged/tests/left"))
        #expect(!FileEntry.exists("\(root)/scripts/install.sh"))
        #expect(bench.text("assay/solution/solve.sh") != nil)
    }

    @Test func withoutACacheItFetches() async throws {
        let (code, message) = try await run(program())
        #expect(code == 0)
        #expect(message.at("delivered", "from")?.string == "origin")
    }

    @Test("a registry task comes from its own repository")
    func taskRepository() async throws {
        let other = try await bench.repository(
            "other",
            files: [
                "task.toml": "version = \"1.0\"\n[environment]\ndocker_image = \"x\"\n", "instruction.md": "Other.\n",
                "tests/test.sh": "#!/bin/bash\n",
            ])
        var program = program("")
        program.delivery.taskRepo = .init(repo: "file://\(other)", commit: try await bench.head(other).hex)
        #expect(try await run(program).code == 0)
        #expect(bench.text("assay/scripts/instruction.md") == "Other.\n")
    }

    @Test("catalogue 58: the source's credential is not offered to the host that a task names")
    func foreignTaskRepository() async throws {
        try FileManager.default.createDirectory(atPath: "\(root)/credentials", withIntermediateDirectories: true)
        try "s3cret-token-of-the-source".write(toFile: "\(root)/credentials/token", atomically: false, encoding: .utf8)
        // It asks for a password, as a host would that wants to be sent one.
        let ask: @Sendable (String) -> LoopbackServer.Answer = { _ in
            .reply(status: "401 Unauthorized", headers: ["WWW-Authenticate: Basic realm=\"x\""])
        }
        let (own, foreign) = (try LoopbackServer(ask), try LoopbackServer(ask))
        var program = program(repo: own.url, local: false)
        #expect(try await run(program).code == 1)
        #expect(own.requests.contains { $0.contains("Authorization: Basic") }, "the source itself is sent its credential")
        program.delivery.taskRepo = .init(repo: foreign.url, commit: commit.hex)
        let (code, message) = try await run(program)
        #expect(code == 1 && message.at("error", "type")?.string == "source_sync_failed", "\(message.text)")
        #expect(!foreign.requests.isEmpty && !foreign.requests.contains { $0.lowercased().contains("authorization") })
    }

    @Test(
        "what is wrong is typed, and says where",
        arguments: [
            ("no-folder", "task_not_found", "has no folder \"tasks/zzz\""), ("no-tests", "task_invalid", "no tests/test.sh"),
            ("no-source", "source_sync_failed", "another machine"), ("no-commit", "source_sync_failed", "has no commit eeeeeeeeeeee"),
            ("outside", "source_sync_failed", "refused"), ("file", "source_sync_failed", "not allowed here"),
            ("abbreviated", "internal_error", "full commit id"),
        ])
    func failures(kind: String, type: String, says: String) async throws {
        var program = program()
        switch kind {
        case "no-folder": program.delivery.taskPath = "tasks/zzz"
        case "no-tests": program.delivery.taskPath = "tasks/untested"
        case "no-source": program.delivery.source.repo = "file://\(bench.path)/nowhere"
        case "no-commit": program.delivery.source.commit = String(repeating: "e", count: 40)
        case "outside": program.delivery.taskPath = "../x"
        case "file": program.delivery.source.local = false
        default: program.delivery.source.commit = "abc"
        }
        let (code, message) = try await run(program)
        #expect(code == 1)
        #expect(message.at("error", "type")?.string == type)
        #expect(message.at("error", "message")?.string?.contains(says) == true, "\(message.text)")
        #expect(message.serialized().count <= 4096)
    }

    @Test("a pod's program is unchanged after encoding and decoding")
    func roundTrip() throws {
        var program = program(solution: true)
        program.delivery.taskRepo = .init(repo: "https://example.com/t", commit: "def")
        program.steps.append(
            .init(
                name: "two", instruction: "steps/two/instruction.md", tests: "steps/two/tests",
                limits: .init(installSec: nil, executeSec: nil, verifySec: 5)))
        #expect(try PodProgram(json: program.json, from: "here") == program)
    }

    @Test("the verifier's environment lies where only the collector looks, as it is")
    func verifierVariables() async throws {
        var program = program()
        program.verifier.env = ["A", "B"]
        #expect(try await run(program).message.at("error", "message")?.string?.contains("neither in") == true)
        #expect(try await run(program, adding: ["ASSAY_VERIFIER_ENV": #"{"A":"1 $x","B":"two\nlines"}"#]).code == 0)
        #expect(bench.text("assay/staged/.assay/verifier-env-0") == "A=1 $x\0B=two\nlines\0")
        #expect(!FileEntry.exists(TrialPaths(root: bench.path).releasedVariables))
        let folder = TrialPaths(root: bench.path).verifierVariables
        try Directory.make(folder)
        try FileWriting.replace("\(folder)/\(VerifierVariables.key)", with: Array(#"{"A":"mounted","B":""}"#.utf8))
        #expect(try await run(program).code == 0)
        #expect(bench.text("assay/staged/.assay/verifier-env-0") == "A=mounted\0B=\0")
        for file in ["program.sh", "run.sh"] { #expect(bench.text("assay/scripts/\(file)")?.contains("mounted") == false) }
    }

    @Test("a program of another version is refused with both versions")
    func otherVersion() async throws {
        let code = await DeliveryCommand.run(environment: [
            "ASSAY_ROOT": bench.path, "ASSAY_TERMINATION_LOG": "\(bench.path)/termination", "ASSAY_PROGRAM": #"{"version":7,"shape":"unknown"}"#,
        ])
        #expect(code == 1)
        let text = bench.text("termination") ?? ""
        #expect(text.contains("version 7") && text.contains("understands version \(TrialProgram.currentVersion)"), "\(text)")
    }

    @Test("a program that cannot be read", arguments: ["", "{", "{\"version\":2}"])
    func badPlans(text: String) async throws {
        let code = await DeliveryCommand.run(environment: [
            "ASSAY_ROOT": bench.path, "ASSAY_TERMINATION_LOG": "\(bench.path)/termination", "ASSAY_PROGRAM": text,
        ])
        #expect(code == 1)
        #expect(bench.text("termination")?.contains("internal_error") == true)
    }
}
