import Artifacts
import EvalModel

/// The pages of one job: figures, tasks, and its runs, in several pages.
struct JobPages {
    let job: JobFacts
    /// The previous job of the same name.
    let predecessor: JobFacts?

    static let runsPerPage = 250
    static let tasksPerPage = 150

    var pages: [Page] {
        let runs = Dictionary(grouping: job.runs, by: \.taskKey)
        let tasks = runs.keys.sorted()
        let count = count(tasks.count)
        return (1...count).map { page($0, of: count, tasks, runs) }
    }

    /// The paths of the pages.
    var paths: [SitePath] { (1...count(Set(job.runs.map(\.taskKey)).count)).map { .job(job.id, $0) } }

    private func count(_ tasks: Int) -> Int {
        max(Pagination.pages(of: job.runs.count, size: Self.runsPerPage), Pagination.pages(of: tasks, size: Self.tasksPerPage))
    }

    private func page(_ number: Int, of count: Int, _ tasks: [TaskKey], _ byTask: [TaskKey: [RunFacts]]) -> Page {
        let path = SitePath.job(job.id, number)
        let links = Pagination(page: number, count: count) { .job(job.id, $0) }.links(from: path, label: "Pages of this job")
        let rows = tasks.slice(page: number, size: Self.tasksPerPage)
        let runs = job.runs.slice(page: number, size: Self.runsPerPage)
        return Page(path, title: "Job \(job.fullName)", section: .jobs) {
            heading(path)
            if number == 1 {
                Pieces.tiles(job.tally, runs: job.record.map { "of \(Figures.plural($0.totalTrials, "trial"))" } ?? "so far")
                if let record = job.record { facts(record) }
                if let predecessor { change(predecessor, path) }
                Pieces.section("Agents", "agents") { Pieces.agents(job.runs, caption: "Figures by agent and model") }
            }
            links
            if !rows.isEmpty { matrix(rows, rows.flatMap { byTask[$0] ?? [] }, path) }
            if !runs.isEmpty || number == 1 {
                Pieces.section("Runs", "runs", note: count > 1 ? "Part \(number) of \(count), newest first." : nil) {
                    Pieces.runs(runs, from: path, caption: "Runs of \(job.fullName)", withJob: false)
                }
            }
            links
        }
    }

    private func heading(_ path: SitePath) -> HTML {
        tag("header", .classes("title")) {
            tag("p", .classes("crumbs")) { tag("a", .link(SiteLink(.jobs(1), from: path)), text: "Jobs") }
            tag("h1", text: job.fullName)
            tag("p", .classes("sub")) {
                Pieces.state(job)
                tag("span", .classes("id"), text: job.id.rawValue)
                Pieces.time(job.latest)
                tag("a", .link(SiteLink(comparing: predecessor?.id ?? job.id, with: job.id, from: path)), text: "Compare with another job")
            }
        }
    }

    private func facts(_ record: JobSummary) -> HTML {
        var rows: [(String, String)] = []
        if !record.sourceRepo.isEmpty || !record.sourceCommit.isEmpty { rows.append(("Source", "\(record.sourceRepo) @ \(record.sourceCommit)")) }
        if let started = record.started { rows.append(("Started", Figures.minute(started))) }
        rows.append(("Ended", Figures.minute(record.ended)))
        if let reason = record.reason, !reason.isEmpty { rows.append(("Reason", reason)) }
        return tag("dl", .classes("facts")) {
            for (name, value) in rows {
                tag("div") {
                    tag("dt", text: name)
                    tag("dd", text: value)
                }
            }
        }
    }

    private func change(_ before: JobFacts, _ path: SitePath) -> HTML {
        guard let comparison = JobComparison(before: before.runs, after: job.runs), !comparison.pairs.isEmpty else { return .empty }
        let total = comparison.total
        let interval =
            total.interval.map { ", \(Figures.percent($0.confidence)) interval \(Figures.signed($0.low)) to \(Figures.signed($0.high))" } ?? ""
        return Pieces.section("Since the previous job of this name", "change") {
            tag("p", .classes("verdict")) {
                tag("b", .classes("good"), text: "\(Figures.count(total.wins)) better")
                tag("b", .classes("bad"), text: "\(Figures.count(total.losses)) worse")
                tag("b", text: "\(Figures.count(total.ties)) the same")
                tag(
                    "span",
                    text:
                        "of \(Figures.plural(comparison.pairs.count, "pair")) of agent and task; mean difference \(Figures.signed(total.meanDifference))\(interval)"
                )
                tag(
                    "a", .link(SiteLink(comparing: before.id, with: job.id, from: path)),
                    text: "Compare with \(before.fullName) of \(Figures.minute(before.latest))")
            }
        }
    }

    /// - Parameter runs: the runs of the tasks; for each task the newest first.
    private func matrix(_ tasks: ArraySlice<TaskKey>, _ runs: [RunFacts], _ path: SitePath) -> HTML {
        let table = MatrixTable(caption: "Passes by agent and task", runs: runs, tasks: tasks, page: path, showsAttempts: true)
        return Pieces.section("Tasks", "tasks", note: table.leftOut) {
            tag("ul", .classes("legend", "heat"), .label("Signs of the attempts")) {
                for (sign, look, word) in [
                    ("\u{2713}", "good", "passed"), ("\u{25D0}", "part", "not passed"), ("\u{2717}", "bad", "agent or verifier failed"),
                    ("\u{26A0}\u{FE0E}", "infra", "infrastructure, does not count"),
                ] as [(String, CSSClass, String)] {
                    tag("li") {
                        tag("span", .classes("sign", look), text: sign)
                        tag("span", text: word)
                    }
                }
            }
            table.html
            tag("details") {
                tag("summary", text: "Figures by task")
                byTask(runs)
            }
        }
    }

    private func byTask(_ runs: [RunFacts]) -> HTML {
        let rows = runs.tallies(by: \.taskKey).map { key, tally -> [HTML] in
            let a = tally.aggregate
            return [
                .text(key.text), .text(Figures.count(a.total)), Pieces.share(a.passRate), .text(Figures.reward(a.meanReward)),
                .text(Figures.reward(a.rewardMin)),
                .text(Figures.reward(a.rewardMax)), Pieces.count(a.failed, "bad"), Pieces.count(a.infrastructure, "infra"),
                .text(Figures.duration(tally.medianSeconds)),
            ]
        }
        return DataTable(
            caption: "Figures by task",
            columns: [
                .text("Task"), .number("Runs"), .text("Pass rate"), .number("Mean reward"), .number("Lowest"), .number("Highest"), .number("Failed"),
                .number("Infrastructure"), .number("Median time"),
            ], rows: rows
        ).html
    }
}
