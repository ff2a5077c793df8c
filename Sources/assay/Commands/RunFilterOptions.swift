import Artifacts
import Base

/// The options that select runs, the same for every command that takes them.
enum RunFilterOptions {
    static let options: [CommandSyntax.Option] = [
        .init(name: "job", value: "J", help: "Only runs of this job: its name, UID or record id."),
        .init(name: "agent", value: "A", help: "Only runs of this agent."),
        .init(name: "model", value: "M", help: "Only runs with this model."),
        .init(name: "task", value: "T", help: "Only runs of this task."),
        .init(
            name: "status", value: "S",
            help:
                "Only runs that ended so: passed, completed, failed, infrastructure, skipped, or a type of error (as agent_execution_timeout); several apart by commas, or the option again.",
            repeats: true),
        .init(name: "since", value: "WHEN", help: "Only runs that ended then or later: 2026-01-02, 2026-01-02T03:04:05Z, or how long ago (7d, 12h)."),
    ]

    static func filter(_ arguments: Arguments, now: Timestamp = SystemTime().now()) throws(UsageError) -> RunFilter {
        var filter = RunFilter()
        filter.job = arguments.value("job")
        filter.agent = arguments.value("agent")
        filter.model = arguments.value("model")
        filter.task = arguments.value("task")
        for word in arguments.all("status").flatMap({ $0.split(separator: ",").map(String.init) }) {
            guard let status = RunStatus(word) else {
                throw UsageError("--status takes \(RunStatus.all.joined(separator: ", ")), not \"\(word.replacingControls)\"")
            }
            filter.statuses.insert(status)
        }
        if !arguments.all("status").isEmpty, filter.statuses.isEmpty { throw UsageError("--status needs a value") }
        if let text = arguments.value("since") { filter.since = try moment(text, option: "since", now: now) }
        return filter
    }

    static func moment(_ text: String, option: String, now: Timestamp) throws(UsageError) -> Timestamp {
        guard let moment = MomentText.moment(text, now: now) else {
            throw UsageError(
                "--\(option) takes a date (2026-01-02), a time (2026-01-02T03:04:05Z) or how long ago (7d, 12h), not \"\(text.replacingControls)\"")
        }
        return moment
    }

    static func kinds(_ text: String?) throws(UsageError) -> Set<RunEntry.Kind> {
        guard let text else { return [.run] }
        if text == "all" { return Set(RunEntry.Kind.allCases) }
        guard let kind = RunEntry.Kind(rawValue: text) else {
            throw UsageError("--kind takes run, retry, job or all, not \"\(text.replacingControls)\"")
        }
        return [kind]
    }
}
