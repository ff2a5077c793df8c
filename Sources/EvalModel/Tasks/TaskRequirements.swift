/// The features that tasks may ask for and that this version does not have. A task that asks for one is refused: without the feature the result
/// would not mean what the task's author intended.
///
/// No other place has this list. Whoever builds a feature removes its line here.
public enum TaskRequirements {
    /// A feature: which values of a task ask for it, named by the key or file.
    private typealias Feature = @Sendable (EvalTask) -> [String]

    private static let notSupported: [Feature] = [
        { task in task.environment.hasCompose ? ["environment/docker-compose.yaml"] : [] },
        { task in task.steps.isEmpty ? [] : ["[[steps]]"] },
        { task in
            task.verifiers.flatMap { name, verifier in
                verifier.collect.filter { $0.service != TaskArtifact.mainService }.map { "[[\(name).collect]] of the service \"\($0.service)\"" }
            }
        },
        { task in task.environment.healthcheck == nil ? [] : ["[environment.healthcheck]"] },
        { task in task.environment.mcpServers.isEmpty ? [] : ["[[environment.mcp_servers]]"] },
        { task in task.environment.skillsDir == nil ? [] : ["environment.skills_dir"] },
        { task in task.environment.gpus == 0 ? [] : ["environment.gpus"] },
        { task in ((task.environment.tpu == nil ? [] : ["tpu"]) + task.environment.otherHardware).map { "environment.\($0) (hardware)" } },
        { task in task.environment.system == .linux ? [] : ["environment.os = \"\(task.environment.system.rawValue)\""] },
        { task in task.networks.filter { $0.value.mode != .public }.map { "\($0.key).network_mode = \"\($0.value.mode.rawValue)\"" } },
        { task in task.users.filter { $0.value != "root" && $0.value != "0" }.map { "\($0.key).user = \"\($0.value)\"" } },
        { task in
            task.verifiers.flatMap { name, verifier in
                verifier.collect.compactMap { hook in
                    hook.user.flatMap { $0 == "root" || $0 == "0" ? nil : "[[\(name).collect]] user = \"\($0)\"" }
                }
            }
        },
        { task in
            task.artifacts.compactMap { artifact in
                guard let service = artifact.service, service != TaskArtifact.mainService else { return nil }
                return "the artifact \"\(artifact.source)\" of the service \"\(service)\""
            }
        },
        { task in task.variables.filter { $0.value.contains(where: isTemplate) }.map { "\($0.key) with ${...}" } },
        { task in task.solutionEnv.isEmpty ? [] : ["solution.env"] },
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
            if environment.network.mode != .public { keys.append("network_mode = \"\(environment.network.mode.rawValue)\"") }
            if environment.env.contains(where: isTemplate) { keys.append("env with ${...}") }
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

    /// Whether the whole value is `${NAME}` or `${NAME:-default}`. Any other `$` is literal, as for Harbor (`resolve_env_vars`).
    private static func isTemplate(_ variable: (key: String, value: String)) -> Bool {
        guard variable.value.hasPrefix("${"), variable.value.hasSuffix("}") else { return false }
        let inner = variable.value.dropFirst(2).dropLast()
        let name = inner.prefix { $0 != ":" && $0 != "}" }
        let rest = inner[name.endIndex...]
        return !name.isEmpty && (rest.isEmpty || rest.hasPrefix(":-"))
    }
}

extension EvalTask {
    /// The tables of the task's own phases, by name. Those of steps are refused with the steps.
    fileprivate var verifiers: [(key: String, value: TaskVerifier)] { [("verifier", verifier)] }

    fileprivate var networks: [(key: String, value: TaskNetwork)] {
        [("environment", environment.network)]
            + [("agent", agent.network), ("verifier", verifier.network)].compactMap { name, network in network.map { (name, $0) } }
    }

    fileprivate var users: [(key: String, value: String)] {
        [("agent", agent.user), ("verifier", verifier.user)].compactMap { name, user in user.map { (name, $0) } }
    }

    fileprivate var variables: [(key: String, value: [String: String])] { [("environment.env", environment.env), ("verifier.env", verifier.env)] }
}
