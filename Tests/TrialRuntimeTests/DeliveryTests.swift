import Base
import EvalModel
import Foundation
import Git
import SourceSync
import Testing
import TrialRuntime

@Suite struct DeliveryTests {
    let bench: Workbench
    let source: String
    let commit: GitObjectID
    var root: String { "\(bench.path)/assay" }

    init() async throws {
        bench = try Workbench()
        source = try await bench.repository(files: [
            "tasks/hello/task.toml": "version = \"1.0\"\n[environment]\ndocker_image = \"rootfs:/\"\n", "tasks/hello/instruction.md": "Say hello.\n",
            "tasks/hello/environment/Dockerfile": "FROM scratch\n", "tasks/hello/tests/test.sh": "#!/bin/bash\necho 1 > /logs/verifier/reward.txt\n",
            "tasks/hello/tests/data/x.txt": "x\n", "tasks/hello/tests/common.sh": "-> ../../../shared/common.sh",
            "tasks/hello/solution/solve.sh": "#!/bin/bash\necho hello\n", "shared/common.sh": "#!/bin/bash\n",
            "tasks/untested/task.toml": "version = \"1.0\"\n", "tasks/untested/instruction.md": "x\n",
        ])
        commit = try await bench.head(source)
    }

    private func plan(_ task: String = "tasks/hello", repo: String? = nil, local: Bool = true, solution: Bool = false) -> DeliveryPlan {
        DeliveryPlan(
            source: .init(repo: repo ?? "file://\(source)", commit: commit.hex, ref: "main", local: local), taskPath: task, solution: solution)
    }

    private func run(_ plan: DeliveryPlan, adding more: [String: String] = [:]) async throws -> (code: Int32, message: JSONValue) {
        let environment = [
            "ASSAY_ROOT": bench.path, "ASSAY_TERMINATION_LOG": "\(bench.path)/termination", "ASSAY_PLAN": try JSONValueEncoder().encode(plan).text,
            "TMPDIR": bench.path,
        ].merging(more) { $1 }
        let code = await DeliveryCommand.run(environment: environment)
        return (code, try JSONValue(parsing: FileReading.whole("\(bench.path)/termination") ?? []))
    }

    private func mode(_ path: String) throws -> Int {
        try #require(try FileManager.default.attributesOfItem(atPath: "\(root)/\(path)")[.posixPermissions] as? Int)
    }

    @Test("the volumes are laid out as the trial expects them")
    func layout() async throws {
        let (code, message) = try await run(plan(), adding: ["ASSAY_INSTALL": "#!/bin/bash\ntrue\n", "ASSAY_EXECUTE": "#!/bin/bash\nfalse\n"])
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
        #expect(try await run(plan(solution: true)).code == 0)
        let paths = try FileManager.default.subpathsOfDirectory(atPath: root)
        #expect(!paths.contains { $0.contains(".git") || $0.contains("objects") || $0.contains("credential") })
        // The environment's folder and other tasks are nobody's business.
        #expect(!paths.contains { $0.contains("Dockerfile") || $0.contains("untested") })
    }

    @Test func theSolutionIsForTheOracle() async throws {
        #expect(try await run(plan(solution: true)).code == 0)
        #expect(bench.text("assay/solution/solve.sh") == "#!/bin/bash\necho hello\n")
        #expect(try mode("solution/solve.sh") == 0o755)
    }

    @Test("running it again gives the same")
    func again() async throws {
        #expect(try await run(plan(solution: true), adding: ["ASSAY_INSTALL": "x"]).code == 0)
        try "left over".write(toFile: "\(root)/staged/tests/left", atomically: false, encoding: .utf8)
        #expect(try await run(plan(solution: true)).code == 0)
        #expect(!FileEntry.exists("\(root)/staged/tests/left"))
        #expect(!FileEntry.exists("\(root)/scripts/install.sh"))
        #expect(bench.text("assay/solution/solve.sh") != nil)
    }

    @Test("the cache serves a commit without its source, read-only")
    func fromCache() async throws {
        let cache = TrialPaths(root: bench.path).cache
        let resolver = SourceResolver(cacheDirectory: cache, policy: .local)
        let pinned = try await resolver.pin("file://\(source)", ref: "main")
        try FileManager.default.moveItem(atPath: source, toPath: "\(bench.path)/gone")
        var plan = plan()
        plan.source = .init(pinned)
        let (code, message) = try await run(plan)
        #expect(code == 0)
        #expect(message.at("delivered", "from")?.string == "cache")
        #expect(bench.text("assay/staged/tests/data/x.txt") == "x\n")
    }

    @Test("a cache that may be written is filled by the first trial and serves the next without the network")
    func fillsTheCache() async throws {
        // The plain-file protocol: a bare repository's files, as any web server has them.
        try await bench.git(bench.path, "clone", "-q", "--bare", source, "r.git")
        try await bench.git("\(bench.path)/r.git", "update-server-info")
        let folder = bench.path
        let server = try LoopbackServer { head in
            let path = head.split(separator: " ").dropFirst().first.map { String($0.prefix { $0 != "?" }) } ?? ""
            guard !path.contains(".."), let bytes = FileReading.whole(folder + path) else { return .reply(status: "404 Not Found") }
            return .reply(status: "200 OK", body: bytes)
        }
        let cache = TrialPaths(root: bench.path).cache
        try FileManager.default.createDirectory(atPath: cache, withIntermediateDirectories: true)
        let plan = plan(repo: server.url, local: false)
        #expect(try await run(plan).code == 0)
        let asked = server.requests.count
        #expect(asked > 0)
        #expect(try await run(plan).code == 0)
        #expect(server.requests.count == asked)
        #expect(bench.text("assay/staged/tests/data/x.txt") == "x\n")
    }

