import EvalModel
import Foundation
import Subprocess
import Testing

@testable import TrialRuntime

/// bash cannot read Swift's constants: what `run.sh` repeats is compared with them here.
@Suite("The in-pod contract is the same in Swift and in bash")
struct ContractTests {
    static let script = Runner.text

    @Test("run.sh is the files of Runner/Script, each of them once; `make generate` brings it up to date")
    func generated() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let folder = root.appending(path: "Sources/TrialRuntime/Runner/Script")
        let parts = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .map { try String(contentsOf: $0, encoding: .utf8) }
        #expect(parts.count > 1)
        for part in parts { #expect(Self.script.contains(part), "\(part.prefix(200))") }
        #expect(Self.script.utf8.count == parts.map(\.utf8.count).reduce(0, +))
    }

    @Test("every environment variable that run.sh names is one of the contract")
    func variables() {
        let used = Set(Self.script.matches(of: /(?:ASSAY|ROLLOUT)_[A-Z_]+/).map { String($0.output) })
        #expect(
            used
                == [
                    TrialVariables.instructionPath, TrialVariables.instruction, TrialVariables.rolloutInstruction, TrialVariables.phasePath,
                    TrialVariables.toolDirs, TrialVariables.workflowDirs, TrialVariables.skillDirs, TrialVariables.personaDirs,
                    TrialVariables.promptFiles, TrialVariables.skills, TrialVariables.mcpConfiguration,
                ])
    }

    @Test("program.sh sets exactly the variables that run.sh declares, and run.sh contains no path itself")
    func program() throws {
        let program = try TrialRig().program
        let part = RunnerProgram(program, paths: TrialPaths())
        let declared = Self.script.split(separator: "\n").drop { !$0.contains("# Set by program.sh.") }.prefix { !$0.contains("shellcheck source") }
            .joined(separator: " ").matches(of: /([a-z_]+)=/).map { String($0.output.1) }
        #expect(Set(declared) == Set(part.assignments.map(\.name)))
        for name in part.assignments.map(\.name) {
            #expect(Self.script.contains("$\(name)") || Self.script.contains("${\(name)") || Self.script.contains("${#\(name)"), "\(name) is read")
        }
        #expect(!Self.script.contains("/assay/"))
        let folders = Set(Self.script.matches(of: /\$logs\/([a-z]+)/).map { String($0.output.1) })
        #expect(folders == Set(LogFolder.allCases.map(\.rawValue)).union([LogFolder.earlierSteps, LogFolder.collectHooks]))
    }

    @Test("values of any content reach bash unchanged")
    func quoting() async throws {
        var program = try TrialRig().program
        program.instructionPath = "/tmp/it's $(a) \"b\"\n\\ `c`.md"
        program.steps[0].limits.installSec = nil
        program.steps[0].limits.executeSec = 0.0001
        let script =
            RunnerProgram(program, paths: TrialPaths()).text
            + #"printf '%s|%s|%s' "$instruction_target" "${install_limits[0]}" "${execute_limits[0]}""#
        let result = try await Command("bash", ["-c", script]).run()
        #expect(result.stdoutText == program.instructionPath + "|none|1")
    }

    @Test("every word that run.sh says on the gate is one that the collector knows")
    func words() {
        let said = Set(Self.script.matches(of: /(?:say|ask) ["']([a-z-]+)/).map { String($0.output.1) })
        // The others are the words of `assay remote-trial`.
        let own = Set(GateWord.Keyword.allCases).subtracting([.hostLost, .hostEvicted, .imageFailed, .runnerDied])
        #expect(said == Set(own.map(\.rawValue)))
        for answer in [Gate.Answer.go, .next] { #expect(Self.script.contains(#"[ "$word" = \#(answer.rawValue) ]"#)) }
        for phase in [TrialPhase.install, .execute, .verify] { #expect(Self.script.contains("run \(phase.rawValue) ")) }
    }

    @Test("the collector's configuration: its part of the program, and the secrets of its environment")
    func configuration() throws {
        let rig = try TrialRig { $0.family = .harbor }
        let read = try CollectorConfiguration(environment: [
            "ASSAY_ROOT": rig.paths.root, "ASSAY_REDACT": "ASSAY_SECRET_0:PATH,ASSAY_SECRET_1:KEY", "ASSAY_SECRET_0": "value",
        ])
        #expect(read.secrets == [.init(name: "PATH", value: "value")] && read.family == .harbor && read.steps == rig.program.steps)
        #expect(throws: TrialError.self) { try CollectorConfiguration(environment: ["ASSAY_ROOT": "/nowhere"]) }
    }

    @Test("containers are known by their names")
    func roles() {
        for role in [
            ContainerRole.delivery, .agent, .trial, .verifier(0), .verifier(1), .verifier(11), .collector, .service("db"), .service("trial"),
        ] {
            #expect(ContainerRole(containerName: role.containerName) == role && ContainerRole(rawValue: role.rawValue) == role)
        }
        #expect(ContainerRole.service("db").containerName == "service-db" && ContainerRole.service("db").rawValue == "service:db")
        #expect(ContainerRole(rawValue: "other") == nil)
        #expect(ContainerRole(containerName: "istio-proxy") == nil)
    }
}
