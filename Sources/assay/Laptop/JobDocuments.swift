import AssayAPI
import Base
import Git
import KubeCore
import Rollout
import Subprocess
import YAML

/// The objects of a job file: one EvalJob, and the targets, overlays, secrets and config maps that it needs.
struct JobDocuments: Sendable {
    var job: JSONValue
    /// The objects that must be created before the job, in the order of the file.
    var others: [(type: ResourceType, object: JSONValue)]

    /// The name in a file that is no Kubernetes object; nil for the EvalJob's own.
    var title: String?

    static let namespace = "default"

    private static let kinds: [String: ResourceType] = [
        "v1/Secret": .secrets, "v1/ConfigMap": .configMaps, "assay.dev/v1alpha1/EvalJob": .evalJobs,
        "assay.dev/v1alpha1/EvalTarget": .evalTargets, "assay.dev/v1alpha1/OverlaySource": .overlaySources,
    ]

    /// Reads one or more YAML documents from a file, or from standard input for `-`. Throws a `UsageError` that names the wrong
    /// document and the reason.
    init(file: String) throws {
        let documents: [JSONValue]
        do { documents = try YAML.parse(try JobInput.read(file)) } catch let error as YAMLError { throw UsageError("\(file): \(error)") }
        try self.init(documents.filter { !$0.isNull }, file: file)
    }

    /// - Parameter file: where the documents are from, for messages.
    init(_ documents: [JSONValue], file: String) throws {
        var jobs: [JSONValue] = []
        others = []
        for (number, document) in documents.enumerated() {
            let place = "\(file), document \(number + 1)"
            guard let apiVersion = document["apiVersion"]?.string, let kind = document["kind"]?.string else {
                throw UsageError(
                    "\(place): apiVersion and kind are missing; a job file holds Kubernetes objects such as kind: EvalJob, or one job of Rollout (agents and datasets)"
                )
            }
            guard let type = Self.kinds["\(apiVersion)/\(kind)"] else {
                throw UsageError(
                    "\(place): \(kind) (\(apiVersion)) does not belong in a job file; it may hold "
                        + "EvalJob, EvalTarget, OverlaySource, Secret and ConfigMap")
            }
            var object = document
            if let namespace = object.at("metadata", "namespace")?.string, namespace != Self.namespace {
                throw UsageError("\(place): on a laptop there is only the namespace \"\(Self.namespace)\"; remove metadata.namespace")
            }
            object.set(["metadata", "namespace"], to: .string(Self.namespace))
            if type == .evalJobs { jobs.append(object) } else { others.append((type, object)) }
        }
        guard let job = jobs.first else { throw UsageError("\(file): there is no EvalJob in it") }
        guard jobs.count == 1 else { throw UsageError("\(file): there are \(jobs.count) EvalJobs in it; run one at a time") }
        guard let name = job.at("metadata", "name")?.string, !name.isEmpty else { throw UsageError("\(file): the EvalJob has no metadata.name") }
        self.job = job
    }

    /// The job's name as the user knows it.
    var displayName: String { title ?? jobName }

    var jobName: String { job.at("metadata", "name")?.string ?? "" }

    /// The target that a job runs on: the one that it names, else the one named `default`, else this machine.
    func target(of spec: EvalJobSpec) throws -> EvalTargetSpec {
        let name = spec.targetRef?.name ?? AssayNames.defaultTarget
        let found = others.first { $0.type == .evalTargets && $0.object.at("metadata", "name")?.string == name }
        guard let found else {
            guard spec.targetRef == nil else { throw UsageError("there is no EvalTarget \"\(name)\" in the file; add it, or change spec.targetRef") }
            return Laptop.target
        }
        return try EvalTarget(json: found.object).spec
    }

    /// The directory of this machine that the job's target uses instead of the job's repository; nil when it uses the repository.
    var benchmarkDirectory: String? {
        let name = job.at("spec", "targetRef", "name")?.string ?? AssayNames.defaultTarget
        let target = others.first { $0.type == .evalTargets && $0.object.at("metadata", "name")?.string == name }?.object
        return target?.at("spec", "sync")?.string == "noop" ? target?.at("spec", "workdir")?.string : nil
    }

