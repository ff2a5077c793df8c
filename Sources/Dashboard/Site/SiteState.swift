import Base
import EvalModel
import Git

/// What a site remembers of how it was made, so that the next time only what changed is read and written.
struct SiteState: Sendable {
    struct Entry: Sendable {
        /// Of the folder in the place of results.
        var version: String
        var facts: RunFacts?
        var job: JobSummary?
        /// Numbers of the raw files beside the page.
        var raw: [Int]
    }

    /// Of everything that all pages share; a page made with another one is made again.
    var template: String
    var entries: [RunID: Entry] = [:]
    /// What each job's pages were made of.
    var jobs: [RunID: String] = [:]

    /// Marks the folder as a site of ours.
    static let file = ".assay-dashboard.json"
    static let format = 1

    init(template: String) { self.template = template }

    /// nil when there is none that is understood.
    init?(parsing bytes: [UInt8]) {
        guard let value = try? JSONValue(parsing: bytes), value["format"]?.int == Self.format, let template = value["template"]?.string,
            let folders = value["folders"]?.object, let jobs = value["jobs"]?.object
        else { return nil }
        self.template = template
        for (key, item) in jobs {
            if let id = RunID(key), let digest = item.string { self.jobs[id] = digest }
        }
        for (key, item) in folders {
            guard let id = RunID(key), let version = item["version"]?.string else { return nil }
            entries[id] = Entry(
                version: version, facts: item["run"].flatMap { RunFacts(json: $0) }, job: item["job"].flatMap { JobSummary(id: id, metadata: $0) },
                raw: item["raw"]?.array?.compactMap(\.int) ?? [])
        }
    }

    var bytes: [UInt8] {
        var folders: [String: JSONValue] = [:]
        folders.reserveCapacity(entries.count)
        for (id, entry) in entries {
            var item: [String: JSONValue] = ["version": .string(entry.version)]
            item["run"] = entry.facts?.json
            item["job"] = entry.job?.json
            if !entry.raw.isEmpty { item["raw"] = .array(entry.raw.map { JSONValue($0) }) }
            folders[id.rawValue] = .object(item)
        }
        var jobs: [String: JSONValue] = [:]
        for (id, digest) in self.jobs { jobs[id.rawValue] = .string(digest) }
        return JSONValue.object(["format": JSONValue(Self.format), "template": .string(template), "folders": .object(folders), "jobs": .object(jobs)]).serialized() + [10]
    }
}
