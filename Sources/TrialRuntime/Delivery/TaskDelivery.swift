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

        let plan = DeliveryPlan(program, paths: volumes.paths)
        let export = TreeExport(tree)
        var total = TreeExport.Report()
        for part in plan.parts where folder.exists(part.path) {
            let kind = kind(of: part.path)
            switch part.target {
            case .instruction(let step, let file):
                guard let written = try await folder.read(part.path) else { continue }
                try volumes.write(instruction: written, of: step, to: file, &program)
            case .item(let place) where kind == .file || kind == .executable:
                guard let bytes = try await folder.read(part.path) else { continue }
                try Directory.make(Path.parent(of: place))
                try FileWriting.write(bytes, to: place, mode: kind == .executable ? 0o755 : 0o644)
                total.files += 1
                total.bytes += bytes.count
            case .folder(let directory), .item(let directory):
                let report = try await export.export(part.path.pathComponents.reduce(task.path) { try $0.appending($1) }, to: directory)
                total.files += report.files
                total.bytes += report.bytes
            }
        }
        try plan.finish(program, volumes)
        return total
    }

    /// nil for what is no entry, such as the root.
    private func kind(of path: String) -> TreeEntry.Kind? {
        guard case .entry(let entry) = tree.resolve(task.path.isRoot ? path : "\(task.path)/\(path)") else { return nil }
        return entry.kind
    }
}
