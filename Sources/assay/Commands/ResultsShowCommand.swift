import Artifacts
import Base
import EvalModel
import Git

/// `assay results show RUN`: prints the record of a run or job, its transcript, or one of its logs.
enum ResultsShowCommand: Subcommand {
    static let syntax = CommandSyntax(
        name: "results show", summary: "Show one run: its record, transcript or logs.",
        positionals: [.init(name: "RUN", help: "The run's id, or the first four or more digits of it.")],
        options: ResultsPlaceOptions.options + [
            .init(name: "transcript", value: nil, help: "Print the agent's session (transcript.jsonl)."),
            .init(name: "log", value: "NAME", help: "Print a log, by its path or the end of it (as agent/stdout.txt)."),
            .init(name: "output", value: "FORMAT", help: "text (default) or json (metadata, summary and files)."),
            .init(name: "raw", value: nil, help: "With --transcript or --log: the very bytes, control characters included."),
        ])

    /// The largest file that is printed, in bytes.
    private static let limit = 256 << 20

    static func run(_ arguments: Arguments) async throws -> Int32 {
        let format = arguments.value("output") ?? "text"
        guard format == "text" || format == "json" else { throw UsageError("--output takes text or json, not \"\(format)\"") }
        guard !(arguments.flag("transcript") && arguments.value("log") != nil) else {
            throw UsageError("--transcript and --log are two questions: ask one")
        }
        let reader = try await ResultsPlaceOptions(arguments).open()
        let id = try await reader.resolve(arguments.positionals[0])
        let details = try await reader.details(of: id)
        if arguments.flag("transcript") {
            guard details.hasTranscript else {
                throw ArtifactError(
                    .notFound, "run \(id) has no transcript: its agent wrote no transcript.jsonl into /logs/agent; its logs: \(logs(details))")
            }
            printFile(try await reader.transcript(of: id, limit: limit), raw: arguments.flag("raw"))
        } else if let name = arguments.value("log") {
            printFile(try await reader.contents(of: details.log(named: name), run: id, limit: limit), raw: arguments.flag("raw"))
        } else if format == "json" {
            Output.write(json(details, commit: try await commit(of: id, reader)).serialized(pretty: true) + [10])
        } else {
            Output.write(RunText(details).text)
        }
        return ExitStatus.success
    }

    private static func logs(_ details: RunDetails) -> String {
        let names = details.logs.prefix(20).map { $0.path.components.dropFirst().joined(separator: "/") }
        return names.isEmpty ? "none" : names.joined(separator: ", ").replacingControls
    }

    private static func printFile(_ bytes: [UInt8], raw: Bool) {
        guard !raw else { return Output.write(bytes) }
        let text = Output.inert(bytes)
        Output.write(text.isEmpty || text.hasSuffix("\n") ? text : text + "\n")
    }

    /// The commit that added the record; nil for results in a directory.
    private static func commit(of id: RunID, _ reader: any RunReader) async throws -> GitObjectID? {
        var filter = RunFilter()
        (filter.kinds, filter.idPrefix) = ([.run, .job], id.rawValue)
        return try await reader.list(filter, limit: 1).first?.commit
    }

    private static func json(_ details: RunDetails, commit: GitObjectID?) -> JSONValue {
        var object: [String: JSONValue] = [
            "runId": .string(details.id.rawValue), "metadata": details.metadata,
            "files": .array(
                details.files.map { file in
                    var entry: [String: JSONValue] = ["path": .string(file.path.text)]
                    entry["bytes"] = file.size.map { JSONValue($0) }
                    return .object(entry)
                }),
        ]
        object["summary"] = details.summary
        object["commit"] = commit.map { .string($0.hex) }
        return .object(object)
    }
}

/// A record as text for people. All values come from outside: their control characters are replaced before they reach the
/// terminal.
struct RunText {
    private(set) var text = ""
    private let details: RunDetails

    init(_ details: RunDetails) {
        self.details = details
        if let job = details.job {
            add(job)
        } else if let run = details.run {
            add(run)
        } else {
            text += Output.inert(details.metadata.serialized(pretty: true)) + "\n"
        }
        files()
    }

