import Artifacts
import Base

/// The options that `compare` and `gate` share.
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

    /// Every failed comparison is reported as bad input, so that a script does not take it for a result.
    func compare(_ a: String, _ b: String, _ arguments: Arguments) async throws -> JobComparison {
        do {
            let references = [try JobReference(parsing: a), try JobReference(parsing: b)]
            let jobs = try await ResultsPlaceOptions(arguments).open(whole: true).jobs(references)
            for (reference, job) in zip(references, jobs) { Self.note(reference, job) }
            return try JobComparison(jobs[0], jobs[1], agents: agents, metric: metric, bootstrap: Bootstrap(confidence: confidence))
        } catch let error as ArtifactError {
            throw UsageError(error.message.replacingControls)
        }
    }

    /// When several jobs have the given name, prints which of them is used.
    private static func note(_ reference: JobReference, _ job: JobRuns) {
        guard reference.text == job.name, reference.back == 0, !job.others.isEmpty else { return }
        Assay.printError(
            "note: \(job.others.count + 1) jobs are named \(job.name.replacingControls); \(reference) is \(job.label.replacingControls), ended \(job.ended.rfc3339); others: "
                + job.others.prefix(5).map { "\($0.id?.rawValue ?? "(no id)") (\($0.ended.rfc3339))" }.joined(separator: ", ")
                + (job.others.count > 5 ? ", ..." : "")
                + "; choose by id or by \(reference.text)~N")
    }
}
