import AssayTesting
import Base
import EvalModel
import Foundation
import Git
@testable import HTTPServing
@testable import SourceSync
import Testing

@testable import TrialRuntime

@Suite("Delivery from the cache service")
struct CachedDeliveryTests {
    static let key = [UInt8](repeating: 9, count: 32)

    let bench: Workbench
    let source: String
    let commit: GitObjectID

    init() async throws {
        bench = try Workbench()
        source = try await bench.repository(files: [
            "tasks/hello/task.toml": "version = \"1.0\"\n[environment]\ndocker_image = \"rootfs:/\"\n", "tasks/hello/instruction.md": "Say hello.\n",
            "tasks/hello/tests/test.sh": "#!/bin/bash\necho 1 > /logs/verifier/reward.txt\n", "tasks/hello/tests/empty": "",
            "tasks/hello/tests/data/x.txt": "x\n", "tasks/hello/tests/common.sh": "-> ../../../shared/common.sh",
            "tasks/hello/tests/inside": "-> data/x.txt", "tasks/hello/tests/out": "-> /etc/hostname",
            "tasks/hello/tests/big.bin": String(repeating: "0123456789", count: 15_000),
            "tasks/hello/solution/solve.sh": "#!/bin/bash\necho hello\n", "shared/common.sh": "#!/bin/bash\n",
            "tasks/long/task.toml": "[environment]\ndocker_image = \"rootfs:/\"\n",
            "tasks/long/instruction.md": String(repeating: "long ", count: 30_000), "tasks/long/tests/test.sh": "true\n",
            "tasks/long/solution/solve.sh": "true\n", "tasks/marked/task.toml": "[environment]\ndocker_image = \"rootfs:/\"\n",
            "tasks/marked/instruction.md": "<!-- harbor-canary GUID 1 -->\n\nDo it.\n", "tasks/marked/tests/test.sh": "true\n",
        ])
        commit = try await bench.head(source)
    }

    func program(_ task: String = "tasks/hello", solution: Bool = true, family: TaskSchema = .rollout) -> PodProgram {
        PodProgram(
            family: family,
            delivery: .init(source: .init(repo: "file://\(source)", commit: commit.hex, local: true), taskPath: task, solution: solution),
            steps: [TrialRig.step], verifier: .init(), instructionPath: "/tmp/i.md", gateTimeoutSec: 60, packLimitBytes: 1 << 20)
    }

    /// The service as an operator runs it, with its mirrors, at one port.
    final class Service: Sendable {
        let cache: TreeCache
        private let running = Locked<HTTPServer?>(nil)
        private let bound = Locked<UInt16>(0)
        var url: String { "http://127.0.0.1:\(bound.withLock { $0 })" }

        init(_ directory: String, git: GitClient = GitClient()) throws {
            cache = TreeCache(store: TreeStore(directory: "\(directory)/trees"), key: CachedDeliveryTests.key)
            cache.use(MirrorTrees(resolver: SourceResolver(cacheDirectory: "\(directory)/mirrors", policy: .local, git: git)) { _, _ in .none })
            try start()
        }

        func start() throws {
            let server = cache.server()
            let port = try server.start(port: bound.withLock { $0 })
            bound.withLock { $0 = port }
            running.withLock { $0 = server }
        }

        func stop() { running.withLock { $0 }?.stop() }
        deinit { stop() }
    }

    func token(_ service: Service, _ program: PodProgram, pod: String = "pod") throws -> String {
        service.cache.token(for: [try TreeReference(program)], pod: pod, credential: .init(namespace: "team", secret: nil), seconds: 600)
    }

