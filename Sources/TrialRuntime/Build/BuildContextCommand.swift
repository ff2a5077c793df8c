import Base
import EvalModel
import Git
import Glibc
import SourceSync

/// Implements the first container of a build pod: writes the context, as the commit has it.
///
/// Its failure is in the termination message, as a trial pod's delivery has it.
public struct BuildContextCommand: Sendable {
    private let environment: [String: String]
    private let git: GitClient
    private let time: any TimeSource

    /// - Returns: the exit status of the container.
    public static func run(environment: [String: String]) async -> Int32 {
        let command = BuildContextCommand(environment: environment, git: GitClient(), time: SystemTime())
        do {
            try await command.write()
            return 0
        } catch {
            let failure = DeliveryCommand.trialError(error)
            Log(BuildRole.context.containerName).error(failure.message, ["type": .string(failure.type.rawValue)])
            BuildMessage.failure(failure).write(environment)
            return 1
        }
    }

    private func write() async throws {
        let program = try BuildMessage.program(environment)
        let paths = BuildPaths(root: environment[TrialVariables.root] ?? "")
        try Directory.make(paths.context)
        // The container may run again on the same volume.
        empty(paths.context)
        switch program.context {
        case .probe: try writeProbe(paths.context)
        case .commit(let delivery): try await write(delivery, to: paths.context)
        }
    }

    private func write(_ delivery: TrialProgram.Delivery, to folder: String) async throws {
        let task = try TaskAtCommit(delivery)
        if let cache = try DeliveryCommand.cache(environment) {
            try await CachedTrees(client: cache.client, node: cache.node, time: time).read(TreeReference(context: delivery)) {
                // Nothing of an attempt that failed may stay.
                empty(folder)
                let layout = try FolderLayout(folder)
                return { event in
                    switch event {
                    case .entry(let entry): try layout.begin(entry.kind, at: entry.path)
                    case .content(let piece): try layout.add(piece)
                    }
                }
            }
            return
        }
        let scratch = try Scratch(candidates: [environment["TMPDIR"], "/tmp", folder])
        defer { scratch.remove() }
        let fetcher = TaskFetcher(
            delivery: delivery, task: task, paths: TrialPaths(root: environment[TrialVariables.root] ?? ""), scratch: scratch.path, git: git,
            time: time)
        let tree = try await fetcher.tree()
        try await TreeExport(tree).export(task.path, to: folder, links: .asWritten)
    }

    /// The folder is a mount point, so that it stays.
    private func empty(_ folder: String) {
        for name in Directory.names(in: folder) ?? [] { Directory.removeTree("\(folder)/\(name)") }
    }

    private func writeProbe(_ folder: String) throws {
        guard let program = TinyProgram.bytes else { throw TrialError(.internalError, "there is no probe for this architecture") }
        try FileWriting.replace("\(folder)/ok", with: program, mode: 0o755, durable: false)
        try FileWriting.replace("\(folder)/Dockerfile", with: Array("FROM scratch\nCOPY ok /ok\nRUN [\"/ok\"]\n".utf8), mode: 0o644, durable: false)
    }
}

extension TreeReference {
    /// The context of a build as the cache service sends it: every link as it is in the commit, so that the content is that of the image's key.
    public init(context delivery: TrialProgram.Delivery) throws {
        let task = try TaskAtCommit(delivery)
        self.init(repository: task.repository, commit: task.commit, path: task.path, links: .asWritten, extent: task.extent)
    }
}
