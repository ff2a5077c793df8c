import Base
import EvalFormats
import EvalModel
import Glibc

/// Prepares a trial pod's volumes in the init container.
struct DeliveryVolumes: Sendable {
    let paths: TrialPaths

    /// Makes the folders and FIFOs that a trial has, and removes what an earlier run of this container left.
    ///
    /// - Parameter program: how many steps the trial has, and how they are verified.
    func prepare(_ program: PodProgram) throws(FileError) {
        for folder in [paths.scripts, paths.staged, paths.gate] { try Directory.make(folder) }
        for folder in [paths.staged, paths.scripts, paths.deliveredSolution, paths.overlays, paths.environment] { empty(folder) }
        // The trial and the collector may run as different users, and both write below /logs.
        try Directory.make(paths.collectedLogs)
        chmod(paths.collectedLogs, 0o777)
        for folder in LogFolder.allCases.map(paths.collected) {
            try Directory.make(folder)
            guard chmod(folder, 0o777) == 0 else { throw FileError("change the mode of", folder) }
        }
        for phase in [TrialPhase.install, .execute] { unlink(paths.phaseVariables(phase)) }
        try makeFIFOs([paths.phaseFIFO, paths.releasedFIFO])
        if program.steps.offerArtifacts(to: program.verifier) { try openFolder(paths.offered) }
        guard program.verifier.separate != nil else { return }
        for step in program.steps.indices {
            try Directory.make(paths.verifierGate(ofStep: step))
            unlink(paths.verifierPhaseVariables(ofStep: step))
            try makeFIFOs([paths.verifierPhaseFIFO(ofStep: step), paths.verifierReleasedFIFO(ofStep: step)])
            try openFolder(paths.verifierLogs(ofStep: step))
            // The collector fills them, and the verifier's container mounts them before that.
            try openFolder(paths.accepted(ofStep: step))
            if program.deliversTests(ofStep: step) { try openFolder(paths.releasedTests(ofStep: step)) }
        }
    }

    /// Empties a folder and lets everybody write to it: the images of trial and verifier may run as any user.
    private func openFolder(_ path: String) throws(FileError) {
        try Directory.make(path)
        empty(path)
        guard chmod(path, 0o777) == 0 else { throw FileError("change the mode of", path) }
    }

    private func makeFIFOs(_ paths: [String]) throws(FileError) {
        for path in paths {
            unlink(path)
            guard mkfifo(path, 0o666) == 0, chmod(path, 0o666) == 0 else { throw FileError("make the FIFO", path) }
        }
    }

    /// Removes the contents of a folder, but not the folder, which is a mount point.
    func empty(_ folder: String) {
        for name in Directory.names(in: folder) ?? [] { Directory.removeTree("\(folder)/\(name)") }
    }

    /// Writes the runners, their parts of the program, and the agent's scripts.
    func writeScripts(_ program: PodProgram) throws(FileError) {
        try write(Runner.text.utf8, to: paths.runner, mode: 0o755)
        try write(RunnerProgram(program, paths: paths).text.utf8, to: paths.runnerProgram)
        if program.environment.user != nil || program.steps.contains(where: { $0.verifierUser != nil }) {
            try write(Runner.userHelper, to: paths.userHelper, mode: 0o755)
        }
        if program.verifier.separate != nil {
            for step in program.steps.indices {
                try write(Runner.text.utf8, to: paths.verifierRunner(ofStep: step), mode: 0o755)
                try write(
                    RunnerProgram(program, role: .verifier(step), paths: paths).text.utf8, to: paths.verifierRunnerProgram(ofStep: step))
            }
        }
        if program.delivery.solution { return try write(Runner.oracleExecute(paths, program.family).utf8, to: paths.execute, mode: 0o755) }
        for name in AgentScript.allCases {
            guard let text = FileReading.whole("\(paths.agentScripts)/\(name.rawValue)"), !text.isEmpty else { continue }
            try write(text, to: name == .install ? paths.install : paths.execute, mode: 0o755)
        }
    }

    /// Writes the collector's part of the program, and the verifier's environment, which the collector hands over together with the tests.
    ///
    /// - Parameters:
    ///   - verifierVariables: one file for each step; empty for a verifier without variables.
    ///   - token: what delivery used to read the task; nil: nothing that is secret.
    ///   - egress: for a trial with a restricted network.
    func writeCollectorPart(_ program: PodProgram, verifierVariables: [[UInt8]], token: String?, egress: EgressAccess?) throws {
        try write(try program.json, to: paths.collectorProgram)
        if let egress { try write(try egress.json.utf8, to: paths.stagedEgress) }
        if let token { try write(token.utf8, to: paths.stagedToken) }
        for (step, bytes) in verifierVariables.enumerated() where !bytes.isEmpty { try write(bytes, to: paths.stagedVariables(step: step)) }
    }

    /// Writes what the task has for its agent: MCP servers, and the environment of the oracle's solution.
    func writeAgentPart(_ program: PodProgram, solutionVariables: [UInt8]) throws {
        if !program.environment.mcpServers.isEmpty {
            try write(MCPConfiguration.json(program.environment.mcpServers).serialized(pretty: true), to: paths.mcpServers)
        }
        if !solutionVariables.isEmpty { try write(solutionVariables, to: paths.solutionVariables) }
    }

    /// Writes the instruction of a step as its agent reads it, and notes in the program when it is too long for a variable.
    func write(instruction written: [UInt8], of step: Int, to file: String, _ program: inout PodProgram) throws(FileError) {
        let instruction = InstructionText.shown(written, family: program.family)
        try write(instruction, to: file)
        if instruction.count > TrialProgram.Step.instructionVariableLimit { program.steps[step].longInstructionBytes = instruction.count }
    }

    /// Writes what the phases need to use the egress proxy. A shared verifier has it in its environment.
    func writeProxyVariables(_ egress: EgressAccess, _ program: PodProgram) throws(FileError) {
        var files = [TrialPhase.install, .execute].map { ($0, paths.phaseVariables($0)) }
        if program.verifier.separate != nil { files += program.steps.indices.map { (.verify, paths.verifierPhaseVariables(ofStep: $0)) } }
        for (phase, file) in files {
            let entries = egress.variables(of: phase)
            guard !entries.isEmpty else { continue }
            try write(entries.flatMap { Array($0.utf8) + [0] }, to: file, mode: 0o666)
        }
    }

    /// Makes a delivered file executable for everybody; a file that does not exist is left to the reader of the task.
    func makeExecutable(_ path: String) throws(FileError) {
        guard chmod(path, 0o755) == 0 || errno == ENOENT else { throw FileError("change the mode of", path) }
    }

    /// Writes a file that the trial's user can read, whatever the umask is.
    func write(_ bytes: some Collection<UInt8>, to path: String, mode: mode_t = 0o644) throws(FileError) {
        try Directory.make(Path.parent(of: path))
        try FileWriting.replace(path, with: bytes, mode: mode, durable: false)
    }
}
