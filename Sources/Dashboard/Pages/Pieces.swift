import Base
import EvalModel

/// Pieces that several pages use.
enum Pieces {
    /// The outcome of a run as a sign, a word and a colour. Infrastructure failures look different from the agent's failures.
    static func badge(_ run: RunFacts) -> HTML {
        switch run.outcome {
        case .completed where run.passed: badge("good", "\u{2713}", "passed" + besides(run))
        case .completed where run.reward == nil: badge("part", "\u{25CB}", "not verified")
        case .completed: badge("part", "\u{25D0}", "not passed" + besides(run))
        case .failed: badge("bad", "\u{2717}", run.error ?? "failed")
        case .infrastructure: badge("infra", "\u{26A0}", run.error ?? "infrastructure")
        case .skipped: badge("skip", "\u{2212}", run.error ?? "skipped")
        }
    }

    /// The agent's error beside a reward.
    private static func besides(_ run: RunFacts) -> String {
        guard let error = run.error, TrialErrorType(rawValue: error)?.isAgentError == true else { return "" }
        return ", \(error)"
    }

    static func badge(_ look: CSSClass, _ sign: String, _ word: String) -> HTML {
        tag("span", .classes("badge", look)) {
            tag("span", .fixed("aria-hidden", "true"), text: sign + "\u{FE0E}")
            tag("span", text: word)
        }
    }

    /// The sign for one attempt in a cell.
    static func sign(_ run: RunFacts) -> (text: String, look: CSSClass, word: String) {
        switch run.outcome {
        case .completed where run.passed: ("\u{2713}", "good", "passed")
        case .completed: ("\u{25D0}", "part", "not passed, reward \(Figures.reward(run.reward))")
        case .failed: ("\u{2717}", "bad", run.error ?? "failed")
        case .infrastructure: ("\u{26A0}\u{FE0E}", "infra", "infrastructure: \(run.error ?? "failed")")
        case .skipped: ("\u{2212}", "skip", "skipped")
        }
    }

    static func time(_ time: Timestamp) -> HTML { tag("time", .datetime(time.rfc3339), text: Figures.minute(time)) }

    /// A share as a bar and a number.
    static func share(_ value: Double?) -> HTML {
        guard let value else { return .text(Figures.none) }
        return tag("span", .classes("share")) {
            tag("svg", .fixed("viewBox", "0 0 100 8"), .fixed("preserveAspectRatio", "none"), .fixed("aria-hidden", "true")) {
                tag("rect", .classes("track"), .number("width", 100), .number("height", 8))
                tag("rect", .classes("fill"), .number("width", min(100, max(0, value * 100))), .number("height", 8))
            }
            tag("span", text: Figures.percent(value))
        }
    }

    static func tile(_ name: String, _ value: String, _ remark: String? = nil) -> HTML {
        tag("div", .classes("tile")) {
            tag("dt", text: name)
            tag("dd") {
                tag("b", text: value)
                if let remark { tag("span", .classes("remark"), text: remark) }
            }
        }
    }

    /// The figures at the top of a page.
    static func tiles(_ tally: Tally, runs: String, extra: [HTML] = []) -> HTML {
        let a = tally.aggregate
        return tag("dl", .classes("tiles")) {
            extra
            tile("Runs", Figures.count(a.total), runs)
            tile("Pass rate", Figures.percent(a.passRate), "\(Figures.count(a.passes)) of \(Figures.count(a.completed + a.failed)) that count")
            tile("Mean reward", Figures.reward(a.meanReward), a.rewards == 0 ? nil : "over \(Figures.plural(a.rewards, "verdict"))")
            tile("Agent failures", Figures.count(a.failed), "count as not passed")
            tile(
                "Infrastructure", Figures.count(a.infrastructure),
                a.skipped > 0 ? "does not count; \(Figures.count(a.skipped)) skipped" : "does not count")
            if let median = tally.medianSeconds { tile("Median time", Figures.duration(median), "of a run") }
            if let cost = a.cost { tile("Cost", Figures.cost(cost), "where known") }
        }
    }

