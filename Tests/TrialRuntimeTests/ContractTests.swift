import EvalModel
import Foundation
import Testing

@testable import TrialRuntime

/// bash cannot read Swift's constants: what `run.sh` repeats is compared with them here.
@Suite("The in-pod contract is the same in Swift and in bash")
struct ContractTests {
    static let script: String = {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        return (try? String(contentsOf: root.appending(path: "Sources/TrialRuntime/Runner/run.sh"), encoding: .utf8)) ?? ""
    }()

    @Test("the executable holds run.sh as it is committed; `make generate` brings it up to date")
    func generated() {
        #expect(!Self.script.isEmpty)
        #expect(Runner.text == Self.script)
    }

    @Test("every variable that run.sh reads or sets is one of the contract")
    func variables() {
        let used = Set(Self.script.matches(of: /(?:ASSAY|ROLLOUT)_[A-Z_]+/).map { String($0.output) })
        let known: Set = [
            TrialVariables.root, TrialVariables.instructionPath, TrialVariables.installTimeout, TrialVariables.agentTimeout,
            TrialVariables.verifierTimeout, TrialVariables.verify, TrialVariables.endAgentProcesses, TrialVariables.verifierVariable,
            TrialVariables.mirror, TrialVariables.instruction, TrialVariables.rolloutInstruction,
        ]
        #expect(used == known)
    }

    @Test("every path of run.sh is one of the contract")
    func paths() {
        let paths = TrialPaths(root: "$root")
        for (name, path) in [("gate", paths.gate), ("scripts", paths.scripts), ("logs", paths.logs), ("tests", paths.tests)] {
            #expect(Self.script.contains("\(name)=\(path)"), "\(name)")
        }
        let files = [
            ("gate", paths.gate, [paths.phaseFIFO, paths.releasedFIFO]),
            ("scripts", paths.scripts, [paths.install, paths.execute, paths.instruction]),
        ]
        for (name, folder, expected) in files {
            let used = Set(Self.script.matches(of: /\$(gate|scripts)\/([a-z.]+)/).filter { $0.output.1 == name }.map { "\(folder)/\($0.output.2)" })
            #expect(used == Set(expected))
        }
        let folders = Set(Self.script.matches(of: /\$logs\/([a-z]+)/).map { String($0.output.1) })
        #expect(folders == Set(LogFolder.allCases.map(\.rawValue)))
    }

    @Test("every word that run.sh says on the gate is one that the collector knows")
    func words() {
        let said = Set(Self.script.matches(of: /say ["']([a-z-]+)/).map { String($0.output.1) })
        #expect(said == Set(GateWord.Keyword.allCases.map(\.rawValue)))
        #expect(Self.script.contains(#"[ "$word" = \#(Gate.go) ]"#))
        for phase in [TrialPhase.install, .execute, .verify] { #expect(Self.script.contains("run \(phase.rawValue) ")) }
    }

    @Test("containers are known by their names")
    func roles() {
        for role in ContainerRole.allCases { #expect(ContainerRole(containerName: role.containerName) == role) }
        #expect(ContainerRole(containerName: "istio-proxy") == nil)
    }
}
