import Base
import EvalModel
import Git
import Testing

@testable import Artifacts

/// The filters of a listing and its output formats.
@Suite struct ListingTests {
    static let id = "0123456789abcdef"

    static func entry(_ kind: RunEntry.Kind = .run, _ change: (inout RunEntry) -> Void = { _ in }) throws -> RunEntry {
        var entry = RunEntry(kind: kind, id: try #require(RunID(id)), date: Workbench.epoch)
        change(&entry)
        return entry
    }

    @Test(
        "a status is a class of outcomes, a type of error, or passed",
        arguments: [
            ("passed", ["pass"]), ("completed", ["pass", "half", "unverified", "cut"]), ("failed", ["late"]), ("infrastructure", ["lost"]),
            ("skipped", ["stopped"]),
            ("agent_execution_timeout", ["late"]), ("environment_node_lost", ["lost"]), ("cancelled", ["stopped", "job"]),
            ("artifact_truncated", ["cut"]),
        ])
    func statuses(status: String, expected: [String]) throws {
        let entries: [(String, RunEntry)] = [
            ("pass", try Self.entry { ($0.outcome, $0.reward) = ("completed", 1) }),
            ("half", try Self.entry { ($0.outcome, $0.reward) = ("completed", 0.5) }),
            ("unverified", try Self.entry { $0.outcome = "completed" }),
            ("cut", try Self.entry { ($0.outcome, $0.reward, $0.error) = ("completed", 0, "artifact_truncated") }),
            ("late", try Self.entry { ($0.outcome, $0.error) = ("failed", "agent_execution_timeout") }),
            ("lost", try Self.entry { ($0.outcome, $0.error) = ("infrastructure", "environment_node_lost") }),
            ("stopped", try Self.entry { ($0.outcome, $0.error) = ("skipped", "cancelled") }), ("job", try Self.entry(.job) { $0.cancelled = true }),
        ]
        var filter = RunFilter()
        filter.kinds = [.run, .job]
        filter.statuses = [try #require(RunStatus(status))]
        #expect(entries.filter { filter.accepts($0.1) }.map(\.0) == expected)
    }

    @Test("an unknown word is not a status")
    func noStatus() {
        for word in ["", "fail", "Passed", "agent"] { #expect(RunStatus(word) == nil) }
        #expect(RunStatus.all.count == 5 + TrialErrorType.allCases.count)
    }

    @Test("jobs are filtered by name, UID and id, and since by time; the same for a branch and a directory", arguments: [false, true])
    func filters(directory: Bool) async throws {
        let bench = try Workbench()
        var other = bench.record(7, job: "other")
        other.jobName = "job"
        let runs = try bench.runs(0..<4) + [try PendingRun(run: other), try PendingRun(job: bench.job())]
        let store: any RecordStore
        if directory {
            let ledger = LocalLedger(directory: "\(bench.path)/results", scratch: "\(bench.path)/scratch")
            for run in runs { try await ledger.submit(run) }
            store = try await bench.query().open(.directory("results"))
        } else {
            let remote = try await bench.emptyRemote()
            try await bench.publish(runs, to: remote)
            store = try await bench.store(remote)
        }
        func list(_ change: (inout RunFilter) -> Void) async throws -> Int {
            var filter = RunFilter()
            change(&filter)
            return try await store.list(filter).count
        }
        #expect(try await list { $0.job = "job" } == 5)
        #expect(try await list { $0.job = "uid-job" } == 4)
        #expect(try await list { $0.job = RunID(jobUID: "uid-other").rawValue } == 1)
        #expect(
            try await list {
                $0.job = "uid-job"; $0.kinds = [.run, .job]
            } == 5)
        #expect(try await list { $0.jobs = ["uid-job", "uid-other"] } == 5)
        #expect(try await list { $0.job = "nothing" } == 0)
        #expect(try await list { $0.since = Workbench.epoch.adding(seconds: 4) } == 3)
        #expect(
            try await list {
                $0.since = Workbench.epoch.adding(seconds: 4); $0.task = "task-3"
            } == 1)
        #expect(try await list { $0.statuses = [RunStatus("passed")].compactMap { $0 }.reduce(into: []) { $0.insert($1) } } == 5)
        #expect(try await store.list(RunFilter()).allSatisfy { $0.jobID == RunID(jobUID: "uid-job") || $0.jobID == RunID(jobUID: "uid-other") })
    }

    @Test("times: dates, times of day, and durations before now")
    func moments() throws {
        let now = Timestamp(seconds: 1_800_000_000)
        func seconds(_ text: String) -> Int64? { MomentText.moment(text, now: now)?.seconds }
        #expect(seconds("7d") == now.seconds - 7 * 86_400)
        #expect(seconds("12h") == now.seconds - 43_200)
        #expect(seconds("1w2d3h4m5s") == now.seconds - (604_800 + 172_800 + 10_800 + 240 + 5))
        #expect(seconds("0s") == now.seconds)
        #expect(seconds("2026-01-02") == Timestamp(rfc3339: "2026-01-02T00:00:00Z")?.seconds)
        #expect(seconds("2026-01-02T03:04:05+01:00") == Timestamp(rfc3339: "2026-01-02T02:04:05Z")?.seconds)
        for text in ["", "7", "d", "7 d", "-7d", "7x", "7D", "1.5h", "2026-13-01", "yesterday", "99999999999999999999w", "٣d"] {
            #expect(MomentText.moment(text, now: now) == nil, "\(text)")
        }
    }

    @Test("an entry as JSON is one line that can be parsed, with exactly the fields that it has")
    func json() throws {
        var entry = try Self.entry { $0.task = "a \"quoted\" \\ \n \u{1} \u{7f} \u{9b} ü 𝛑" }
        #expect(entry.json["task"]?.string == entry.task)
        (entry.job, entry.jobID, entry.agent, entry.model, entry.dataset, entry.attempt) = ("j", entry.id, "a", "m", "d", 2)
        (entry.reward, entry.outcome, entry.error, entry.seconds, entry.sourceCommit) = (0.25, "failed", "e", 3, "c")
        entry.commit = GitObjectID(String(repeating: "a", count: 40))
        entry.path = "x/y"
        let object = try #require(entry.json.object)
        #expect(
            Set(object.keys) == [
                "agent", "attempt", "commit", "dataset", "error", "jobId", "jobName", "kind", "model", "outcome", "path", "reward", "runId",
                "seconds", "sourceCommit", "task", "timestamp",
            ])
        #expect(object["reward"] == 0.25 && object["seconds"] == 3 && object["attempt"] == 2)
        var bytes: [UInt8] = []
        entry.appendJSON(to: &bytes)
        #expect(bytes.allSatisfy { $0 >= 0x20 && $0 != 0x7F } && !String(decoding: bytes, as: UTF8.self).unicodeScalars.contains("\u{9b}"))
        #expect(try JSONValue(parsing: bytes).text.utf8.count > 0)
        entry.reward = .nan
        #expect(entry.json["reward"] == nil)
    }

