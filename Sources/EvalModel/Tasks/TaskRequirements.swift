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
        { task in task.verifiers.filter { $0.value.mode == .separate }.map { separate($0) } },
        { task in task.verifiers.filter { !$0.value.collect.isEmpty }.map { "[[\($0.key).collect]]" } },
        { task in task.environment.healthcheck == nil ? [] : ["[environment.healthcheck]"] },
        { task in task.environment.mcpServers.isEmpty ? [] : ["[[environment.mcp_servers]]"] },
        { task in task.environment.skillsDir == nil ? [] : ["environment.skills_dir"] },
        { task in task.environment.gpus == 0 ? [] : ["environment.gpus"] },
        { task in ((task.environment.tpu == nil ? [] : ["tpu"]) + task.environment.otherHardware).map { "environment.\($0) (hardware)" } },
        { task in task.environment.system == .linux ? [] : ["environment.os = \"\(task.environment.system.rawValue)\""] },
        { task in task.networks.filter { $0.value.mode != .public }.map { "\($0.key).network_mode = \"\($0.value.mode.rawValue)\"" } },
        { task in task.users.filter { $0.value != "root" && $0.value != "0" }.map { "\($0.key).user = \"\($0.value)\"" } },
        { task in
            task.artifacts.first { !$0.isAlwaysCollected }.map { ["artifacts: \"\($0.source)\" (only paths below /logs/artifacts are collected)"] }
                ?? []
        },
        { task in task.variables.filter { $0.value.contains(where: isTemplate) }.map { "\($0.key) with ${...}" } },
        { task in task.solutionEnv.isEmpty ? [] : ["solution.env"] },
    ]

    /// Why the task cannot run: sentences that name the key or file.
    public static func unmet(by task: EvalTask) -> [String] {
        notSupported.flatMap { $0(task) }.map { "\($0) is not supported yet" }
            + task.submodules.map { "\($0) is a git submodule, which is not fetched yet: add its files to the repository" }
    }

    private static func separate(_ verifier: (key: String, value: TaskVerifier)) -> String {
        verifier.value.environment == nil ? "\(verifier.key).environment_mode = \"separate\"" : "[\(verifier.key).environment] (a separate verifier)"
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
