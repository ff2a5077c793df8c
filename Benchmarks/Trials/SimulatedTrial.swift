import Base
import EvalModel
import Git
import Subprocess
import TrialRuntime

/// What the collector leaves behind of a trial that printed so many bytes: its report and its log, made once by the code that a real
/// collector uses.
struct SimulatedTrial: Sendable {
    static let container = ContainerRole.collector.containerName
    let report: String
    let log: [UInt8]

    init(scratch: String, bytes: Int) async throws {
        let repository = "\(scratch)/pack.git"
        func git(_ arguments: [String], _ input: [UInt8] = []) async throws -> [UInt8] {
            let result = try await Command("git", ["-C", repository] + arguments, standardInput: .bytes(input), deadlineSeconds: 60).run()
            guard result.succeeded else { throw BenchmarkError("git \(arguments.joined(separator: " ")): \(result.stderrText)") }
            return result.stdout
        }
        let made = try await Command("git", ["init", "--quiet", "--bare", repository], deadlineSeconds: 60).run()
        guard made.succeeded else { throw BenchmarkError("git init: \(made.stderrText)") }
        // Does not compress: the pack is as large as what was printed.
        var generator = SystemRandomNumberGenerator()
        let printed = (0..<bytes).map { _ in UInt8.random(in: 0...255, using: &generator) }
        func word(_ bytes: [UInt8]) -> String { String(decoding: bytes.prefix { $0 != 10 }, as: UTF8.self) }
        let blob = word(try await git(["hash-object", "-w", "--stdin"], printed))
        let tree = word(try await git(["mktree"], Array("100644 blob \(blob)\toutput.log\n".utf8)))
        let pack = try await git(["pack-objects", "--stdout", "--quiet"], Array("\(tree)\n\(blob)\n".utf8))
        let description = TrialReport.Pack(sha256: SHA256.hex(of: pack), bytes: pack.count, tree: tree)
        let start: Int64 = 1_790_000_000_000
        let phases = ["setup", "install", "execute", "verify", "collect"].enumerated().map { number, name in
            (name, TrialReport.Timing(start: start + Int64(number) * 1000, end: start + Int64(number) * 1000 + 900))
        }
        let report = TrialReport(
            reward: 1, rewards: ["reward": 1], lastPhase: .collect, phases: Dictionary(uniqueKeysWithValues: phases),
            exitCodes: ["install": 0, "execute": 0, "verify": 0], pack: description)
        self.report = String(decoding: report.terminationMessage(), as: UTF8.self)
        log = PackFrame.encode(pack, description: description)
    }
}

struct BenchmarkError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
