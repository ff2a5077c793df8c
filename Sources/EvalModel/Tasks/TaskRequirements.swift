/// The features that tasks may ask for and that this version does not have. A task that asks for one is refused: without the feature the result
/// would not mean what the task's author intended.
///
/// No other place has this list. Whoever builds a feature removes its line here.
public enum TaskRequirements {
    /// A feature: which values of a task ask for it, named by the key or file.
    private typealias Feature = @Sendable (EvalTask) -> [String]

    private static let notSupported: [Feature] = [
        { task in
            task.collectHooks.filter { $0.service != TaskArtifact.mainService }.map { "[[verifier.collect]] of the service \"\($0.service)\"" }
        },
        { task in
            task.steps.filter { $0.agent.network != nil || $0.verifier.network != nil }.map { "network_mode of step \"\($0.name)\" alone" }
        },
        { task in ((task.environment.tpu == nil ? [] : ["tpu"]) + task.environment.otherHardware).map { "environment.\($0) (hardware)" } },
        { task in task.environment.system == .linux ? [] : ["environment.os = \"\(task.environment.system.rawValue)\""] },
        { task in
            task.allArtifacts.compactMap { artifact in
                guard let service = artifact.service, service != TaskArtifact.mainService,
                    task.environment.services.place(of: artifact.source, in: service) == nil
                else { return nil }
                let services = task.environment.services
                return services[service] == nil
                    ? "the artifact \"\(artifact.source)\" of the service \"\(service)\", which \(TaskServices.file) does not have,"
                    : "the artifact \"\(artifact.source)\" of the service \"\(service)\", which is on none of its named volumes,"
            }
        },
    ]

    /// What a separate verifier cannot have yet.
    private static let notSupportedSeparately: [Feature] = [
        ownNetworks,
        { task in
            verifiers(of: task).filter { $0.verifier.environment?.dockerImage == nil && $0.verifier.hasCompose }
                .map { "\($0.folder)tests/docker-compose.yaml" }
        },
        { task in
            verifiers(of: task).flatMap { place -> [String] in
                guard let environment = place.verifier.environment else { return [] }
                var keys = environment.otherHardware
                if environment.gpus != 0 { keys.append("gpus") }
                if environment.tpu != nil { keys.append("tpu") }
                if environment.healthcheck != nil { keys.append("healthcheck") }
                if environment.system != .linux { keys.append("os = \"\(environment.system.rawValue)\"") }
                return keys.map { "\(place.key)verifier.environment.\($0)" }
            }
        },
    ]

    /// The networks of steps' verifiers that are not the one of all.
    private static func ownNetworks(_ task: EvalTask) -> [String] {
        let common = task.verifier.environment ?? task.environment
        return task.steps.filter { $0.verifier.environment.map { $0.network != common.network } ?? false }
            .map { "another network_mode of the verifier's environment in step \"\($0.name)\"" }
    }

    /// The settings of verifiers, with what stands before their keys and before their folder `tests`.
    private static func verifiers(of task: EvalTask) -> [(key: String, folder: String, verifier: TaskVerifier)] {
        [("", "", task.verifier)] + task.steps.enumerated().map { ("steps[\($0)].", "steps/\($1.name)/", $1.verifier) }
    }

    /// A pod has its containers from the start: either the trial's, which mounts the tests, or verifiers, and then it must never mount them.
    private static func mixed(_ task: EvalTask, verifiers: Int) -> [String] {
        guard 0 < verifiers, verifiers < task.steps.count else { return [] }
        return ["a separate verifier for \(verifiers) of \(task.steps.count) steps (give all steps the same environment_mode)"]
    }

    /// Paths in a verifier's container that decide about the verdict, or are no files.
    private static let verifiersOwn: [[Substring]] = [["tests"], ["logs", "verifier"], ["assay"], ["proc"], ["sys"], ["dev"]]
    /// Folders of the system, which decide about every program there. Single files in them may be artifacts.
    private static let systems: [[Substring]] = [
        ["bin"], ["sbin"], ["lib"], ["lib64"], ["etc"], ["usr", "bin"], ["usr", "sbin"], ["usr", "lib"], ["usr", "lib64"],
    ]

    /// Artifacts that would be laid over what decides about the verdict.
    private static func overlapping(_ task: EvalTask) -> [String] {
        task.allArtifacts.filter { artifact in
            guard artifact.source.hasPrefix("/") else { return false }
            let names = artifact.source.split(separator: "/").filter { $0 != "." }
            return verifiersOwn.contains { $0.starts(with: names) || names.starts(with: $0) } || systems.contains { $0.starts(with: names) }
        }.map {
            "the artifact \"\($0.source)\" would be laid over the verifier's own files: declare a path that has none of them"
        }
    }

    /// Why the task cannot run: sentences that name the key or file.
    ///
    /// - Parameter verifiers: how many of its steps are verified in a container of their own; 1 for a task without steps that is.
    public static func unmet(by task: EvalTask, verifiers: Int = 0) -> [String] {
        ((notSupported + (verifiers > 0 ? notSupportedSeparately : [])).flatMap { $0(task) } + mixed(task, verifiers: verifiers))
            .map { "\($0) is not supported yet" }
            + (verifiers > 0 ? overlapping(task) : [])
            + task.submodules.map { "\($0) is a git submodule, which is not fetched yet: add its files to the repository" }
    }
}
