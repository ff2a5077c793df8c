import AssayAPI
import Base
import EvalModel
import SourceSync
import TrialPods
import TrialRuntime

/// What a job will run, for a person who asks before it runs: one line for each agent and task.
public struct JobPlan: Sendable, Hashable {
    public struct Line: Sendable, Hashable {
        public let agent: String
        public let dataset: String
        public let task: String
        public let attempts: Int
        /// nil for a task that cannot be read, as is `program`.
        public let definition: EvalTask?
        public let program: TrialProgram?
        /// nil when the task cannot be read.
        public let images: TaskImages?
        /// Why the trials cannot run; nil when they can.
        public let refusal: TrialError?
    }

    /// A sentence about what is ignored in the files of some tasks.
    public struct Warning: Sendable, Hashable {
        public let text: String
        public let tasks: [String]
    }

    public let job: String
    /// The source and its commit.
    public let repo: String
    public let commit: String
    /// In the order of the trials.
    public let lines: [Line]
    public let warnings: [Warning]
    /// The variables that tasks ask the job for.
    public let variables: TaskVariables
    /// In the order in which they apply.
    public let overlays: [PinnedOverlay]

    /// - Parameters:
    ///   - canBuild: whether there is something that builds images.
    ///   - networks: whether the networks of trials can be restricted.
    public init(_ planned: PlannedJob, canBuild: Bool, networks: NetworkAbility = .enforced) {
        let (spec, prepared) = (planned.spec, planned.prepared)
        job = planned.job.name
        repo = prepared.source.url.text
        commit = prepared.source.commit.hex
        let defaultImage = planned.target.defaultImage
        var refusals: [Int: TrialError] = [:]
        for range in TrialRefusals(
            prepared, spec: spec, defaultImage: defaultImage, images: planned.images, canBuild: canBuild, networks: networks,
            host: planned.target.type == .vm ? HostAbility() : nil
        ).errors { refusals[range.indexes.lowerBound] = range.error }
        let matrix = prepared.matrix
        lines = stride(from: 0, to: matrix.count, by: max(1, matrix.attempts)).map { index in
            let trial = matrix[index]
            let task = planned.task(trial)
            return Line(
                agent: trial.agent, dataset: trial.dataset, task: trial.task, attempts: matrix.attempts, definition: task.task,
                program: planned.request(trial).map(TrialProgram.init),
                images: task.task.map { spec.images(of: $0, targetDefault: defaultImage) }, refusal: refusals[index])
        }
        warnings = TaskWarnings.grouped(prepared)
        variables = TaskVariables(prepared, spec: spec)
        overlays = prepared.overlays
    }

    public var trials: Int { lines.reduce(0) { $0 + $1.attempts } }
    public var refused: Int { lines.reduce(0) { $0 + ($1.refusal == nil ? 0 : $1.attempts) } }

    // MARK: JSON

    public var json: JSONValue {
        [
            "job": .string(job), "source": ["repo": .string(repo), "commit": .string(commit)], "trials": JSONValue(trials),
            "refused": JSONValue(refused), "lines": .array(lines.map(\.json)),
            "variables": .array(
                variables.asked.map {
                    [
                        "name": .string($0.name), "required": .bool($0.isRequired), "given": .bool($0.isGiven),
                        "tasks": .array($0.tasks.map { .string($0) }),
                    ]
                }),
            "warnings": .array(warnings.map { ["text": .string($0.text), "tasks": .array($0.tasks.map { .string($0) })] }),
            "overlays": .array(overlayLines.map(\.json)),
        ]
    }

    /// What each overlay adds.
    public struct OverlayLine: Sendable, Hashable {
        public let overlay: PinnedOverlay
        public let shadows: [OverlaySet.Shadow]
        public let similarities: [OverlaySet.Similarity]

        var json: JSONValue {
            var offers: [String: JSONValue] = [:]
            for (surface, names) in overlay.offers.names { offers[surface.rawValue] = .array(names.map { .string($0.text) }) }
            func texts(_ list: [some CustomStringConvertible]) -> JSONValue { .array(list.map { .string($0.description) }) }
            return [
                "name": .string(overlay.name), "repo": .string(overlay.source.url.text), "revision": .string(overlay.source.commit.hex),
                "offers": .object(offers), "shadows": texts(shadows), "similarNames": texts(similarities), "skipped": texts(overlay.notes),
            ]
        }
    }

    public var overlayLines: [OverlayLine] {
        let set = OverlaySet(overlays.map(\.offers))
        return overlays.enumerated().map { position, overlay in
            OverlayLine(
                overlay: overlay, shadows: set.shadows(ofOverlayAt: position), similarities: set.similarities(ofOverlayAt: position))
        }
    }
}

