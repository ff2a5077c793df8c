import Artifacts
import Base
import EvalModel
import Foundation
import Git
import Subprocess

// Medians and ratios of one run: a single absolute time says more about the machine than about the code.

func seconds(_ body: () async throws -> Void) async rethrows -> Double {
    let start = SystemTime().monotonic()
    try await body()
    return SystemTime().monotonic() - start
}

func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
}

/// Each in turn, so that a machine whose speed drifts slows both alike.
func compare(_ runs: Int, _ a: () async throws -> Void, _ b: () async throws -> Void) async rethrows -> (a: Double, b: Double, ratio: Double) {
    var (first, second, ratios) = ([Double](), [Double](), [Double]())
    for _ in 0..<runs {
        first.append(try await seconds(a))
        second.append(try await seconds(b))
        ratios.append(first[first.count - 1] / second[second.count - 1])
    }
    return (median(first), median(second), median(ratios))
}

func row(_ name: String, _ figure: String) { print(name.padding(toLength: 62, withPad: " ", startingAt: 0) + figure) }
func shown(_ value: Double) -> String { String(format: "%.3f", value) }

// MARK: A list of 10,000 pods

let pod = #"{"metadata":{"name":"job-1a2b3c4d-%d","namespace":"default","uid":"df021ed4-bb04-44bf-9340-%012d","resourceVersion":"%d","labels":{"assay.dev/job":"job","assay.dev/index":"%d"}},"spec":{"containers":[{"name":"trial","image":"localhost/t:1","command":["bash","-p","/assay/scripts/run.sh"],"resources":{"limits":{"cpu":"1","memory":"2Gi"}}},{"name":"collector","image":"localhost/c:1"}],"nodeName":"node1","restartPolicy":"Never"},"status":{"phase":"Succeeded","containerStatuses":[{"name":"trial","ready":false,"restartCount":0,"state":{"terminated":{"exitCode":0,"reason":"Completed"}}},{"name":"collector","ready":false,"restartCount":0,"state":{"terminated":{"exitCode":0,"reason":"Completed","message":"{\"version\":1,\"reward\":1}"}}}]}}"#
let list = Array(
    (#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":["#
        + (0..<10_000).map { String(format: pod, $0, $0, $0, $0) }.joined(separator: ",") + "]}").utf8)
let data = Data(list)
let trees = try await compare(5, { _ = try JSONValue(parsing: list) }, { _ = try JSONSerialization.jsonObject(with: data) })
row("10,000 pods (\(list.count >> 20) MiB) to trees, against JSONSerialization", "ratio \(shown(trees.ratio))  (\(shown(trees.a)) s, \(shown(trees.b)) s)")
let projected = try await compare(
    5,
    {
        var names = 0
        var reader = JSONReader(list)
        try reader.object { key, reader throws(JSONSyntaxError) in
            guard key == "items" else { return try reader.skip() }
            try reader.array { item throws(JSONSyntaxError) in
                try item.object { key, value throws(JSONSyntaxError) in
                    if key == "metadata" { _ = try value.value(); names += 1 } else { try value.skip() }
                }
            }
        }
        precondition(names == 10_000)
    }, { _ = try JSONValue(parsing: list) })
row("the same, metadata only, against trees", "ratio \(shown(projected.ratio))  (\(shown(projected.a)) s, \(shown(projected.b)) s)")

// MARK: Secrets in 32 MiB of what agents print

