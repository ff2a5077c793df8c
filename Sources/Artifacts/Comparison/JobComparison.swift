import Base
import EvalModel

/// Compares two jobs, or two agents, by their scores on the tasks that both have a score for.
///
/// The unit of comparison is one agent on one task of a dataset, with the mean over its attempts. The two sides may have different numbers
/// of attempts. A difference is B minus A: above zero, B is better.
public struct JobComparison: Sendable, Hashable {
    public struct Side: Sendable, Hashable {
        public var id: RunID?
        public var name: String
        public var ended: Timestamp
        public var agents: [String]
        public var runs: Int
        /// The number of runs that count. Runs that infrastructure ended, that were skipped, or that have no verdict do not count.
        public var scored: Int
    }

    public struct Pair: Sendable, Hashable {
        public var agentA: String
        public var agentB: String
        public var dataset: String
        public var task: String
        public var a: Double
        public var b: Double
        public var attemptsA: Int
        public var attemptsB: Int
        public var difference: Double { b - a }
        public var result: Result { abs(difference) <= JobComparison.tolerance ? .tie : difference > 0 ? .win : .loss }
    }

    /// The result from B's point of view.
    public enum Result: String, Sendable, Hashable { case win, loss, tie }

    /// An agent on a task that has no counterpart on the other side, so that no figure includes it.
    public struct Unpaired: Sendable, Hashable {
        public var agent: String
        public var dataset: String
        public var task: String
        /// Whether the side that has the task has a score for it.
        public var isScored: Bool
        /// Why it is not paired: the other side does not have the task, or has no run of it that counts.
        public var reason: Reason
        public enum Reason: String, Sendable, Hashable { case absent, unscored }
    }

    public struct Summary: Sendable, Hashable {
        /// The number of pairs of one agent and one task.
        public var pairs = 0
        public var tasks = 0
        public var wins = 0
        public var losses = 0
        public var ties = 0
        public var meanA: Double?
        public var meanB: Double?
        public var meanDifference: Double?
        /// nil for fewer than two tasks.
        public var interval: Bootstrap.Interval?
    }

    /// Means closer than this are a tie, because summing the same rewards in another order can change the result slightly, but by less than this.
    static let tolerance = 1e-9

    public var metric: ScoreMetric
    public var a: Side
    public var b: Side
    /// Sorted by agent, dataset and task.
    public var pairs: [Pair]
    public var onlyA: [Unpaired]
    public var onlyB: [Unpaired]
    public var total: Summary
    /// One entry for each agent, by its name on side B.
    public var byAgent: [(agent: String, summary: Summary)] { agentSummaries.map { ($0.agent, $0.summary) } }
    private var agentSummaries: [AgentSummary]

    private struct AgentSummary: Sendable, Hashable {
        var agent: String
        var summary: Summary
    }

    /// Which agents are compared with each other.
    public enum Agents: Sendable, Hashable {
        /// Agents with the same name. If no name is on both sides and each side has exactly one agent, those two.
        case sameName
        /// The same agent on both sides.
        case one(String)
        /// One agent of A with another agent of B.
        case two(a: String, b: String)
    }

