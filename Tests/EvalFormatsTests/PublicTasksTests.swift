import Base
import EvalFormats
import EvalModel
import Foundation
import Testing

/// A `task.toml`, and what Harbor 0.26 makes of it (Fixtures/README.md).
struct HarborRow: Sendable, CustomTestStringConvertible {
    let toml: String
    /// nil: Harbor refuses the file.
    let harbor: JSONValue?

    var testDescription: String { String(toml.prefix(60)) }

    static func read(_ bytes: [UInt8]) throws -> [HarborRow] {
        try bytes.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let value = try JSONValue(parsing: Array(line))
            guard value["toml"] != nil else { return nil }
            return HarborRow(toml: value["toml"]?.string ?? "", harbor: value["harbor"].map(HarborValues.normalized))
        }
    }

    /// How our reader differs; nil when it does not.
    var difference: String? {
        let ours = Result { () throws(TrialError) in try TaskConfig.parse(Array(toml.utf8), name: "x").task }
        switch (ours, harbor) {
        case (.failure, nil): return nil
        case (.failure(let error), .some): return "refused: \(error.message)"
        case (.success, nil): return "accepted"
        case (.success(let task), .some(let harbor)):
            let values = HarborValues.of(task)
            return values == harbor ? nil : "ours \(values.text), Harbor's \(harbor.text)"
        }
    }
}

@Suite("task.toml as Harbor reads it")
struct PublicTasksTests {
    private static let publicTasks = (try? HarborRow.read(Fixture.bytes("public-tasks.jsonl"))) ?? []
    private static let cases = (try? HarborRow.read(Fixture.bytes("harbor-cases.jsonl"))) ?? []

    @Test("the fixtures are there")
    func complete() {
        #expect(Self.publicTasks.count == 280)
        #expect(Self.cases.count > 600)
        #expect(Self.cases.count { $0.harbor == nil } > 200)
    }

    @Test("public task files have the same values, and are refused where Harbor refuses them")
    func publicFiles() {
        for row in Self.publicTasks { if let difference = row.difference { Issue.record("\(difference)\n\(row.toml)") } }
    }

    /// A larger set, in the same form.
    @Test(
        "public task files elsewhere", .enabled(if: ProcessInfo.processInfo.environment["ASSAY_PUBLIC_TASKS"] != nil))
    func publicFilesElsewhere() throws {
        let path = try #require(ProcessInfo.processInfo.environment["ASSAY_PUBLIC_TASKS"])
        let rows = try HarborRow.read([UInt8](Data(contentsOf: URL(fileURLWithPath: path))))
        #expect(!rows.isEmpty)
        for row in rows { if let difference = row.difference { Issue.record("\(difference)\n\(row.toml)") } }
    }

