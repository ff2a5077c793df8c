import AssayAPI
import AssayTesting
import Base
import Foundation
import Glibc
import KubeClient
import KubeCore
import Subprocess

/// Many trials that end at once: what the operator takes beside a plain loop of the same calls, over TLS with 5 ms of latency. Operator and
/// loop take turns, so that neither gains from a machine that gets slower or a server that gets warm.
struct TrialBenchmark {
    static let word = "trials"
    let assay: String
    let scratch: String
    /// Where `test-dataset` is.
    let root: String
    /// What each trial has printed.
    let bytes: Int

    /// What a turn cost.
    private struct Turn {
        var time: Double
        /// Seconds of CPU of the operator with all child processes, or of the loop.
        var cpu: Double
        /// Seconds of CPU of the API server, the node and nginx.
        var serverCPU: Double
    }

    func run(trials: Int, parallelism: Int) async throws {
        let directory = "\(scratch)/trials-\(trials)-\(parallelism)"
        let cluster = try await ClusterProcess(directory: directory, latency: 0.005, bytes: bytes)
        try await prepare(directory)
        let leases = LeaseGaps(client: cluster.direct)
        let operating = try start(directory)
        defer { operating.signal(SIGKILL) }
        guard await eventually(within: 60, { leases.renewals > 1 }) else {
            throw BenchmarkError("the operator does not lead: \(directory)/operator.log")
        }
        let before = ProcessFigures(pid: operating.pid)
        let template = Task { try await firstPod(cluster.direct) }
        var jobs: [Turn] = []
        var loops: [Turn] = []
        var (gap, pushed, calls) = (0.0, [Double](), 0)
        for turn in 1...2 {
            for isJob in turn == 1 ? [true, false] : [false, true] {
                let server = cluster.cpu
                if isJob {
                    let answered = cluster.front.requests().count
                    let cpu = ProcessFigures(pid: operating.pid).cpu
                    leases.begin()
                    let time = try await seconds { try await complete("many-\(turn)", cluster, directory, trials: trials, parallelism: parallelism) }
                    gap = max(gap, leases.longest)
                    pushed.append(try await seconds { try await recorded(trials * turn, directory) })
                    // Pushes that were under way end in this time.
                    try await Task.sleep(for: .seconds(1))
                    jobs.append(Turn(time: time, cpu: ProcessFigures(pid: operating.pid).cpu - cpu, serverCPU: cluster.cpu - server))
                    calls = cluster.front.requests().count - answered
                } else {
                    let file = "\(directory)/pod.json"
                    try Data(try await template.value.serialized()).write(to: URL(filePath: file))
                    let loop = try await PlainLoop.start(cluster, template: file, name: "loop-\(turn)", trials: trials, parallelism: parallelism)
                    loops.append(Turn(time: loop.time, cpu: loop.cpu, serverCPU: cluster.cpu - server))
                }
            }
        }
        try await Task.sleep(for: .seconds(5))
        let after = ProcessFigures(pid: operating.pid)
        let own = after.ownCPU - before.ownCPU
        let requests = cluster.front.requests().filter { !$0.line.contains("/loop-") }
        operating.signal(SIGTERM)
        _ = await operating.wait()

        func connections(_ version: String) -> Int { Set(requests.filter { $0.httpVersion == version }.map(\.connection)).count }
        func milliseconds(_ cpu: [Double]) -> String { String(format: "%.1f ms", median(cpu) * 1000 / Double(trials)) }
        let losses = try String(contentsOfFile: "\(directory)/operator.log", encoding: .utf8).split(separator: "\n").count {
            $0.contains("lost the lease")
        }
        let ratios = zip(jobs, loops).map { $0.time / $1.time }
        row(
            "\(trials) trials, parallelism \(parallelism), against a plain loop of the same calls",
            "ratio \(shown(median(jobs.map(\.time)) / median(loops.map(\.time))))  (\(ratios.map(shown).joined(separator: ", ")); "
                + "\(shown(median(jobs.map(\.time)))) s, \(shown(median(loops.map(\.time)))) s)")
        row("  results on the branch after the job is complete", "\(shown(median(pushed))) s later")
        row(
            "  CPU a trial with child processes (bound: 8 ms)",
            "\(milliseconds(jobs.map(\.cpu))), own \(milliseconds([own / 2])), the loop \(milliseconds(loops.map(\.cpu)))")
        row("  CPU a trial of API server and node", "\(milliseconds(jobs.map(\.serverCPU))), for the loop \(milliseconds(loops.map(\.serverCPU)))")
        row("  peak memory (bound: 60 MB)", String(format: "%.0f MB, 5 s later %.0f MB, before %.0f MB", after.peak, after.memory, before.memory))
        row("  connections, calls of a job", "\(connections("HTTP/2.0")) of HTTP/2, \(connections("HTTP/1.1")) of HTTP/1.1, \(calls) calls")
        row("  longest time between two renewals of the lease (bound: 10 s)", "\(shown(gap)) s, lost \(losses) times")
    }