let keys = [
    "sk-proj-" + String(repeating: "Ab3dE5gH7j", count: 15), "ghp_0123456789abcdefABCDEF0123456789abcd", "AKIAIOSFODNN7EXAMPLE",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
]
let redactor = Redactor(secrets: keys)
for (what, line) in [
    ("log lines", "2026-01-01T00:00:00Z INFO compiling target foo/bar.swift in 12.3 s, nothing to see here, go on\n"),
    ("JSON lines", #"{"type":"assistant","message":{"content":[{"type":"text","text":"line one\nline \"two\"\n\tindented\n"}]}}"# + "\n"),
] {
    let text = Array(String(repeating: line, count: (32 << 20) / line.utf8.count).utf8)
    let file = FileManager.default.temporaryDirectory.path + "/assay-bench-\(UUID().uuidString.prefix(8)).txt"
    try Data(text).write(to: URL(fileURLWithPath: file))
    defer { try? FileManager.default.removeItem(atPath: file) }
    let sed = keys.flatMap { ["-e", "s#\($0)#[redacted]#g"] } + [file]
    let redaction = try await compare(
        3,
        {
            var stream = Redactor.Stream(redactor)
            var at = 0
            while at < text.count {
                let next = min(text.count, at + 1 << 18)
                _ = stream.append(text[at..<next])
                at = next
            }
            _ = stream.finish()
        },
        {
            let result = try await Command("sed", sed, environment: .inheriting(adding: ["LC_ALL": "C"]), outputLimit: 64 << 20).run()
            precondition(result.succeeded, result.stderrText)
        })
    row("32 MiB of \(what), 4 secrets in all their forms, against sed for bare values", "ratio \(shown(redaction.ratio))  (\(shown(redaction.a)) s, \(shown(redaction.b)) s)")
}

// MARK: 1,000 runs into a bare repository

let scratch = FileManager.default.temporaryDirectory.path + "/assay-bench-\(UUID().uuidString.prefix(8))"
try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true)
defer { try? FileManager.default.removeItem(atPath: scratch) }
let runs = 1000
let body = String(repeating: "A line of a transcript, as agents write them.\n", count: 230)  // about 10 KiB a run

func run(_ n: Int, job: String) throws -> PendingRun {
    let id = RunID(jobUID: job, agent: "a", dataset: "d", task: "t\(n)", attempt: 1, rerun: 0)
    return PendingRun(
        id: id, slot: .final,
        files: [
            try GitPath(parsing: "metadata.json"): Array("{\"runId\":\"\(id)\",\"n\":\(n)}\n".utf8),
            try GitPath(parsing: "transcript.jsonl"): Array("\(n)\n\(body)".utf8),
        ], pack: nil, message: "Run: \(id)\n\nAssay-Task: t\(n)\n", date: Timestamp(seconds: 1_700_000_000 + Int64(n)))
}

func bare(_ name: String) async throws -> String {
    let path = "\(scratch)/\(name).git"
    _ = try await Command("git", ["init", "--quiet", "--bare", path]).run()
    return path
}

var round = 0
let ledger = try await compare(
    3,
    {
        round += 1
        let path = try await bare("ledger-\(round)")
        let ledger = try GitLedger(
            settings: .init(
                remote: .init(try GitURL(parsing: "file://\(path)", allowing: .local)), branch: try GitBranch(parsing: "assay/runs/v1"),
                committer: try .init(name: "assay", email: "assay@localhost"), directory: "\(scratch)/private-\(round)", pushInterval: 3600))
        for n in 0..<runs { try await ledger.submit(try run(n, job: "job-\(round)")) }
        try await ledger.flush()
    },
    {
        // What a user would write: one fast-import of the same content, one push.
        let remote = try await bare("raw-\(round)")
        let work = try await bare("work-\(round)")
        var stream: [UInt8] = []
        for n in 0..<runs {
            let pending = try run(n, job: "raw-\(round)")
            stream += Array("commit refs/heads/main\ncommitter assay <assay@localhost> \(pending.date.seconds) +0000\ndata \(pending.message.utf8.count)\n\(pending.message)".utf8)
            for (path, content) in pending.files {
                stream += Array("M 100644 inline \(pending.id.path)/\(path.text)\ndata \(content.count)\n".utf8) + content + [0x0A]
            }
        }
        _ = try await Command("git", ["-C", work, "fast-import", "--quiet"], standardInput: .bytes(stream)).run()
        let push = try await Command("git", ["-C", work, "push", "--quiet", remote, "main"]).run()
        precondition(push.succeeded, push.stderrText)
    })
row("1,000 durable runs through the ledger, against raw fast-import + push", "ratio \(shown(ledger.ratio))  (\(shown(ledger.a)) s, \(shown(ledger.b)) s)")