    /// - Throws: `.invalid` when nothing can be compared. The message says why and lists what there is.
    public init(
        _ jobA: JobRuns, _ jobB: JobRuns, agents: Agents = .sameName, metric: ScoreMetric = .reward, bootstrap: Bootstrap = Bootstrap()
    ) throws(ArtifactError) {
        let pairing = try Self.pairing(jobA, jobB, agents)
        let runsA = jobA.runs.filter { pairing.a?.contains($0.agent ?? "") ?? true }
        let runsB = jobB.runs.filter { pairing.b?.contains($0.agent ?? "") ?? true }
        self.metric = metric
        a = Self.side(jobA, runsA, metric)
        b = Self.side(jobB, runsB, metric)
        let scoresA = TaskScore.table(runsA, metric: metric)
        let scoresB = TaskScore.table(runsB, metric: metric)
        (pairs, onlyA, onlyB) = ([], [], [])
        for (key, score) in scoresA.sorted(by: { $0.key < $1.key }) {
            var counterpart = key
            counterpart.agent = pairing.counterpart[key.agent] ?? key.agent
            let other = scoresB[counterpart]
            if let mean = score.mean, let other, let otherMean = other.mean {
                pairs.append(
                    Pair(
                        agentA: key.agent, agentB: counterpart.agent, dataset: key.dataset, task: key.task, a: mean, b: otherMean,
                        attemptsA: score.scored, attemptsB: other.scored))
            } else {
                onlyA.append(Self.unpaired(key, score, other))
            }
        }
        let paired = Set(pairs.map { TaskScore.Key(agent: $0.agentB, dataset: $0.dataset, task: $0.task) })
        let back = Dictionary(pairing.counterpart.map { ($0.value, $0.key) }, uniquingKeysWith: { first, _ in first })
        for (key, score) in scoresB.sorted(by: { $0.key < $1.key }) where !paired.contains(key) {
            var counterpart = key
            counterpart.agent = back[key.agent] ?? key.agent
            onlyB.append(Self.unpaired(key, score, scoresA[counterpart]))
        }
        total = Self.summary(pairs, bootstrap)
        let pairs = pairs
        agentSummaries = Set(pairs.map(\.agentB)).sorted().map { name in
            AgentSummary(agent: name, summary: Self.summary(pairs.filter { $0.agentB == name }, bootstrap))
        }
    }

    // MARK: Agents

    private struct Pairing {
        /// nil means all.
        var a: Set<String>?
        var b: Set<String>?
        /// Agent names of A to agent names of B, where they differ.
        var counterpart: [String: String] = [:]
    }

    private static func pairing(_ jobA: JobRuns, _ jobB: JobRuns, _ agents: Agents) throws(ArtifactError) -> Pairing {
        let namesA = Set(jobA.runs.map { $0.agent ?? "" }), namesB = Set(jobB.runs.map { $0.agent ?? "" })
        func require(_ name: String, _ names: Set<String>, _ job: JobRuns) throws(ArtifactError) {
            guard names.contains(name) else {
                throw ArtifactError(
                    .invalid, "job \(job.name) (\(job.label)) has no run of an agent \(name); it has: \(names.sorted().joined(separator: ", "))")
            }
        }
        for job in [jobA, jobB] where job.runs.isEmpty {
            throw ArtifactError(.invalid, "job \(job.name) (\(job.label)) has no run: there is nothing to compare")
        }
        if case .two(let a, let b) = agents {
            try require(a, namesA, jobA)
            try require(b, namesB, jobB)
            guard a != b || !isSame(jobA, jobB) else {
                throw ArtifactError(.invalid, "both sides are agent \(a) of job \(jobA.name) (\(jobA.label)): name two jobs, or two agents")
            }
            return Pairing(a: [a], b: [b], counterpart: [a: b])
        }
        guard !isSame(jobA, jobB) else {
            throw ArtifactError(
                .invalid,
                "both sides are the same job \(jobA.name) (\(jobA.label)): name another one (\(jobA.name)~1 is the one of that name before the newest), or two "
                    + "agents of it")
        }
        if case .one(let name) = agents {
            try require(name, namesA, jobA)
            try require(name, namesB, jobB)
            return Pairing(a: [name], b: [name])
        }
        if !namesA.isDisjoint(with: namesB) { return Pairing() }
        if namesA.count == 1, namesB.count == 1, let a = namesA.first, let b = namesB.first { return Pairing(counterpart: [a: b]) }
        throw ArtifactError(
            .invalid,
            "the jobs have no agent in common (\(namesA.sorted().joined(separator: ", ")) and \(namesB.sorted().joined(separator: ", "))): choose one of each side"
        )
    }

    private static func isSame(_ a: JobRuns, _ b: JobRuns) -> Bool { a.id == b.id && a.name == b.name }

    // MARK: Figures

    private static func side(_ job: JobRuns, _ runs: [RunEntry], _ metric: ScoreMetric) -> Side {
        Side(
            id: job.id, name: job.name, ended: job.ended, agents: Set(runs.map { $0.agent ?? "" }).sorted(), runs: runs.count,
            scored: runs.count { metric.score($0) != nil })
    }