    // MARK: Parts

    private func prepare(_ directory: String) async throws {
        let script = """
            set -e
            mkdir source && cp -r "\(root)/test-dataset/hello-world" source/hello-world
            cd source
            git init --quiet . && git add --all
            git -c user.name=bench -c user.email=bench@localhost commit --quiet --message bench
            git init --quiet --bare ../results.git
            """
        let made = try await Command("sh", ["-c", script], workingDirectory: directory, deadlineSeconds: 60).run()
        guard made.succeeded else { throw BenchmarkError(made.stderrText) }
    }

    private func start(_ directory: String) throws -> RunningCommand {
        let log = open("\(directory)/operator.log", O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        return try RunningCommand.start(
            Command(
                assay,
                [
                    "operator", "--kubeconfig", "\(directory)/kubeconfig", "--setting", "laptop", "--state-dir", "\(directory)/state",
                    "--health-port", "0",
                ]),
            onStderr: { chunk in _ = chunk.withUnsafeBytes { write(log, $0.baseAddress, $0.count) } })
    }

    private func job(_ name: String, _ directory: String, trials: Int, parallelism: Int) -> JSONValue {
        [
            "apiVersion": .string(EvalJob.resource.apiVersion), "kind": .string(EvalJob.resource.kind),
            "metadata": ["name": .string(name), "namespace": "default"],
            "spec": [
                "source": ["repo": .string("file://\(directory)/source")], "datasets": [["path": ".", "include": ["hello-world"]]],
                "agents": [["name": "oracle"]], "attempts": JSONValue(trials), "parallelism": JSONValue(parallelism),
                "environment": ["image": "rootfs:/"],
                "artifacts": ["backend": "git", "git": ["remote": .string("file://\(directory)/results.git")]],
            ],
        ]
    }

    private func firstPod(_ client: KubeClient) async throws -> JSONValue {
        while true {
            let page = try await client.list(.pods, namespace: "default", options: ListOptions(limit: 1))
            if let pod = page.items.first { return pod }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// Creates a job and waits until its status says that it is complete.
    private func complete(_ name: String, _ cluster: ClusterProcess, _ directory: String, trials: Int, parallelism: Int) async throws {
        let job = job(name, directory, trials: trials, parallelism: parallelism)
        let version = try await cluster.direct.create(EvalJob.resource, job, fieldValidation: "Strict").at("metadata", "resourceVersion")?.string
        let lines = try await cluster.direct.watch(
            EvalJob.resource, namespace: "default",
            options: WatchOptions(fieldSelector: "metadata.name=\(name)", resourceVersion: version, timeoutSeconds: 900))
        for try await line in lines {
            let job = try JSONValue(parsing: line)["object"]
            for condition in job?.at("status", "conditions")?.array ?? [] where condition["status"]?.string == "True" {
                switch condition["type"]?.string {
                case "Complete": return
                case "Failed": throw BenchmarkError("the job failed: \(condition["message"]?.string ?? "")")
                default: break
                }
            }
        }
        throw BenchmarkError("the job does not end")
    }

    /// Waits until the branch has the records of so many trials.
    private func recorded(_ trials: Int, _ directory: String) async throws {
        var found = 0
        for _ in 0..<600 {
            let list = try await Command(
                "git", ["-C", "\(directory)/results.git", "ls-tree", "-r", "--name-only", "assay/runs/v1"], deadlineSeconds: 60
            ).run()
            // The job's own record is not a trial's.
            found = list.stdoutText.split(separator: "\n").count { $0.hasSuffix("/output.log") }
            if found == trials { return }
            try await Task.sleep(for: .milliseconds(100))
        }
        throw BenchmarkError("\(found) of \(trials) trials are recorded")
    }
}

/// Watches the operator's Lease: the longest time between two renewals.
private final class LeaseGaps: Sendable {
    private struct State {
        var renewals = 0
        var last: Double?
        var longest = 0.0
    }

    private let state = Locked(State())
    private let watching = Locked<Task<Void, Never>?>(nil)

    init(client: KubeClient) {
        let task = Task { [state] in
            var seen = ""
            while !Task.isCancelled {
                let lease = try? await client.get(.leases, ObjectKey(namespace: "default", name: "assay-operator"))
                if let version = lease?.at("metadata", "resourceVersion")?.string, version != seen {
                    seen = version
                    let now = SystemTime().monotonic()
                    state.withLock { state in
                        state.renewals += 1
                        if let last = state.last { state.longest = max(state.longest, now - last) }
                        state.last = now
                    }
                }
                try? await Task.sleep(for: .milliseconds(200))
            }
        }
        watching.withLock { $0 = task }
    }

    deinit { watching.withLock { $0 }?.cancel() }

    var renewals: Int { state.withLock { $0.renewals } }
    /// With the time since the last one.
    var longest: Double { state.withLock { max($0.longest, SystemTime().monotonic() - ($0.last ?? 0)) } }

    func begin() { state.withLock { $0.longest = 0 } }
}
