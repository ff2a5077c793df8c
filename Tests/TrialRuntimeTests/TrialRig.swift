import AssayTesting
import Base
import EvalModel
import Foundation
import Glibc
import Subprocess
import Testing

@testable import TrialRuntime

/// The two containers of a trial as plain processes below a temporary root: real bash, real git, no podman.
final class TrialRig: Sendable {
    let paths: TrialPaths
    private let variables: Locked<[String: String]>
    let program: PodProgram
    /// The trial's working directory.
    let workspace: String

    struct Ended {
        var report: TrialReport
        var collectorExit: Int32
        var runnerExit: Exit
        var runnerOutput: String
        var printed: [UInt8]
        /// What the pack holds, by the bytes of its path; read back through `git index-pack --strict`.
        var blobs: [[UInt8]: [UInt8]]
        /// The same by path; paths that Unicode calls equivalent are one here.
        var files: [String: [UInt8]] {
            Dictionary(blobs.map { (String(decoding: $0.key, as: UTF8.self), $0.value) }, uniquingKeysWith: { first, _ in first })
        }

        func text(_ path: String) -> String? { files[path].map { String(decoding: $0, as: UTF8.self) } }
        var collected: JSONValue { (try? JSONValue(parsing: files["collected.json"] ?? [])) ?? .null }
    }

    static let step = TrialProgram.Step(
        name: "main", instruction: "instruction.md", tests: "tests", limits: .init(installSec: 20, executeSec: 20, verifySec: 20))

    /// - Parameters:
    ///   - variables: of the runner's and the collector's environments.
    ///   - verifierVariables: handed over with the tests.
    ///   - instruction: of every step; by default each has its own.
    ///   - tools: where the runner looks for its own programs, instead of the usual directories.
    ///   - workspace: the working directory, relative to the root.
    ///   - change: of the program, which is of the Rollout family and has one step with limits of 20 s.
    init(
        install: String? = nil, execute: String? = nil, test: String? = nil, variables: [String: String] = [:],
        verifierVariables: [String: String] = [:], instruction: String? = nil, tools: String? = nil, workspace: String? = nil,
        program change: (inout PodProgram) -> Void = { _ in }
    ) throws {
        let root = FileManager.default.temporaryDirectory.appendingPathComponent("assay-trial-\(UUID().uuidString)").path
        paths = TrialPaths(root: root)
        self.workspace = workspace.map { "\(root)/\($0)" } ?? root
        var program = PodProgram(
            family: .rollout,
            delivery: .init(source: .init(repo: "https://git.example/bench", commit: String(repeating: "a", count: 40)), taskPath: "t"),
            steps: [Self.step],
            verifier: .init(env: verifierVariables.keys.sorted()), instructionPath: root + "/tmp/instruction.md",
            gateTimeoutSec: 30,
            packLimitBytes: CollectorLimits().pack)
        change(&program)
        self.program = program
        for folder in [self.workspace, paths.scripts, paths.gate, paths.work, paths.tests, paths.logs, root + "/dev"] {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        }
        // One volume at two paths, as in the pod.
        symlink("../logs", paths.collectedLogs)
        symlink("../tests", paths.releasedTests)
        for fifo in [paths.phaseFIFO, paths.releasedFIFO] {
            try #require(mkfifo(fifo, 0o666) == 0)
        }
        self.variables = Locked(variables)
        let volumes = DeliveryVolumes(paths: paths)
        try volumes.writeScripts(program)
        if let tools {
            let part = RunnerProgram(program, paths: paths).text + "tool_path=\(RunnerProgram.quoted(tools))\n"
            try volumes.write(Array(part.utf8), to: paths.runnerProgram)
        }
        try volumes.writeCollectorPart(
            program,
            verifierVariables: try VerifierVariables.entries(json: VerifierVariables.json(verifierVariables).utf8, steps: program.steps.count),
            token: nil, egress: nil)
        for step in program.steps {
            let text = instruction ?? "Say \(step.name == "main" ? "hello" : step.name).\n"
            try volumes.write(Array(text.utf8), to: paths.instruction(step))
            try FileManager.default.createDirectory(atPath: paths.stagedTests(step), withIntermediateDirectories: true)
            if let test { try volumes.write(Array(test.utf8), to: paths.stagedTests(step) + "/test.sh") }
        }
        if let install { try write(install, paths.install) }
        if let execute { try write(execute, paths.execute) }
    }