    func run(
        _ program: PodProgram, in root: String, cache: String?, node: String? = nil, token: String?
    ) async throws -> (code: Int32, message: JSONValue) {
        try Directory.make(root)
        var environment = [
            "ASSAY_ROOT": root, "ASSAY_TERMINATION_LOG": "\(root).termination", "ASSAY_PROGRAM": String(decoding: try program.json, as: UTF8.self),
            "TMPDIR": root,
        ]
        environment["ASSAY_CACHE"] = cache
        environment["ASSAY_NODE_CACHE"] = node
        environment["ASSAY_CACHE_TOKEN"] = token
        let code = await DeliveryCommand.run(environment: environment)
        return (code, try JSONValue(parsing: FileReading.whole("\(root).termination") ?? []))
    }

    /// Kind, mode and content of everything that was delivered.
    static func listing(_ root: String) throws -> [String: String] {
        var found: [String: String] = [:]
        for path in try FileManager.default.subpathsOfDirectory(atPath: "\(root)/assay") where !path.hasSuffix("cache-token") {
            let full = "\(root)/assay/\(path)"
            var info = stat()
            #expect(lstat(full, &info) == 0)
            let mode = String(info.st_mode & 0o777, radix: 8)
            switch FileEntry.kind(full) {
            case .link: found[path] = "link \(FileEntry.linkTarget(full) ?? "")"
            case .directory: found[path] = "folder \(mode)"
            case .file:
                // The scripts name the root.
                let text = FileReading.whole(full).map { String(decoding: $0, as: UTF8.self) } ?? "?"
                found[path] = "file \(mode) \(SHA256.hex(of: Array(text.replacingOccurrences(of: root, with: "ROOT").utf8)))"
            default: found[path] = "other \(mode)"
            }
        }
        return found
    }