    @Test(
        "catalogue 55: CSV fields are quoted as in RFC 4180; formulas and control characters are neutralized",
        arguments: [
            ("plain", "plain"), ("", ""), ("a,b", "\"a,b\""), ("say \"x\"", "\"say \"\"x\"\"\""), ("two\nlines", "two\\nlines"),
            ("a\r\nb", "a\\x0d\\nb"),
            ("=1+1", "'=1+1"), ("=HYPERLINK(\"x\",\"y\")", "\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\""), ("+1", "'+1"), ("@SUM(A1)", "'@SUM(A1)"),
            ("-x", "'-x"), ("-1.5", "-1.5"),
            ("\tx", "' x"), ("\u{1b}[31mred", "\\x1b[31mred"), ("\u{9b}31m", "\\x9b31m"), ("nul\0", "nul\\x00"), ("ü 𝛑", "ü 𝛑"), ("a=b", "a=b"),
        ])
    func csv(value: String, expected: String) {
        #expect(CSVText.field(value) == expected)
        #expect(String(decoding: CSVText.row([value, nil, "x"]), as: UTF8.self) == expected + ",,x\r\n")
    }

    @Test("each line of a listing as CSV has a value for every column")
    func csvRow() throws {
        var entry = try Self.entry { ($0.job, $0.agent, $0.task, $0.reward, $0.retry) = ("=j", "a", "t,u", 1, 3) }
        entry.jobID = entry.id
        var bytes: [UInt8] = []
        entry.appendCSV(to: &bytes)
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text == "\(Self.id),run,3,\(Workbench.epoch.rfc3339),'=j,\(Self.id),a,,,\"t,u\",,1.0,,,,,,,,,\r\n")
        #expect(text.filter { $0 == "," }.count - 1 == RunEntry.csvColumns.count - 1)
    }

    @Test("catalogue 55: impossible figures are left out", arguments: ["nan", "inf", "-inf", "1e300", "0x1p9000"])
    func hostileFigures(text: String) throws {
        let commit = try #require(GitObjectID(String(repeating: "a", count: 40)))
        let message = Array("Run: \(Self.id)\n\nAssay-Reward: \(text)\nAssay-Seconds: \(text)\nAssay-Cost-USD: \(text)\n".utf8)
        let entry = try #require(RunEntry(LoggedCommit(id: commit, date: Workbench.epoch, message: message)))
        #expect(entry.reward == nil && entry.seconds == nil)
        var json: [UInt8] = []
        entry.appendJSON(to: &json)
        #expect(throws: Never.self) { try JSONValue(parsing: json) }
    }

    @Test("catalogue 55: escapes and invalid UTF-8 in a commit's trailers are neutralized in listings")
    func hostileCommit() throws {
        let message =
            Array("Run: \(Self.id)\n\nAssay-Task: \u{1b}]0;x\u{7}\nAssay-Agent: ".utf8) + [0xFF, 0xC2, 0x9B, 0x41]
            + Array("\nAssay-Job: =cmd()\n".utf8)
        let commit = try #require(GitObjectID(String(repeating: "a", count: 40)))
        let entry = try #require(RunEntry(LoggedCommit(id: commit, date: Workbench.epoch, message: message)))
        var (json, csv) = ([UInt8](), [UInt8]())
        entry.appendJSON(to: &json)
        entry.appendCSV(to: &csv)
        for bytes in [json, csv.dropLast(2)] {
            let text = try #require(String(validating: bytes, as: UTF8.self))
            #expect(!text.unicodeScalars.contains { $0.value < 0x20 || (0x7F..<0xA0).contains($0.value) })
        }
        #expect(try JSONValue(parsing: json)["task"]?.string == "\u{1b}]0;x\u{7}")
        #expect(String(decoding: csv, as: UTF8.self).contains(",'=cmd(),"))
    }
}
