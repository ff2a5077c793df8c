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
    return sorted.isEmpty ? 0 : (sorted[sorted.count / 2] + sorted[(sorted.count - 1) / 2]) / 2
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

/// At once: what was measured is not lost with what comes after it.
func row(_ name: String, _ figure: String) {
    FileHandle.standardOutput.write(Data((name.padding(toLength: max(name.count, 62), withPad: " ", startingAt: 0) + "  " + figure + "\n").utf8))
}
func shown(_ value: Double) -> String { String(format: "%.3f", value) }

switch CommandLine.arguments.dropFirst().first {
case BenchmarkCluster.word:
    try await BenchmarkCluster.run(directory: CommandLine.arguments[2], bytes: Int(CommandLine.arguments[3]) ?? 700)
    exit(0)
case PlainLoop.word:
    try await PlainLoop.run(Array(CommandLine.arguments.dropFirst(2)))
    exit(0)
case ExistingCluster.word:
    try await ExistingCluster.run(Array(CommandLine.arguments.dropFirst(2)))
    exit(0)
case DeliveryBenchmark.word:
    // benchmarks delivery PATH-OF-ASSAY DIRECTORY [MEGABYTES FILES]
    let words = Array(CommandLine.arguments.dropFirst(2))
    var benchmark = DeliveryBenchmark(assay: words[0], scratch: words[1])
    let numbers = words.dropFirst(2).compactMap { Int($0) }
    if numbers.count == 2 { (benchmark.megabytes, benchmark.files) = (numbers[0], numbers[1]) }
    try await benchmark.run()
    exit(0)
case TrialBenchmark.word:
    // benchmarks trials [--kubeconfig FILE] PATH-OF-ASSAY DIRECTORY [TRIALS PARALLELISM [BYTES-PRINTED-BY-EACH]]
    var words = Array(CommandLine.arguments.dropFirst(2))
    var kubeconfig: String?
    if words.first == "--kubeconfig", words.count > 1 {
        kubeconfig = words[1]
        words.removeFirst(2)
    }
    let numbers = words.dropFirst(2).compactMap { Int($0) }
    let benchmark = TrialBenchmark(
        assay: words[0], scratch: words[1], root: FileManager.default.currentDirectoryPath, bytes: numbers.count > 2 ? numbers[2] : 700,
        kubeconfig: kubeconfig)
    let sizes = kubeconfig == nil ? [(100, 1), (500, 50), (1000, 1000)] : [(500, 50), (1000, 200), (1000, 1000)]
    for (trials, parallelism) in numbers.count > 1 ? [(numbers[0], numbers[1])] : sizes {
        try await benchmark.run(trials: trials, parallelism: parallelism)
    }
    exit(0)
default: break
}

try await SpawnBenchmark.run()

// MARK: A list of 10,000 pods

let pod =
    #"{"metadata":{"name":"job-1a2b3c4d-%d","namespace":"default","uid":"df021ed4-bb04-44bf-9340-%012d","resourceVersion":"%d","labels":{"assay.dev/job":"job","assay.dev/index":"%d"}},"spec":{"containers":[{"name":"trial","image":"localhost/t:1","command":["bash","-p","/assay/scripts/run.sh"],"resources":{"limits":{"cpu":"1","memory":"2Gi"}}},{"name":"collector","image":"localhost/c:1"}],"nodeName":"node1","restartPolicy":"Never"},"status":{"phase":"Succeeded","containerStatuses":[{"name":"trial","ready":false,"restartCount":0,"state":{"terminated":{"exitCode":0,"reason":"Completed"}}},{"name":"collector","ready":false,"restartCount":0,"state":{"terminated":{"exitCode":0,"reason":"Completed","message":"{\"version\":1,\"reward\":1}"}}}]}}"#
let list = Array(
    (#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":["#
        + (0..<10_000).map { String(format: pod, $0, $0, $0, $0) }.joined(separator: ",") + "]}").utf8)
let data = Data(list)
let trees = try await compare(5, { _ = try JSONValue(parsing: list) }, { _ = try JSONSerialization.jsonObject(with: data) })
row(
    "10,000 pods (\(list.count >> 20) MiB) to trees, against JSONSerialization",
    "ratio \(shown(trees.ratio))  (\(shown(trees.a)) s, \(shown(trees.b)) s)")
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
    row(
        "32 MiB of \(what), 4 secrets in all their forms, against sed for bare values",
        "ratio \(shown(redaction.ratio))  (\(shown(redaction.a)) s, \(shown(redaction.b)) s)")
}

// MARK: Runs into a bare repository

let scratch = FileManager.default.temporaryDirectory.path + "/assay-bench-\(UUID().uuidString.prefix(8))"
try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true)
defer { try? FileManager.default.removeItem(atPath: scratch) }
let ledgers = LedgerBenchmarks(scratch: scratch)
try await ledgers.throughput(runs: 10_000, rounds: 3)
try await ledgers.packs(runs: 2000)
try await ledgers.largeBranch(runs: 100_000)