    @Test(
        "it lays out exactly what a delivery from the origin lays out",
        arguments: [("hello", true, TaskSchema.rollout), ("hello", false, .rollout), ("long", true, .harbor), ("marked", false, .harbor)])
    func sameAsOrigin(task: String, solution: Bool, family: TaskSchema) async throws {
        let service = try Service(bench.path)
        let program = program("tasks/\(task)", solution: solution, family: family)
        let direct = try await run(program, in: "\(bench.path)/origin", cache: nil, token: nil)
        let cached = try await run(program, in: "\(bench.path)/cached", cache: service.url, token: try token(service, program))
        #expect(direct.code == 0 && cached.code == 0, "\(cached.message.text)")
        #expect(direct.message.at("delivered", "from")?.string == "origin" && cached.message.at("delivered", "from")?.string == "cache")
        for field in ["files", "bytes", "commit"] { #expect(direct.message.at("delivered", field) == cached.message.at("delivered", field)) }
        let (a, b) = (try Self.listing("\(bench.path)/origin"), try Self.listing("\(bench.path)/cached"))
        #expect(a == b, "\(Set(a.keys).symmetricDifference(b.keys)) \(a.filter { b[$0.key] != $0.value })")
        #expect((b["staged/tests/big.bin"] != nil) == (task == "hello") && (b["solution/solve.sh"] != nil) == solution)
        if task == "marked" { #expect(bench.text("cached/assay/scripts/instruction.md") == "Do it.\n", "canary lines are not for agents") }
    }

    @Test("overlays: each surface in a directory of its own, a prompt under one name, links as in the repository; again gives the same")
    func overlays() async throws {
        let service = try Service(bench.path)
        let tools = try await bench.repository(
            "tools",
            files: [
                "tools/search/run.sh": "#!/bin/sh\n", "tools/search/common.sh": "-> ../../lib/common.sh", "tools/lint": "-> search/run.sh",
                "lib/common.sh": "x\n", ".agents/skills/review/SKILL.md": "Review.\n", "prompts/main.txt": "Be brief.\n", "other/file": "no\n",
            ])
        var program = program()
        program.delivery.overlays = [
            .init(
                name: "base", repo: "file://\(tools)", commit: try await bench.head(tools).hex,
                paths: try OverlayPaths(parsing: [.tools: "tools", .skills: ".agents/skills", .prompt: "prompts/main.txt"])),
            .init(
                name: "team", repo: "file://\(tools)", commit: try await bench.head(tools).hex,
                paths: try OverlayPaths(parsing: [.workflows: "tools/search"])),
        ]
        let further = try program.delivery.overlays.map { TreeToken.Grant(secret: nil, trees: try $0.trees().map(\.id)) }
        let token = service.cache.token(
            for: [try TreeReference(program)], pod: "pod", credential: .init(namespace: "team", secret: "of-the-task"), further: further, seconds: 600
        )
        let root = "\(bench.path)/pod"
        for _ in 0..<2 {
            #expect(try await run(program, in: root, cache: service.url, token: token).code == 0)
            let found = try Self.listing(root).filter { $0.key.hasPrefix("overlays/") && !$0.value.hasPrefix("folder") }
            #expect(
                found.mapValues { $0.split(separator: " ").prefix(2).joined(separator: " ") } == [
                    "overlays/base/tools/search/run.sh": "file 755", "overlays/base/tools/search/common.sh": "file 644",
                    "overlays/base/tools/lint": "link search/run.sh", "overlays/base/skills/review/SKILL.md": "file 644",
                    "overlays/base/prompt.md": "file 644", "overlays/team/workflows/run.sh": "file 755",
                    "overlays/team/workflows/common.sh": "file 644",
                ], "\(found)")
            try "left over".write(toFile: "\(root)/assay/overlays/base/tools/left", atomically: false, encoding: .utf8)
        }
        let message = try await run(program, in: "\(bench.path)/none", cache: nil, token: nil).message
        #expect(message.at("error", "message")?.string?.contains("cache service") == true, "\(message.text)")
    }

    @Test("running it again gives the same, and removes what was left")
    func again() async throws {
        let service = try Service(bench.path)
        let (root, program) = ("\(bench.path)/pod", program())
        let token = try token(service, program)
        #expect(try await run(program, in: root, cache: service.url, token: token).code == 0)
        let first = try Self.listing(root)
        try "left over".write(toFile: "\(root)/assay/staged/tests/left", atomically: false, encoding: .utf8)
        #expect(try await run(program, in: root, cache: service.url, token: token).code == 0)
        #expect(try Self.listing(root) == first)
    }

    @Test("100 trials that start at once: one fetch from the origin of the task and one from that of an overlay, and no git in their deliveries")
    func many() async throws {
        let log = "\(bench.path)/git.log"
        let script = "\(bench.path)/git-logged"
        try FileWriting.replace(script, with: Array("#!/bin/sh\necho \"$@\" >> \(log)\nexec git \"$@\"\n".utf8), mode: 0o755)
        var settings = GitClient.Settings()
        settings.executable = script
        let service = try Service(bench.path, git: GitClient(settings: settings))
        let tools = try await bench.repository("tools", files: ["tools/search": "#!/bin/sh\n", ".agents/skills/review/SKILL.md": "x\n"])
        var changed = program()
        changed.delivery.overlays = [
            .init(
                name: "base", repo: "file://\(tools)", commit: try await bench.head(tools).hex,
                paths: try OverlayPaths(parsing: [.tools: "tools", .skills: ".agents/skills"]))
        ]
        let program = changed
        let further = try program.delivery.overlays.map { TreeToken.Grant(secret: "of-the-overlay", trees: try $0.trees().map(\.id)) }
        let codes = try await withThrowingTaskGroup(of: (Int32, String?).self) { group in
            for index in 0..<100 {
                group.addTask {
                    let token = service.cache.token(
                        for: [try TreeReference(program)], pod: "pod-\(index)", credential: .init(namespace: "team", secret: nil), further: further,
                        seconds: 600)
                    let (code, message) = try await run(program, in: "\(bench.path)/pod-\(index)", cache: service.url, token: token)
                    return (code, message.at("delivered", "from")?.string)
                }
            }
            return try await group.reduce(into: [(Int32, String?)]()) { $0.append($1) }
        }
        for index in 0..<100 { #expect(FileEntry.exists("\(bench.path)/pod-\(index)/assay/overlays/base/tools/search")) }
        #expect(codes.count { $0.0 == 0 && $0.1 == "cache" } == 100)
        // All git processes that there were are the service's own.
        let calls = (FileReading.text(log) ?? "").split(separator: "\n")
        #expect(calls.count { $0.contains(" fetch ") } == 2)
        #expect(calls.count { $0.contains("cat-file --batch") && !$0.contains("check") } <= 4, "\(calls.count) calls of git")
    }

    @Test("catalogue 69: a refused token ends the trial's start at once, with a type that is retried", arguments: ["other", "forged", "none"])
    func refused(kind: String) async throws {
        let service = try Service(bench.path)
        let program = program()
        let token: String? =
            switch kind {
            case "other": try token(service, self.program(solution: false))
            case "forged": try token(service, program) + "x"
            default: nil
            }
        let (code, message) = try await run(program, in: "\(bench.path)/pod", cache: service.url, token: token)
        #expect(code == 1)
        let type = message.at("error", "type")?.string.flatMap(TrialErrorType.init(rawValue:))
        #expect(type == (kind == "none" ? .internalError : .environmentStartFailed) && type?.isRetryable == true, "\(message.text)")
        if let token { #expect(!message.text.contains(token)) }
    }

    @Test("an address that is none is an error of ours")
    func badAddress() async throws {
        for address in ["", "ftp://x", "cache:8081", "unix:relative"] {
            let (code, message) = try await run(program(), in: "\(bench.path)/pod", cache: address, token: "t")
            #expect(code == 1 && message.at("error", "type")?.string == "internal_error", "\(address)")
        }
    }

    @Test("a folder that the commit does not have is the task's error, from the service as from the origin")
    func noFolder() async throws {
        let service = try Service(bench.path)
        let program = program("tasks/zzz")
        let (code, message) = try await run(program, in: "\(bench.path)/pod", cache: service.url, token: try token(service, program))
        #expect(code == 1 && message.at("error", "type")?.string == "task_not_found", "\(message.text)")
        #expect(message.at("error", "message")?.string?.contains("tasks/zzz") == true)
    }

    // MARK: Faults

    private func delivery(_ url: String, token: String, in root: String, seconds: Double = 120) throws -> (CachedDelivery, DeliveryVolumes) {
        let program = program()
        let volumes = DeliveryVolumes(paths: TrialPaths(root: root))
        try volumes.prepare(program)
        let trees = CachedTrees(client: TreeClient(address: .http(url), token: token), time: SystemTime(), boundSeconds: seconds)
        return (CachedDelivery(task: try TaskAtCommit(program.delivery), volumes: volumes, trees: trees), volumes)
    }

    private func deliver(_ delivery: CachedDelivery) async throws -> TreeExport.Report {
        var program = program()
        return try await delivery.deliver(&program)
    }

    @Test("the service is restarted in the middle: the trial gets its task")
    func restart() async throws {
        let service = try Service(bench.path)
        let token = try token(service, program())
        service.stop()
        let (delivery, _) = try delivery(service.url, token: token, in: "\(bench.path)/pod")
        async let delivered = deliver(delivery)
        try await Task.sleep(for: .seconds(1))
        try service.start()
        #expect(try await delivered.files > 3)
        #expect(bench.text("pod/assay/staged/tests/data/x.txt") == "x\n")
    }

    @Test("a service that never answers: typed, within the bound")
    func bound() async throws {
        let (delivery, _) = try delivery("http://127.0.0.1:1", token: "t.t", in: "\(bench.path)/pod", seconds: 2)
        let start = SystemTime().monotonic()
        await #expect { try await deliver(delivery) } throws: { ($0 as? TrialError)?.type == .environmentStartFailed }
        #expect(SystemTime().monotonic() - start < 20)
    }

    /// How a server damages its first answers.
    enum Damage: String, CaseIterable { case bit, cut, hangup, more, other }

    @Test("a corrupt stream is never laid out: the next attempt gives the task", arguments: Damage.allCases)
    func corrupt(_ damage: Damage) async throws {
        let service = try Service(bench.path)
        let token = try token(service, program())
        let asked = Locked([Bool]())
        // In front of the real service, with its own bytes.
        let front = HTTPServer { request in
            let answer = service.cache.answer(request)
            // On a slow machine the service says first that the tree is being made.
            guard case .file(let file) = answer.body else { return answer }
            let number = asked.withLock { asked in
                asked.append(request.query.flag("suspect"))
                return asked.count
            }
            guard number <= 2 else { return answer }
            var bytes = file.bytes
            switch damage {
            case .bit: bytes[bytes.count / 2] ^= 1
            case .cut: bytes.removeLast(40)
            case .hangup:
                let half = Array(bytes.prefix(bytes.count / 2))
                return ServerResponse(status: 200, contentType: "x") { writer in
                    try writer.write(half)
                    throw HTTPConnectionClosed()
                }
            case .more: bytes += [0]
            case .other: bytes = Array("<html>not found</html>".utf8)
            }
            return ServerResponse(status: 200, contentType: "x", parts: [bytes])
        }
        let port = try front.start(port: 0)
        defer { front.stop() }
        let (delivery, volumes) = try delivery("http://127.0.0.1:\(port)", token: token, in: "\(bench.path)/pod")
        #expect(try await deliver(delivery).files > 3)
        #expect(bench.text("pod/assay/staged/tests/big.bin")?.utf8.count == 150_000)
        #expect(Directory.names(in: volumes.paths.deliveredSolution) == ["solve.sh"])
        // A broken connection says nothing of the file; bytes that are wrong do.
        #expect(asked.withLock { $0 } == (damage == .hangup ? [false, false, false] : [false, true, true]))
    }

    @Test("a stream that stays corrupt: typed, within the bound")
    func staysCorrupt() async throws {
        let front = HTTPServer { _ in ServerResponse(status: 200, contentType: "x", parts: [Array("nothing".utf8)]) }
        let port = try front.start(port: 0)
        defer { front.stop() }
        let (delivery, _) = try delivery("http://127.0.0.1:\(port)", token: "t", in: "\(bench.path)/pod", seconds: 2)
        await #expect { try await deliver(delivery) } throws: { ($0 as? TrialError)?.type == .environmentStartFailed }
    }

    @Test("catalogue 33: the pod's disk is full: typed, and retried")
    func diskFull() async throws {
        let service = try Service(bench.path)
        let root = "\(bench.path)/pod"
        try Directory.make(root)
        try #require(mount("tmpfs", root, "tmpfs", 0, "size=64k") == 0, "this test mounts a small file system, which needs root")
        defer { umount(root) }
        let (code, message) = try await run(program(), in: root, cache: service.url, token: try token(service, program()))
        #expect(code == 1)
        // The termination message may not fit either.
        let type = message.at("error", "type")?.string
        #expect(type == "environment_resource_allocation_failed", "\(message.text)")
    }

    @Test("catalogue 58: the token is a secret for the collector's redaction, and lies where the trial cannot look")
    func redaction() async throws {
        let service = try Service(bench.path)
        let (root, program) = ("\(bench.path)/pod", program())
        let token = try token(service, program)
        #expect(try await run(program, in: root, cache: service.url, token: token).code == 0)
        let configuration = try CollectorConfiguration(environment: ["ASSAY_ROOT": root])
        #expect(configuration.secrets == [.init(name: "ASSAY_CACHE_TOKEN", value: token)])
        for path in try FileManager.default.subpathsOfDirectory(atPath: "\(root)/assay") where !path.hasPrefix("staged/.assay") {
            #expect(FileReading.whole("\(root)/assay/\(path)").map { String(decoding: $0, as: UTF8.self).contains(token) } != true, "\(path)")
        }
    }
}

extension ServedFile {
    fileprivate var bytes: [UInt8] { FileReading.range(descriptor, 0..<size) }
}
