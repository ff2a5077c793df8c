import AssayAPI
import EvalFormats
import EvalModel
import Git
import HTTPTransport
import SourceSync

/// Prepares a job: pins the source, finds the tasks of its datasets and reads each task.
public struct JobPreparation: Sendable {
    /// The credentials for a repository.
    public typealias Credentials = @Sendable (GitURL) async throws -> GitCredentials

    public let resolver: SourceResolver
    private let registries: RegistryDownload
    private let tls: TLSOptions

    /// - Parameter tls: which web servers to trust for registries and fixtures; by default those of the system.
    public init(resolver: SourceResolver, tls: TLSOptions = TLSOptions()) {
        self.tls = tls
        self.resolver = resolver
        registries = RegistryDownload(tls: tls, addresses: resolver.webAddresses)
    }

    /// The overlays of a job, read at their revisions.
    public func overlays(
        _ pins: [OverlayPin], credentials: @escaping OverlayPreparation.Credentials
    ) async throws(ReconcileError) -> [PinnedOverlay] {
        try await OverlayPreparation(resolver: resolver, credentials: credentials).prepare(pins)
    }

    /// - Parameters:
    ///   - commit: the commit that the job was pinned to before; nil pins its ref now.
    ///   - sync: how the source comes here. Repositories that tasks name are always fetched.
    ///   - overlays: the job's overlays at their revisions.
    /// - Throws: what the job waits for, or what in its spec must change. A task that cannot run is no error: its `refusal` says why.
    public func prepare(
        _ job: EvalJob, pinnedTo commit: String?, sync: any SyncStrategy = OneshotSync(), overlays: [PinnedOverlay] = [], credentials: Credentials
    ) async throws(ReconcileError) -> PreparedJob {
        let spec = job.spec
        do {
            let url = try resolver.url(spec.source.repo)
            let request = SyncRequest(
                repo: spec.source.repo, ref: spec.source.ref, pinned: commit.flatMap { GitObjectID($0) }, credentials: try await credentials(url))
            let source = try await sync.sync(request, with: resolver)
            let tree = try await resolver.tree(source, credentials: try await credentials(source.url))
            var datasets: [Dataset] = []
            for (position, dataset) in spec.datasets.enumerated() {
                datasets.append(try await tasks(of: dataset, at: "spec.datasets[\(position)]", in: tree))
            }
            let matrix = try Self.matrix(spec, datasets)
            var repositories: Repositories = [:]
            var prepared: [PreparedTask] = []
            for dataset in datasets {
                for reference in dataset.tasks {
                    prepared.append(try await read(reference, dataset, tree, &repositories, credentials))
                }
            }
            if let lock = spec.source.fixtures?.lockPath {
                let fixtures = try await fixtures(lock, source, tree, try await credentials(source.url))
                do throws(SourceError) { prepared = try await fixtures.check(prepared) } catch {
                    throw ReconcileError.waiting(
                        .sourceUnreachable, "spec.source.fixtures: \(error.message)", on: .sourceReady, retryAfterSeconds: error.isTransient ? 15 : 60
                    )
                }
            }
            return PreparedJob(source: source, tasks: prepared, matrix: matrix, overlays: overlays)
        } catch let failure as ReconcileError {
            throw failure.condition == .ready && failure.reason == .secretNotFound ? failure.on(.sourceReady) : failure
        } catch let error as SourceError {
            throw Self.failure(error, sync.field)
        } catch {
            throw .waiting(.sourceUnreachable, "\(error)", on: .sourceReady, retryAfterSeconds: 30)
        }
    }

    private func pin(_ repo: String, ref: String?, _ credentials: Credentials) async throws -> PinnedSource {
        let url = try resolver.url(repo)
        return try await resolver.pin(repo, ref: ref, credentials: try await credentials(url))
    }

