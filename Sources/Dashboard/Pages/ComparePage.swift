import Base
import EvalModel

/// The page for choosing two jobs to compare. The script reads the figures of each job from a file.
struct ComparePage {
    let jobs: [JobFacts]
    static let limit = 1000

    init(_ jobs: [JobFacts]) { self.jobs = jobs }

    var page: Page {
        Page(.compare, title: "Compare", section: .compare) {
            tag("header", .classes("title")) {
                tag("h1", text: "Compare two jobs")
                tag("p", .classes("sub")) {
                    tag(
                        "span",
                        text:
                            "Paired by agent and task: the mean score in the one job against the other. A failed run scores 0; runs that do not count are left out."
                    )
                }
            }
            if jobs.isEmpty {
                tag("p", .classes("empty"), text: "No jobs yet.")
            } else {
                tag("noscript") {
                    tag(
                        "p", .classes("notice", "skip"),
                        text:
                            "Choosing jobs here needs JavaScript. Without it, use the page of a job, which compares the job with the previous one of the same name, or `assay results compare`."
                    )
                }
                tag("div", .id("compare"), .classes("compare")) {
                    choice("Before", "before", "before-agent")
                    choice("After", "after", "after-agent")
                }
                if jobs.count > Self.limit {
                    tag("p", .classes("note"), text: "The newest \(Figures.count(Self.limit)) of \(Figures.count(jobs.count)) jobs can be chosen.")
                }
                tag("div", .id("compared"), .fixed("aria-live", "polite"))
            }
        }
    }

    private func choice(_ title: String, _ job: Anchor, _ agent: Anchor) -> HTML {
        tag("fieldset") {
            tag("legend", text: title)
            tag("label", .refers("for", job), text: "Job")
            tag("select", .id(job)) {
                for item in jobs.prefix(Self.limit) {
                    tag(
                        "option", .value(item.id.rawValue),
                        text: "\(item.fullName) · \(Figures.minute(item.latest)) · \(Figures.percent(item.tally.aggregate.passRate))")
                }
            }
            tag("label", .refers("for", agent), text: "Agent")
            tag("select", .id(agent)) { tag("option", .fixed("value", ""), text: "all agents") }
        }
    }

    /// A job's figures for the script: `[agent, task, score, passed]` for each run that counts for its agent.
    static func data(_ job: JobFacts) -> [UInt8] {
        let agents = Array(Set(job.runs.map(\.agent))).sorted()
        let tasks = Array(Set(job.runs.map(\.taskKey))).sorted()
        let agentIndex = Dictionary(agents.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        let taskIndex = Dictionary(tasks.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        let runs = job.runs.compactMap { run -> JSONValue? in
            guard run.counts, let agent = agentIndex[run.agent], let task = taskIndex[run.taskKey] else { return nil }
            return .array([JSONValue(agent), JSONValue(task), run.score.map { .double($0) } ?? .null, JSONValue(run.passed ? 1 : 0)])
        }
        return EmbeddedJSON.call(
            "assayJob",
            [
                "id": .string(job.id.rawValue), "name": .string(job.fullName), "latest": .string(Figures.minute(job.latest)),
                "agents": .array(agents.map { .string($0) }), "tasks": .array(tasks.map { [.string($0.dataset), .string($0.task)] }),
                "runs": .array(runs),
            ])
    }
}
