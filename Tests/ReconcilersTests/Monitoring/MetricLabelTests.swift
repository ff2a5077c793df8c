import Base
import EvalModel
import Testing

@testable import Artifacts
@testable import Git
@testable import Reconcilers

/// The catalogue has each value that the code measures with: one that it does not have would be counted as `other`.
@Suite("Values of metric labels")
struct MetricLabelTests {
    private func values(_ metric: String, _ label: String) throws -> Set<String> {
        let definition = try #require(MetricDefinition.all.first { $0.name == metric })
        return Set(try #require(definition.labels.first { $0.name == label }?.values))
    }

    @Test func trials() throws {
        #expect(try values("assay_trial_errors_total", "type") == Set(TrialErrorType.allCases.map(\.rawValue)))
        #expect(try values("assay_trial_phase_seconds", "phase") == Set(TrialPhase.allCases.map(\.rawValue)))
        #expect(try values("assay_trials_total", "result") == Set(TrialOutcome.Class.allCases.map(\.rawValue)))
        #expect(try values("assay_trials", "phase") == Set(TrialMetrics.Phase.allCases.map(\.rawValue)))
    }

    @Test func sources() throws {
        let kinds: [GitError.Kind] = [
            .invalidInput, .unreachable, .timeout, .authentication, .refNotFound, .pathNotFound, .notARepository, .refused, .conflict, .tooLarge,
            .corrupt,
            .storage, .gitMissing, .cancelled, .failed,
        ]
        #expect(try values("assay_git_fetches_total", "result") == Set(kinds.map(FetchMetrics.result) + ["ok"]))
        #expect(try values("assay_cache_requests_total", "cache") == Set(CacheMetrics.Cache.allCases.map(\.rawValue)))
        #expect(try values("assay_cache_bytes", "cache") == values("assay_cache_requests_total", "cache"))
    }

    @Test func pushes() throws {
        let kinds: [ArtifactError.Kind] = [
            .branchIsDefault, .unreachable, .refused, .tooLarge, .invalid, .storage, .damaged, .notFound, .failed,
        ]
        #expect(try values("assay_ledger_pushes_total", "result") == Set(kinds.map(LedgerMetrics.result) + ["pushed"]))
    }
}
