import AssayAPI
import AssayTesting
import Base
import Foundation
import Glibc
import KubeClient
import KubeCore
import Subprocess

/// Many trials that end at once: what the operator takes beside a plain loop of the same calls, over TLS with 5 ms of latency.
struct TrialBenchmark {
    static let word = "trials"
    let assay: String
    let scratch: String
    /// Where `test-dataset` is.
    let root: String

    func run(trials: Int, parallelism: Int, name: String) async throws {
        let directory = "\(scratch)/trials-\(name)"
        let cluster = try await ClusterProcess(directory: directory, latency: 0.005)
        try await prepare(directory)
        let leases = LeaseGaps(client: cluster.direct)
        let operating = try start(directory)
        defer { operating.signal(SIGKILL) }
        guard await eventually(within: 60, { leases.renewals > 1 }) else {
            throw BenchmarkError("the operator does not lead: \(directory)/operator.log")
        }

        let before = ProcessFigures(pid: operating.pid)
        let answered = cluster.front.requests().count
        let template = Task { try await firstPod(cluster.direct) }
        leases.begin()
        let taken = try await seconds {
            try await cluster.direct.create(EvalJob.resource, job(directory, trials: trials, parallelism: parallelism), fieldValidation: "Strict")
            try await completion(cluster.direct)
        }
        let after = ProcessFigures(pid: operating.pid)
        let gap = leases.longest
        try await Task.sleep(for: .seconds(5))
        let later = ProcessFigures(pid: operating.pid)
        let requests = cluster.front.requests().dropFirst(answered)
        operating.signal(SIGTERM)
        _ = await operating.wait()
        let recorded = try await records(directory)
        guard recorded == trials else { throw BenchmarkError("\(recorded) of \(trials) trials are recorded") }

        func connections(_ version: String) -> Int { Set(requests.filter { $0.httpVersion == version }.map(\.connection)).count }
        let losses = try String(contentsOfFile: "\(directory)/operator.log", encoding: .utf8).split(separator: "\n").count {
            $0.contains("lost the lease")
        }
        row("\(trials) trials, parallelism \(parallelism)", "\(shown(taken)) s")
        row(
            "  CPU a trial with child processes (bound: 8 ms)",
            String(
                format: "%.1f ms, own %.1f ms", (later.cpu - before.cpu) * 1000 / Double(trials),
                (later.ownCPU - before.ownCPU) * 1000 / Double(trials)))
        row("  peak memory (bound: 60 MB)", String(format: "%.0f MB, 5 s later %.0f MB, before %.0f MB", after.peak, later.memory, before.memory))
        row("  connections, calls", "\(connections("HTTP/2.0")) of HTTP/2, \(connections("HTTP/1.1")) of HTTP/1.1, \(requests.count) calls")
        row("  longest time between two renewals of the lease (bound: 10 s)", "\(shown(gap)) s, lost \(losses) times")

        let usage = cpuOfThisProcess()
        let floor = try await PlainLoop(client: KubeClient(config: cluster.config), template: try await template.value)
            .run(trials: trials, parallelism: parallelism)
        let floorCPU = (cpuOfThisProcess() - usage) / Double(trials)
        row(
            "  time against a plain loop of the same calls",
            "ratio \(shown(taken / floor))  (\(shown(floor)) s, \(String(format: "%.1f", floorCPU * 1000)) ms of CPU a trial)")
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
                    "--health-port", "0", "--push-interval", "1",
                ]),
            onStderr: { chunk in _ = chunk.withUnsafeBytes { write(log, $0.baseAddress, $0.count) } })
    }

    private func job(_ directory: String, trials: Int, parallelism: Int) -> JSONValue {
        [
            "apiVersion": .string(EvalJob.resource.apiVersion), "kind": .string(EvalJob.resource.kind),
            "metadata": ["name": "many", "namespace": "default"],
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

    private func completion(_ client: KubeClient) async throws {
        let end = SystemTime().monotonic() + 900
        while SystemTime().monotonic() < end {
            let job = try await client.get(EvalJob.resource, ObjectKey(namespace: "default", name: "many"))
            for condition in job.at("status", "conditions")?.array ?? [] where condition["status"]?.string == "True" {
                switch condition["type"]?.string {
                case "Complete": return
                case "Failed": throw BenchmarkError("the job failed: \(condition["message"]?.string ?? "")")
                default: break
                }
            }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw BenchmarkError("the job does not end")
    }

    private func records(_ directory: String) async throws -> Int {
        let list = try await Command(
            "git", ["-C", "\(directory)/results.git", "ls-tree", "-r", "--name-only", "assay/runs/v1"], deadlineSeconds: 60
        ).run()
        // The job's own record is not a trial's.
        return list.stdoutText.split(separator: "\n").count { $0.hasSuffix("/output.log") }
    }

    private func cpuOfThisProcess() -> Double {
        var usage = rusage()
        getrusage(RUSAGE_SELF.rawValue, &usage)
        func time(_ value: timeval) -> Double { Double(value.tv_sec) + Double(value.tv_usec) / 1e6 }
        return time(usage.ru_utime) + time(usage.ru_stime)
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
                try? await Task.sleep(for: .milliseconds(50))
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
