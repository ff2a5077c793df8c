import EvalModel

/// The overview, the lists and the matrix: pages that depend on all runs.
struct ListPages {
    let content: SiteContent
    /// Where the results were read from, shown on the overview.
    let origin: String

    static let runsPerPage = 200
    static let jobsPerPage = 100
    static let tasksPerPage = 200

    /// In write order: a page is written after the pages it links to, so the last page of a list comes first.
    var all: [Page] { jobs.reversed() + runs.reversed() + matrix.reversed() + [ComparePage(content.jobs).page, overview] }

    // MARK: Overview

    private var overview: Page {
        let tasks = Array(Set(content.runs.map(\.taskKey))).sorted()
        let timeline = Timeline(content.runs)
        let chart = TimelineChart(timeline: timeline)
        let agents = Set(content.runs.map(\.agentKey)).count
        return Page(.index, title: "Overview", section: .overview) {
            tag("header", .classes("title")) {
                tag("h1", text: "Overview")
                tag("p", .classes("sub")) { tag("span", text: origin) }
            }
            Pieces.tiles(
                content.tally, runs: "of \(Figures.plural(agents, "agent")) on \(Figures.plural(tasks.count, "task"))",
                extra: [Pieces.tile("Jobs", Figures.count(content.jobs.count), content.jobs.first.map { "latest \(Figures.minute($0.latest))" })])
            if !content.runs.isEmpty {
                Pieces.section("Over time", "time") {
                    tag("div", .classes("charts")) {
                        chart.runs
                        chart.passRate
                    }
                    chart.table
                }
            }
            Pieces.section("Agents", "agents") { Pieces.agents(content.runs, caption: "Figures by agent and model") }
            Pieces.section("Latest jobs", "jobs") {
                Pieces.jobs(content.jobs.prefix(8), from: .index, caption: "Latest jobs")
                if content.jobs.count > 8 { more("All \(Figures.count(content.jobs.count)) jobs", .jobs(1), from: .index) }
            }
            Pieces.section("Agents by tasks", "matrix") {
                MatrixTable(caption: "Passes by agent and task", runs: content.runs, tasks: tasks.prefix(15), page: .index, showsAttempts: false).html
                if tasks.count > 15 { more("All \(Figures.count(tasks.count)) tasks", .matrix(1), from: .index) }
            }
            errors
            Pieces.section("Latest runs", "runs") {
                Pieces.runs(content.runs.prefix(10), from: .index, caption: "Latest runs", withJob: true)
                if content.runs.count > 10 { more("All \(Figures.count(content.runs.count)) runs", .runs(1), from: .index) }
            }
        }
    }

    private var errors: HTML {
        var found: [String: (runs: [RunFacts], outcome: TrialOutcome.Class)] = [:]
        for run in content.runs {
            guard let error = run.error else { continue }
            found[error, default: ([], run.outcome)].runs.append(run)
        }
        guard !found.isEmpty else { return .empty }
        let rows = found.sorted { ($1.value.runs.count, $0.key) < ($0.value.runs.count, $1.key) }.prefix(30).map { name, group -> [HTML] in
            let sample = group.runs[0]
            let meaning =
                switch group.outcome {
                case .failed: "agent or verifier; counts"
                case .infrastructure: "infrastructure or input; does not count"
                case .skipped: "stopped; does not count"
                case .completed: "the verdict is still valid"
                }
            return [
                group.outcome == .completed ? Pieces.badge("plain", "\u{2022}", name) : Pieces.badge(sample), .text(Figures.count(group.runs.count)),
                .text(meaning),
                tag("a", .classes("id"), .link(SiteLink(.run(sample.id), from: .index)), .label("Newest run with \(name)"), text: sample.id.rawValue),
            ]
        }
        return Pieces.section("Errors", "errors") {
            DataTable(
                caption: "Errors by type", columns: [.text("Error"), .number("Runs"), .text("Meaning"), .text("Newest run")], rows: Array(rows)
            ).html
        }
    }

    private func more(_ text: String, _ target: SitePath, from page: SitePath) -> HTML {
        tag("p", .classes("more")) { tag("a", .link(SiteLink(target, from: page)), text: text) }
    }

    // MARK: Lists

    private var jobs: [Page] {
        let count = Pagination.pages(of: content.jobs.count, size: Self.jobsPerPage)
        return (1...count).map { number in
            let pages = Pagination(page: number, count: count) { .jobs($0) }.links(from: .jobs(number), label: "Pages of jobs")
            return Page(.jobs(number), title: "Jobs", section: .jobs) {
                heading("Jobs", Figures.plural(content.jobs.count, "job"))
                pages
                Pieces.jobs(content.jobs.slice(page: number, size: Self.jobsPerPage), from: .jobs(number), caption: "Jobs, newest first")
                pages
            }
        }
    }

    private var runs: [Page] {
        let count = Pagination.pages(of: content.runs.count, size: Self.runsPerPage)
        return (1...count).map { number in
            let pages = Pagination(page: number, count: count) { .runs($0) }.links(from: .runs(number), label: "Pages of runs")
            return Page(.runs(number), title: "Runs", section: .runs) {
                heading("Runs", Figures.plural(content.runs.count, "run"))
                pages
                Pieces.runs(
                    content.runs.slice(page: number, size: Self.runsPerPage), from: .runs(number), caption: "Runs, newest first", withJob: true)
                pages
            }
        }
    }

    private var matrix: [Page] {
        let tasks = Array(Set(content.runs.map(\.taskKey))).sorted()
        let count = Pagination.pages(of: tasks.count, size: Self.tasksPerPage)
        return (1...count).map { number in
            let pages = Pagination(page: number, count: count) { .matrix($0) }.links(from: .matrix(number), label: "Pages of tasks")
            let slice = tasks.slice(page: number, size: Self.tasksPerPage)
            let rows = Set(slice)
            let table = MatrixTable(
                caption: "Passes by agent and task", runs: content.runs.filter { rows.contains($0.taskKey) }, tasks: slice, page: .matrix(number),
                showsAttempts: false)
            return Page(.matrix(number), title: "Matrix", section: .matrix) {
                heading(
                    "Agents by tasks",
                    "All runs of \(Figures.plural(tasks.count, "task")): passes of the runs that count. A cell leads to its newest run.")
                legend
                pages
                if let more = table.leftOut { tag("p", .classes("note"), text: more) }
                table.html
                pages
            }
        }
    }

    private var legend: HTML {
        tag("ul", .classes("legend", "heat")) {
            for (share, word) in [(0.0, "none passed"), (0.5, "half"), (1.0, "all passed")] {
                tag("li") {
                    tag("span", .classes("swatch", "cell", .heat(share)), .fixed("aria-hidden", "true"))
                    tag("span", text: word)
                }
            }
            tag("li") {
                tag("span", .classes("swatch", "cell", "lost"), .fixed("aria-hidden", "true"))
                tag("span", text: "only infrastructure failures")
            }
        }
    }

    private func heading(_ title: String, _ note: String) -> HTML {
        tag("header", .classes("title")) {
            tag("h1", text: title)
            tag("p", .classes("sub")) { tag("span", text: note) }
        }
    }
}
