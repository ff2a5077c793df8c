/// What tasks may ask for and this version cannot give them. A task that asks for any of it is refused: without it the result would not mean
/// what the task's author intended.
///
/// This is the only place that knows. To support a feature, build it and remove its line here.
public enum TaskRequirements {
    /// A feature: which values of a task ask for it, named by the key or file.
    private typealias Feature = @Sendable (EvalTask) -> [String]

    private static let notSupported: [Feature] = [
        { task in task.environment.hasCompose ? ["environment/docker-compose.yaml"] : [] },
        { task in task.verifiers.filter { $0.value.mode == .separate }.map { separate($0) } },
        { task in task.verifiers.filter { !$0.value.collect.isEmpty }.map { "[[\($0.key).collect]]" } },
        { task in ((task.environment.tpu == nil ? [] : ["tpu"]) + task.environment.otherHardware).map { "environment.\($0) (hardware)" } },
        { task in task.environment.system == .linux ? [] : ["environment.os = \"\(task.environment.system.rawValue)\""] },
        { task in task.networks.filter { $0.value.mode != .public }.map { "\($0.key).network_mode = \"\($0.value.mode.rawValue)\"" } },
        { task in
            (task.artifacts + task.steps.flatMap(\.artifacts)).first { !$0.isAlwaysCollected }
                .map { ["artifacts: \"\($0.source)\" (only paths below /logs/artifacts are collected)"] } ?? []
        },
    ]

    /// Why the task cannot run: sentences that name the key or file.
    public static func unmet(by task: EvalTask) -> [String] {
        notSupported.flatMap { $0(task) }.map { "\($0) is not supported yet" }
            + task.submodules.map { "\($0) is a git submodule, which is not fetched yet: add its files to the repository" }
    }

    private static func separate(_ verifier: (key: String, value: TaskVerifier)) -> String {
        verifier.value.environment == nil ? "\(verifier.key).environment_mode = \"separate\"" : "[\(verifier.key).environment] (a separate verifier)"
    }
}

extension EvalTask {
    /// The tables of the task's phases and its steps', by name.
    fileprivate var verifiers: [(key: String, value: TaskVerifier)] {
        [("verifier", verifier)] + steps.map { ("steps \"\($0.name)\": verifier", $0.verifier) }
    }

    fileprivate var networks: [(key: String, value: TaskNetwork)] {
        [("environment", environment.network)]
            + ([("agent", agent.network), ("verifier", verifier.network)]
            + steps.flatMap { [("steps \"\($0.name)\": agent", $0.agent.network), ("steps \"\($0.name)\": verifier", $0.verifier.network)] })
            .compactMap { name, network in network.map { (name, $0) } }
    }
}