    static func agents(_ runs: [RunFacts], caption: String) -> HTML {
        let rows = runs.tallies(by: \.agentKey).map { key, tally -> [HTML] in
            let a = tally.aggregate
            return [
                tag("b", text: key.agent), .text(key.model ?? Figures.none), .text(Figures.count(a.total)), share(a.passRate),
                .text(Figures.reward(a.meanReward)),
                .text(Figures.count(a.passes)), .text(Figures.count(tally.partial)), count(a.failed, "bad"), count(a.infrastructure, "infra"),
                .text(Figures.duration(tally.medianSeconds)), .text(Figures.cost(a.cost)),
            ]
        }
        return DataTable(
            caption: caption,
            columns: [
                .text("Agent"), .text("Model"), .number("Runs"), .text("Pass rate"), .number("Mean reward"), .number("Passed"), .number("Not passed"),
                .number("Failed"), .number("Infrastructure"), .number("Median time"), .number("Cost"),
            ], rows: rows, whenEmpty: "No runs yet."
        ).html
    }

    /// A number that is grey when it is 0.
    static func count(_ number: Int, _ look: CSSClass) -> HTML {
        number == 0 ? tag("span", .classes("quiet"), text: "0") : tag("span", .classes(look), text: Figures.count(number))
    }

    static func runs(_ runs: some Collection<RunFacts>, from page: SitePath, caption: String, withJob: Bool) -> HTML {
        // The most important columns come first, because a narrow screen shows only those.
        var columns: [DataTable.Column] = [
            .text("Run"), .text("Outcome"), .text("Task"), .text("Agent"), .number("Attempt"), .number("Reward"), .number("Time"), .text("Ended"),
        ]
        if withJob { columns.append(.text("Job")) }
        let rows = runs.map { run -> [HTML] in
            let attempt = "\(run.attempt)" + (run.rerun > 0 ? ", rerun \(run.rerun)" : "")
            var row: [HTML] = [
                tag("a", .classes("id"), .link(SiteLink(.run(run.id), from: page)), text: run.id.rawValue), badge(run), named(run.task, run.dataset),
                named(run.agent, run.model ?? ""), .text(attempt), .text(Figures.reward(run.reward)), .text(Figures.duration(run.seconds)),
                time(run.ended),
            ]
            if withJob { row.append(tag("a", .classes("name"), .link(SiteLink(.job(run.job), from: page)), text: run.jobName)) }
            return row
        }
        return DataTable(caption: caption, columns: columns, rows: rows, whenEmpty: "No runs yet.").html
    }

    /// A name on one line with a remark below it. The tooltip has the full text of names that are too long.
    private static func named(_ name: String, _ remark: String) -> HTML {
        .group([
            tag("span", .classes("name"), .title(name), text: name),
            remark.isEmpty ? .empty : tag("span", .classes("remark"), .title(remark), text: remark),
        ])
    }

    static func state(_ job: JobFacts) -> HTML {
        guard let record = job.record else { return badge("live", "\u{25CF}", "not ended") }
        return record.cancelled ? badge("skip", "\u{2212}", "cancelled") : badge("plain", "\u{25A0}", "ended")
    }

    static func jobs(_ jobs: some Collection<JobFacts>, from page: SitePath, caption: String) -> HTML {
        let rows = jobs.map { job -> [HTML] in
            let a = job.tally.aggregate
            let planned = job.record.map { $0.totalTrials } ?? 0
            return [
                tag("a", .link(SiteLink(.job(job.id), from: page)), text: job.fullName), time(job.latest), state(job),
                .text(planned > a.total ? "\(Figures.count(a.total)) of \(Figures.count(planned))" : Figures.count(a.total)), share(a.passRate),
                .text(Figures.reward(a.meanReward)), count(a.failed, "bad"), count(a.infrastructure, "infra"), .text(Figures.cost(a.cost)),
            ]
        }
        return DataTable(
            caption: caption,
            columns: [
                .text("Job"), .text("Latest"), .text("State"), .number("Runs"), .text("Pass rate"), .number("Mean reward"), .number("Failed"),
                .number("Infrastructure"), .number("Cost"),
            ], rows: rows, whenEmpty: "No jobs yet."
        ).html
    }

    static func section(_ title: String, _ anchor: Anchor, note: String? = nil, @HTMLBuilder content: () -> [HTML]) -> HTML {
        tag("section", .refers("aria-labelledby", anchor)) {
            tag("h2", .id(anchor), text: title)
            if let note { tag("p", .classes("note"), text: note) }
            content()
        }
    }
}
