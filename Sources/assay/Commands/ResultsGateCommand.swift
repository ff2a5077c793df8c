import Artifacts
import Base
import EvalModel

/// `assay results gate JOB --baseline JOB --max-regression X`: a comparison whose exit status a script can use.
enum ResultsGateCommand: Subcommand {
    static let syntax = CommandSyntax(
        name: "results gate", summary: "Fail when a job scores lower than a baseline.",
        details: """
            Exits 0 when the mean score over the compared tasks fell by no more than is allowed, 1 when it fell by more, and 2 when that cannot \
            be told: a job is not there, nothing is comparable, the results cannot be read. Compares as `assay results compare BASELINE JOB` does.
            """,
        positionals: [.init(name: "JOB", help: "The job in question: its name (the newest of it), NAME~1, its UID or its record's id.")],
        options: ResultsPlaceOptions.options + [
            .init(name: "baseline", value: "JOB", help: "What it is held against. Needed."),
            .init(
                name: "max-regression", value: "X", help: "How far the mean score may fall, in units of the score (0.02; 0 allows nothing). Needed."),
            .init(
                name: "min-coverage", value: "X",
                help: "The share of the baseline's scores that must have a counterpart, else nothing can be told (default 0.5)."),
        ] + ComparisonOptions.options + [.init(name: "output", value: "FORMAT", help: "table (default) or json.")])

    static func run(_ arguments: Arguments) async throws -> Int32 {
        let format = arguments.value("output") ?? "table"
        guard format == "table" || format == "json" else { throw UsageError("--output takes table or json, not \"\(format.replacingControls)\"") }
        guard let baseline = arguments.value("baseline") else { throw UsageError("--baseline is missing (see: assay results gate --help)") }
        guard let allowed = try arguments.number("max-regression", in: 0...1e12) else {
            throw UsageError("--max-regression is missing (see: assay results gate --help)")
        }
        let gate = RegressionGate(maxRegression: allowed, minCoverage: try arguments.number("min-coverage", in: 0...1) ?? 0.5)
        let comparison = try await ComparisonOptions(arguments).compare(baseline, arguments.positionals[0], arguments)
        let verdict = gate.judge(comparison)
        let (status, word, why) = Self.words(verdict, comparison, gate)
        if format == "json" {
            let value: JSONValue = [
                "verdict": .string(word), "why": .string(why), "maxRegression": .double(gate.maxRegression), "minCoverage": .double(gate.minCoverage),
                "coverage": .double(RegressionGate.coverage(comparison)), "comparison": comparison.json,
            ]
            Output.write(value.serialized(pretty: true) + [0x0A])
        } else {
            Output.write(ComparisonText(comparison, limit: 10).text + "\n\(word): \(why.replacingControls)\n")
        }
        return status
    }

    private static func words(_ verdict: RegressionGate.Verdict, _ comparison: JobComparison, _ gate: RegressionGate) -> (Int32, String, String) {
        let change =
            (comparison.total.meanDifference ?? 0) < 0 ? "fell by \(Figure.fixed(-(comparison.total.meanDifference ?? 0), 4))" : "did not fall"
        let scale = "over \(Count.of(comparison.total.pairs, "compared score")) of \(Count.of(comparison.total.tasks, "task"))"
        switch verdict {
        case .passed:
            return (ExitStatus.success, "passed", "the mean \(comparison.metric.rawValue) \(change) \(scale); \(gate.maxRegression) is allowed")
        case .regressed:
            return (
                ExitStatus.belowBar, "regressed", "the mean \(comparison.metric.rawValue) \(change) \(scale); only \(gate.maxRegression) is allowed"
            )
        case .notComparable(let why): return (ExitStatus.badInput, "not comparable", why)
        }
    }
}
