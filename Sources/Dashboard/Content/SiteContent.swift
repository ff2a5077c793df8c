import Base
import EvalModel

/// A job: its runs, and its own record after it has ended.
struct JobFacts: Sendable {
    var id: RunID
    var name: String
    var namespace: String
    /// Newest first.
    var runs: [RunFacts]
    var record: JobSummary?
    let tally: Tally

    init(id: RunID, name: String, namespace: String, runs: [RunFacts], record: JobSummary?) {
        self.id = id
        self.name = name
        self.namespace = namespace
        self.runs = runs
        self.record = record
        tally = Tally(runs)
    }

    var fullName: String { namespace.isEmpty || namespace == "default" ? name : "\(namespace)/\(name)" }
    /// The time of its last known event.
    var latest: Timestamp { max(record?.ended ?? Timestamp(seconds: 0), runs.first?.ended ?? Timestamp(seconds: 0)) }
}

/// The part of a job's record that pages show.
struct JobSummary: Sendable, Hashable {
    var id: RunID
    var name: String
    var namespace: String
    var totalTrials: Int
    var cancelled: Bool
    var reason: String?
    var sourceRepo: String
    var sourceCommit: String
    var started: Timestamp?
    var ended: Timestamp

    init?(id: RunID, metadata: JSONValue) {
        guard metadata["kind"]?.string == "job", let name = metadata["jobName"]?.string,
            let ended = metadata["timestamp"]?.string.flatMap(Timestamp.init(rfc3339:))
        else { return nil }
        self.id = id
        self.name = name
        namespace = metadata["namespace"]?.string ?? ""
        totalTrials = metadata["totalTrials"]?.int ?? 0
        cancelled = metadata["cancelled"]?.bool ?? false
        reason = metadata["reason"]?.string
        sourceRepo = metadata["sourceRepo"]?.string ?? ""
        sourceCommit = metadata["sourceCommit"]?.string ?? ""
        started = metadata["startedAt"]?.string.flatMap(Timestamp.init(rfc3339:))
        self.ended = ended
    }

    var json: JSONValue {
        var object: [String: JSONValue] = [
            "kind": "job", "jobName": .string(name), "namespace": .string(namespace), "totalTrials": JSONValue(totalTrials),
            "cancelled": .bool(cancelled),
            "sourceRepo": .string(sourceRepo), "sourceCommit": .string(sourceCommit), "timestamp": .string(ended.rfc3339Millis),
        ]
        object["reason"] = reason.map { .string($0) }
        object["startedAt"] = started.map { .string($0.rfc3339Millis) }
        return .object(object)
    }
}

/// The content of a site's lists.
struct SiteContent: Sendable {
    /// Newest first.
    let runs: [RunFacts]
    /// Newest first.
    let jobs: [JobFacts]
    let tally: Tally

    init(runs: [RunFacts], jobs records: [JobSummary]) {
        let sorted = runs.sorted { ($1.ended, $1.id) < ($0.ended, $0.id) }
        self.runs = sorted
        var groups: [RunID: [RunFacts]] = [:]
        for run in sorted { groups[run.job, default: []].append(run) }
        let known = Dictionary(records.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        let ids = Set(groups.keys).union(known.keys)
        jobs = ids.map { id in
            let runs = groups[id] ?? []
            return JobFacts(
                id: id, name: known[id]?.name ?? runs.first?.jobName ?? "", namespace: known[id]?.namespace ?? runs.first?.namespace ?? "",
                runs: runs,
                record: known[id])
        }.sorted { ($1.latest, $1.id) < ($0.latest, $0.id) }
        tally = Tally(sorted)
    }

    /// The jobs, newest first, each with the previous job of the same name, for comparison.
    var jobsWithPredecessors: [(job: JobFacts, predecessor: JobFacts?)] {
        var newest: [[String]: JobFacts] = [:]
        return jobs.reversed().map { job in
            defer { newest[[job.namespace, job.name]] = job }
            return (job, newest[[job.namespace, job.name]])
        }.reversed()
    }
}

extension Sequence where Element == RunFacts {
    /// Tallies by key, sorted by key.
    func tallies<Key: Hashable & Comparable>(by key: (RunFacts) -> Key) -> [(key: Key, tally: Tally)] {
        var found: [Key: Tally] = [:]
        for run in self { found[key(run), default: Tally()].add(run) }
        return found.map { ($0.key, $0.value) }.sorted { $0.key < $1.key }
    }
}
