import Base
import EvalModel
import Glibc

/// The report of a run in Markdown, for the page of a CI job.
struct JobSummary: Sendable {
    /// The variable in which GitHub Actions, and runners that follow it, name the file that a step's summary is added to.
    static let variable = "GITHUB_STEP_SUMMARY"

    let report: JobReport
    /// Why the job cannot run; nil when it did.
    let stalled: String?

    var markdown: String {
        var text = "## \(Self.escaped(report.job.metadata.name))\n\n"
        if let stalled { return text + "The job cannot run: \(Self.escaped(stalled))\n\n" }
        if let figures = report.figures { text += "\(figures)\n\n" }
        guard !report.runs.isEmpty else { return text }
        text += "| agent | task | attempt | reward | error | time |\n|---|---|--:|--:|---|--:|\n"
        for run in report.runs {
            let cells = [
                run.agent, run.task, "\(run.attempt)", Figure.reward(run.reward), run.error?.type.rawValue ?? "",
                Figure.duration(run.timings.totalSeconds),
            ]
            text += "| \(cells.map(Self.escaped).joined(separator: " | ")) |\n"
        }
        let more = (report.job.status?.trials?.total ?? 0) - report.runs.count
        if report.runs.count == JobReport.rows, more > 0 { text += "\nand \(more) more\n" }
        return text + "\n"
    }

    /// Adds the summary to the file that the environment names; does nothing without one.
    func write(_ environment: [String: String]) throws(FileError) {
        guard let path = environment[Self.variable], !path.isEmpty else { return }
        let fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard fd >= 0 else { throw FileError("write", path) }
        defer { close(fd) }
        try FileWriting.write(markdown.utf8, to: fd, path: path)
    }

    /// Names come from files of others: they must not become markup, links or cells of their own.
    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text.replacingControls {
            switch character {
            case "<": result += "&lt;"
            case "&": result += "&amp;"
            case "\\", "|", "`", "*", "_", "[", "]", "#", "~", "!", "@": result += "\\\(character)"
            default: result.append(character)
            }
        }
        return result
    }
}
