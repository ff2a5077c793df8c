import AssayAPI
import Base
import EvalModel
import Git
import Planning
import SourceSync

/// A `PreparedJob` as JSON, in the form stored in the job's ConfigMaps. It contains data of public task files and addresses without
/// credentials, never a value of a Secret.
struct PlanDocument: Codable, Sendable, Hashable {
    static let currentVersion = 2

    struct Source: Codable, Sendable, Hashable {
        var repo: String
        var commit: String
        var ref: String?
        /// nil for a full mirror, and in documents of older operators.
        var extent: MirrorExtent?
        /// nil for a commit of the repository itself, and in documents of older operators.
        var snapshot: SourceSnapshot?

        init(_ source: PinnedSource) {
            (repo, commit, ref) = (source.url.text, source.commit.hex, source.ref)
            (extent, snapshot) = (source.extent == .full ? nil : source.extent, source.snapshot)
        }

        func pinned(_ policy: GitURL.Policy) throws -> PinnedSource {
            guard let id = GitObjectID(commit) else { throw PlanUnreadable(why: "\"\(commit)\" is no commit") }
            return PinnedSource(url: try GitURL(parsing: repo, allowing: policy), commit: id, ref: ref, extent: extent ?? .full, snapshot: snapshot)
        }
    }

    struct Task: Codable, Sendable, Hashable {
        var dataset: String
        var reference: TaskReference
        var task: EvalTask?
        var refusal: TrialError?
        var hasSolution: Bool
        var repo: Source?
        var rewardRule: RewardRule?
        /// nil for none, and in documents of older operators.
        var warnings: [String]?
    }

    struct Overlay: Codable, Sendable, Hashable {
        var name: String
        var source: Source
        var secret: String?
        var paths: OverlayPaths
        /// By the name of the surface.
        var offers: [String: [EntryName]]
        var notes: [String]

        init(_ overlay: PinnedOverlay) {
            (name, source, secret, paths, notes) = (overlay.name, Source(overlay.source), overlay.secret, overlay.paths, overlay.notes)
            offers = Dictionary(uniqueKeysWithValues: overlay.offers.names.map { ($0.key.rawValue, $0.value) })
        }

        func pinned(_ policy: GitURL.Policy) throws -> PinnedOverlay {
            var names: [OverlaySurface: [EntryName]] = [:]
            for (surface, entries) in offers {
                guard let surface = OverlaySurface(rawValue: surface) else { throw PlanUnreadable(why: "\"\(surface)\" is no surface") }
                names[surface] = entries
            }
            return PinnedOverlay(
                name: name, source: try source.pinned(policy), secret: secret, paths: paths, offers: OverlayOffers(overlay: name, names: names),
                notes: notes)
        }
    }

    var version: Int
    var source: Source
    var tasks: [Task]
    /// nil for none, and in documents of older operators.
    var overlays: [Overlay]?

    init(_ job: PreparedJob) {
        version = Self.currentVersion
        source = Source(job.source)
        tasks = zip(job.matrix.tasks, job.tasks).map { key, task in
            Task(
                dataset: key.dataset, reference: task.reference, task: task.task, refusal: task.refusal, hasSolution: task.hasSolution,
                repo: task.taskRepo.map(Source.init), rewardRule: task.rewardRule,
                warnings: task.warnings.isEmpty ? nil : task.warnings)
        }
        overlays = job.overlays.isEmpty ? nil : job.overlays.map(Overlay.init)
    }

    /// - Throws: when this operator cannot use the document; the source is then read again.
    func job(_ spec: EvalJobSpec, policy: GitURL.Policy) throws -> PreparedJob {
        guard version == Self.currentVersion else { throw PlanUnreadable(why: "its version is \(version), not \(Self.currentVersion)") }
        let matrix = try TrialMatrix(
            agents: spec.agents.map(\.name), tasks: tasks.map { .init(dataset: $0.dataset, task: $0.reference.name) }, attempts: spec.attempts)
        let prepared = try tasks.map { task in
            PreparedTask(
                reference: task.reference, task: task.task, refusal: task.refusal, hasSolution: task.hasSolution,
                taskRepo: try task.repo?.pinned(policy), rewardRule: task.rewardRule,
                warnings: task.warnings ?? [])
        }
        return PreparedJob(
            source: try source.pinned(policy), tasks: prepared, matrix: matrix, overlays: try (overlays ?? []).map { try $0.pinned(policy) })
    }

    /// Keys are sorted, so that the same plan gives the same bytes.
    func bytes() throws -> [UInt8] { try JSONValueEncoder().encode(self).serialized() }

    init(parsing bytes: [UInt8]) throws {
        self = try JSONValueDecoder().decode(PlanDocument.self, from: try JSONValue(parsing: bytes))
    }
}

/// A stored plan that cannot be used.
struct PlanUnreadable: Error, CustomStringConvertible {
    let why: String
    var description: String { "the job's plan cannot be read: \(why)" }
}
