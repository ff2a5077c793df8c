import EvalFormats
import EvalModel
import Git
import SourceSync

/// Checks that the folder is a task, and exports what the trial needs: the instruction, the tests, and for the oracle agent the solution.
struct TaskDelivery: Sendable {
    let task: TaskAtCommit
    let tree: GitTree
    let volumes: DeliveryVolumes

    /// - Parameter program: gets what only the task's files tell.
    func deliver(_ program: inout PodProgram) async throws -> TreeExport.Report {
        let folder = GitTreeFolder(tree, path: task.path)
        let name = task.path.last ?? task.url.name
        guard folder.exists("") else {
            throw TrialError(
                .taskNotFound, "commit \(task.commit.short) of \(task.url) has no folder \"\(task.path)\"; check the dataset's path and the ref")
        }
        let instructions = program.steps.map(\.instruction)
        try await tree.prefetch((["task.toml"] + instructions).map { task.path.isRoot ? $0 : "\(task.path)/\($0)" })
        _ = try await TaskReader.load(
            name: name, from: folder, needsSolution: program.delivery.solution, format: program.family)

        for (index, step) in program.steps.enumerated() {
            guard let written = try await folder.read(step.instruction) else { continue }
            let instruction = InstructionText.shown(written, family: program.family)
            try volumes.write(instruction, to: volumes.paths.instruction(step))
            if instruction.count > TrialProgram.Step.instructionVariableLimit { program.steps[index].longInstructionBytes = instruction.count }
        }
        let export = TreeExport(tree)
        var total = TreeExport.Report()
        func add(_ report: TreeExport.Report) {
            total.files += report.files
            total.bytes += report.bytes
        }
        for step in program.steps where program.deliversTests && folder.exists(step.tests) {
            let path = try step.tests.split(separator: "/").reduce(task.path) { try $0.appending($1) }
            add(try await export.export(path, to: volumes.paths.stagedTests(step)))
        }
        if program.delivery.solution, folder.exists("solution") {
            add(try await export.export(task.path.appending("solution"), to: volumes.paths.deliveredSolution))
            if program.family.runsScriptsAsFiles { try volumes.makeExecutable(volumes.paths.deliveredSolution + "/solve.sh") }
        }
        return total
    }
}