    private func fixtures(
        _ lock: String, _ source: PinnedSource, _ tree: GitTree, _ credentials: GitCredentials
    ) async throws -> FixturePreparation {
        do {
            return try await FixturePreparation(lock: lock, source: source, tree: tree, resolver: resolver, credentials: credentials, tls: tls)
        } catch let error as SourceError where error.type == .fixtureMismatch {
            throw ReconcileError.stalled(.sourceInvalid, "spec.source.fixtures.manifest: \(error.message)", on: .sourceReady)
        }
    }

    private static func matrix(_ spec: EvalJobSpec, _ datasets: [Dataset]) throws(ReconcileError) -> TrialMatrix {
        let matrix: TrialMatrix
        do {
            matrix = try TrialMatrix(agents: spec.agents.map(\.name), datasets: datasets, attempts: spec.attempts)
        } catch {
            if case .tooMany = error { throw .stalled(.tooManyTrials, error.description, on: .ready) }
            throw .stalled(.invalidSpec, error.description, on: .ready)
        }
        guard !matrix.isEmpty else {
            throw .stalled(
                .noTrials,
                "there is nothing to run: \(spec.agents.isEmpty ? "spec.agents is empty" : noTask(spec))",
                on: .ready)
        }
        return matrix
    }

    private static func noTask(_ spec: EvalJobSpec) -> String {
        let filtered = spec.datasets.contains { $0.include?.isEmpty == false || $0.exclude?.isEmpty == false }
        return filtered ? "the datasets have no task that include and exclude let through" : "the datasets have no task"
    }

    // MARK: Datasets

    private func tasks(of dataset: DatasetSpec, at field: String, in tree: GitTree) async throws -> Dataset {
        if let path = dataset.path {
            let found: [TaskReference]
            do { found = try await resolver.tasks(in: tree, at: path, include: dataset.include, exclude: dataset.exclude) } catch {
                guard error.type == .taskNotFound || error.type == .taskInvalid else { throw error }
                throw ReconcileError.stalled(.datasetNotFound, "\(field).path: \(error.message)", on: .sourceReady)
            }
            let name = dataset.name ?? path.split(separator: "/").last.map(String.init) ?? "dataset"
            return Dataset(
                name: name == "." ? "dataset" : name, tasks: found, rewardRule: dataset.family?.rewardRule,
                defaultSchema: dataset.defaultFormat)
        }
        if let registry = dataset.registry {
            guard let place = registry.path ?? registry.url, let name = dataset.name else {
                throw ReconcileError.stalled(.datasetInvalid, "\(field): a registry needs a path or a url, and the dataset a name", on: .sourceReady)
            }
            do {
                let bytes = try await registry.path == nil ? registries.bytes(place) : resolver.file(place, in: tree)
                let entry = try RegistryFile.parse(bytes, file: place).select(name: name, version: dataset.version)
                // Such a registry lies in no repository that its tasks could lie in.
                if registry.path == nil, let task = entry.tasks.first(where: { $0.repo == nil }) {
                    throw ReconcileError.stalled(
                        .datasetInvalid,
                        "\(field).registry.url: task \"\(task.name)\" of dataset \"\(name)\" has no git_url, so it is in the registry's own "
                            + "repository, which \(place) does not name; use that repository as spec.source, with registry.path", on: .sourceReady)
                }
                let tasks = DatasetFolder.select(entry.tasks, include: dataset.include, exclude: dataset.exclude)
                return Dataset(
                    name: entry.name, version: entry.version, tasks: tasks, rewardRule: dataset.family?.rewardRule,
                    defaultSchema: dataset.defaultFormat)
            } catch let error as SourceError where error.isTransient {
                throw error
            } catch let error as ReconcileError {
                throw error
            } catch let error as RegistryDownload.Failure where error.isTransient {
                throw ReconcileError.waiting(
                    .sourceUnreachable, "\(field).registry.url: \(error)", on: .sourceReady, retryAfterSeconds: 30)
            } catch {
                throw ReconcileError.stalled(.datasetNotFound, "\(field).registry: \(error)", on: .sourceReady)
            }
        }
        let tasks = (dataset.tasks ?? []).map { TaskReference(name: $0.name, path: $0.path ?? $0.name, repo: $0.repo, ref: $0.ref) }
        return Dataset(
            name: dataset.name ?? "tasks", version: dataset.version,
            tasks: DatasetFolder.select(tasks, include: dataset.include, exclude: dataset.exclude), rewardRule: dataset.family?.rewardRule,
            defaultSchema: dataset.defaultFormat)
    }

