import AssayAPI
import Base
import KubeCore
import Testing

@testable import Reconcilers

@Suite("Changes of a status that are held back")
struct StatusGatheringTests {
    private static func condition(_ type: ConditionType, _ status: Condition.Status, _ reason: String) -> Condition {
        var condition = Condition(type: type.rawValue, status: status)
        condition.reason = reason
        return condition
    }

    /// A job of six trials of which two are counted and two run.
    private static func status(_ change: (inout EvalJobStatus) -> Void = { _ in }) -> EvalJobStatus {
        var status = EvalJobStatus(
            phase: .running,
            conditions: [
                condition(.ready, .no, "TrialsRunning"), condition(.artifactsReady, .yes, "RemoteReady"),
                condition(.sourceReady, .yes, "SourceResolved"),
            ], source: SourceStatus(commit: "c"), trials: TrialsStatus(total: 6, pending: 2, running: 2, completed: 2),
            artifacts: ArtifactsStatus(head: "a", pending: 1))
        change(&status)
        return status
    }

    static let table: [(name: String, seconds: Double, change: @Sendable (inout EvalJobStatus) -> Void)] = [
        ("nothing", 0, { _ in }),
        (
            "the branch", 10,
            {
                $0.artifacts?.head = "b"; $0.artifacts?.pending = 0
            }
        ),
        (
            "how the results are kept", 10,
            {
                $0.artifacts?.pending = 2; $0.conditions[1] = condition(.artifactsReady, .yes, "PushPending")
            }
        ),
        ("a remote that refuses", 0, { $0.conditions[1] = condition(.artifactsReady, .no, "RemoteRejected") }),
        (
            "how many trials run", 1,
            {
                $0.trials?.running = 1; $0.trials?.pending = 3
            }
        ),
        ("why a trial waits", 1, { $0.conditions[0] = condition(.ready, .no, "TrialsPending") }),
        ("a trial that is counted", 0, { $0.trials?.completed = 3 }), ("the phase", 0, { $0.phase = .suspended }),
        ("a job that cannot go on", 0, { $0.conditions.append(condition(.stalled, .yes, "UnsupportedField")) }),
        (
            "the end", 0,
            {
                $0.trials?.running = 0; $0.completionTime = Timestamp(seconds: 1)
            }
        ),
    ]

    @Test("only what no decision depends on waits", arguments: table.indices)
    func held(_ row: Int) {
        let (name, seconds, change) = Self.table[row]
        #expect(JobStatusComputation.gatherSeconds(Self.status(), Self.status(change)) == seconds, "\(name)")
    }

    @Test func theFirstStatusAndTheCommitThatIsPinned() {
        #expect(JobStatusComputation.gatherSeconds(nil, Self.status()) == 0)
        let preparing = EvalJobStatus(phase: .preparing, conditions: [Self.condition(.ready, .no, "Progressing")])
        var pinned = preparing
        pinned.source = SourceStatus(commit: "c")
        pinned.conditions.append(Self.condition(.sourceReady, .yes, "SourceResolved"))
        #expect(JobStatusComputation.gatherSeconds(preparing, pinned) == 1)
    }
}
