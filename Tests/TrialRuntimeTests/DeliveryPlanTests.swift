import Base
import EvalModel
import Foundation
import Testing

@testable import TrialRuntime

@Suite("What of a task goes where")
struct DeliveryPlanTests {
    private static func program(steps: [String] = [], solution: Bool) -> PodProgram {
        let limits = TrialProgram.Limits(installSec: nil, executeSec: 1, verifySec: 1)
        let steps = steps.map { name in
            TrialProgram.Step(
                name: name, instruction: "steps/\(name)/instruction.md", tests: "steps/\(name)/tests", limits: limits, folder: "steps/\(name)")
        }
        return PodProgram(
            family: .harbor,
            delivery: .init(
                source: .init(repo: "https://git.example/b", commit: String(repeating: "a", count: 40)), taskPath: "t", solution: solution),
            steps: steps.isEmpty ? [.init(name: "main", instruction: "instruction.md", tests: "tests", limits: limits)] : steps,
            verifier: .init(), instructionPath: "/tmp/i", gateTimeoutSec: 1, packLimitBytes: 1)
    }

    private func places(_ program: PodProgram) -> [String: String] {
        let parts = DeliveryPlan(program, paths: TrialPaths()).parts.map { part -> (String, String) in
            switch part.target {
            case .instruction(_, let file): (part.path, file)
            case .folder(let directory), .item(let directory): (part.path, directory)
            }
        }
        return Dictionary(uniqueKeysWithValues: parts)
    }

    @Test("what services mount of environment/, as a whole or in parts")
    func environment() {
        var program = Self.program(solution: false)
        program.delivery.files = ["web/conf.d", "seed.sql"]
        #expect(places(program)["environment/web/conf.d"] == "/assay/environment/web/conf.d")
        #expect(places(program)["environment/seed.sql"] == "/assay/environment/seed.sql")
        program.delivery.files = [""]
        #expect(places(program)["environment"] == "/assay/environment")
    }

    @Test("a task without steps")
    func simple() {
        let plain = ["instruction.md": "/assay/scripts/instruction.md", "tests": "/assay/staged/tests"]
        #expect(places(Self.program(solution: false)) == plain)
        #expect(places(Self.program(solution: true)) == plain.merging(["solution": "/assay/solution"]) { $1 })
    }

    @Test("steps: nothing of a later step is where an agent looks, and each part is in one place")
    func steps() {
        let found = places(Self.program(steps: ["one", "two"], solution: true))
        #expect(
            found["steps/one/instruction.md"] == "/assay/scripts/steps/one/instruction.md"
                && found["steps/one/workdir"] == "/assay/scripts/steps/one/workdir")
        for part in ["instruction.md", "workdir"] { #expect(found["steps/two/\(part)"] == "/assay/staged/.assay/later/steps/two/\(part)") }
        #expect(found["tests"] == "/assay/staged/tests" && found["steps/two/tests"] == "/assay/staged/steps/two/tests")
        #expect(found["solution"] == "/assay/solution/.shared" && found["steps/one/solution"] == "/assay/solution/.steps/one")
        #expect(!places(Self.program(steps: ["one"], solution: false)).keys.contains { $0.contains("solution") })
    }

    @Test("a script that .harborignore leaves out makes the task invalid")
    func ignored() throws {
        let root = FileManager.default.temporaryDirectory.appendingPathComponent("assay-plan-\(UUID().uuidString)").path
        defer { Directory.removeTree(root) }
        let volumes = DeliveryVolumes(paths: TrialPaths(root: root))
        let program = Self.program(solution: false)
        let tests = root + "/assay/staged/tests"
        for (name, text) in ["test.sh": "true\n", "draft.tmp": "x\n", "deep/.harborignore": "*.md\n", "deep/a.md": "x\n", "deep/b.txt": "x\n"] {
            try volumes.write(Array(text.utf8), to: "\(tests)/\(name)")
        }
        try volumes.write(Array("*.tmp\n".utf8), to: "\(tests)/.harborignore")
        let plan = DeliveryPlan(program, paths: volumes.paths)
        try plan.finish(program, volumes)
        #expect(Directory.names(in: tests)?.sorted() == ["deep", "test.sh"] && Directory.names(in: tests + "/deep") == ["b.txt"])
        try volumes.write(Array("*.sh\n".utf8), to: "\(tests)/.harborignore")
        let error = #expect(throws: TrialError.self) { try plan.finish(program, volumes) }
        #expect(error?.type == .taskInvalid && error?.message.contains("tests/test.sh is left out by .harborignore") == true)
    }
}
