import AssayAPI
import Base
import EvalFormats

/// The resources that say what an agentv configuration says. Pure.
public struct AgentVResources: Sendable, Hashable {
    /// The EvalTargets, and an EvalJob with the source and the artifacts when the file has a source.
    public let documents: [JSONValue]
    /// Sentences about what has no counterpart, and what is left to do.
    public let notes: [String]

    public init(_ config: AgentVConfig) {
        var notes = config.unknown.map { "unknown key \($0) is left out" }
        var documents: [JSONValue] = []
        for target in config.targets {
            let document = Self.target(target)
            documents.append(document)
            if target.sync == "noop", target.workdir == nil {
                notes.append("EvalTarget \(target.name): spec.workdir is the directory in which `assay run` is started")
            }
            do {
                notes += UnsupportedFields.check(try EvalTarget(json: document).spec).map { "EvalTarget \(target.name): \($0.message)" }
            } catch {
                notes.append("EvalTarget \(target.name): \(error)")
            }
        }
        if let source = config.source {
            documents.append(Self.job(source, config.artifacts, target: config.targets.first?.name))
            notes.append("spec.datasets and spec.agents of the EvalJob are examples: the configuration of agentv has neither")
            if let path = source.cachePath {
                notes.append("source.fixtures.cache_path (\(path)) is left out: fixtures are kept in the cache directory of assay")
            }
            if config.targets.count > 1 { notes.append("the EvalJob names the first target; `assay run --target NAME` takes another one") }
        } else if config.artifacts != nil {
            notes.append("artifacts is left out: without a source there is no EvalJob to put it into")
        }
        self.documents = documents
        self.notes = notes
    }

    private static func target(_ target: AgentVConfig.Target) -> JSONValue {
        var spec: [String: JSONValue] = ["type": .string(target.type)]
        if let sync = target.sync { spec["sync"] = .string(sync) }
        if let workdir = target.workdir {
            spec["workdir"] = .string(workdir)
        } else if target.sync == "noop" {
            spec["workdir"] = "."
        }
        if let host = target.host { spec["host"] = ["address": .string(host)] }
        var options: [String: JSONValue] = [:]
        if let mode = target.mode { options["mode"] = .string(mode) }
        if !target.sparsePaths.isEmpty { options["sparsePaths"] = .array(target.sparsePaths.map { .string(withoutSlash($0)) }) }
        if let interval = target.refreshInterval { options["refreshInterval"] = .string(interval) }
        if !options.isEmpty { spec["syncOptions"] = .object(options) }
        return object(EvalTarget.resource.kind, named: target.name, .object(spec))
    }

    private static func job(_ source: AgentVConfig.Source, _ artifacts: AgentVConfig.Artifacts?, target: String?) -> JSONValue {
        var from: JSONValue = ["repo": .string(source.repo)]
        if let ref = source.ref { from["ref"] = .string(ref) }
        if source.hasFixtures { from["fixtures"] = source.manifest.map { ["manifest": .string($0)] } ?? [:] }
        var spec: JSONValue = ["source": from, "datasets": [["path": "."]], "agents": [["name": "oracle"]]]
        if let target { spec["targetRef"] = ["name": .string(RolloutJob.objectName(target))] }
        if let artifacts {
            var to: JSONValue = ["backend": .string(artifacts.backend)]
            if artifacts.backend == "git" {
                var git: JSONValue = [:]
                for (key, value) in [("remote", artifacts.remote), ("branch", artifacts.branch), ("path", artifacts.path)] {
                    if let value { git[key] = .string(value) }
                }
                to["git"] = git
            }
            spec["artifacts"] = to
        }
        let name = source.repo.split(separator: "/").last.map { $0.hasSuffix(".git") ? String($0.dropLast(4)) : String($0) } ?? "benchmark"
        return object(EvalJob.resource.kind, named: name, spec)
    }

    private static func object(_ kind: String, named name: String, _ spec: JSONValue) -> JSONValue {
        [
            "apiVersion": .string(EvalJob.resource.apiVersion), "kind": .string(kind), "metadata": ["name": .string(RolloutJob.objectName(name))],
            "spec": spec,
        ]
    }

    private static func withoutSlash(_ path: String) -> String { path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path }
}
