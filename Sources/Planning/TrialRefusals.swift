import AssayAPI
import EvalModel
import TrialPods

/// The trials of a prepared job that cannot run, computed once instead of in each pass.
public struct TrialRefusals: Sendable {
    /// The target's default image and the images that could not be built, which the refusals depend on.
    public let basis: Basis
    /// In the order of the trials.
    public let errors: [ErrorRange]
    public let indexes: TrialIndexSet

    public struct Basis: Sendable, Hashable {
        let defaultImage: String?
        let failedImages: Set<ImageKey>
    }

    /// The trials of one agent on one task, which all fail with the same error.
    public struct ErrorRange: Sendable {
        public let indexes: ClosedRange<Int>
        public let error: TrialError
    }

    /// - Parameters:
    ///   - canBuild: whether there is something that builds images.
    ///   - host: what the host of a vm target can do; nil for another target.
    public init(
        _ prepared: PreparedJob, spec: EvalJobSpec, defaultImage: String?, images: JobImages, canBuild: Bool, networks: NetworkAbility,
        host: HostAbility? = nil
    ) {
        basis = Self.basis(defaultImage, images)
        var errors: [ErrorRange] = []
        var indexes = TrialIndexSet()
        for (taskIndex, task) in prepared.tasks.enumerated() {
            let own = task.task.map { spec.images(of: $0, targetDefault: defaultImage) }
            let ranges = prepared.trials(ofTask: taskIndex, agents: spec.agents.count, attempts: spec.attempts)
            for (agent, range) in zip(spec.agents, ranges) {
                let refusal = task.refusal(for: agent, job: spec, images: own, canBuild: canBuild, networks: networks, host: host)
                guard let error = refusal ?? images.failure(ofTask: taskIndex)?.error else { continue }
                errors.append(ErrorRange(indexes: range, error: error))
                indexes.insert(range)
            }
        }
        self.errors = errors.sorted { $0.indexes.lowerBound < $1.indexes.lowerBound }
        self.indexes = indexes
    }

    public static func basis(_ defaultImage: String?, _ images: JobImages) -> Basis {
        Basis(defaultImage: defaultImage, failedImages: Set(images.failed.keys))
    }

    /// The first `count` refused trials that are not in `settled`.
    public func open(atMost count: Int, except settled: TrialIndexSet) -> [(index: Int, error: TrialError)] {
        var found: [(index: Int, error: TrialError)] = []
        for range in errors {
            for index in range.indexes where !settled.contains(index) {
                guard found.count < count else { return found }
                found.append((index, range.error))
            }
        }
        return found
    }
}
