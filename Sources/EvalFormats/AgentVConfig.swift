import Base

/// agentv's `.agentv/config.yaml`: a benchmark's source, the targets that it is delivered to, and where artifacts go.
///
/// Only the shape is checked. Whether a word, such as a type of target, has a meaning is for whoever uses it.
public struct AgentVConfig: Sendable, Hashable {
    public struct Source: Sendable, Hashable {
        public var repo: String
        public var ref: String?
        /// Whether the source has fixtures, and their lock file when it is named.
        public var hasFixtures = false
        public var manifest: String?
        public var cachePath: String?
    }

    public struct Target: Sendable, Hashable {
        public var name: String
        public var type: String
        public var sync: String?
        public var host: String?
        public var workdir: String?
        public var mode: String?
        public var sparsePaths: [String] = []
        public var refreshInterval: String?
    }

    public struct Artifacts: Sendable, Hashable {
        public var backend: String
        public var remote: String?
        public var branch: String?
        public var path: String?
    }

    public var source: Source?
    /// Sorted by name.
    public var targets: [Target] = []
    public var artifacts: Artifacts?
    /// The paths of keys that are not read.
    public var unknown: [String] = []

    /// Whether a document is such a file, and no Kubernetes object and no job of Rollout.
    public static func isConfig(_ document: JSONValue) -> Bool {
        guard case .object(let members) = document else { return false }
        return ["apiVersion", "kind", "agents", "datasets"].allSatisfy { members[$0] == nil }
            && ["source", "targets", "artifacts"].contains { members[$0] != nil }
    }

    /// - Throws: `FileFormatError` with the path of the value that is wrong.
    public init(_ document: JSONValue, file: String) throws(FileFormatError) {
        var root = try ValueReader(document, file: file)
        if var reader = try root.object("source") {
            var source = Source(repo: try reader.requiredString("repo"), ref: try reader.string("ref"))
            if var fixtures = try reader.object("fixtures") {
                source.hasFixtures = true
                source.manifest = try fixtures.string("manifest")
                source.cachePath = try fixtures.string("cache_path")
                unknown += fixtures.unknown
            }
            self.source = source
            unknown += reader.unknown
        }
        if var reader = try root.object("artifacts") {
            var artifacts = Artifacts(backend: try reader.string("backend") ?? "local")
            if var git = try reader.object("git") {
                (artifacts.remote, artifacts.branch, artifacts.path) = (try git.string("remote"), try git.string("branch"), try git.string("path"))
                unknown += git.unknown
            }
            self.artifacts = artifacts
            unknown += reader.unknown
        }
        if var targets = try root.object("targets") {
            for name in (document["targets"]?.object ?? [:]).keys.sorted() {
                guard var reader = try targets.object(name) else { continue }
                self.targets.append(try Self.target(name, &reader, &unknown))
            }
        }
        unknown += root.unknown
    }

    private static func target(_ name: String, _ reader: inout ValueReader, _ unknown: inout [String]) throws(FileFormatError) -> Target {
        var target = Target(
            name: name, type: try reader.requiredString("type"), sync: try reader.string("sync"), host: try reader.string("host"),
            workdir: try reader.string("workdir"))
        if var options = try reader.object("sync_options") {
            target.mode = try options.string("mode")
            target.refreshInterval = try options.string("refresh_interval")
            for (index, path) in (options.value("sparse_paths")?.array ?? []).enumerated() {
                guard let text = path.string else { throw options.problem("sparse_paths[\(index)]", "must be a string") }
                target.sparsePaths.append(text)
            }
            unknown += options.unknown
        }
        unknown += reader.unknown
        return target
    }
}
