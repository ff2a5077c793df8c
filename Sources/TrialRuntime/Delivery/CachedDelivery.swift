import Base
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
        var parts = program.steps.flatMap { [$0.instruction, $0.tests] }
        if program.delivery.solution { parts.append(TaskLayout.solution) }
        self.init(repository: task.repository, commit: task.commit, path: task.path, parts: try parts.map { try GitPath(parsing: $0) })
    }
}

/// Reads the task from the cache service. The operator has checked that it is a task, at the same commit.
struct CachedDelivery: Sendable {
    /// Seconds in which delivery tries again. An operator that starts anew without its disk clones the repository first.
    static let boundSeconds = 1500.0

    let task: TaskAtCommit
    let volumes: DeliveryVolumes
    let client: TreeClient
    let time: any TimeSource
    var boundSeconds = Self.boundSeconds

    /// - Parameter program: gets what only the task's files tell.
    func deliver(_ program: inout PodProgram) async throws -> TreeExport.Report {
        let tree = try TreeReference(program, task: task)
        let end = time.monotonic() + boundSeconds
        var backoff = Backoff(BackoffPolicy(initialSeconds: 0.25, factor: 2, capSeconds: 10, jitter: 0.5...1))
        var isSuspect = false
        while true {
            do {
                let layout = TaskLayout(program: program, volumes: volumes)
                try await client.read(tree, suspect: isSuspect, within: end - time.monotonic()) { _, events in
                    for event in events { try layout.receive(event) }
                }
                try layout.finish(&program)
                return layout.report
            } catch let error as TreeClientError {
                if case .corrupt = error { isSuspect = true }
                let failure = try Self.failure(error)
                let delay = backoff.next(now: time.monotonic())
                guard time.monotonic() + delay < end else { throw failure }
                Log(ContainerRole.delivery.containerName).warning("\(failure.message); trying again in \(Int(delay.rounded(.up))) s")
                try await time.sleep(seconds: delay)
                // Nothing of an attempt that failed may stay.
                try volumes.prepare()
            }
        }
    }

    /// The trial's error if no further attempt succeeds.
    /// - Throws: the trial's error, when a further attempt would fail the same way.
    private static func failure(_ error: TreeClientError) throws -> TrialError {
        switch error {
        case .unavailable(let error): return error
        case .corrupt(let what): return TrialError(.environmentStartFailed, "the cache service sent a damaged tree: \(what)")
        case .refused: throw TrialError(.environmentStartFailed, "\(error)")
        case .failed(let error): throw error
        case .cancelled: throw CancellationError()
        }
    }
}
