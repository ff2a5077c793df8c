/// The features that tasks may ask for and that this version does not have. A task that asks for one is refused: without the feature the result
/// would not mean what the task's author intended.
///
/// No other place has this list. Whoever builds a feature removes its line here.
public enum TaskRequirements {
    /// A feature: which values of a task ask for it, named by the key or file.
    private typealias Feature = @Sendable (EvalTask) -> [String]

    private static let notSupported: [Feature] = [
        { task in
            task.verifier.collect.filter { $0.service != TaskArtifact.mainService }.map { "[[verifier.collect]] of the service \"\($0.service)\"" }
        },
        { task in
            task.steps.filter { $0.agent.network != nil || $0.verifier.network != nil }.map { "network_mode of step \"\($0.name)\" alone" }
        },
        // Of a step: these are done for the whole task only.
        { task in task.steps.filter { $0.verifier.mode == .separate }.map { "a separate verifier of the step \"\($0.name)\"" } },
        { task in task.steps.filter { !$0.verifier.collect.isEmpty }.map { "[[steps.verifier.collect]] of the step \"\($0.name)\"" } },
        { task in
            task.steps.flatMap { step in
                step.artifacts.filter { !$0.isAlwaysCollected }.map {
                    "the artifact \"\($0.source)\" of the step \"\(step.name)\" (only paths below /logs/artifacts are collected)"
                }
            }
        },
        { task in ((task.environment.tpu == nil ? [] : ["tpu"]) + task.environment.otherHardware).map { "environment.\($0) (hardware)" } },
        { task in task.environment.system == .linux ? [] : ["environment.os = \"\(task.environment.system.rawValue)\""] },
        { task in
            task.artifacts.compactMap { artifact in
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
        { task in task.steps.isEmpty ? [] : ["[[steps]] with a separate verifier"] },
        { task in task.verifier.environment?.dockerImage == nil && task.verifier.hasCompose ? ["tests/docker-compose.yaml"] : [] },
        { task in
            guard let environment = task.verifier.environment else { return [] }
            var keys = environment.otherHardware
            if environment.gpus != 0 { keys.append("gpus") }
            if environment.tpu != nil { keys.append("tpu") }
            if environment.healthcheck != nil { keys.append("healthcheck") }
            if environment.system != .linux { keys.append("os = \"\(environment.system.rawValue)\"") }
            return keys.map { "verifier.environment.\($0)" }
        },
    ]

    /// Paths in a verifier's container that decide about the verdict, or are no files.
    private static let verifiersOwn: [[Substring]] = [["tests"], ["logs", "verifier"], ["assay"], ["proc"], ["sys"], ["dev"]]
    /// Folders of the system, which decide about every program there. Single files in them may be artifacts.
    private static let systems: [[Substring]] = [
        ["bin"], ["sbin"], ["lib"], ["lib64"], ["etc"], ["usr", "bin"], ["usr", "sbin"], ["usr", "lib"], ["usr", "lib64"],
    ]

    /// Artifacts that would be laid over what decides about the verdict.
    private static func overlapping(_ task: EvalTask) -> [String] {
        task.artifacts.filter { artifact in
            guard artifact.source.hasPrefix("/") else { return false }
            let names = artifact.source.split(separator: "/").filter { $0 != "." }
            return verifiersOwn.contains { $0.starts(with: names) || names.starts(with: $0) } || systems.contains { $0.starts(with: names) }
        }.map {
            "the artifact \"\($0.source)\" would be laid over the verifier's own files: declare a path that has none of them"
        }
    }

    /// Why the task cannot run: sentences that name the key or file.
    ///
    /// - Parameter separate: whether it is to be verified in a container of its own.
    public static func unmet(by task: EvalTask, separate: Bool = false) -> [String] {
        (notSupported + (separate ? notSupportedSeparately : [])).flatMap { $0(task) }.map { "\($0) is not supported yet" }
            + (separate ? overlapping(task) : [])
            + task.submodules.map { "\($0) is a git submodule, which is not fetched yet: add its files to the repository" }
    }
}