    deinit { try? FileManager.default.removeItem(atPath: paths.root) }

    func write(_ text: String, _ path: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }

    /// More variables for the runner and the collector.
    func add(_ more: [String: String]) { variables.withLock { $0.merge(more) { $1 } } }

    var runner: Command {
        var environment = [
            "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": paths.root + "/home", TrialVariables.root: paths.root,
        ]
        environment.merge(variables.withLock { $0 }) { _, new in new }
        return Command(
            "bash", ["-p", paths.runner], environment: .exact(environment), workingDirectory: workspace, deadlineSeconds: 180)
    }

    /// Runs both to their end.
    /// - Parameter time: the collector's.
    func run(time: any TimeSource = SystemTime(), _ change: (inout CollectorConfiguration) -> Void = { _ in }) async throws -> Ended {
        var configuration = try CollectorConfiguration(
            environment: variables.withLock { $0 }.merging([TrialVariables.root: paths.root]) { $1 })
        change(&configuration)
        let printed = Locked<[UInt8]>([])
        let collector = Collector(configuration, time: time, log: Log("test", destination: Log.Destination.none)) { bytes in
            printed.withLock { $0 += bytes }
            return true
        }
        let said = Locked<[UInt8]>([])
        let append: @Sendable ([UInt8]) -> Void = { bytes in said.withLock { $0 += bytes } }
        let running = try RunningCommand.start(runner, onStdout: append, onStderr: append)
        let exit = await collector.run()
        // A pod is over with its collector: a runner that still waits for it is stopped, as the node stops it.
        let stop = Task {
            try await Task.sleep(for: .seconds(5))
            running.signal(SIGKILL)
        }
        let runnerExit = await running.wait()
        stop.cancel()
        return try await ended(exit, (runnerExit, String(decoding: said.withLock { $0 }, as: UTF8.self)), printed.withLock { $0 })
    }

    func readReport() throws -> TrialReport {
        let message = try String(contentsOfFile: paths.terminationLog, encoding: .utf8)
        return try #require(TrialReport(terminationMessage: message), "\(message)")
    }

    func ended(_ exit: Int32, _ runner: (exit: Exit, output: String), _ printed: [UInt8]) async throws -> Ended {
        let report = try readReport()
        var blobs: [[UInt8]: [UInt8]] = [:]
        if let pack = report.pack {
            var parser = PackFrameParser(expected: pack)
            parser.feed(printed)
            guard case .pack(let bytes) = parser.finish() else {
                Issue.record("the log does not hold the pack")
                throw CancellationError()
            }
            blobs = try await Self.unpack(bytes, tree: pack.tree, in: paths.root + "/unpacked")
            let collected = try JSONValue(parsing: try #require(blobs[Array("collected.json".utf8)]))
            let problems = try SchemaCheck("collected.schema.json").problems(collected)
            #expect(problems == [], "collected.json is not as its schema says")
        }
        return Ended(
            report: report, collectorExit: exit, runnerExit: runner.exit, runnerOutput: runner.output,
            printed: printed, blobs: blobs)
    }

    static func unpack(_ pack: [UInt8], tree: String, in directory: String) async throws -> [[UInt8]: [UInt8]] {
        func git(_ arguments: [String], input: [UInt8]? = nil) async throws -> [UInt8] {
            let result = try await Command(
                "git", arguments,
                environment: .inheriting(adding: ["GIT_DIR": directory, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"]),
                standardInput: input.map { .bytes($0) } ?? .none, deadlineSeconds: 60
            ).run()
            try #require(result.succeeded, "git \(arguments): \(result.stderrText)")
            return result.stdout
        }
        _ = try await git(["init", "--quiet", "--bare", directory])
        _ = try await git(["index-pack", "--strict", "--stdin"], input: pack)
        var files: [[UInt8]: [UInt8]] = [:]
        for entry in try await git(["ls-tree", "-r", "-z", tree]).split(separator: 0) {
            let parts = entry.split(separator: 0x09, maxSplits: 1)
            let words = String(decoding: parts[0], as: UTF8.self).split(separator: " ").map(String.init)
            #expect(words[0] == "100644")
            files[Array(parts[1])] = try await git(["cat-file", "blob", words[2]])
        }
        return files
    }
}
