import AssayAPI
import Base
import EvalFormats
import EvalModel

/// A job file of Rollout with its datasets found, and the resources that run it. Pure.
public struct RolloutJob: Sendable, Hashable {
    /// Where the resources are used.
    public enum Place: Sendable, Hashable {
        /// `assay run`, in the namespace that it has.
        case machine
        /// A cluster that cannot see this machine's folders.
        case cluster
    }

    public let file: JobFile
    /// The name of the job and of its directory of outputs.
    public let name: String
    public let datasets: [LocatedDataset]

    /// - Parameter name: the file's own, or the time for a file without one (`Self.name(at:)`).
    public init(_ file: JobFile, name: String, datasets: [LocatedDataset]) {
        self.file = file
        self.name = name
        self.datasets = datasets
    }

    /// The EvalJob's name: the job's own where Kubernetes allows it, else close to it and with a hash, so that names stay distinct.
    public var objectName: String { Self.objectName(name) }

    public static func objectName(_ name: String) -> String {
        var text = ""
        for byte in name.lowercased().utf8 {
            switch byte {
            case 0x30...0x39, 0x61...0x7A: text.unicodeScalars.append(Unicode.Scalar(byte))
            default: if !text.isEmpty, text.last != "-" { text += "-" }
            }
        }
        text = String(text.prefix(200))
        while text.last == "-" { text.removeLast() }
        if text == name { return text }
        let hash = SHA256.hex(of: Array(name.utf8)).prefix(8)
        return text.isEmpty ? "job-\(hash)" : "\(text)-\(hash)"
    }

    /// The Secret with the values that name variables of the caller's environment.
    public var secretName: String { "\(objectName)-env" }

    // MARK: Resources

    /// The Secret, when an agent's environment names variables, and the EvalJob. The Secret has the names of the variables, not their values
    /// (``EnvironmentSecret``).
    public func resources(for place: Place) -> [JSONValue] { [secret(place), job(place)].compactMap { $0 } }

    private func metadata(_ name: String, _ place: Place) -> JSONValue {
        var metadata: JSONValue = ["name": .string(name)]
        if place == .cluster, let namespace = file.environment.providerConfig.namespace { metadata["namespace"] = .string(namespace) }
        return metadata
    }

    private func secret(_ place: Place) -> JSONValue? {
        var templates: [String: String] = [:]
        for (index, agent) in file.agents.enumerated() {
            for (name, template) in agent.env where !template.variables.isEmpty { templates[Self.key(index, name)] = template.text }
        }
        return EnvironmentSecret.object(metadata(secretName, place), templates: templates)
    }

    private static func key(_ agent: Int, _ variable: String) -> String { "\(agent).\(variable)" }

    private func job(_ place: Place) -> JSONValue {
        let source = source(place)
        var spec: JSONValue = ["source": source.value, "datasets": .array(datasets(source, place)), "agents": .array(agents)]
        if file.attempts != 1 { spec["attempts"] = JSONValue(file.attempts) }
        spec["parallelism"] = JSONValue(min(file.concurrentTrials, 1000))
        if file.timeoutMultiplier != 1 { spec["timeoutMultiplier"] = .double(file.timeoutMultiplier) }
        spec["instructionPath"] = .string(file.instructionPath)
        spec["retry"] = [
            "maxAttempts": JSONValue(file.retry.maxAttempts), "initialDelayMs": JSONValue(file.retry.initialDelayMs),
            "maxDelayMs": JSONValue(file.retry.maxDelayMs), "multiplier": .double(file.retry.multiplier),
        ]
        spec["environment"] = environment(place)
        if let verifier { spec["verifier"] = verifier }
        let metrics = file.metrics.reduce(into: [MetricType]()) { if !$0.contains($1) { $0.append($1) } }
        if !metrics.isEmpty { spec["metrics"] = .array(metrics.map { ["type": .string($0.rawValue)] }) }
        spec["overlays"] = []
        spec["artifacts"] = ["backend": "local"]
        if place == .cluster, let remote = origin {
            spec["artifacts"] = ["backend": "git", "git": ["remote": .string(remote)]]
        }
        return [
            "apiVersion": .string("\(AssayNames.group)/\(AssayNames.version)"), "kind": "EvalJob", "metadata": metadata(objectName, place),
            "spec": spec,
        ]
    }

    private var agents: [JSONValue] {
        file.agents.enumerated().map { index, agent in
            var value: JSONValue = ["name": .string(agent.name)]
            if let description = agent.description, !description.isEmpty { value["description"] = .string(description) }
            if let install = agent.install, !install.isEmpty { value["install"] = .string(install) }
            if let execute = agent.execute { value["execute"] = .string(execute) }
            let env: [JSONValue] = agent.env.sorted { $0.key < $1.key }.map { name, template in
                guard !template.variables.isEmpty else { return ["name": .string(name), "value": .string(template.text)] }
                return [
                    "name": .string(name),
                    "valueFrom": ["secretKeyRef": ["name": .string(secretName), "key": .string(Self.key(index, name))]],
                ]
            }
            if !env.isEmpty { value["env"] = .array(env) }
            return value
        }
    }

