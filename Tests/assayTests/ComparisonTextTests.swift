import Artifacts
import Base
import EvalModel
import Testing

@testable import assay

@Suite struct ComparisonTextTests {
    private static func job(_ name: String, _ id: String, _ scores: [(agent: String, task: String, reward: Double?)]) throws -> JobRuns {
        let ended = try #require(Timestamp(rfc3339: "2026-01-02T03:04:05Z"))
        let runs = try scores.enumerated().map { number, score in
            let digits = String(number, radix: 16)
            let run = try #require(RunID(String(repeating: "0", count: 16 - digits.count) + digits))
            var entry = RunEntry(kind: .run, id: run, date: ended)
            (entry.dataset, entry.agent, entry.task, entry.attempt, entry.reward) = ("basics", score.agent, score.task, 1, score.reward)
            entry.outcome = score.reward == nil ? "infrastructure" : "completed"
            return entry
        }
        return JobRuns(id: RunID(id), name: name, ended: ended, runs: runs)
    }

    private static func text(_ a: JobRuns, _ b: JobRuns, limit: Int = 20) throws -> String {
        ComparisonText(try JobComparison(a, b), limit: limit).text
    }

    @Test func namesSidesFiguresTasksAndWhatIsNotPaired() throws {
        let before = try Self.job("nightly", "00000000000000aa", [("claude", "one", 0), ("claude", "two", 1), ("claude", "gone", 1)])
        let after = try Self.job("nightly", "00000000000000bb", [("claude", "one", 1), ("claude", "two", 1), ("claude", "new", nil)])
        let text = try Self.text(before, after)
        #expect(
            text == """
                A  nightly  00000000000000aa  ended 2026-01-02T03:04:05Z  3 runs
                B  nightly  00000000000000bb  ended 2026-01-02T03:04:05Z  3 runs, 1 of them without a score

                AGENT   TASKS  WINS  LOSSES  TIES  MEAN A  MEAN B  DIFFERENCE  95% INTERVAL
                claude      2     1       0     1   0.500   1.000      +0.500  0.000 to +1.000
                Differences are B less A, of the mean reward; percentile bootstrap over tasks, 10000 resamples.

                TASK        AGENT       A      B  DIFFERENCE  ATTEMPTS
                basics/one  claude  0.000  1.000      +1.000         1

                Only in A, so in no figure:
                  basics/gone  claude  (B has no run of it)

                Only in B, so in no figure:
                  basics/new  claude  (A has no run of it; no run here counts either)

                """)
    }

    @Test func severalAgentsHaveATotalAndALimitSaysHowManyAreLeftOut() throws {
        let tasks = (1...4).map { "t\($0)" }
        let before = try Self.job("a", "00000000000000aa", tasks.flatMap { [("x", $0, 0), ("y", $0, 1)] })
        let after = try Self.job("b", "00000000000000bb", tasks.flatMap { [("x", $0, 1), ("y", $0, 0.5)] })
        let text = try Self.text(before, after, limit: 3)
        #expect(text.contains("\nx          4     4       0     0"))
        #expect(text.contains("\ny          4     0       4     0"))
        #expect(text.contains("\ntotal      4     4       4     0"))
        #expect(text.contains("and 5 more that differ: --all shows every task\n"))
    }

    @Test func oneTaskHasNoInterval() throws {
        let job = try Self.job("a", "00000000000000aa", [("x", "t", 1)])
        let text = try Self.text(job, try Self.job("b", "00000000000000bb", [("x", "t", 1)]))
        #expect(text.contains("  1 run\n"))
        #expect(text.contains("  INTERVAL\n") && text.contains("  -\n") && !text.contains("bootstrap"))
    }

    @Test func namesFromOutsideAreInert() throws {
        let job = try Self.job("\u{1B}[31mred", "00000000000000aa", [("x", "t\u{7}", 1)])
        let text = try Self.text(job, try Self.job("b", "00000000000000bb", [("x", "other", 1), ("x", "t\u{7}", 0)]))
        #expect(!text.contains("\u{1B}") && !text.contains("\u{7}"))
    }
}
