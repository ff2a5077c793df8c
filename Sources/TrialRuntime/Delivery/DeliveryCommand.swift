import Base
import EvalModel
import Git
import Glibc
import SourceSync

/// Implements the delivery container of a trial pod: fetches the task at its commit and fills the volumes.
///
/// Reads the variables of `TrialVariables`. When it fails, the termination message is `{"error":{"type":...,"message":...}}`. It may run again
/// on the same volumes, since a kubelet may restart the container, and then gives the same result.
public struct DeliveryCommand: Sendable {
    private let environment: [String: String]
    private let volumes: DeliveryVolumes
    private let git: GitClient
    private let time: any TimeSource

    private var paths: TrialPaths { volumes.paths }

    private init(environment: [String: String], git: GitClient = GitClient(), time: any TimeSource = SystemTime()) {
        self.environment = environment
        self.git = git
        self.time = time
        volumes = DeliveryVolumes(paths: TrialPaths(root: environment[TrialVariables.root] ?? ""))
    }

    /// - Returns: the exit status of the container: 0, or 1 when the trial cannot start.
    public static func run(environment: [String: String]) async -> Int32 {
        await DeliveryCommand(environment: environment).run()
    }

    private func run() async -> Int32 {
        let log = Log(ContainerRole.delivery.containerName)
        do {
            let delivered = try await deliver()
            report(["delivered": delivered])
            log.info("the task is in place", ["delivery": delivered])
            return 0
        } catch {
            let failure = Self.trialError(error)
            log.error(failure.message, ["type": .string(failure.type.rawValue)])
            report(["error": ["type": .string(failure.type.rawValue), "message": .string(Self.cut(failure.message))]])
            return 1
        }
    }

    /// Does the whole delivery; returns the facts for the termination message and the log.
    private func deliver() async throws -> JSONValue {
        let started = time.monotonic()
        guard let text = environment[TrialVariables.program] else { throw TrialError(.internalError, "\(TrialVariables.program) is not set") }
        var program = try PodProgram(json: text.utf8, from: TrialVariables.program)
        let egress = try egress(of: program)
        let verifierVariables = try verifierVariables(of: program, egress)
        let solutionVariables = try solutionVariables(of: program)
        try volumes.prepare(program)
        let task = try TaskAtCommit(program.delivery)
        var report: TreeExport.Report
        let cache = try Self.cache(environment)
        if let cache {
            let trees = CachedTrees(client: cache.client, node: cache.node, time: time)
            report = try await CachedDelivery(task: task, volumes: volumes, trees: trees).deliver(&program)
            let overlays = try await OverlayDelivery(overlays: program.delivery.overlays, paths: paths, trees: trees).deliver()
            report.files += overlays.files
            report.bytes += overlays.bytes
        } else {
            guard program.delivery.overlays.isEmpty, program.delivery.fixtures == nil else {
                throw TrialError(.internalError, "overlays and fixtures are read from the cache service, and none is configured")
            }
            let scratch = try Scratch(candidates: [environment["TMPDIR"], "/tmp", paths.staged])
            defer { scratch.remove() }
            let fetcher = TaskFetcher(delivery: program.delivery, task: task, paths: paths, scratch: scratch.path, git: git, time: time)
            report = try await TaskDelivery(task: task, tree: try await fetcher.tree(), volumes: volumes).deliver(&program)
        }
        try volumes.writeScripts(program)
        try volumes.writeAgentPart(program, solutionVariables: solutionVariables)
        try volumes.writeCollectorPart(program, verifierVariables: verifierVariables, token: cache?.token, egress: egress)
        if let egress { try volumes.writeProxyVariables(egress, program) }
        if let canary = egress?.canary {
            guard let allowed = cache?.client.address.hostAndPort else {
                throw TrialError(.internalError, "the trial's network is restricted on a cluster, and no cache service is configured")
            }
            try await IsolationCheck(time: time).wait(canary: canary, allowed: allowed)
        }
        return [
            "commit": .string(task.commit.hex), "from": .string(cache == nil ? "origin" : "cache"), "files": JSONValue(report.files),
            "bytes": JSONValue(report.bytes),
            "milliseconds": JSONValue(Int((time.monotonic() - started) * 1000)),
        ]
    }

    /// The cache service to read the task from, and its instance on this node; nil: the task is fetched from its origin.
    static func cache(_ environment: [String: String]) throws(TrialError) -> (client: TreeClient, node: TreeClient?, token: String)? {
        guard let text = environment[TrialVariables.cacheAddress] else { return nil }
        guard let address = CacheAddress(text), let token = environment[TrialVariables.cacheToken] else {
            throw TrialError(
                .internalError, "\(TrialVariables.cacheAddress) is no address of a cache service, or \(TrialVariables.cacheToken) is not set")
        }
        var node: TreeClient?
        if let text = environment[TrialVariables.nodeCacheAddress] {
            guard let address = CacheAddress(text) else {
                throw TrialError(.internalError, "\(TrialVariables.nodeCacheAddress) is no address of a cache service")
            }
            // A Service with `internalTrafficPolicy: Local` drops connections on a node without an instance.
            node = TreeClient(address: address, token: token, connectSeconds: 2)
        }
        return (TreeClient(address: address, token: token), node, token)
    }