    @Test func withoutACacheItFetches() async throws {
        let (code, message) = try await run(plan())
        #expect(code == 0)
        #expect(message.at("delivered", "from")?.string == "fetch")
    }

    @Test("a registry task comes from its own repository")
    func taskRepository() async throws {
        let other = try await bench.repository("other", files: [
            "task.toml": "version = \"1.0\"\n[environment]\ndocker_image = \"x\"\n", "instruction.md": "Other.\n", "tests/test.sh": "#!/bin/bash\n",
        ])
        var plan = plan("")
        plan.taskRepo = .init(repo: "file://\(other)", commit: try await bench.head(other).hex)
        #expect(try await run(plan).code == 0)
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
        var plan = plan(repo: own.url, local: false)
        #expect(try await run(plan).code == 1)
        #expect(own.requests.contains { $0.contains("Authorization: Basic") }, "the source itself is sent its credential")
        plan.taskRepo = .init(repo: foreign.url, commit: commit.hex)
        let (code, message) = try await run(plan)
        #expect(code == 1 && message.at("error", "type")?.string == "source_sync_failed", "\(message.text)")
        #expect(!foreign.requests.isEmpty && !foreign.requests.contains { $0.lowercased().contains("authorization") })
    }

    @Test("what is wrong is typed, and says where", arguments: [
        ("no-folder", "task_not_found", "has no folder \"tasks/zzz\""), ("no-tests", "task_invalid", "no tests/test.sh"),
        ("no-source", "source_sync_failed", "another machine"), ("no-commit", "source_sync_failed", "has no commit eeeeeeeeeeee"),
        ("outside", "source_sync_failed", "refused"), ("file", "source_sync_failed", "not allowed here"), ("cold-cache", "source_sync_failed", "cache"),
        ("overlays", "source_sync_failed", "overlays"),
    ])
    func failures(kind: String, type: String, says: String) async throws {
        var plan = plan()
        switch kind {
        case "no-folder": plan.taskPath = "tasks/zzz"
        case "no-tests": plan.taskPath = "tasks/untested"
        case "no-source": plan.source.repo = "file://\(bench.path)/nowhere"
        case "no-commit": plan.source.commit = String(repeating: "e", count: 40)
        case "outside": plan.taskPath = "../x"
        case "file": plan.source.local = false
        case "cold-cache": try Directory.make(TrialPaths(root: bench.path).cache)
        default: plan.overlays = [.init(name: "o", repo: "https://h/o", commit: commit.hex)]
        }
        let (code, message) = try await run(plan)
        #expect(code == 1)
        #expect(message.at("error", "type")?.string == type)
        #expect(message.at("error", "message")?.string?.contains(says) == true, "\(message.text)")
        #expect(message.serialized().count <= 4096)
    }

    @Test("a delivery plan is the same after a trip through JSON")
    func roundTrip() throws {
        let plan = DeliveryPlan(
            source: .init(repo: "https://example.com/r", commit: "abc", ref: "main"), taskPath: "tasks/x",
            taskRepo: .init(repo: "https://example.com/t", commit: "def"), solution: true,
            overlays: [.init(name: "o", repo: "r", commit: "c")], fixtures: .init(manifest: "m", cachePath: "p"))
        let value = try JSONValueEncoder().encode(plan)
        #expect(value["version"] == 1)
        #expect(try JSONValueDecoder().decode(DeliveryPlan.self, from: value) == plan)
    }

    @Test("a plan of another version is refused with both versions")
    func otherVersion() async throws {
        let code = await DeliveryCommand.run(environment: [
            "ASSAY_ROOT": bench.path, "ASSAY_TERMINATION_LOG": "\(bench.path)/termination", "ASSAY_PLAN": #"{"version":7,"shape":"unknown"}"#,
        ])
        #expect(code == 1)
        let text = bench.text("termination") ?? ""
        #expect(text.contains("version 7") && text.contains("understands version \(DeliveryPlan.currentVersion)"), "\(text)")
    }

    @Test("a plan that cannot be read", arguments: ["", "{", "{\"version\":1}"])
    func badPlans(text: String) async throws {
        let code = await DeliveryCommand.run(environment: [
            "ASSAY_ROOT": bench.path, "ASSAY_TERMINATION_LOG": "\(bench.path)/termination", "ASSAY_PLAN": text
        ])
        #expect(code == 1)
        #expect(bench.text("termination")?.contains("internal_error") == true)
    }

    @Test("32 trials of one machine export from one cache at once")
    func many() async throws {
        let cache = "\(bench.path)/cache"
        let resolver = SourceResolver(cacheDirectory: cache, policy: .local)
        let pinned = try await resolver.pin("file://\(source)", ref: nil)
        let time = SystemTime()
        let start = time.monotonic()
        let codes = await withTaskGroup(of: Int32.self) { group in
            for index in 0..<32 {
                group.addTask {
                    let paths = TrialPaths(root: "\(bench.path)/pod-\(index)")
                    try? Directory.make(Path.parent(of: paths.cache))
                    symlink(cache, paths.cache)
                    var plan = plan()
                    plan.source = .init(pinned)
                    let text = (try? JSONValueEncoder().encode(plan).text) ?? ""
                    return await DeliveryCommand.run(environment: [
                        "ASSAY_ROOT": paths.root, "ASSAY_TERMINATION_LOG": "\(bench.path)/termination-\(index)", "ASSAY_PLAN": text,
                        "TMPDIR": bench.path,
                    ])
                }
            }
            return await group.reduce(into: [Int32]()) { $0.append($1) }
        }
        #expect(codes.allSatisfy { $0 == 0 })
        print("32 deliveries from one cache: \(Int((time.monotonic() - start) * 1000)) ms")
    }
}