    private mutating func row(_ name: String, _ value: String?) {
        guard let value, !value.isEmpty else { return }
        text += name + String(repeating: " ", count: max(1, 12 - name.count)) + value.replacingControls + "\n"
    }

    private mutating func add(_ run: RunRecord) {
        row("Run", run.runId.rawValue + (run.rerun > 0 ? " (rerun \(run.rerun))" : ""))
        row("Job", run.namespace.isEmpty ? run.jobName : "\(run.namespace)/\(run.jobName)")
        row("Agent", run.agent + (run.model.map { " (\($0))" } ?? ""))
        row("Task", "\(run.dataset)/\(run.task)")
        row("Attempt", "\(run.attempt)" + (run.retries > 0 ? ", after \(run.retries) that infrastructure ended" : ""))
        row("Outcome", run.outcome.rawValue + (run.passed ? ", passed" : ""))
        row("Reward", run.reward.map { "\($0)" } ?? "-")
        let others = run.scores.filter { $0.key != Reward.primaryName }.sorted { $0.key < $1.key }
        row("Scores", others.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
        if let error = run.error { row("Error", "\(error.type.rawValue): \(error.message)") }
        let phases = run.timings.spans.map { "\($0.phase.rawValue) \(Figure.duration($0.span.seconds))" }.joined(separator: ", ")
        row("Time", Figure.duration(run.timings.totalSeconds) + (phases.isEmpty ? "" : " (\(phases))"))
        row("Cost", run.cost.map { "\($0)" })
        row("Source", run.sourceRepo + " @ " + run.sourceCommit + (run.sourceRef.map { " (\($0))" } ?? ""))
        if let snapshot = run.sourceSnapshot {
            row("Not committed", "the source is a snapshot of this directory" + (snapshot.head.map { ", which had changes to commit \($0)" } ?? ""))
        }
        row("Task folder", run.evalFile)
        row("Overlays", run.overlays.map { "\($0.name) @ \($0.revision)" }.joined(separator: ", "))
        row("Image", run.config.image)
        if let outputs = run.outputs { row("Outputs", Self.remarks(outputs)) }
        row("Started", run.startedAt?.rfc3339)
        row("Ended", run.timestamp.rfc3339)
    }

    private static func remarks(_ outputs: RunRecord.Outputs) -> String {
        let counts = [
            (outputs.truncatedFiles, "cut"), (outputs.skippedFiles, "not collected"), (outputs.unreadableFiles, "unreadable"),
            (outputs.redactions, "secret values redacted"),
        ]
        var parts = counts.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
        if !outputs.unredacted.isEmpty { parts.append("too short to redact: \(outputs.unredacted.joined(separator: ", "))") }
        return parts.joined(separator: "; ")
    }

    private mutating func add(_ job: JobRecord) {
        row("Job", job.namespace.isEmpty ? job.jobName : "\(job.namespace)/\(job.jobName)")
        row("Record", job.runId.rawValue)
        row("Trials", "\(job.totalTrials)" + (job.cancelled ? ", cancelled" : ""))
        row("Reason", job.reason)
        row("Source", job.sourceRepo + " @ " + job.sourceCommit)
        row("Started", job.startedAt?.rfc3339)
        row("Ended", job.timestamp.rfc3339)
        var table = TextTable([
            ("AGENT", .left), ("COMPLETED", .right), ("FAILED", .right), ("SKIPPED", .right), ("PASSES", .right), ("PASS RATE", .right),
            ("MEAN REWARD", .right),
        ])
        for (name, figures) in job.agents.sorted(by: { $0.key < $1.key }) + [("total", job.totals)] {
            table.add([
                name, "\(figures.completed)", "\(figures.failed)", "\(figures.skipped)", "\(figures.passes)", Figure.percent(figures.passRate),
                Figure.reward(figures.meanReward),
            ])
        }
        text += "\n" + table.render()
    }

    private mutating func files() {
        guard !details.files.isEmpty else { return }
        text += "\nFiles:\n"
        for file in details.files.prefix(200) {
            text += "  " + file.path.text.replacingControls + (file.size.map { "  (\($0) bytes)" } ?? "") + "\n"
        }
        if details.files.count > 200 { text += "  and \(details.files.count - 200) more\n" }
    }
}