    /// nil for a trial whose network is not restricted.
    private func egress(of program: PodProgram) throws(TrialError) -> EgressAccess? {
        guard let network = program.network else { return nil }
        guard let text = environment[TrialVariables.egress] else {
            throw TrialError(.internalError, "the trial's network is restricted, and \(TrialVariables.egress) is not set")
        }
        let egress = try EgressAccess(json: text.utf8)
        for phase in [TrialPhase.install, .execute, .verify] where program.usesProxy(phase) != (egress[phase] != nil) {
            throw TrialError(
                .internalError,
                "\(TrialVariables.egress) does not fit the network of phase \(phase.rawValue), \(network[phase]?.mode.rawValue ?? "-")")
        }
        return egress
    }

    /// What the collector hands over together with the tests of each step.
    private func verifierVariables(of program: PodProgram, _ egress: EgressAccess?) throws(TrialError) -> [[UInt8]] {
        let own = try verifierVariables(of: program)
        guard let egress, program.verifier.separate == nil else { return own }
        let proxy = egress.variables(of: .verify).flatMap { Array($0.utf8) + [UInt8(0)] }
        return program.steps.indices.map { step in
            let before: [UInt8] = own.indices.contains(step) ? own[step] : []
            return before + proxy
        }
    }

    private func solutionVariables(of program: PodProgram) throws(TrialError) -> [UInt8] {
        guard !program.environment.solutionEnv.isEmpty else { return [] }
        guard let text = environment[TrialVariables.solutionEnvironment] else {
            throw TrialError(.internalError, "\(TrialVariables.solutionEnvironment) is not set")
        }
        return try VerifierVariables.entries(json: text.utf8, environment: environment).first ?? []
    }

    /// One file for each step.
    private func verifierVariables(of program: PodProgram) throws(TrialError) -> [[UInt8]] {
        // A separate verifier's container has them as its own.
        guard program.verifier.separate == nil else { return [] }
        guard !program.verifier.env.isEmpty || program.steps.contains(where: { $0.verifierEnv?.isEmpty == false }) else { return [] }
        let steps = program.steps.count
        if let text = environment[TrialVariables.verifierEnvironment] {
            return try VerifierVariables.entries(json: text.utf8, steps: steps, environment: environment)
        }
        let path = "\(paths.verifierVariables)/\(VerifierVariables.key)"
        guard let bytes = FileReading.whole(path) else {
            throw TrialError(.internalError, "the verifier's environment is neither in \(TrialVariables.verifierEnvironment) nor at \(path)")
        }
        return try VerifierVariables.entries(json: bytes, steps: steps, environment: environment)
    }

    private func report(_ message: JSONValue) {
        let path = environment[TrialVariables.terminationLog] ?? paths.terminationLog
        let fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard fd >= 0 else { return }
        defer { close(fd) }
        try? FileWriting.write(message.serialized(), to: fd, path: path)
    }

    static func trialError(_ error: any Error) -> TrialError {
        switch error {
        case let error as TrialError: error
        case let error as SourceError: error.trialError
        case let error as GitError: SourceError(error).trialError
        case let error as FileError: TrialError(error.isFull ? .environmentResourceAllocationFailed : .internalError, "\(error)")
        case is CancellationError: TrialError(.cancelled, "stopped before the task was in place")
        default: TrialError(.internalError, "\(error)")
        }
    }

    /// A termination message has at most 4096 bytes, and JSON escapes may double the length of text.
    static func cut(_ message: String) -> String {
        message.utf8.count <= 1500 ? message : String(message.prefix(700)) + " [...] " + String(message.suffix(300))
    }
}

/// The task of a program: its repository, commit and path.
struct TaskAtCommit: Sendable {
    let url: GitURL
    /// The address as the program has it.
    let repository: String
    let commit: GitObjectID
    let path: GitPath
    /// What the operator's mirror has of the repository.
    let extent: MirrorExtent

    init(_ delivery: TrialProgram.Delivery) throws {
        let repo = delivery.taskRepo?.repo ?? delivery.source.repo
        url = try GitURL(parsing: repo, allowing: Self.policy(delivery))
        repository = repo
        let text = delivery.taskRepo?.commit ?? delivery.source.commit
        guard let commit = GitObjectID(text) else {
            throw TrialError(.internalError, "the program's commit is not a full commit id")
        }
        self.commit = commit
        extent = delivery.taskRepo == nil ? delivery.source.extent ?? .full : .full
        path = try GitPath(parsing: delivery.taskPath)
    }

    /// Which addresses git may use. The operator has checked them against its flags, and sets `local` when it allows file paths.
    static func policy(_ delivery: TrialProgram.Delivery) -> GitURL.Policy { delivery.source.local ? [.local, .loopbackHTTP] : .loopbackHTTP }
}

/// A temporary directory, in the first place that is writable.
struct Scratch: Sendable {
    let path: String

    init(candidates: [String?]) throws(FileError) {
        var last = FileError("make a scratch directory in", "", ENOENT)
        for candidate in candidates.compactMap({ $0 }) where candidate.hasPrefix("/") {
            let path = "\(candidate)/.assay-scratch-\(getpid())-\(UInt32.random(in: 0 ... .max))"
            if mkdir(path, 0o700) == 0 {
                self.path = path
                return
            }
            last = FileError("make a scratch directory in", candidate)
        }
        throw last
    }

    func remove() { Directory.removeTree(path) }
}