    /// The differences on purpose, which docs/formats.md lists with their reasons: texts that are refused though Harbor accepts them.
    private static let stricter: Set<String> = [
        "[agent]\ntimeout_sec = true", "[agent]\ntimeout_sec = 0", "[agent]\ntimeout_sec = -1", "[environment]\ncpus = true",
        "[environment]\ncpus = 0", "[environment]\ncpus = -1", "[environment]\nstorage_mb = true", "[environment]\nstorage_mb = 0",
        "[environment]\nstorage_mb = -1", "[[steps]]\nname = 's'\nverifier.timeout_sec = true", "[[steps]]\nname = 's'\nverifier.timeout_sec = 0",
        "[[steps]]\nname = 's'\nverifier.timeout_sec = -1", "[agent]\ntimeout_sec = inf", "[agent]\ntimeout_sec = nan",
        "[agent]\ntimeout_sec = 'inf'", "[environment.healthcheck]\ncommand = 'c'\ninterval_sec = inf",
        "[environment.healthcheck]\ncommand = 'c'\ninterval_sec = nan", "[environment.healthcheck]\ncommand = 'c'\ninterval_sec = 'inf'",
        "[[steps]]\nname = 's'\nmin_reward = inf", "[[steps]]\nname = 's'\nmin_reward = nan", "[[steps]]\nname = 's'\nmin_reward = 'inf'",
        "[environment]\ngpus = -1", "[environment.healthcheck]\ncommand = 'c'\nretries = -1",
        "[environment.healthcheck]\ncommand = 'c'\ninterval_sec = -1", "[agent]\nuser = true", "[[steps]]\nname = 's'\nmin_reward = true",
        "[environment]\ncpus = 1025", "[environment]\nmemory_mb = 16777217", "[environment]\nstorage = '16385G'", "schema_version = '2.0'",
        "schema_version = '0.9'", "version = ''", "[environment]\nmemory = 2", "[environment]\nstorage = 2.5", "[environment]\nmemory = ['1G']",
        "[environment]\nstorage = ['1G']", "[environment]\nmemory = '0G'", "[environment]\nworkdir = 'app'", "[environment]\nworkdir = './app'",
    ]
    /// Accepted though Harbor refuses them.
    private static let laxer: Set<String> = [
        "[environment]\nmemory = '1G'\nmemory_mb = 512", "[environment]\nstorage = '1G'\nstorage_mb = '1024'",
    ]
    /// Read with another value.
    private static let otherwise: Set<String> = ["[environment]\nmemory = '1K'", "[environment]\nstorage = '0.5M'"]

    @Test("every rule of Harbor's parser holds, but for the differences on purpose")
    func rules() {
        for row in Self.cases {
            let expected =
                Self.stricter.contains(row.toml)
                ? "refused: " : Self.laxer.contains(row.toml) ? "accepted" : Self.otherwise.contains(row.toml) ? "ours " : nil
            switch (row.difference, expected) {
            case (nil, nil): break
            case (.some(let found), .some(let expected)) where found.hasPrefix(expected): break
            case (let found, _): Issue.record("\(found ?? "no difference any more")\n\(row.toml)")
            }
        }
    }

    /// Registries that Assay reads otherwise than Harbor, by what is particular about them.
    private static let otherRegistries = [
        #"{}"#, #""version": "1.0", "tasks""#, #""description": "x"}"#, #"[{"path": "a/t"}]"#, #"{"type": "median"}"#,
        #""path": "a", "git_commit_id": "abc"}"#, #"{"name": "t", "path": "b"}"#, #""path": "/a""#, #""path": "../a""#, #"{"name": "", "version""#,
        #""version": "", "#, #"{"name": "", "path""#,
    ]

    @Test("registries")
    func registries() throws {
        let lines = try Fixture.bytes("harbor-cases.jsonl").split(separator: UInt8(ascii: "\n")).map { try JSONValue(parsing: Array($0)) }
        let rows = lines.filter { $0["registry"] != nil }
        #expect(rows.count > 30)
        for row in rows {
            let text = try #require(row["registry"]?.string)
            let file = try? RegistryFile.parse(Array(text.utf8))
            let ours = file.flatMap { $0.broken.isEmpty ? $0.entries : nil }
            let harbor = row["harbor"]?.array?.map(Self.entry)
            let isOther = Self.otherRegistries.contains { $0 == "{}" ? text == "{}" : text.contains($0) }
            #expect((ours == harbor) != isOther, "\(text): \(String(describing: ours))")
        }
    }

    private static func entry(_ harbor: JSONValue) -> RegistryEntry {
        RegistryEntry(
            name: harbor["name"]?.string ?? "", version: harbor["version"]?.string ?? "", description: harbor["description"]?.string,
            tasks: (harbor["tasks"]?.array ?? []).map { task in
                let commit = task["git_commit_id"]?.string
                return TaskReference(
                    name: task["name"]?.string ?? "", path: task["path"]?.string ?? "", repo: task["git_url"]?.string,
                    ref: commit == "head" ? nil : commit)
            }, metrics: (harbor["metrics"]?.array ?? []).compactMap { $0["type"]?.string.flatMap(MetricType.init) })
    }
}
