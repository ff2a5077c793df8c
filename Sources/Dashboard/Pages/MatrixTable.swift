import EvalModel

/// Agents by tasks. A cell shows how many of the runs that count passed, as text and colour.
struct MatrixTable {
    let caption: String
    let agents: [AgentKey]
    let tasks: [TaskKey]
    private let cells: [TaskKey: [AgentKey: [RunFacts]]]
    let page: SitePath
    /// Whether every attempt has its own link.
    let showsAttempts: Bool

    static let agentLimit = 30

    /// - Parameter tasks: the rows; the runs of other tasks are left out.
    init(caption: String, runs: [RunFacts], tasks: some Sequence<TaskKey>, page: SitePath, showsAttempts: Bool) {
        self.caption = caption
        self.page = page
        self.showsAttempts = showsAttempts
        self.tasks = Array(tasks)
        agents = Array(Set(runs.map(\.agentKey)).sorted().prefix(Self.agentLimit))
        var cells: [TaskKey: [AgentKey: [RunFacts]]] = Dictionary(self.tasks.map { ($0, [:]) }, uniquingKeysWith: { first, _ in first })
        for run in runs { cells[run.taskKey]?[run.agentKey, default: []].append(run) }
        self.cells = cells
    }

    var html: HTML {
        guard !tasks.isEmpty, !agents.isEmpty else { return tag("p", .classes("empty"), text: "No runs yet.") }
        return tag("div", .classes("scroll"), .fixed("role", "region"), .fixed("tabindex", "0"), .label(caption)) {
            tag("table", .classes("matrix")) {
                tag("caption", .classes("unseen"), text: caption)
                tag("thead") {
                    tag("tr") {
                        tag("th", .fixed("scope", "col"), text: "Task")
                        for agent in agents {
                            tag("th", .fixed("scope", "col")) {
                                tag("span", text: agent.agent)
                                if let model = agent.model { tag("span", .classes("remark"), text: model) }
                            }
                        }
                    }
                }
                tag("tbody") {
                    for task in tasks {
                        tag("tr") {
                            tag("th", .fixed("scope", "row")) {
                                tag("span", text: task.task)
                                if !task.dataset.isEmpty { tag("span", .classes("remark"), text: task.dataset) }
                            }
                            for agent in agents { cell(cells[task]?[agent] ?? [], agent, task) }
                        }
                    }
                }
            }
        }
    }

    private func cell(_ runs: [RunFacts], _ agent: AgentKey, _ task: TaskKey) -> HTML {
        guard let newest = runs.first else { return tag("td", .classes("cell", "none"), text: Figures.none) }
        let tally = Tally(runs)
        let a = tally.aggregate
        let counted = a.completed + a.failed
        let look: [CSSClass] = counted == 0 ? ["cell", a.infrastructure > 0 ? "lost" : "none"] : ["cell", .heat(Double(a.passes) / Double(counted))]
        var words = counted == 0 ? (a.infrastructure > 0 ? "infra" : "skipped") : "\(a.passes)/\(counted)"
        if runs.count == 1, counted == 1 { words = newest.outcome == .failed ? "failed" : Figures.reward(newest.reward) }
        var spoken = "\(agent.text), \(task.text): " + (counted == 0 ? "nothing that counts" : "\(a.passes) of \(counted) passed")
        if let mean = a.meanReward { spoken += ", mean reward \(Figures.reward(mean))" }
        if a.infrastructure > 0 { spoken += ", \(a.infrastructure) ended by infrastructure" }
        return tag("td", .classes(look)) {
            tag("a", .classes("value"), .link(SiteLink(.run(newest.id), from: page)), .label(spoken + ". Newest run."), .title(spoken), text: words)
            if let mean = a.meanReward, runs.count > 1, mean != 0, mean != 1 {
                tag("span", .classes("mean"), text: "\u{2300} \(Figures.reward(mean))")
            }
            if showsAttempts, runs.count > 1 { attempts(runs) }
        }
    }

    /// At most eight; the list of runs has all.
    private func attempts(_ runs: [RunFacts]) -> HTML {
        let sorted = runs.sorted { ($0.attempt, $0.rerun) < ($1.attempt, $1.rerun) }
        return tag("span", .classes("attempts")) {
            for run in sorted.prefix(8) {
                let sign = Pieces.sign(run)
                tag(
                    "a", .classes(sign.look), .link(SiteLink(.run(run.id), from: page)), .label("Attempt \(run.attempt): \(sign.word)"),
                    text: sign.text)
            }
            if sorted.count > 8 { tag("span", text: "+\(sorted.count - 8)") }
        }
    }

    var leftOut: String? {
        let all = Set(cells.values.flatMap(\.keys)).count
        return all > agents.count ? "\(all - agents.count) more agents are left out here." : nil
    }
}
