import Base
import EvalModel
import Git

/// The state of a site between updates, so that an update reads and writes only what changed.
struct SiteState: Sendable {
    struct Entry: Sendable {
        /// The version of the run's folder in the results.
        var version: String
        var facts: RunFacts?
        var job: JobSummary?
        /// The numbers of the raw files beside the page.
        var raw: [Int]
    }

    /// A digest of the settings common to all pages. If it changes, all pages are written again.
    var template: String
    var entries: [RunID: Entry] = [:]
    /// The digest of the input of each job's pages.
    var jobs: [RunID: String] = [:]

    /// Marks the folder as a site.
    static let file = ".assay-dashboard.json"
    static let format = 1

    init(template: String) { self.template = template }

    /// Nil when the bytes are not a known state.
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
        return JSONValue.object(["format": JSONValue(Self.format), "template": .string(template), "folders": .object(folders), "jobs": .object(jobs)])
            .serialized() + [10]
    }
}
