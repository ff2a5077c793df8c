import Artifacts
import Base

/// `assay results compare JOB JOB`: two jobs, or two agents, task by task.
enum ResultsCompareCommand: Subcommand {
    static let syntax = CommandSyntax(
        name: "results compare", summary: "Compare two jobs, or two agents, task by task.",
        details: """
            A job is its name, its UID or its record's id. Of several jobs of one name the newest is meant; NAME~1 is the one before it. \
            Figures are over what both sides have a score for, by agent and task, with the mean over attempts; a run that the agent or its \
            verifier failed scores 0, and what infrastructure ended, or was skipped, does not count. A difference is B less A.
            """,
        positionals: [
            .init(name: "A", help: "A job."), .init(name: "B", help: "Another job; the same one when left out, with --agent-a and --agent-b.", required: false),
        ],
        options: ResultsPlaceOptions.options + ComparisonOptions.options + [
            .init(name: "all", value: nil, help: "Show every task in the table, not only those that differ most."),
            .init(name: "output", value: "FORMAT", help: "table (default) or json."),
        ])

    static func run(_ arguments: Arguments) async throws -> Int32 {
        let format = arguments.value("output") ?? "table"
        guard format == "table" || format == "json" else { throw UsageError("--output takes table or json, not \"\(format.replacingControls)\"") }
        let second = arguments.positionals.count > 1 ? arguments.positionals[1] : nil
        guard second != nil || (arguments.value("agent-a") != nil && arguments.value("agent-b") != nil) else {
            throw UsageError("B is missing: name another job, or two agents of this one with --agent-a and --agent-b (see: assay results compare --help)")
        }
        let comparison = try await ComparisonOptions(arguments).compare(arguments.positionals[0], second ?? arguments.positionals[0], arguments)
        if format == "json" {
            Output.write(comparison.json.serialized(pretty: true) + [0x0A])
        } else {
            Output.write(ComparisonText(comparison, limit: arguments.flag("all") ? .max : 30).text)
        }
        return ExitStatus.success
    }
}

/// `assay results gate JOB --baseline JOB --max-regression X`: a comparison for a script.
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
            .init(name: "max-regression", value: "X", help: "How far the mean score may fall, in units of the score (0.02; 0 allows nothing). Needed."),
            .init(name: "min-coverage", value: "X", help: "The share of the baseline's scores that must have a counterpart, else nothing can be told (default 0.5)."),
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
        let change = (comparison.total.meanDifference ?? 0) < 0 ? "fell by \(Figure.fixed(-(comparison.total.meanDifference ?? 0), 4))" : "did not fall"
        let scale = "over \(comparison.total.pairs) compared scores of \(comparison.total.tasks) tasks"
        switch verdict {
        case .passed: return (ExitStatus.success, "passed", "the mean \(comparison.metric.rawValue) \(change) \(scale); \(gate.maxRegression) is allowed")
        case .regressed: return (ExitStatus.belowBar, "regressed", "the mean \(comparison.metric.rawValue) \(change) \(scale); only \(gate.maxRegression) is allowed")
        case .notComparable(let why): return (ExitStatus.badInput, "not comparable", why)
        }
    }
}

/// What `compare` and `gate` have in common.
struct ComparisonOptions {
    static let options: [CommandSyntax.Option] = [
        .init(name: "agent", value: "A", help: "Only this agent, on both sides."),
        .init(name: "agent-a", value: "A", help: "With --agent-b: this agent of A (the baseline) ..."),
        .init(name: "agent-b", value: "A", help: "... against this one of B."),
        .init(name: "metric", value: "M", help: "reward (default), or pass: 1 for a pass, else 0."),
        .init(name: "confidence", value: "X", help: "Of the interval (default 0.95)."),
    ]

    let agents: JobComparison.Agents
    let metric: ScoreMetric
    let confidence: Double

    init(_ arguments: Arguments) throws(UsageError) {
        switch (arguments.value("agent"), arguments.value("agent-a"), arguments.value("agent-b")) {
        case (nil, nil, nil): agents = .sameName
        case (let name?, nil, nil): agents = .one(name)
        case (nil, let a?, let b?): agents = .two(a: a, b: b)
        default: throw UsageError("--agent names one agent for both sides; otherwise --agent-a and --agent-b go together")
        }
        let text = arguments.value("metric") ?? "reward"
        guard let metric = ScoreMetric(rawValue: text) else { throw UsageError("--metric takes reward or pass, not \"\(text.replacingControls)\"") }
        self.metric = metric
        confidence = try arguments.number("confidence", in: 0.5...0.999) ?? 0.95
    }

    /// Whatever keeps it from being told is bad input for a script: it is neither a yes nor a no.
    func compare(_ a: String, _ b: String, _ arguments: Arguments) async throws -> JobComparison {
        do {
            let references = [try JobReference(parsing: a), try JobReference(parsing: b)]
            let jobs = try await ResultsPlaceOptions(arguments).open().jobs(references)
            for (reference, job) in zip(references, jobs) { Self.note(reference, job) }
            return try JobComparison(jobs[0], jobs[1], agents: agents, metric: metric, bootstrap: Bootstrap(confidence: confidence))
        } catch let error as ArtifactError {
            throw UsageError(error.message.replacingControls)
        }
    }

