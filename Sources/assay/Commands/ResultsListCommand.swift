import Artifacts
import Base
import Foundation
import Git

/// `assay results list`: runs, newest first, from the commits alone.
enum ResultsListCommand: Subcommand {
    static let syntax = CommandSyntax(
        name: "results list", summary: "List runs, newest first.",
        details: "Reads a branch of any repository, or the directory of backend: local. Nothing is checked out, and of a remote only the commits are fetched.",
        options: ResultsPlaceOptions.options + [
            .init(name: "job", value: "J", help: "Only runs of this job."),
            .init(name: "agent", value: "A", help: "Only runs of this agent."),
            .init(name: "model", value: "M", help: "Only runs with this model."),
            .init(name: "task", value: "T", help: "Only runs of this task."),
            .init(name: "kind", value: "KIND", help: "run (default), retry (tries that infrastructure ended), job, or all."),
            .init(name: "limit", value: "N", help: "At most so many (default 50 in a table, all in JSON)."),
            .init(name: "output", value: "FORMAT", help: "table (default) or json."),
        ])

    static func run(_ arguments: Arguments) async throws -> Int32 {
        let format = arguments.value("output") ?? "table"
        guard format == "table" || format == "json" else { throw UsageError("--output takes table or json, not \"\(format)\"") }
        var filter = RunFilter()
        filter.job = arguments.value("job")
        filter.agent = arguments.value("agent")
        filter.model = arguments.value("model")
        filter.task = arguments.value("task")
        filter.kinds = try kinds(arguments.value("kind"))
        let limit = try arguments.integer("limit", in: 1...10_000_000)
        let reader = try await ResultsPlaceOptions(arguments).open()
        if format == "json" {
            try await printJSON(reader, filter, limit ?? .max)
        } else {
            try await printTable(reader, filter, limit ?? 50)
        }
        return ExitStatus.success
    }

    private static func kinds(_ text: String?) throws(UsageError) -> Set<RunEntry.Kind> {
        guard let text else { return [.run] }
        if text == "all" { return Set(RunEntry.Kind.allCases) }
        guard let kind = RunEntry.Kind(rawValue: text) else { throw UsageError("--kind takes run, retry, job or all, not \"\(text)\"") }
        return [kind]
    }

    /// One at a time: a hundred thousand entries need not fit into the memory.
    private static func printJSON(_ reader: any RunReader, _ filter: RunFilter, _ limit: Int) async throws {
        let count = Locked(0)
        try await reader.forEach(filter) { entry in
            count.withLock { count in
                Output.write((count == 0 ? "[\n  " : ",\n  ") + entry.json.text)
                count += 1
                return count < limit
            }
        }
        Output.write(count.withLock { $0 } == 0 ? "[]\n" : "\n]\n")
    }

    private static func printTable(_ reader: any RunReader, _ filter: RunFilter, _ limit: Int) async throws {
        // One more, to know whether there are more.
        var entries = try await reader.list(filter, limit: limit == .max ? limit : limit + 1)
        let more = entries.count > limit
        if more { entries.removeLast() }
        guard !entries.isEmpty else {
            Output.write("No runs in \(reader.place.replacingControls)\(filter == RunFilter() ? "" : " that fit").\n")
            return
        }
        let kinds = filter.kinds.count > 1
        var columns: [(String, TextTable.Alignment)] = [("RUN", .left)]
        if kinds { columns.append(("KIND", .left)) }
        columns += [
            ("ENDED", .left), ("JOB", .left), ("AGENT", .left), ("TASK", .left), ("ATTEMPT", .right), ("REWARD", .right), ("OUTCOME", .left), ("TIME", .right),
        ]
        var table = TextTable(columns)
        for entry in entries {
            var cells = [entry.id.rawValue]
            if kinds { cells.append(entry.retry.map { "retry \($0)" } ?? entry.kind.rawValue) }
            let outcome = entry.kind == .job ? (entry.cancelled ? "cancelled" : "") : entry.error ?? entry.outcome ?? "-"
            cells += [
                entry.date.rfc3339, entry.job ?? "-", entry.kind == .job ? "" : entry.agent ?? "-",
                entry.kind == .job ? (entry.trials.map { $0 == 1 ? "1 trial" : "\($0) trials" } ?? "") : entry.task ?? "-", entry.attempt.map { "\($0)" } ?? "",
                Figure.reward(entry.reward), outcome, entry.kind == .job ? "" : Figure.duration(entry.seconds),
            ]
            table.add(cells)
        }
        Output.write(table.render())
        if more { Output.write("More exist: --limit N shows more.\n") }
    }
}

/// Standard output, as it comes. A reader that went away (`| head`) is the signal's business.
enum Output {
    static func write(_ text: String) { write(Array(text.utf8)) }
    static func write(_ bytes: [UInt8]) { try? FileHandle.standardOutput.write(contentsOf: Data(bytes)) }

    /// Text from a trial for a terminal: lines stay, every other control character and what is not UTF-8 becomes visible.
    static func inert(_ bytes: [UInt8]) -> String {
        bytes.split(separator: 10, omittingEmptySubsequences: false)
            .map { line in String(decoding: line.last == 13 ? line.dropLast() : line, as: UTF8.self).replacingControls }
            .joined(separator: "\n")
    }
}