    private static func unpaired(_ key: TaskScore.Key, _ score: TaskScore, _ other: TaskScore?) -> Unpaired {
        Unpaired(agent: key.agent, dataset: key.dataset, task: key.task, isScored: score.mean != nil, reason: other == nil ? .absent : .unscored)
    }

    private static func summary(_ pairs: [Pair], _ bootstrap: Bootstrap) -> Summary {
        struct Task: Hashable { var dataset, task: String }
        var summary = Summary()
        var clusters: [Task: Bootstrap.Cluster] = [:]
        var (sumA, sumB) = (0.0, 0.0)
        for pair in pairs {
            switch pair.result {
            case .win: summary.wins += 1
            case .loss: summary.losses += 1
            case .tie: summary.ties += 1
            }
            sumA += pair.a
            sumB += pair.b
            let task = Task(dataset: pair.dataset, task: pair.task)
            clusters[task, default: .init(sum: 0, count: 0)].sum += pair.difference
            clusters[task, default: .init(sum: 0, count: 0)].count += 1
        }
        summary.pairs = pairs.count
        summary.tasks = clusters.count
        guard !pairs.isEmpty else { return summary }
        summary.meanA = sumA / Double(pairs.count)
        summary.meanB = sumB / Double(pairs.count)
        summary.meanDifference = (sumB - sumA) / Double(pairs.count)
        // Always in the same order, so that the same results give the same interval.
        summary.interval = bootstrap.interval(
            clusters.sorted { ($0.key.dataset, $0.key.task) < ($1.key.dataset, $1.key.task) }.map(\.value))
        return summary
    }
}

extension JobComparison {
    public var json: JSONValue {
        func side(_ side: Side) -> JSONValue {
            var object: [String: JSONValue] = [
                "jobName": .string(side.name), "ended": .string(side.ended.rfc3339), "agents": .array(side.agents.map { .string($0) }),
                "runs": JSONValue(side.runs), "scoredRuns": JSONValue(side.scored),
            ]
            object["jobId"] = side.id.map { .string($0.rawValue) }
            return .object(object)
        }
        func summary(_ summary: Summary) -> JSONValue {
            var object: [String: JSONValue] = [
                "pairs": JSONValue(summary.pairs), "tasks": JSONValue(summary.tasks), "wins": JSONValue(summary.wins),
                "losses": JSONValue(summary.losses), "ties": JSONValue(summary.ties),
            ]
            object["meanA"] = summary.meanA.map { .double($0) }
            object["meanB"] = summary.meanB.map { .double($0) }
            object["meanDifference"] = summary.meanDifference.map { .double($0) }
            if let interval = summary.interval {
                object["interval"] = [
                    "low": .double(interval.low), "high": .double(interval.high), "confidence": .double(interval.confidence),
                    "resamples": JSONValue(interval.resamples), "method": "percentile bootstrap over tasks",
                ]
            }
            return .object(object)
        }
        func unpaired(_ list: [Unpaired]) -> JSONValue {
            .array(
                list.map {
                    [
                        "agent": .string($0.agent), "dataset": .string($0.dataset), "task": .string($0.task), "scored": .bool($0.isScored),
                        "reason": .string($0.reason.rawValue),
                    ]
                })
        }
        let pairs: [JSONValue] = pairs.map {
            [
                "agentA": .string($0.agentA), "agentB": .string($0.agentB), "dataset": .string($0.dataset), "task": .string($0.task),
                "a": .double($0.a),
                "b": .double($0.b), "difference": .double($0.difference), "result": .string($0.result.rawValue), "attemptsA": JSONValue($0.attemptsA),
                "attemptsB": JSONValue($0.attemptsB),
            ]
        }
        return [
            "metric": .string(metric.rawValue), "a": side(a), "b": side(b), "total": summary(total), "pairs": .array(pairs),
            "agents": .object(Dictionary(uniqueKeysWithValues: agentSummaries.map { ($0.agent, summary($0.summary)) })),
            "onlyA": unpaired(onlyA), "onlyB": unpaired(onlyB),
        ]
    }
}
