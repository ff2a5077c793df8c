import Base
import EvalModel

/// What lists, matrices and totals need to know about one run. Small, because a site keeps these for tens of thousands of runs.
struct RunFacts: Sendable, Hashable {
    var id: RunID
    /// The id of its job's record, which distinguishes jobs of the same name.
    var job: RunID
    var jobName: String
    var namespace: String
    var agent: String
    var model: String?
    var dataset: String
    var task: String
    var attempt: Int
    var rerun: Int
    var retries: Int
    var reward: Double?
    var passed: Bool
    var outcome: TrialOutcome.Class
    var error: String?
    var seconds: Double
    var cost: Double?
    var ended: Timestamp

    /// Reads a metadata.json. Unknown fields of other versions are ignored; nil when it does not describe a run.
    init?(id: RunID, metadata: JSONValue) {
        let kind = metadata["kind"]?.string ?? "run"
        guard kind == "run" || kind == "retry", let jobName = metadata["jobName"]?.string, let agent = metadata["agent"]?.string,
            let task = metadata["task"]?.string,
            let ended = metadata["timestamp"]?.string.flatMap(Timestamp.init(rfc3339:))
        else { return nil }
        self.id = id
        self.jobName = jobName
        namespace = metadata["namespace"]?.string ?? ""
        job = RunID(jobUID: metadata["jobUid"]?.string ?? jobName)
        self.agent = agent
        model = metadata["model"]?.string
        dataset = metadata["dataset"]?.string ?? ""
        self.task = task
        attempt = metadata["attempt"]?.int ?? 1
        rerun = metadata["rerun"]?.int ?? 0
        retries = metadata["retries"]?.int ?? 0
        reward = metadata["reward"]?.double
        passed = metadata["passed"]?.bool ?? false
        error = metadata.at("error", "type")?.string
        outcome = metadata["outcome"]?.string.flatMap(TrialOutcome.Class.init(rawValue:)) ?? (error == nil ? .completed : .failed)
        seconds = TrialPhase.allCases.reduce(0) { $0 + (metadata.at("timings", $1.rawValue, "seconds")?.double ?? 0) }
        cost = metadata["cost"]?.double
        self.ended = ended
    }

    /// The agent as a row of a table. The same name with another model is another row.
    var agentKey: AgentKey { AgentKey(agent: agent, model: model) }
    var taskKey: TaskKey { TaskKey(dataset: dataset, task: task) }
    /// Whether the run counts for the agent.
    var counts: Bool { outcome == .completed || outcome == .failed }
    /// The score for a comparison: the reward, or 0 for a failed run; nil when the run does not count for the agent.
    var score: Double? { counts ? (outcome == .failed ? 0 : reward) : nil }
}

struct AgentKey: Sendable, Hashable, Comparable {
    var agent: String
    var model: String?
    var text: String { model.map { "\(agent) (\($0))" } ?? agent }
    static func < (a: AgentKey, b: AgentKey) -> Bool { (a.agent, a.model ?? "") < (b.agent, b.model ?? "") }
}

struct TaskKey: Sendable, Hashable, Comparable {
    var dataset: String
    var task: String
    var text: String { dataset.isEmpty ? task : "\(dataset)/\(task)" }
    static func < (a: TaskKey, b: TaskKey) -> Bool { (a.dataset, a.task) < (b.dataset, b.task) }
}

// MARK: In the state of a site

extension RunFacts {
    var json: JSONValue {
        .array([
            .string(id.rawValue), .string(job.rawValue), .string(jobName), .string(namespace), .string(agent), model.map { .string($0) } ?? .null,
            .string(dataset), .string(task), JSONValue(attempt), JSONValue(rerun), JSONValue(retries), reward.map { .double($0) } ?? .null,
            .bool(passed), .string(outcome.rawValue), error.map { .string($0) } ?? .null, .double(seconds), cost.map { .double($0) } ?? .null,
            .int(ended.epochMilliseconds),
        ])
    }

    init?(json: JSONValue) {
        guard let a = json.array, a.count == 18, let id = a[0].string.flatMap({ RunID($0) }), let job = a[1].string.flatMap({ RunID($0) }),
            let jobName = a[2].string, let namespace = a[3].string, let agent = a[4].string, let dataset = a[6].string, let task = a[7].string,
            let attempt = a[8].int, let rerun = a[9].int, let retries = a[10].int, let passed = a[12].bool,
            let outcome = a[13].string.flatMap(TrialOutcome.Class.init(rawValue:)), let seconds = a[15].double, let ended = a[17].int
        else { return nil }
        self.id = id
        self.job = job
        self.jobName = jobName
        self.namespace = namespace
        self.agent = agent
        model = a[5].string
        self.dataset = dataset
        self.task = task
        self.attempt = attempt
        self.rerun = rerun
        self.retries = retries
        reward = a[11].double
        self.passed = passed
        self.outcome = outcome
        error = a[14].string
        self.seconds = seconds
        cost = a[16].double
        self.ended = Timestamp(epochMilliseconds: Int64(ended))
    }
}
