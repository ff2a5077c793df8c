import AssayAPI
import Base
import EvalFormats
import Git
import KubeCore
import Planning
import Rollout
import SourceSync

/// `assay plan`: what a job would run, without running it.
enum PlanCommand: Subcommand {
    static let syntax = CommandSyntax(
        name: "plan", summary: "Show what a job would run, without running anything.",
        details: """
            Reads the job's source and its tasks as the operator does, and lists the trials with their images, users, networks, time limits and
            resources, what is ignored in the tasks' files, and which tasks would be refused and why.

            Exit status: 0 every trial can run; 2 bad input, some task would be refused, or a variable that tasks ask for is missing.
            """,
        positionals: [
            .init(name: "FILE", help: "An EvalJob in YAML, a job file of Rollout, or a folder of tasks; - reads standard input.")
        ],
        options: [
            .init(name: "target", value: "NAME", help: "The EvalTarget of FILE to plan for (spec.targetRef)."),
            .init(name: "output", value: "FORMAT", help: "table (default) or json."),
        ])

    static func run(_ arguments: Arguments) async throws -> Int32 {
        let format = arguments.value("output") ?? "table"
        guard format == "table" || format == "json" else { throw UsageError("--output takes table or json, not \"\(format.replacingControls)\"") }
        let place = PlanPlace()
        var documents = try await documents(arguments.positionals[0], place)
        if let target = arguments.value("target") { documents.job.set(["spec", "targetRef", "name"], to: .string(target)) }
        documents = try await documents.admitted()
        let job: EvalJob
        let target: EvalTargetSpec
        do {
            job = try EvalJob(json: documents.job)
            target = try documents.target(of: job.spec)
        } catch let error as JSONDecodingError {
            throw UsageError("\(arguments.positionals[0]): \(error)")
        }
        if let field = UnsupportedFields.check(job.spec).first ?? UnsupportedFields.check(target).first { throw UsageError(field.message) }

        let resolver = SourceResolver(cacheDirectory: place.cache, policy: [.local, .shorthand])
        let prepared: PreparedJob
        let pins = try overlays(of: job.spec, documents)
        do throws(ReconcileError) {
            let preparation = JobPreparation(resolver: resolver)
            let overlays = try await preparation.overlays(pins) { _, _ in .user }
            prepared = try await preparation.prepare(job, pinnedTo: nil, sync: try target.syncStrategy(), overlays: overlays) { _ in .user }
        } catch {
            throw UsageError(error.message)
        }
        // A plan shows no id that depends on the job's UID, so any UID will do.
        let identity = JobIdentity(namespace: JobDocuments.namespace, name: documents.displayName, uid: "plan")
        let plan = JobPlan(PlannedJob(job: identity, spec: job.spec, prepared: prepared, target: target), canBuild: true)
        if format == "json" {
            Output.write(plan.json.serialized(pretty: true) + [0x0A])
        } else {
            Output.write(PlanText(plan).text)
        }
        return plan.refused > 0 || plan.variables.problem != nil ? ExitStatus.badInput : ExitStatus.success
    }

    private static func overlays(of spec: EvalJobSpec, _ documents: JobDocuments) throws -> [OverlayPin] {
        try (spec.overlays ?? []).map { reference in
            let found = documents.others.first { $0.type == .overlaySources && $0.object.at("metadata", "name")?.string == reference.name }
            guard let found else {
                throw UsageError("there is no OverlaySource \"\(reference.name)\" in the file; add it, or change spec.overlays")
            }
            return OverlayPin(name: reference.name, spec: try OverlaySource(json: found.object).spec, revision: nil)
        }
    }

    private static func documents(_ file: String, _ place: PlanPlace) async throws -> JobDocuments {
        if file != "-", FileEntry.isDirectory(Path.absolute(file)) { return try await folder(file, place) }
        switch try JobInput(file: file) {
        case .resources(var documents):
            try await documents.resolvePaths(relativeTo: Path.workingDirectory)
            return documents
        case .rollout(let rollout, _):
            let name = rollout.name ?? RolloutStart.name()
            let job = try await RolloutStart.job(rollout, name: name, directory: Path.workingDirectory, snapshots: place.snapshots)
            for note in job.notes(for: .machine) { Assay.printError(note.replacingControls) }
            var documents = try JobDocuments(job.resources(for: .machine), file: file)
            documents.title = job.name
            return documents
        }
    }

    /// A job of the tasks in a folder, for any agent.
    private static func folder(_ path: String, _ place: PlanPlace) async throws -> JobDocuments {
        let locator = DatasetLocator(directory: Path.workingDirectory, snapshots: SnapshotStore(directory: place.snapshots))
        let dataset: DatasetPlace
        do { dataset = try await locator.place(of: path, field: path) } catch { throw UsageError("\(error)") }
        let job: JSONValue = [
            "apiVersion": .string(EvalJob.resource.apiVersion), "kind": "EvalJob", "metadata": ["name": .string(RolloutJob.objectName(dataset.name))],
            "spec": [
                "source": ["repo": .string(dataset.repo), "ref": .string(dataset.commit)],
                "datasets": [["path": .string(dataset.path.isEmpty ? "." : dataset.path), "name": .string(dataset.name)]],
                "agents": [["name": "any", "execute": "true"]], "overlays": [],
            ],
        ]
        var documents = try JobDocuments([job], file: path)
        documents.title = dataset.name
        return documents
    }
}

/// Where a plan keeps what it fetches: with the state of `assay run`, which uses it again, else in the user's cache.
private struct PlanPlace {
    let cache: String
    let snapshots: String

    init() {
        let state = StateDirectory(workingDirectory: Path.workingDirectory)
        if FileEntry.isDirectory(state.path) {
            (cache, snapshots) = (state.cache, state.snapshots)
        } else {
            let base = UserCache.directory
            (cache, snapshots) = ("\(base)/sources", "\(base)/snapshots")
        }
    }
}
