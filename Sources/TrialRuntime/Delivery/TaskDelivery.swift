import Base
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
            // What later steps ask for is kept from the agents before.
            let place = index == 0 ? volumes.paths.instruction(step) : "\(volumes.paths.stagedSteps)/\(step.instruction)"
            try volumes.write(instruction, to: place)
            if instruction.count > TrialProgram.Step.instructionVariableLimit { program.steps[index].longInstructionBytes = instruction.count }
        }
        let export = TreeExport(tree)
        var total = TreeExport.Report()
        func add(_ report: TreeExport.Report) {
            total.files += report.files
            total.bytes += report.bytes
        }
        func deliver(_ place: String, to destination: String) async throws {
            guard folder.exists(place) else { return }
            add(try await export.export(place.split(separator: "/").reduce(task.path) { try $0.appending($1) }, to: destination))
        }
        /// Tests and solutions, which may have a `.harborignore`.
        func deliverFiltered(_ place: String, to destination: String, needing file: String) async throws {
            try await deliver(place, to: destination)
            guard program.family == .harbor, folder.exists(place) else { return }
            try IgnoredFiles.remove(from: destination)
            guard !folder.exists("\(place)/\(file)") || FileEntry.exists("\(destination)/\(file)") else {
                throw TrialError(.taskInvalid, "\(place)/\(file) is left out by \(IgnoreRules.fileName): change its rules")
            }
        }
        if program.steps.contains(where: { $0.folder != nil }) {
            try await deliverFiltered(TrialProgram.Step.sharedTests, to: volumes.paths.stagedSharedTests, needing: TestScript.name)
        }
        for (index, step) in program.steps.enumerated() {
            if program.deliversTests { try await deliverFiltered(step.tests, to: volumes.paths.stagedTests(step), needing: TestScript.name) }
            guard let place = step.folder else { continue }
            let root = index == 0 ? volumes.paths.scripts : volumes.paths.stagedSteps
            try await deliver("\(place)/workdir", to: "\(root)/\(place)/workdir")
        }
        guard program.delivery.solution else { return total }
        let solution = volumes.paths.deliveredSolution
        volumes.empty(solution)
        for step in program.steps {
            let own = step.folder.map { "\($0)/solution" }
            let place = own.flatMap { folder.exists($0) ? $0 : nil } ?? "solution"
            let target = step.folder.map { "\(solution)/.steps/\($0)" } ?? solution
            try await deliverFiltered(place, to: target, needing: "solve.sh")
            if program.family.runsScriptsAsFiles { try volumes.makeExecutable(target + "/solve.sh") }
        }
        return total
    }
}
