import Base
import EvalModel
import Git
import Testing

@testable import Artifacts

/// Comparisons of jobs, and the gate that uses them.
@Suite struct ComparisonTests {
    /// A run as in its commit. `score`: nil means that the agent failed.
    private static func run(
        _ job: String, _ task: String, _ score: Double?, agent: String = "a", dataset: String = "d", attempt: Int = 1, outcome: String? = nil,
        at seconds: Double = 0
    ) -> RunEntry {
        var entry = RunEntry(
            kind: .run, id: RunID(jobUID: job, agent: agent, dataset: dataset, task: task, attempt: attempt, rerun: Int(seconds)),
            date: Workbench.epoch.adding(seconds: seconds))
        (entry.job, entry.jobID) = (job, RunID(jobUID: job))
        (entry.agent, entry.dataset, entry.task, entry.attempt) = (agent, dataset, task, attempt)
        entry.outcome = outcome ?? (score == nil ? "failed" : "completed")
        entry.reward = score
        return entry
    }

    private static func job(_ name: String, _ runs: [RunEntry]) throws -> JobRuns {
        var collection = JobCollection()
        for run in runs { collection.add(run) }
        return try #require(collection.job(try JobReference(parsing: name)))
    }

    private static func compare(_ a: [RunEntry], _ b: [RunEntry], _ agents: JobComparison.Agents = .sameName, _ metric: ScoreMetric = .reward) throws
        -> JobComparison
    {
        try JobComparison(job("A", a), job("B", b), agents: agents, metric: metric)
    }

    @Test("tasks are paired, attempts are averaged, a failed run scores 0, and the difference is B minus A")
    func paired() throws {
        let a = [
            Self.run("A", "win", 0), Self.run("A", "loss", 1), Self.run("A", "tie", 0.5), Self.run("A", "more", 1),
            Self.run("A", "more", 0, attempt: 2),
        ]
        let b = [
            Self.run("B", "win", 1), Self.run("B", "loss", nil), Self.run("B", "tie", 0.5), Self.run("B", "more", 1),
            Self.run("B", "more", 1, attempt: 2),
            Self.run("B", "more", 0, attempt: 3),
        ]
        let result = try Self.compare(a, b)
        #expect(result.total.wins == 2 && result.total.losses == 1 && result.total.ties == 1 && result.total.pairs == 4 && result.total.tasks == 4)
        #expect(result.pairs.map(\.task) == ["loss", "more", "tie", "win"])
        #expect(result.pairs[1].attemptsA == 2 && result.pairs[1].attemptsB == 3 && result.pairs[1].a == 0.5)
        #expect(abs((result.total.meanDifference ?? 9) - (1 - 1 + 0 + (2.0 / 3 - 0.5)) / 4) < 1e-12)
        #expect(result.onlyA.isEmpty && result.onlyB.isEmpty)
        let back = try JobComparison(Self.job("B", b), Self.job("A", a))
        #expect(back.total.wins == 1 && back.total.losses == 2 && abs((back.total.meanDifference ?? 9) + (result.total.meanDifference ?? 9)) < 1e-12)
    }

