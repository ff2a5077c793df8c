import AssayAPI
import EvalModel

/// The trials of a prepared job that cannot run, computed once instead of in each pass.
public struct TrialRefusals: Sendable {
    /// The target's default image, which the refusals depend on.
    public let defaultImage: String?
    public let errors: [ErrorRange]
    public let indexes: TrialIndexSet

    /// The trials of one agent on one task, which all fail with the same error.
    public struct ErrorRange: Sendable {
        public let indexes: ClosedRange<Int>
        public let error: TrialError
    }

    public init(_ prepared: PreparedJob, spec: EvalJobSpec, defaultImage: String?) {
        self.defaultImage = defaultImage
        var errors: [ErrorRange] = []
        var indexes = TrialIndexSet()
        for (agentIndex, agent) in spec.agents.enumerated() {
            for (taskIndex, task) in prepared.tasks.enumerated() {
                let image = task.task?.image(override: spec.environment.image, targetDefault: defaultImage)
                guard let error = task.refusal(for: agent.agent, image: image) else { continue }
                let first = (agentIndex * prepared.tasks.count + taskIndex) * spec.attempts
                let range = first...(first + spec.attempts - 1)
                errors.append(ErrorRange(indexes: range, error: error))
                indexes.insert(range)
            }
        }
        self.errors = errors
        self.indexes = indexes
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
