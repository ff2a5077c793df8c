import AssayAPI
import EvalModel
import Git
import Planning
import SourceSync
import Testing

@testable import Reconcilers

@Suite("What a job's worker remembers")
struct JobMemoryTests {
    @Test("an output counts as lost after five minutes of failures, however many attempts are made within seconds, and not without twelve attempts")
    func lostLogs() {
        // Events offer the work again and again.
        var often = RecordingFailure(at: 0)
        for number in 1...1000 {
            often.again(at: Double(number) * 0.02)
            #expect(!often.logIsLost(at: Double(number) * 0.02))
        }
        #expect(!often.logIsLost(at: 299) && often.logIsLost(at: 300))
        var seldom = RecordingFailure(at: 0)
        for number in 1...10 { seldom.again(at: Double(number) * 60) }
        #expect(!seldom.logIsLost(at: 600))
        seldom.again(at: 660)
        #expect(seldom.logIsLost(at: 660))
        // Attempts keep a distance, too: half a second at first, 15 seconds at most.
        #expect(RecordingFailure(at: 7).nextAt == 7.5 && seldom.nextAt == 675)
    }

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
