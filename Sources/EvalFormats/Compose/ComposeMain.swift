import Base
import EvalModel

/// The service `main` of a Compose file: the trial. `task.toml` comes first where both say something.
struct ComposeMain {
    /// nil when the file says nothing of it.
    private(set) var image: ComposeImage?
    let environment: ComposeEnvironment
    let workdir: String?
    let user: String?
    let healthcheck: Healthcheck?
    let mounts: [ServiceMount]

    init(_ node: ComposeNode, _ environment: ComposeEnvironment, _ volumes: Set<String>, _ notes: inout ComposeNotes) {
        ComposeKeys.check(node, &notes)
        if case .own(let found)? = ComposeBuild(service: node).image(&notes) { image = found }
        self.environment = environment
        workdir = node["working_dir"]?.text
        user = Self.user(node, &notes)
        healthcheck = ComposeHealth(service: node).check(&notes).map { Healthcheck($0) }
        mounts = ComposeMounts(service: node, declared: volumes, isMain: true).mounts(&notes)
        for key in ["command", "entrypoint"] {
            guard let value = node[key], let words = value.text.map({ ComposeValues.words($0) ?? [$0] }) ?? value.texts, !Self.keepsRunning(words)
            else { continue }
            notes.refuse(value.path, "the trial's container runs the agent: do this in the Dockerfile, in a service, or in the task's healthcheck")
        }
        for key in ["cap_add", "cap_drop", "read_only", "security_opt"] {
            guard let value = node[key], value.flag != false, value.elements?.isEmpty != true else { continue }
            let harmless = key == "security_opt" && (value.texts ?? []).allSatisfy { $0.hasPrefix("label") }
            if harmless { continue }
            notes.refuse(
                value.path, "the trial's container has the capabilities and the root of any trial: remove it, or use the target's podTemplate")
        }
        // Harbor's own files set these to what task.toml says.
        for key in ["deploy", "mem_limit", "mem_reservation", "cpus"] where node[key] != nil {
            let limits = node["deploy"]?["resources"]?["limits"]
            let isHarbors = key == "deploy" && (limits?.members ?? []).allSatisfy { $0.name == "cpus" || $0.name == "memory" }
            if !isHarbors { notes.warn("\(node.path).\(key)", "has no effect: cpus and memory_mb in task.toml hold") }
        }
    }

    private static func user(_ node: ComposeNode, _ notes: inout ComposeNotes) -> String? {
        guard let value = node["user"], let text = value.text else { return nil }
        guard !text.isEmpty, !text.contains(":") else {
            notes.refuse(value.path, "\"\(text)\" must be a user without a group: a phase has the groups of its user")
            return nil
        }
        return text
    }

    /// Whether a command only keeps its container running, which the runner does anyway.
    private static func keepsRunning(_ words: [String]) -> Bool {
        var words = words[...]
        if words.count >= 3, ["sh", "bash", "/bin/sh", "/bin/bash"].contains(words[0]), ["-c", "-lc"].contains(words[1]) {
            return words.count == 3 && keepsRunning(ComposeValues.words(words[2]) ?? [])
        }
        if words.first == "exec" || words.first == "tini" || words.first == "--" { words = words.dropFirst() }
        guard let first = words.first else { return true }
        let rest = Array(words.dropFirst())
        switch first {
        case "sleep", "/bin/sleep", "/usr/bin/sleep": return rest.count == 1
        case "tail", "/usr/bin/tail": return rest == ["-f", "/dev/null"] || rest == ["-F", "/dev/null"]
        case "sh", "bash", "/bin/sh", "/bin/bash", "cat": return rest.isEmpty
        default: return false
        }
    }
}
