import AssayTesting
import Base
import EvalModel
import TrialPods
import TrialRuntime

/// A pack as a collector sends it.
struct TestPack: Sendable {
    let description: TrialReport.Pack
    let framed: [UInt8]

    /// What it holds: `logs/verifier/reward.txt`.
    static let reward = "1\n"

    static func make(in directory: String) async throws -> TestPack {
        let (bytes, tree) = try await TestGit.pack(["logs/verifier/reward.txt": Array(reward.utf8)], in: directory)
        let description = TrialReport.Pack(sha256: SHA256.hex(of: bytes), bytes: bytes.count, tree: tree)
        return TestPack(description: description, framed: PackFrame.encode(bytes, description: description))
    }
}