    private func environment(_ place: Place) -> JSONValue {
        let given = file.environment
        let preserve: EnvironmentSpec.Preserve =
            switch given.preserve {
            case .never: .never
            case .always: .always
            case .onFailure: .onFailure
            }
        var value: JSONValue = ["preserveEnv": .string(preserve.rawValue)]
        if given.forceBuild { value["forceBuild"] = true }
        if let cpus = given.overrideCPUs { value["overrideCPUs"] = .double(cpus) }
        if let size = given.overrideMemoryMB { value["overrideMemoryMB"] = JSONValue(size) }
        if let size = given.overrideStorageMB { value["overrideStorageMB"] = JSONValue(size) }
        guard place == .cluster else { return value }
        var template: JSONValue = .object([:])
        if let account = given.providerConfig.serviceAccount, !account.isEmpty { template["serviceAccountName"] = .string(account) }
        if !given.providerConfig.nodeSelector.isEmpty {
            template["nodeSelector"] = .object(given.providerConfig.nodeSelector.mapValues { .string($0) })
        }
        if template.object?.isEmpty == false { value["podTemplate"] = template }
        return value
    }

    private var verifier: JSONValue? {
        var value: JSONValue = .object([:])
        if let seconds = file.verifier.overrideTimeoutSec { value["overrideTimeoutSec"] = .double(seconds) }
        if let seconds = file.verifier.maxTimeoutSec { value["maxTimeoutSec"] = .double(seconds) }
        if file.verifier.disable { value["disable"] = true }
        return value.object?.isEmpty == false ? value : nil
    }

    // MARK: Source and datasets

    private struct Source {
        var repo: String
        var commit: String?
        var value: JSONValue {
            var value: JSONValue = ["repo": .string(repo)]
            if let commit { value["ref"] = .string(commit) }
            return value
        }
    }

    /// The repository of the first dataset.
    private func source(_ place: Place) -> Source {
        switch datasets.first {
        case .folder(let folder)?: Source(repo: address(folder, place), commit: folder.commit)
        case .tasks(_, let tasks)?: Source(repo: tasks.first?.repo ?? "", commit: tasks.first?.ref)
        case nil: Source(repo: "", commit: nil)
        }
    }

    private func address(_ folder: DatasetPlace, _ place: Place) -> String {
        place == .cluster && !folder.isSnapshot ? folder.origin ?? folder.repo : folder.repo
    }

    /// The first remote of a dataset's folder.
    private var origin: String? {
        for case .folder(let folder) in datasets {
            if let origin = folder.origin { return origin }
        }
        return nil
    }

    /// The most tasks of one list (the schema's limit); longer ones are several lists of the same name.
    private static let listLimit = 1000

    private func datasets(_ source: Source, _ place: Place) -> [JSONValue] {
        datasets.flatMap { dataset -> [JSONValue] in
            switch dataset {
            case .folder(let folder):
                let repo = address(folder, place)
                if repo == source.repo, folder.commit == source.commit {
                    return [
                        [
                            "name": .string(folder.name), "path": .string(folder.path.isEmpty ? "." : folder.path), "defaultFormat": "rollout",
                        ]
                    ]
                }
                let tasks = folder.tasks.map { name in
                    TaskReference(name: name, path: folder.path.isEmpty ? name : "\(folder.path)/\(name)", repo: repo, ref: folder.commit)
                }
                return Self.lists(folder.name, tasks)
            case .tasks(let name, let tasks): return Self.lists(name, tasks)
            }
        }
    }

    private static func lists(_ name: String, _ tasks: [TaskReference]) -> [JSONValue] {
        stride(from: 0, to: max(tasks.count, 1), by: listLimit).map { start in
            let some = tasks[min(start, tasks.count)..<min(start + listLimit, tasks.count)]
            return ["name": .string(name), "defaultFormat": "rollout", "tasks": .array(some.map(Self.task))]
        }
    }

    private static func task(_ reference: TaskReference) -> JSONValue {
        var value: JSONValue = ["name": .string(reference.name), "path": .string(reference.path)]
        if let repo = reference.repo { value["repo"] = .string(repo) }
        if let ref = reference.ref { value["ref"] = .string(ref) }
        return value
    }

    // MARK: Notes

    /// Sentences about what a person should know before the job runs.
    public func notes(for place: Place) -> [String] {
        var notes = file.warnings
        for case .folder(let folder) in datasets where folder.isSnapshot {
            let why = folder.head == nil ? "is in no git repository" : "has changes that are not committed"
            notes.append("\(folder.folder) \(why): the job uses a snapshot of it as it is now")
        }
        if file.environment.type == .k8s, place == .machine {
            notes.append(
                "environment.type is k8s: `assay run` runs the trials on this machine, without provider_config; for a cluster, apply what "
                    + "`assay convert` prints")
        }
        guard place == .cluster else { return notes }
        for case .folder(let folder) in datasets where folder.isSnapshot || folder.origin == nil {
            notes.append("a cluster cannot read \(folder.folder): push it to a repository that it reaches, and set spec.source to that one")
        }
        notes.append(
            origin == nil
                ? "on a cluster, results need a repository: set spec.artifacts (backend: git, git.remote, git.secretRef)"
                : "results go to the branch \(GitArtifactsSpec.defaultBranch) of spec.artifacts.git.remote; add git.secretRef with a credential that may push"
        )
        return notes
    }

    /// The commits that trials name for folders of this machine, and the commit of the folder's own repository; null when it has none.
    public var heads: [String: String?] {
        var heads: [String: String?] = [:]
        for case .folder(let folder) in datasets where folder.isSnapshot { heads[folder.commit] = .some(folder.head) }
        return heads
    }
}
