import AssayAPI
import EvalModel
import Git
import Planning
import SourceSync
import Testing

@testable import Reconcilers

@Suite("What a job's worker remembers")
struct JobMemoryTests {
    @Test("the trials that cannot run are found once, and again only when the target's image or the failed images change")
    func refusals() throws {
        let prepared = PreparedJob(
            source: PinnedSource(
                url: try GitURL(parsing: "https://example.com/r"), commit: try #require(GitObjectID(String(repeating: "1", count: 40))), ref: nil),
            tasks: [], matrix: try TrialMatrix(agents: ["a"], tasks: [TrialMatrix.TaskKey](), attempts: 1))
        let memory = JobMemory()
        var found = 0
        func refusals(_ image: String?) -> TrialRefusals {
            memory.refusals(basis: TrialRefusals.basis(image, JobImages())) {
                found += 1
                return TrialRefusals(
                    prepared, spec: EvalJobSpec(source: SourceSpec(repo: "r")), defaultImage: image, images: JobImages(), canBuild: false,
                    networks: .enforced)
            }
        }
        for _ in 0..<5 { #expect(refusals("x:1").basis == TrialRefusals.basis("x:1", JobImages())) }
        #expect(found == 1)
        for _ in 0..<5 { #expect(refusals("x:2").basis == TrialRefusals.basis("x:2", JobImages())) }
        #expect(found == 2)
    }
}