    @Test("runs ended by infrastructure or skipped have no score; runs without a counterpart are listed")
    func unpaired() throws {
        let a = [
            Self.run("A", "both", 1), Self.run("A", "both", nil, attempt: 2, outcome: "infrastructure"), Self.run("A", "gone", 1),
            Self.run("A", "lost", 1),
            Self.run("A", "stopped", nil, outcome: "skipped"),
        ]
        let b = [
            Self.run("B", "both", 1), Self.run("B", "lost", nil, outcome: "infrastructure"), Self.run("B", "new", 0),
            Self.run("B", "stopped", nil, outcome: "skipped"),
        ]
        let result = try Self.compare(a, b)
        #expect(result.pairs.count == 1 && result.pairs[0].a == 1 && result.total.meanDifference == 0)
        #expect(
            result.onlyA.map { "\($0.task) \($0.isScored) \($0.reason.rawValue)" } == [
                "gone true absent", "lost true unscored", "stopped false unscored",
            ])
        #expect(
            result.onlyB.map { "\($0.task) \($0.isScored) \($0.reason.rawValue)" } == [
                "lost false unscored", "new true absent", "stopped false unscored",
            ])
        #expect(result.a.runs == 5 && result.a.scored == 3)
    }

    @Test("the same task in two datasets counts as two tasks; the metric pass counts passes")
    func datasetsAndPasses() throws {
        let a = [Self.run("A", "t", 0.5), Self.run("A", "t", 1, dataset: "e")]
        let b = [Self.run("B", "t", 1), Self.run("B", "t", 0.9, dataset: "e")]
        #expect(try Self.compare(a, b).total.pairs == 2)
        let passes = try Self.compare(a, b, .sameName, .pass)
        #expect(passes.total.meanA == 0.5 && passes.total.meanB == 0.5 && passes.total.wins == 1 && passes.total.losses == 1)
    }

    @Test("agents are chosen by name, as one of several, as two of one job, or as the only ones")
    func agents() throws {
        let a = [Self.run("A", "t", 0, agent: "x"), Self.run("A", "t", 1, agent: "y")]
        let b = [Self.run("B", "t", 1, agent: "x"), Self.run("B", "t", 1, agent: "z")]
        let named = try Self.compare(a, b)
        #expect(named.pairs.map(\.agentA) == ["x"] && named.onlyA.map(\.agent) == ["y"] && named.onlyB.map(\.agent) == ["z"])
        let two = try JobComparison(Self.job("A", a), Self.job("A", a), agents: .two(a: "x", b: "y"))
        #expect(two.pairs.count == 1 && two.total.meanDifference == 1 && two.pairs[0].agentA == "x" && two.pairs[0].agentB == "y")
        #expect(try Self.compare(a, b, .one("x")).onlyA.isEmpty)
        let single = try Self.compare([Self.run("A", "t", 0, agent: "old")], [Self.run("B", "t", 1, agent: "new")])
        #expect(
            single.pairs.count == 1 && single.pairs[0].agentA == "old" && single.pairs[0].agentB == "new" && single.onlyA.isEmpty
                && single.onlyB.isEmpty)
    }

    @Test("a comparison that is not possible gives the reason: no common agent, a missing agent, the same job, no runs")
    func refused() throws {
        let a = [Self.run("A", "t", 0, agent: "x"), Self.run("A", "t", 1, agent: "y")]
        let b = [Self.run("B", "t", 1, agent: "z")]
        func message(_ body: () throws -> JobComparison) -> String {
            do { return "\(try body().pairs)" } catch { return "\(error)" }
        }
        #expect(message { try Self.compare(a, b) }.contains("x, y"))
        #expect(message { try Self.compare(a, b, .one("q")) }.contains("it has: x, y"))
        #expect(message { try JobComparison(Self.job("A", a), Self.job("A", a)) }.contains("A~1"))
        #expect(message { try JobComparison(Self.job("A", a), Self.job("A", a), agents: .two(a: "x", b: "x")) }.contains("both sides"))
        var record = RunEntry(kind: .job, id: RunID(jobUID: "E"), date: Workbench.epoch)
        (record.job, record.jobID) = ("E", record.id)
        #expect(message { try JobComparison(Self.job("E", [record]), Self.job("A", a)) }.contains("has no run"))
    }

    // MARK: Jobs

    @Test("of jobs with one name: the newest, ~1 the previous one, by UID, by id; a rerun replaces the earlier run")
    func references() throws {
        var collection = JobCollection()
        for (index, uid) in ["first", "second", "third"].enumerated() {
            for attempt in 1...2 {
                var run = Self.run("nightly", "t", Double(index), attempt: attempt, at: Double(index * 100 + attempt))
                run.jobID = RunID(jobUID: uid)
                collection.add(run)
            }
        }
        var again = Self.run("nightly", "t", 7, attempt: 2, at: 500)
        again.jobID = RunID(jobUID: "first")
        collection.add(again)
        func job(_ text: String) throws -> JobRuns? { collection.job(try JobReference(parsing: text)) }
        // Because of the rerun, "first" ended last.
        #expect(try job("nightly")?.id == RunID(jobUID: "first"))
        #expect(try job("nightly")?.runs.map(\.reward) == [7, 0])
        #expect(try job("nightly~1")?.id == RunID(jobUID: "third"))
        #expect(try job("nightly~2")?.id == RunID(jobUID: "second"))
        #expect(try job("nightly~3") == nil)
        #expect(try job("second")?.runs.count == 2)
        #expect(try job(RunID(jobUID: "third").rawValue)?.runs.allSatisfy { $0.reward == 2 } == true)
        #expect(try job("nightly~1")?.others.map(\.id) == [RunID(jobUID: "first"), RunID(jobUID: "second")])
        #expect(try job("other") == nil)
        for text in ["", "~1", "a~", "a~x", "a~-1"] { #expect(throws: ArtifactError.self, "\(text)") { try JobReference(parsing: text) } }
    }

    @Test("jobs are read from a branch, and the error for a missing one names the others")
    func fromBranch() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        try await bench.publish(try bench.runs(0..<5, job: "one") + bench.runs(0..<5, job: "two") + [try PendingRun(job: bench.job())], to: remote)
        let store = try await bench.store(remote)
        let jobs = try await store.jobs([try JobReference(parsing: "one"), try JobReference(parsing: "uid-two")])
        let result = try JobComparison(jobs[0], jobs[1])
        #expect(result.total.ties == 5 && result.total.meanDifference == 0 && result.total.interval?.low == 0)
        let error = try await artifactError { try await store.jobs([try JobReference(parsing: "three")]) }
        #expect(error.kind == .notFound && error.message.contains("one") && error.message.contains("two"))
        let back = try await artifactError { try await store.jobs([try JobReference(parsing: "one~1")]) }
        #expect(back.message.contains("one job named one"))
    }

    // MARK: Intervals

    @Test("the same results give the same interval in any order")
    func deterministic() throws {
        let tasks = (0..<40).map { "t\($0)" }
        let a = tasks.map { Self.run("A", $0, Double($0.hashValueOfDigits % 3) / 2) }
        let b = tasks.map { Self.run("B", $0, Double($0.hashValueOfDigits % 5) / 4) }
        let first = try Self.compare(a, b), second = try Self.compare(a.reversed(), b.reversed())
        #expect(first == second)
        let interval = try #require(first.total.interval)
        #expect(interval.resamples == 10_000 && interval.confidence == 0.95 && interval.low < interval.high)
        let mean = try #require(first.total.meanDifference)
        #expect(interval.low < mean && mean < interval.high)
    }

    @Test("one task gives no interval, equal differences give a point, and more confidence gives a wider interval")
    func edges() throws {
        #expect(Bootstrap().interval([.init(sum: 1, count: 1)]) == nil && Bootstrap().interval([]) == nil)
        let flat = try #require(Bootstrap().interval(Array(repeating: .init(sum: 0.5, count: 1), count: 20)))
        #expect(flat.low == 0.5 && flat.high == 0.5)
        let mixed = (0..<60).map { Bootstrap.Cluster(sum: $0 % 2 == 0 ? 1 : -1, count: 1) }
        let narrow = try #require(Bootstrap(confidence: 0.8).interval(mixed)), wide = try #require(Bootstrap(confidence: 0.99).interval(mixed))
        #expect(wide.low < narrow.low && narrow.high < wide.high)
        // The standard error of a mean of sixty values of 1 and -1 is 0.129; 1.2816 standard errors cover 80 %.
        #expect(abs(narrow.high - 0.1654) < 0.03 && abs(narrow.low + 0.1654) < 0.03)
        #expect(Bootstrap.resamples(for: 10) == 10_000 && Bootstrap.resamples(for: 1000) == 2000 && Bootstrap.resamples(for: 1_000_000) == 1000)
        #expect(Bootstrap.quantile([1, 2, 3], 0.5) == 2 && Bootstrap.quantile([1, 2], 0.25) == 1.25 && Bootstrap.quantile([5], 1) == 5)
    }

    @Test("the agents of one task are resampled together: ten agents with the same difference are not ten observations")
    func clusters() throws {
        let tasks = (0..<12).map { "t\($0)" }, agents = (0..<10).map { "a\($0)" }
        func runs(_ job: String, _ score: (Int) -> Double, _ agents: [String]) -> [RunEntry] {
            tasks.enumerated().flatMap { index, task in agents.map { Self.run(job, task, score(index), agent: $0) } }
        }
        let many = try Self.compare(runs("A", { _ in 0 }, agents), runs("B", { Double($0 % 2) }, agents))
        let one = try Self.compare(runs("A", { _ in 0 }, ["a0"]), runs("B", { Double($0 % 2) }, ["a0"]))
        #expect(many.total.interval?.low == one.total.interval?.low && many.total.interval?.high == one.total.interval?.high)
        #expect(many.byAgent.count == 10 && many.total.pairs == 120 && many.total.tasks == 12)
    }

    // MARK: The gate

    @Test("the gate passes if the score fell by no more than is allowed")
    func gate() throws {
        func judge(_ baseline: [Double?], _ job: [Double?], _ allowed: Double) throws -> RegressionGate.Verdict {
            let a = baseline.enumerated().map { Self.run("A", "t\($0.offset)", $0.element) },
                b = job.enumerated().map { Self.run("B", "t\($0.offset)", $0.element) }
            return RegressionGate(maxRegression: allowed).judge(try Self.compare(a, b))
        }
        #expect(try judge([1, 1], [1, 1], 0) == .passed)
        #expect(try judge([1, 0], [1, 1], 0) == .passed)
        #expect(try judge([1, 1], [1, 0], 0.5) == .passed)
        #expect(try judge([1, 1], [1, 0], 0.49) == .regressed(by: 0.5))
        #expect(try judge([1, 1], [nil, nil], 0.9) == .regressed(by: 1))
        #expect(try judge([0.1, 0.2], [0.2, 0.1], 0) == .passed)
    }

    @Test("the gate never passes without results, or with too small a part of the baseline")
    func nothingToCompare() throws {
        let baseline = (0..<4).map { Self.run("A", "t\($0)", 1) }
        func judge(_ job: [RunEntry], _ coverage: Double) throws -> RegressionGate.Verdict {
            RegressionGate(maxRegression: 1, minCoverage: coverage).judge(try Self.compare(baseline, job))
        }
        func isRefused(_ verdict: RegressionGate.Verdict) -> Bool { if case .notComparable = verdict { true } else { false } }
        #expect(isRefused(try judge([Self.run("B", "else", 1)], 0)))
        #expect(isRefused(try judge((0..<4).map { Self.run("B", "t\($0)", nil, outcome: "infrastructure") }, 0)))
        #expect(isRefused(try judge([Self.run("B", "t0", 1)], 0.5)))
        #expect(try judge([Self.run("B", "t0", 1)], 0.25) == .passed)
        #expect(try judge([Self.run("B", "t0", 1), Self.run("B", "t1", 1)], 0.5) == .passed)
    }
}

extension String {
    fileprivate var hashValueOfDigits: Int { utf8.reduce(7) { ($0 * 31 + Int($1)) % 1009 } }
}
