import AssayAPI
import AssayTesting
import Base
import Foundation
import Glibc
import KubeClient
import KubeCore
import Subprocess

/// Many trials that end at once: what the operator takes beside a plain loop of the same calls, over TLS with 5 ms of latency; or, on a cluster that
/// exists, beside that loop and a Job of Kubernetes. They take turns, so that none gains from a machine that gets slower or a server that gets warm.
struct TrialBenchmark {
    static let word = "trials"
    let assay: String
    let scratch: String
    /// Where `test-dataset` is.
    let root: String
    /// What each trial has printed.
    let bytes: Int
    /// Of a cluster that exists; nil: the embedded API server behind nginx.
    var kubeconfig: String?

    private enum Contender: String, CaseIterable {
        case assay
        case plainLoop = "plain loop"
        case kubernetesJob = "Job of Kubernetes"
    }

    /// What a turn cost.
    private struct Turn {
        var time: Double
        /// Seconds of CPU of the operator with all child processes, or of the loop.
        var cpu = 0.0
        /// Seconds of CPU of the processes that play the cluster.
        var clusterCPU = 0.0
        /// Seconds from the job's end until its results were on the branch.
        var pushed = 0.0
        /// Seconds from the job's end until its pods were gone.
        var emptied = 0.0
        /// The longest time between two renewals of the lease.
        var leaseGap = 0.0
        var calls: Int?
    }

    func run(trials: Int, parallelism: Int) async throws {
        let directory = "\(scratch)/trials-\(trials)-\(parallelism)"
        let cluster: any TrialCluster
        if let kubeconfig {
            cluster = try await ExistingCluster(kubeconfig: kubeconfig, directory: directory, bytes: bytes)
        } else {
            cluster = try await ClusterProcess(directory: directory, latency: 0.005, bytes: bytes)
        }
        let measured: Result<Void, any Error>
        do { measured = .success(try await measure(cluster, directory, trials: trials, parallelism: parallelism)) } catch {
            measured = .failure(error)
        }
        do { try await cluster.remove() } catch { row("  the cluster could not be cleaned up", "\(error)") }
        try measured.get()
    }

    private func measure(_ cluster: any TrialCluster, _ directory: String, trials: Int, parallelism: Int) async throws {
        try await prepare(directory)
        let leases = LeaseGaps(client: cluster.direct, namespace: cluster.namespace)
        let operating = try start(cluster, directory)
        defer { operating.signal(SIGKILL) }
        guard await eventually(within: 60, { leases.renewals > 1 }) else {
            throw BenchmarkError("the operator does not lead: \(directory)/operator.log")
        }
        let before = ProcessFigures(pid: operating.pid)
        let template = Task { try await firstPod(cluster) }
        let contenders: [Contender] = kubeconfig == nil ? [.assay, .plainLoop] : Contender.allCases
        var turns: [Contender: [Turn]] = [:]
        for number in 1...(kubeconfig == nil ? 2 : 3) {
            // The first one gives the others their pod.
            let order = number % 2 == 1 ? contenders : contenders.reversed()
            for contender in order {
                let clusterCPU = cluster.cpu
                var turn: Turn
                switch contender {
                case .assay:
                    turn = try await assayTurn(number, cluster, operating, leases, directory, trials: trials, parallelism: parallelism)
                case .plainLoop:
                    let file = "\(directory)/pod.json"
                    try Data(try await template.value.serialized()).write(to: URL(filePath: file))
                    let loop = try await PlainLoop.start(cluster, template: file, name: "loop-\(number)", trials: trials, parallelism: parallelism)
                    turn = Turn(time: loop.time, cpu: loop.cpu)
                case .kubernetesJob:
                    let job = KubernetesJob(client: cluster.direct, namespace: cluster.namespace, template: try await template.value)
                    turn = Turn(time: try await job.run(name: "job-\(number)", trials: trials, parallelism: parallelism))
                }
                turn.clusterCPU = cluster.cpu - clusterCPU
                turns[contender, default: []].append(turn)
                row(
                    "  turn \(number): \(contender.rawValue)",
                    "\(shown(turn.time)) s" + (turn.cpu > 0 ? String(format: ", %.1f ms of CPU a trial", turn.cpu * 1000 / Double(trials)) : ""))
                try await emptied(cluster)
            }
        }
        try await Task.sleep(for: .seconds(5))
        let after = ProcessFigures(pid: operating.pid)
        operating.signal(SIGTERM)
        _ = await operating.wait()
        let losses = try String(contentsOfFile: "\(directory)/operator.log", encoding: .utf8).split(separator: "\n").count {
            $0.contains("lost the lease")
        }
        report(turns, trials: trials, parallelism: parallelism)
        row(
            "  of that the operator's own",
            String(format: "%.1f ms", (after.ownCPU - before.ownCPU) * 1000 / Double(trials * (turns[.assay]?.count ?? 1))))
        row("  peak memory (bound: 60 MB)", String(format: "%.0f MB, 5 s later %.0f MB, before %.0f MB", after.peak, after.memory, before.memory))
        if let requests = cluster.requests()?.filter({ !$0.line.contains("/loop-") }) {
            func connections(_ version: String) -> Int { Set(requests.filter { $0.httpVersion == version }.map(\.connection)).count }
            row(
                "  connections, calls of a job",
                "\(connections("HTTP/2.0")) of HTTP/2, \(connections("HTTP/1.1")) of HTTP/1.1, \(turns[.assay]?.last?.calls ?? 0) calls")
        }
        row(
            "  longest time between two renewals of the lease (bound: 10 s)",
            "\(shown((turns[.assay] ?? []).map(\.leaseGap).max() ?? 0)) s, lost \(losses) times")
    }