    // MARK: Tasks

    /// The repositories that tasks name, by address and ref: one clone for all tasks of a repository, as registries expect.
    private typealias Repositories = [[String]: Result<(source: PinnedSource, tree: GitTree), TrialError>]

    private func repository(
        _ repo: String, _ reference: TaskReference, _ known: inout Repositories, _ credentials: Credentials
    ) async throws -> Result<(source: PinnedSource, tree: GitTree), TrialError> {
        let key = [repo, reference.ref ?? ""]
        if let found = known[key] { return found }
        let found: Result<(source: PinnedSource, tree: GitTree), TrialError>
        do {
            let pinned = try await pin(repo, ref: reference.ref, credentials)
            found = .success((pinned, try await resolver.tree(pinned, credentials: try await credentials(pinned.url))))
        } catch let error as SourceError {
            switch error.git {
            // A mistake in the dataset that affects only the tasks of this repository.
            case .refNotFound, .invalidInput, .pathNotFound: found = .failure(TrialError(.taskInvalid, "the task's repository: \(error.message)"))
            default:
                throw ReconcileError.waiting(
                    .sourceUnreachable, "the repository of task \"\(reference.name)\": \(error.message)", on: .sourceReady,
                    retryAfterSeconds: error.isTransient ? 15 : 60)
            }
        }
        known[key] = found
        return found
    }

    private func read(
        _ reference: TaskReference, _ dataset: Dataset, _ sourceTree: GitTree, _ repositories: inout Repositories,
        _ credentials: Credentials
    ) async throws -> PreparedTask {
        var tree = sourceTree
        var own: PinnedSource?
        var absent: TrialError?
        if let repo = reference.repo {
            switch try await repository(repo, reference, &repositories, credentials) {
            case .success(let found): (own, tree) = (found.source, found.tree)
            case .failure(let error): absent = error
            }
        }
        func result(_ task: EvalTask?, _ refusal: TrialError?, solution: Bool = false, warnings: [String] = []) -> PreparedTask {
            PreparedTask(
                reference: reference, task: task, refusal: refusal, hasSolution: solution, taskRepo: own, rewardRule: dataset.rewardRule,
                warnings: warnings)
        }
        if let absent { return result(nil, absent) }
        do {
            let folder = GitTreeFolder(tree, path: try GitPath(parsing: reference.path))
            let loaded = try await TaskReader.load(
                name: reference.name, from: folder, format: dataset.rewardRule.map { TaskSchema($0) },
                defaultFormat: dataset.defaultSchema ?? .harbor)
            // A step without a solution of its own has the task's.
            let solution =
                folder.exists("solution/solve.sh")
                || !loaded.task.steps.isEmpty && loaded.task.steps.allSatisfy { folder.exists("steps/\($0.name)/solution/solve.sh") }
            return result(loaded.task, nil, solution: solution, warnings: loaded.warnings)
        } catch let error as TrialError {
            return result(nil, error)
        } catch let error as GitError where !error.isTransient {
            return result(nil, TrialError(.taskInvalid, error.message))
        }
    }

    /// - Parameter field: what decides where the source comes from.
    private static func failure(_ error: SourceError, _ field: String) -> ReconcileError {
        switch error.git {
        case .refNotFound: .stalled(.refNotFound, "spec.source.ref: \(error.message)", on: .sourceReady)
        case .invalidInput: .stalled(.sourceInvalid, "\(field): \(error.message)", on: .sourceReady)
        case .pathNotFound: .stalled(.datasetNotFound, error.message, on: .sourceReady)
        default:
            .waiting(
                .sourceUnreachable, "\(field): \(error.message)", on: .sourceReady, retryAfterSeconds: error.isTransient ? 15 : 60)
        }
    }
}
