import Base
import EvalFormats
import EvalModel
import Glibc

/// What of a task's folder goes where: instructions beside the scripts, tests where they are staged, the solution in its volume. The one
/// description for both ways in which a task arrives (`TaskDelivery`, `TaskLayout`), and for what the operator gives a pod's token for.
struct DeliveryPlan: Sendable {
    /// The folder of the solution in a task.
    static let solution = "solution"

    /// A file or folder of the task. No part lies in another one.
    struct Part: Sendable {
        /// Relative to the task's folder.
        let path: String
        let target: Target
    }

    enum Target: Sendable {
        /// The instruction of a step, by its place in the program, and the file that it becomes.
        case instruction(step: Int, file: String)
        /// A folder that becomes a directory.
        case folder(String)
        /// A folder that becomes a directory, or a file.
        case item(String)
    }

    /// A delivered folder to which `.harborignore` applies.
    private struct Filtered: Sendable {
        let path: String
        let directory: String
        /// The file that the folder is for.
        let script: String
    }

    let parts: [Part]
    private let filtered: [Filtered]

    init(_ program: PodProgram, paths: TrialPaths) {
        var parts: [Part] = []
        var filtered: [Filtered] = []
        func deliver(_ path: String, to directory: String, script: String? = nil) {
            parts.append(Part(path: path, target: .folder(directory)))
            if let script { filtered.append(Filtered(path: path, directory: directory, script: script)) }
        }
        for (index, step) in program.steps.enumerated() {
            // What later steps ask for is kept from the agents before.
            let root = index == 0 ? paths.scripts : paths.stagedSteps
            parts.append(Part(path: step.instruction, target: .instruction(step: index, file: "\(root)/\(step.instruction)")))
            if program.deliversTests(ofStep: index) { deliver(step.tests, to: paths.stagedTests(step), script: TestScript.name) }
            guard let folder = step.folder else { continue }
            deliver("\(folder)/workdir", to: "\(root)/\(folder)/workdir")
            if program.delivery.solution {
                deliver("\(folder)/\(Self.solution)", to: paths.deliveredSolution(of: folder), script: Runner.solutionScript)
            }
        }
        let hasSteps = program.steps.contains { $0.folder != nil }
        if hasSteps, program.steps.indices.contains(where: program.deliversTests(ofStep:)) {
            deliver(TrialProgram.Step.sharedTests, to: paths.stagedSharedTests, script: TestScript.name)
        }
        if program.delivery.solution {
            deliver(Self.solution, to: hasSteps ? paths.deliveredSharedSolution : paths.deliveredSolution, script: Runner.solutionScript)
        }
        for file in program.delivery.files {
            let path = file.isEmpty ? "" : "/\(file)"
            parts.append(Part(path: "environment\(path)", target: .item("\(paths.environment)\(path)")))
        }
        self.parts = parts
        self.filtered = filtered
    }

    /// Call when everything is in place: applies `.harborignore`, and makes solutions executable.
    ///
    /// - Throws: `task_invalid` when a script that must be there is left out, `FileError`.
    func finish(_ program: PodProgram, _ volumes: DeliveryVolumes) throws {
        for folder in filtered where FileEntry.isDirectory(folder.directory) {
            let script = "\(folder.directory)/\(folder.script)"
            let hadScript = FileEntry.exists(script)
            if program.family == .harbor { try IgnoredFiles.remove(from: folder.directory) }
            guard !hadScript || FileEntry.exists(script) else {
                throw TrialError(.taskInvalid, "\(folder.path)/\(folder.script) is left out by \(IgnoreRules.fileName): change its rules")
            }
            if folder.script == Runner.solutionScript, program.family.runsScriptsAsFiles { try volumes.makeExecutable(script) }
        }
        // The runner lays out the solution of each step, as any user.
        if program.delivery.solution, program.steps.contains(where: { $0.folder != nil }) { chmod(volumes.paths.deliveredSolution, 0o777) }
    }
}
