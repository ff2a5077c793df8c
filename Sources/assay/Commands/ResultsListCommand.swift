import Artifacts
import Base
import Git

/// `assay results list`: lists runs, newest first. Reads only the commits.
enum ResultsListCommand: Subcommand {
    static let syntax = CommandSyntax(
        name: "results list", summary: "List runs, newest first.",
        details:
            "Reads a branch of any repository, or the directory of backend: local. Nothing is checked out, and of a remote only the commits are fetched.",
        options: ResultsPlaceOptions.options + RunFilterOptions.options + [
            .init(name: "kind", value: "KIND", help: "run (default), retry (tries that infrastructure ended), job, or all."),
            .init(name: "limit", value: "N", help: "At most so many (default 50 in a table, all in JSON and CSV)."),
            .init(name: "output", value: "FORMAT", help: "table (default), json or csv."),
        ])

    static func run(_ arguments: Arguments) async throws -> Int32 {
        let format = arguments.value("output") ?? "table"
        guard ["table", "json", "csv"].contains(format) else {
            throw UsageError("--output takes table, json or csv, not \"\(format.replacingControls)\"")
        }
        var filter = try RunFilterOptions.filter(arguments)
        filter.kinds = try RunFilterOptions.kinds(arguments.value("kind"))
        let limit = try arguments.integer("limit", in: 1...10_000_000)
        try RolloutStart.completeInterrupted(in: StateDirectory(workingDirectory: Path.workingDirectory))
        let reader = try await ResultsPlaceOptions(arguments).open()
        switch format {
        case "json": try await printJSON(reader, filter, limit ?? .max)
        case "csv": try await printCSV(reader, filter, limit ?? .max)
        default: try await printTable(reader, filter, limit ?? 50)
        }
        return ExitStatus.success
    }

    /// Prints one entry at a time, so that a hundred thousand entries need not fit into memory.
    private static func printJSON(_ reader: any RunReader, _ filter: RunFilter, _ limit: Int) async throws {
        let output = BufferedOutput()
        let separator = (first: Array("[\n  ".utf8), next: Array(",\n  ".utf8))
        let count = try await forEach(reader, filter, limit) { entry, index in
            output.write { bytes in
                bytes += index == 0 ? separator.first : separator.next
                entry.appendJSON(to: &bytes)
            }
        }
        output.write { $0 += Array((count == 0 ? "[]\n" : "\n]\n").utf8) }
        output.flush()
    }

    private static func printCSV(_ reader: any RunReader, _ filter: RunFilter, _ limit: Int) async throws {
        let output = BufferedOutput()
        output.write { $0 += CSVText.row(RunEntry.csvColumns) }
        _ = try await forEach(reader, filter, limit) { entry, _ in output.write { entry.appendCSV(to: &$0) } }
        output.flush()
    }

    private static func forEach(
        _ reader: any RunReader, _ filter: RunFilter, _ limit: Int, _ body: @escaping @Sendable (RunEntry, Int) -> Void
    ) async throws -> Int {
        let count = Locked(0)
        try await reader.forEach(filter) { entry in
            count.withLock { count in
                body(entry, count)
                count += 1
                return count < limit
            }
        }
        return count.withLock { $0 }
    }

    private static func printTable(_ reader: any RunReader, _ filter: RunFilter, _ limit: Int) async throws {
        // One entry more than the limit shows whether the list is incomplete.
        var entries = try await reader.list(filter, limit: limit == .max ? limit : limit + 1)
        let more = entries.count > limit
        if more { entries.removeLast() }
        guard !entries.isEmpty else {
            Output.write("No runs in \(reader.place.replacingControls)\(filter == RunFilter() ? "" : " that fit").\n")
            if let branch = reader as? BranchReader {
                let others = try await branch.foldersElsewhere().map {
                    $0.isEmpty ? "its root (without --path)" : "\"\($0.replacingControls)\" (--path)"
                }
                if !others.isEmpty { Output.write("The branch has some below \(others.prefix(10).joined(separator: ", ")).\n") }
            }
            return
        }
        let kinds = filter.kinds.count > 1
        let severalDatasets = Set(entries.compactMap(\.dataset)).count > 1
        var columns: [(String, TextTable.Alignment)] = [("RUN", .left)]
        if kinds { columns.append(("KIND", .left)) }
        columns += [
            ("ENDED", .left), ("JOB", .left), ("AGENT", .left), ("TASK", .left), ("ATTEMPT", .right), ("REWARD", .right), ("OUTCOME", .left),
            ("TIME", .right),
        ]
        var table = TextTable(columns)
        for entry in entries {
            var cells = [entry.id.rawValue]
            if kinds { cells.append(entry.retry.map { "retry \($0)" } ?? entry.kind.rawValue) }
            let outcome = entry.kind == .job ? (entry.cancelled ? "cancelled" : "") : entry.error ?? entry.outcome ?? "-"
            cells += [
                entry.date.rfc3339, entry.job ?? "-", entry.kind == .job ? "" : entry.agent ?? "-",
                entry.kind == .job
                    ? (entry.trials.map { $0 == 1 ? "1 trial" : "\($0) trials" } ?? "")
                    : (severalDatasets ? entry.dataset.map { $0 + "/" } ?? "" : "") + (entry.task ?? "-"), entry.attempt.map { "\($0)" } ?? "",
                Figure.reward(entry.reward), outcome, entry.kind == .job ? "" : Figure.duration(entry.seconds),
            ]
            table.add(cells)
        }
        Output.write(table.render())
        if more { Output.write("More exist: --limit N shows more.\n") }
    }
}