    private func report(_ turns: [Contender: [Turn]], trials: Int, parallelism: Int) {
        func of(_ contender: Contender, _ figure: (Turn) -> Double) -> [Double] { (turns[contender] ?? []).map(figure) }
        func milliseconds(_ cpu: [Double]) -> String { String(format: "%.1f ms", median(cpu) * 1000 / Double(trials)) }
        let jobs = of(.assay, \.time)
        for (contender, name) in [(Contender.kubernetesJob, "a Job of Kubernetes"), (.plainLoop, "a plain loop of the same calls")] {
            let others = of(contender, \.time)
            guard !others.isEmpty else { continue }
            row(
                "\(trials) trials, parallelism \(parallelism), against \(name)",
                "ratio \(shown(median(jobs) / median(others)))  (\(zip(jobs, others).map { shown($0 / $1) }.joined(separator: ", ")); "
                    + "\(shown(median(jobs))) s, \(shown(median(others))) s)")
        }
        row("  results on the branch after the job is complete", "\(shown(median(of(.assay, \.pushed)))) s later")
        let whole = of(.assay) { $0.time + $0.emptied }
        row(
            "  the job's pods are gone after it is complete",
            "\(shown(median(of(.assay, \.emptied)))) s later; with that, ratio to the plain loop \(shown(median(whole) / median(of(.plainLoop, \.time))))"
        )
        row("  CPU a trial with child processes (bound: 8 ms)", "\(milliseconds(of(.assay, \.cpu))), the loop \(milliseconds(of(.plainLoop, \.cpu)))")
        row(
            kubeconfig == nil ? "  CPU a trial of API server and node" : "  CPU a trial of the simulated node",
            "\(milliseconds(of(.assay, \.clusterCPU))), for the loop \(milliseconds(of(.plainLoop, \.clusterCPU)))")
    }

    private func assayTurn(
        _ number: Int, _ cluster: any TrialCluster, _ operating: RunningCommand, _ leases: LeaseGaps, _ directory: String, trials: Int,
        parallelism: Int
    ) async throws -> Turn {
        let answered = cluster.requests()?.count
        let cpu = ProcessFigures(pid: operating.pid).cpu
        leases.begin()
        var turn = Turn(
            time: try await seconds { try await complete("many-\(number)", cluster, directory, trials: trials, parallelism: parallelism) })
        turn.leaseGap = leases.longest
        let release = Task { try await seconds { try await emptied(cluster) } }
        turn.pushed = try await seconds { try await recorded(trials * number, directory) }
        turn.emptied = try await release.value
        // Pushes that were under way end in this time.
        try await Task.sleep(for: .seconds(1))
        turn.cpu = ProcessFigures(pid: operating.pid).cpu - cpu
        turn.calls = answered.flatMap { before in cluster.requests().map { $0.count - before } }
        return turn
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

    private func start(_ cluster: any TrialCluster, _ directory: String) throws -> RunningCommand {
        let log = open("\(directory)/operator.log", O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        return try RunningCommand.start(
            Command(
                assay,
                [
                    "operator", "--kubeconfig", cluster.kubeconfig, "--setting", "laptop", "--state-dir", "\(directory)/state",
                    "--health-port", "0", "--namespace", cluster.namespace, "--lease-namespace", cluster.namespace,
                ]),
            onStderr: { chunk in _ = chunk.withUnsafeBytes { write(log, $0.baseAddress, $0.count) } })
    }

    private func job(_ name: String, _ namespace: String, _ directory: String, trials: Int, parallelism: Int) -> JSONValue {
        [
            "apiVersion": .string(EvalJob.resource.apiVersion), "kind": .string(EvalJob.resource.kind),
            "metadata": ["name": .string(name), "namespace": .string(namespace)],
            "spec": [
                "source": ["repo": .string("file://\(directory)/source")], "datasets": [["path": ".", "include": ["hello-world"]]],
                "agents": [["name": "oracle"]], "attempts": JSONValue(trials), "parallelism": JSONValue(parallelism),
                "environment": ["image": "rootfs:/"],
                "artifacts": ["backend": "git", "git": ["remote": .string("file://\(directory)/results.git")]],
            ],
        ]
    }

    private func firstPod(_ cluster: any TrialCluster) async throws -> JSONValue {
        while true {
            let page = try await cluster.direct.list(.pods, namespace: cluster.namespace, options: ListOptions(limit: 1))
            if let pod = page.items.first { return pod }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// Waits until all pods are deleted, so that no turn pays for the one before it.
    private func emptied(_ cluster: any TrialCluster) async throws {
        let isEmpty = await eventually(within: 300) {
            let page = try? await cluster.direct.list(.pods, namespace: cluster.namespace, options: ListOptions(limit: 1))
            return page?.items.isEmpty ?? false
        }
        if !isEmpty { throw BenchmarkError("the pods of a turn are not deleted") }
    }

    /// Creates a job and waits until its status says that it is complete.
    private func complete(_ name: String, _ cluster: any TrialCluster, _ directory: String, trials: Int, parallelism: Int) async throws {
        let job = job(name, cluster.namespace, directory, trials: trials, parallelism: parallelism)
        let version = try await cluster.direct.create(EvalJob.resource, job, fieldValidation: "Strict").at("metadata", "resourceVersion")?.string
        let lines = try await cluster.direct.watch(
            EvalJob.resource, namespace: cluster.namespace,
            options: WatchOptions(fieldSelector: "metadata.name=\(name)", resourceVersion: version, timeoutSeconds: 900))
        guard try await Completion.awaited(in: lines) else { throw BenchmarkError("the job does not end") }
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
