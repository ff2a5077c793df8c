import Base
import EvalModel

/// A reference to a job: `NAME`, `NAME~1` (the second newest job with that name; Kubernetes names never contain `~`), a UID, or
/// the id of a job's record.
public struct JobReference: Sendable, Hashable, CustomStringConvertible {
    /// A name, a UID or an id.
    public let text: String
    /// How many of the newest jobs with that name are skipped.
    public let back: Int

    /// - Throws: `.invalid`.
    public init(parsing text: String) throws(ArtifactError) {
        let parts = text.split(separator: "~", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let name = parts.first, !name.isEmpty else { throw Self.refusal(text) }
        self.text = name
        guard parts.count > 1 else {
            back = 0
            return
        }
        guard let number = Int(parts[1]), (0...1_000_000).contains(number) else { throw Self.refusal(text) }
        back = number
    }

    private static func refusal(_ text: String) -> ArtifactError {
        ArtifactError(
            .invalid,
            "\"\(text.replacingControls)\" names no job: write its name, its name and ~1 for the one of that name before the newest, its UID, or its record's id"
        )
    }

    public var description: String { back == 0 ? text : "\(text)~\(back)" }
}

/// The runs of one job, as a listing reports them.
public struct JobRuns: Sendable, Hashable {
    /// nil for commits written by versions that did not record it.
    public var id: RunID?
    public var name: String
    /// When the job, or its last run, ended.
    public var ended: Timestamp
    /// The last run of each trial. When a trial was run again, the new run replaces the old one.
    public var runs: [RunEntry]
    /// Other jobs with the same name, newest first.
    public var others: [Other] = []

    public struct Other: Sendable, Hashable {
        public var id: RunID?
        public var ended: Timestamp
    }

    public init(id: RunID?, name: String, ended: Timestamp, runs: [RunEntry]) {
        self.id = id
        self.name = name
        self.ended = ended
        self.runs = runs
    }

    /// The job's id, or its name if it has no id.
    public var label: String { id?.rawValue ?? name }
}

/// Groups the entries of a listing into jobs.
public struct JobCollection: Sendable {
    private struct Key: Hashable {
        var id: RunID?
        var name: String
    }

    private struct Trial: Hashable { var agent, dataset, task: String?, attempt: Int? }

    private struct Gathered {
        var ended: Timestamp
        var runs: [Trial: RunEntry] = [:]
    }

    private var jobs: [Key: Gathered] = [:]

    public init() {}

    /// Adds runs and job records. Retries are ignored, because the run that they belong to has an entry of its own.
    public mutating func add(_ entry: RunEntry) {
        guard entry.kind != .retry else { return }
        let key = Key(id: entry.jobID, name: entry.job ?? "")
        var job = jobs[key] ?? Gathered(ended: entry.date)
        jobs[key] = nil
        job.ended = max(job.ended, entry.date)
        if entry.kind == .run {
            let trial = Trial(agent: entry.agent, dataset: entry.dataset, task: entry.task, attempt: entry.attempt)
            // Entries arrive newest first. When two have the same end time, the first one to arrive is the newer one.
            if job.runs[trial].map({ $0.date < entry.date }) ?? true { job.runs[trial] = entry }
        }
        jobs[key] = job
    }

    /// The job that a reference means; nil if there is no such job, or there are fewer jobs with that name than the reference skips.
    public func job(_ reference: JobReference) -> JobRuns? {
        let ids = JobName.ids(reference.text)
        let byID = jobs.filter { $0.key.id.map(ids.contains) ?? false }
        let candidates = (byID.isEmpty ? jobs.filter { $0.key.name == reference.text } : byID)
            .sorted { ($1.value.ended, $1.key.id?.rawValue ?? "") < ($0.value.ended, $0.key.id?.rawValue ?? "") }
        guard reference.back < candidates.count else { return nil }
        let (key, found) = candidates[reference.back]
        var job = JobRuns(
            id: key.id, name: key.name, ended: found.ended, runs: found.runs.values.sorted { ($1.date, $1.id) < ($0.date, $0.id) })
        job.others = candidates.enumerated().filter { $0.offset != reference.back }.map {
            .init(id: $0.element.key.id, ended: $0.element.value.ended)
        }
        return job
    }

    /// The number of jobs with the name.
    public func count(named name: String) -> Int { jobs.keys.count { $0.name == name } }
    public var names: [String] { Set(jobs.keys.map(\.name)).sorted() }
}

extension RunReader {
    /// The jobs that the references mean, in the same order.
    /// - Throws: `.notFound`, with the jobs that exist.
    public func jobs(_ references: [JobReference]) async throws(ArtifactError) -> [JobRuns] {
        let collected = Locked(JobCollection())
        var filter = RunFilter()
        filter.kinds = [.run, .job]
        filter.jobs = Set(references.map(\.text))
        try await forEach(filter) { entry in
            collected.withLock { $0.add(entry) }
            return true
        }
        let jobs = collected.withLock { $0 }
        var found: [JobRuns] = []
        for reference in references {
            guard let job = jobs.job(reference) else { throw try await missing(reference, jobs.count(named: reference.text)) }
            found.append(job)
        }
        return found
    }

    private func missing(_ reference: JobReference, _ count: Int) async throws(ArtifactError) -> ArtifactError {
        if count > 0 {
            return ArtifactError(
                .notFound, "\(place) has \(count == 1 ? "one job" : "\(count) jobs") named \(reference.text), so there is no \(reference)")
        }
        let names = Locked(Set<String>())
        var filter = RunFilter()
        filter.kinds = [.run, .job]
        try await forEach(filter) { entry in
            names.withLock { names in
                if let job = entry.job { names.insert(job) }
                return names.count < 9
            }
        }
        let sorted = names.withLock { $0 }.sorted()
        let known = sorted.isEmpty ? "it has none" : "it has: " + sorted.prefix(8).joined(separator: ", ") + (sorted.count > 8 ? " and more" : "")
        return ArtifactError(.notFound, "\(place) has no job \(reference); \(known)")
    }
}