    /// Which of several jobs a bare name was taken for is said.
    private static func note(_ reference: JobReference, _ job: JobRuns) {
        guard reference.text == job.name, reference.back == 0, !job.others.isEmpty else { return }
        Assay.complain(
            "note: \(job.others.count + 1) jobs are named \(job.name.replacingControls); \(reference) is \(job.label.replacingControls), ended \(job.ended.rfc3339); others: "
                + job.others.prefix(5).map { "\($0.id?.rawValue ?? "(no id)") (\($0.ended.rfc3339))" }.joined(separator: ", ") + (job.others.count > 5 ? ", ..." : "")
                + "; choose by id or by \(reference.text)~N")
    }
}

/// A comparison for a person.
struct ComparisonText {
    private(set) var text = ""

    init(_ comparison: JobComparison, limit: Int) {
        add(comparison.a, "A", comparison.metric)
        add(comparison.b, "B", comparison.metric)
        figures(comparison)
        tasks(comparison, limit)
        unpaired(comparison.onlyA, "A", limit)
        unpaired(comparison.onlyB, "B", limit)
    }

    private mutating func add(_ side: JobComparison.Side, _ letter: String, _ metric: ScoreMetric) {
        let without = side.runs - side.scored
        text += "\(letter)  \(side.name.replacingControls)  \(side.id?.rawValue ?? "-")  ended \(side.ended.rfc3339)  \(side.runs) runs"
            + (without > 0 ? ", \(without) of them without a score" : "") + "\n"
    }

    private mutating func figures(_ comparison: JobComparison) {
        let summaries = comparison.byAgent
        let confidence = comparison.total.interval.map { "\(Figure.fixed($0.confidence * 100, $0.confidence * 100 == ($0.confidence * 100).rounded() ? 0 : 1))% INTERVAL" } ?? "INTERVAL"
        var table = TextTable([
            ("AGENT", .left), ("TASKS", .right), ("WINS", .right), ("LOSSES", .right), ("TIES", .right), ("MEAN A", .right), ("MEAN B", .right),
            ("DIFFERENCE", .right), (confidence, .left),
        ])
        for (agent, summary) in summaries { table.add(row(Self.names(agent, comparison), summary)) }
        if summaries.count != 1 { table.add(row("total", comparison.total)) }
        text += "\n" + table.render()
        if let interval = comparison.total.interval {
            text += "Differences are B less A, of the mean \(comparison.metric.rawValue); percentile bootstrap over tasks, \(interval.resamples) resamples.\n"
        }
    }

    private static func names(_ agent: String, _ comparison: JobComparison) -> String {
        guard let other = comparison.pairs.first(where: { $0.agentB == agent })?.agentA, other != agent else { return agent }
        return "\(other) / \(agent)"
    }

    private func row(_ name: String, _ summary: JobComparison.Summary) -> [String] {
        [
            name, "\(summary.tasks)", "\(summary.wins)", "\(summary.losses)", "\(summary.ties)", Self.mean(summary.meanA), Self.mean(summary.meanB),
            Self.signed(summary.meanDifference), summary.interval.map { "\(Self.signed($0.low)) to \(Self.signed($0.high))" } ?? "-",
        ]
    }

    private mutating func tasks(_ comparison: JobComparison, _ limit: Int) {
        let sorted = comparison.pairs.filter { limit == .max || $0.result != .tie }.sorted { (-abs($0.difference), $0.task) < (-abs($1.difference), $1.task) }
        guard !sorted.isEmpty else { return }
        var table = TextTable([("TASK", .left), ("AGENT", .left), ("A", .right), ("B", .right), ("DIFFERENCE", .right), ("ATTEMPTS", .right)])
        for pair in sorted.prefix(limit) {
            table.add([
                "\(pair.dataset)/\(pair.task)", pair.agentB, Self.mean(pair.a), Self.mean(pair.b), Self.signed(pair.difference),
                pair.attemptsA == pair.attemptsB ? "\(pair.attemptsA)" : "\(pair.attemptsA) / \(pair.attemptsB)",
            ])
        }
        text += "\n" + table.render()
        if sorted.count > limit { text += "and \(sorted.count - limit) more that differ: --all shows every task\n" }
    }

    private mutating func unpaired(_ list: [JobComparison.Unpaired], _ letter: String, _ limit: Int) {
        guard !list.isEmpty else { return }
        text += "\nOnly in \(letter), so in no figure:\n"
        for entry in list.prefix(limit) {
            let other = letter == "A" ? "B" : "A"
            let why = entry.reason == .absent ? "\(other) has no run of it" : entry.isScored ? "no run of \(other) counts" : "neither side has a run that counts"
            text += "  \("\(entry.dataset)/\(entry.task)".replacingControls)  \(entry.agent.replacingControls)  (\(why)"
                + (entry.isScored || entry.reason == .unscored ? "" : "; no run here counts either") + ")\n"
        }
        if list.count > limit { text += "  and \(list.count - limit) more\n" }
    }

    private static func mean(_ value: Double?) -> String { value.map { Figure.fixed($0, 3) } ?? "-" }
    private static func signed(_ value: Double?) -> String {
        guard let value else { return "-" }
        let text = Figure.fixed(value, 3)
        return value > 0 && text != "0.000" ? "+" + text : text
    }
}
