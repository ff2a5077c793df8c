import Base
import EvalModel
import YAML

/// A Compose file as YAML, with its variables replaced.
struct ComposeDocument {
    let task: EvalTask
    let root: ComposeNode
    let variables: ComposeVariables
    /// The services that start, `main` included.
    let services: [(name: String, node: ComposeNode)]
    private(set) var notes = ComposeNotes()

    /// - Parameter task: what `task.toml` says.
    /// - Throws: `task_invalid` for what is no Compose file, or a much too large one.
    init(_ bytes: [UInt8], of task: EvalTask) throws(TrialError) {
        self.task = task
        let value: JSONValue
        do { value = try YAML.parseSingle(bytes) } catch { throw Self.invalid(task, ["\(error)"]) }
        guard value.isNull || value.object != nil, value["services"].map({ $0.isNull || $0.object != nil }) ?? true else {
            throw Self.invalid(task, ["services: must be a map of services"])
        }
        guard value["services"]?.object?.count ?? 0 <= ComposeFile.maximumServices else {
            throw Self.invalid(task, ["services: more than \(ComposeFile.maximumServices) services"])
        }
        variables = ComposeVariables(task)
        root = ComposeNode(value).expanded(variables, except: [["services", "*", "environment"], ["services", "*", "profiles"]], &notes)
        var active: [(name: String, node: ComposeNode)] = []
        for (name, service) in root["services"]?.members ?? [] {
            // Such a service starts only when its profile is asked for, which Harbor does not do.
            if service["profiles"]?.elements?.isEmpty ?? true {
                active.append((name, service))
            } else {
                notes.warn("services.\(name)", "has a profile and does not start")
            }
        }
        services = active
    }

    /// The files of variables that its services name, below `environment/`.
    var environmentFiles: Set<String> {
        Set(services.flatMap { ComposeEnvironment.files(of: $0.node) }.compactMap { ComposeEnvironment.path(of: $0) })
    }

    static func invalid(_ task: EvalTask, _ reasons: [String]) -> TrialError {
        TrialError(.taskInvalid, "task \"\(task.name)\": \(ComposeFile.path) cannot run in a pod: \(reasons.joined(separator: "; "))")
    }
}