    /// Makes local paths absolute file: URLs, makes `workdir` absolute, and replaces the name of a git remote by its URL, because the operator accepts only
    /// URLs. A job that names no overlays gets those of the file, and not those that an earlier file has left.
    mutating func resolvePaths(relativeTo directory: String) async throws {
        for (index, other) in others.enumerated() where other.type == .overlaySources {
            guard let repo = other.object.at("spec", "repo")?.string else { continue }
            let name = other.object.at("metadata", "name")?.string ?? ""
            others[index].object.set(
                ["spec", "repo"], to: .string(try await Self.source(repo, directory, field: "spec.repo of OverlaySource \"\(name)\"")))
        }
        for (index, other) in others.enumerated() where other.type == .evalTargets {
            guard let workdir = other.object.at("spec", "workdir")?.string, !workdir.isEmpty else { continue }
            others[index].object.set(["spec", "workdir"], to: .string(Path.absolute(workdir, in: directory)))
        }
        if let spec = job["spec"]?.object, spec["overlays"] ?? .null == .null {
            job.set(["spec", "overlays"], to: .array(overlayNames.map { ["name": .string($0)] }))
        }
        if let repo = job.at("spec", "source", "repo")?.string {
            job.set(["spec", "source", "repo"], to: .string(try await Self.source(repo, directory, field: "spec.source.repo")))
        }
        if let remote = job.at("spec", "artifacts", "git", "remote")?.string {
            job.set(["spec", "artifacts", "git", "remote"], to: .string(try await Self.remote(remote, directory)))
        }
    }

    /// The names of the file's overlays in the order in which they apply.
    private var overlayNames: [String] {
        others.filter { $0.type == .overlaySources }.map { other in
            (order: other.object.at("spec", "order")?.int ?? 0, name: other.object.at("metadata", "name")?.string ?? "")
        }.sorted { $0 < $1 }.map(\.name)
    }

    private static func isURL(_ text: String) -> Bool { text.contains("://") || text.contains(":") }

    private static func source(_ repo: String, _ directory: String, field: String) async throws -> String {
        guard !isURL(repo) else { return repo }
        let path = Path.absolute(repo, in: directory)
        guard FileEntry.exists(path, followingLinks: true) else {
            // `owner/name` may be a shorthand that the operator understands, so it is not treated as a path.
            if repo.split(separator: "/").count == 2, !repo.hasPrefix("."), !repo.hasPrefix("/") { return repo }
            throw UsageError("\(field): there is no \(path)")
        }
        return "file://" + (try await topLevel(of: path, field: field))
    }

    private static func remote(_ name: String, _ directory: String) async throws -> String {
        guard !isURL(name) else { return name }
        let path = Path.absolute(name, in: directory)
        if FileEntry.exists(path, followingLinks: true) { return "file://" + path }
        let result = try await Command("git", ["remote", "get-url", "--end-of-options", name], workingDirectory: directory).run()
        guard result.succeeded else {
            throw UsageError(
                "spec.artifacts.git.remote: \"\(name)\" is neither a URL, nor a path here, nor a remote of the git repository in \(directory)")
        }
        let url = result.stdoutText.trimmed
        return isURL(url) ? url : "file://" + Path.absolute(url, in: directory)
    }

    private static func topLevel(of path: String, field: String) async throws -> String {
        do {
            if let tree = try await WorkingTree.containing(path) { return tree.root }
        } catch {
            throw UsageError("\(field): \(error.message)")
        }
        throw UsageError("\(field): \(path) is no git repository; make it one (git init, git add, git commit): results name a commit")
    }

    /// Fills in the Secrets whose values come from the environment.
    mutating func fillSecrets(from environment: [String: String]) throws {
        var missing: Set<String> = []
        for (index, other) in others.enumerated() where other.type == .secrets {
            do throws(EnvironmentSecret.MissingVariables) {
                others[index].object = try EnvironmentSecret.filled(other.object, from: environment)
            } catch {
                missing.formUnion(error.names)
            }
        }
        guard missing.isEmpty else {
            throw UsageError("the environment has no value for \(missing.sorted().joined(separator: ", ")), which the job's Secret needs: export it")
        }
    }
}
