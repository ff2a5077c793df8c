import Artifacts
import Base

/// `assay results compare JOB JOB`: compares two jobs, or two agents, task by task.
enum ResultsCompareCommand: Subcommand {
    static let syntax = CommandSyntax(
        name: "results compare", summary: "Compare two jobs, or two agents, task by task.",
        details: """
            A job is its name, its UID or its record's id. Of several jobs of one name the newest is meant; NAME~1 is the one before it. \
            Figures are over what both sides have a score for, by agent and task, with the mean over attempts; a run that the agent or its \
            verifier failed scores 0, and what infrastructure ended, or was skipped, does not count. A difference is B less A.
            """,
        positionals: [
            .init(name: "A", help: "A job."),
            .init(name: "B", help: "Another job; the same one when left out, with --agent-a and --agent-b.", required: false),
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
            throw UsageError(
                "B is missing: name another job, or two agents of this one with --agent-a and --agent-b (see: assay results compare --help)")
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
