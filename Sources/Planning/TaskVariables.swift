import AssayAPI
import EvalModel

extension EvalTask {
    /// The variables that an agent's trials of the task ask the job for.
    func askedVariables(by agent: AgentSpec, of spec: EvalJobSpec) -> [AskedVariable] {
        askedVariables(oracle: agent.agent.isOracle, verifies: !spec.verifier.disable, agentVariables: agent.env.map(\.name))
    }
}

/// Names of tasks in messages.
enum TaskNames {
    /// At most three, and how many more there are.
    static func text(_ tasks: [String]) -> String {
        let named = tasks.prefix(3).joined(separator: ", ") + (tasks.count > 3 ? " and \(tasks.count - 3) more" : "")
        return "\(tasks.count == 1 ? "task" : "tasks") \(named)"
    }
}

/// Which variables the tasks of a job ask for, and which of them the job has no value for.
public struct TaskVariables: Sendable, Hashable {
    public struct Asked: Sendable, Hashable {
        public let name: String
        /// In the order of the tasks.
        public fileprivate(set) var tasks: [String]
        /// Whether a task that asks for it cannot run without.
        public fileprivate(set) var isRequired: Bool
        /// Whether the job gives it a value.
        public let isGiven: Bool

        /// The tasks, for a message.
        public var names: String { TaskNames.text(tasks) }
    }

    /// Sorted by name.
    public let asked: [Asked]

    public init(_ prepared: PreparedJob, spec: EvalJobSpec) {
        let given = Set(spec.environment.env.map(\.name))
        var found: [String: Asked] = [:]
        for task in prepared.tasks {
            guard let definition = task.task else { continue }
            for agent in spec.agents {
                // The oracle does not run tasks without a solution.
                if agent.agent.isOracle, !task.hasSolution { continue }
                for variable in definition.askedVariables(by: agent, of: spec) {
                    var entry =
                        found[variable.name] ?? Asked(name: variable.name, tasks: [], isRequired: false, isGiven: given.contains(variable.name))
                    if entry.tasks.last != task.reference.name { entry.tasks.append(task.reference.name) }
                    entry.isRequired = entry.isRequired || variable.isRequired
                    found[variable.name] = entry
                }
            }
        }
        asked = found.values.sorted { $0.name < $1.name }
    }

    /// The variables that must have a value and have none.
    public var missing: [Asked] { asked.filter { $0.isRequired && !$0.isGiven } }

    /// What to do about the missing ones; nil when there are none.
    public var problem: String? {
        guard !missing.isEmpty else { return nil }
        let list = missing.map { "${\($0.name)} (\($0.names))" }
        return "spec.environment.env has no value for \(list.joined(separator: ", ")): add it there, with a value or a secretKeyRef, or run with "
            + "assay run --task-env \(missing[0].name)"
    }
}
