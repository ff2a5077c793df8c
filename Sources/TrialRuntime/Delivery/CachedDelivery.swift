import EvalModel
import Git
import SourceSync

extension TreeReference {
    /// What delivery reads of a task: the instructions, the tests and, for the oracle agent, the solution. The operator makes the token for
    /// it, and delivery asks for it.
    public init(_ program: PodProgram) throws {
        try self.init(program, task: TaskAtCommit(program.delivery))
    }

    init(_ program: PodProgram, task: TaskAtCommit) throws {
        let parts = DeliveryPlan(program, paths: TrialPaths()).parts
        self.init(
            repository: task.repository, commit: task.commit, path: task.path, parts: try parts.map { try GitPath(parsing: $0.path) },
            fixtures: try program.delivery.fixtures.map { try GitPath(parsing: $0) }, extent: task.extent)
    }
}

/// Reads the task from the cache service. The operator has checked that it is a task, at the same commit.
struct CachedDelivery: Sendable {
    let task: TaskAtCommit
    let volumes: DeliveryVolumes
    let trees: CachedTrees

    /// - Parameter program: gets what only the task's files tell.
    func deliver(_ program: inout PodProgram) async throws -> TreeExport.Report {
        let tree = try TreeReference(program, task: task)
        let asked = program
        var layout: TaskLayout?
        try await trees.read(tree) {
            // Nothing of an attempt that failed may stay.
            if layout != nil { try volumes.prepare(asked) }
            let new = TaskLayout(program: asked, volumes: volumes)
            layout = new
            return { try new.receive($0) }
        }
        try layout?.finish(&program)
        return layout?.report ?? TreeExport.Report()
    }
}