extension JobPlan.Line {
    /// How the image comes to be, in a word or two.
    public var imageOrigin: String { Self.origin(images?.trial) }

    public var imageName: String { Self.name(images?.trial) }

    private static func origin(_ image: TaskImage?) -> String {
        switch image {
        case .job?: "job"
        case .task?: "task.toml"
        case .target?: "target"
        case .dockerfile?: "build"
        case .compose(.named)?: "compose"
        case .compose(.built)?: "compose build"
        case nil: "-"
        }
    }

    private static func name(_ image: TaskImage?) -> String {
        switch image {
        case nil: "-"
        case .compose(.built(let build))?:
            (["environment"] + [build.context, build.dockerfile].filter { !$0.isEmpty }).joined(separator: "/")
        case let image?: image.name ?? "environment/Dockerfile"
        }
    }

    /// The images of separate verifiers: how each comes to be, and its name; those of steps that have the same one once, and none in shared mode.
    public var verifierImages: [(origin: String, name: String)] {
        var found: [VerifierImage] = []
        for image in images?.verifiers ?? [] where !found.contains(image) { found.append(image) }
        return found.map { image in
            switch image {
            case .own(let name): ("task.toml", name)
            case .dockerfile(let folder): ("build", "\(folder)/Dockerfile")
            case .trial(let image): (Self.origin(image), Self.name(image))
            }
        }
    }

    /// The user that the agent runs as: the one that the task names, else `image`, the image's own.
    public var user: String { program?.steps.first?.agentUser ?? definition?.agent.user ?? "image" }

    /// What the agent may connect to in its phase execute.
    public var network: String? { program?.network.execute.mode.rawValue }

    private static func json(_ image: ServiceImage) -> JSONValue {
        switch image {
        case .main: ["from": "main"]
        case .own(let image): ["from": .string(origin(.compose(image))), "name": .string(name(.compose(image)))]
        }
    }

    public var json: JSONValue {
        var value: JSONValue = [
            "agent": .string(agent), "dataset": .string(dataset), "task": .string(task), "attempts": JSONValue(attempts),
            "image": ["from": .string(imageOrigin), "name": .string(imageName)], "user": .string(user),
        ]
        let verifiers = verifierImages.map { image -> JSONValue in ["from": .string(image.origin), "name": .string(image.name)] }
        if let first = verifiers.first {
            var verifier: JSONValue = ["mode": "separate", "image": first]
            if verifiers.count > 1 { verifier["images"] = .array(verifiers) }
            value["verifier"] = verifier
        } else if images != nil {
            value["verifier"] = ["mode": "shared"]
        }
        if let refusal { value["refusal"] = ["type": .string(refusal.type.rawValue), "message": .string(refusal.message)] }
        if let services = definition?.environment.services.services, !services.isEmpty {
            value["services"] = .array(services.map { ["name": .string($0.name), "image": Self.json($0.image)] })
        }
        guard let program else { return value }
        value["family"] = .string(program.identity.family.rawValue)
        value["network"] = network.map { .string($0) }
        value["commit"] = .string(program.delivery.taskRepo?.commit ?? program.delivery.source.commit)
        value["path"] = .string(program.delivery.taskPath)
        if let limits = program.steps.first?.limits {
            value["limits"] = [
                "installSec": limits.installSec.map { .double($0) } ?? .null, "executeSec": limits.executeSec.map { .double($0) } ?? .null,
                "verifySec": .double(limits.verifySec),
            ]
        }
        if let resources = program[.trial]?.resources {
            value["resources"] = [
                "cpus": .double(resources.cpus), "memoryMB": JSONValue(resources.memoryLimitMB), "storageMB": JSONValue(resources.storageMB),
            ]
        }
        return value
    }
}

/// What is ignored in the files of a job's tasks.
public enum TaskWarnings {
    /// Each sentence once, with the tasks that it is about, in the order of the tasks.
    public static func grouped(_ prepared: PreparedJob) -> [JobPlan.Warning] {
        var tasks: [String: [String]] = [:]
        var order: [String] = []
        for task in prepared.tasks {
            for text in task.warnings {
                if tasks[text] == nil { order.append(text) }
                tasks[text, default: []].append(task.reference.name)
            }
        }
        return order.map { JobPlan.Warning(text: $0, tasks: tasks[$0] ?? []) }
    }
}

extension JobPlan.Warning {
    /// The sentence with at most three of its tasks.
    public var line: String { "\(TaskNames.text(tasks)): \(text)" }
}
