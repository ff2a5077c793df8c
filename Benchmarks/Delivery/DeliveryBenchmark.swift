import APIServer
import AssayAPI
import AssayTesting
import Base
import Foundation
import Glibc
import KubeClient
import KubeCore
import Subprocess
import TrialRuntime
import YAML

/// How a task of a large repository gets to trials, beside `git clone --depth 1` from the same server. The operator is a process of its own; the
/// containers of delivery are processes that get what the pods say.
struct DeliveryBenchmark {
    static let word = "delivery"
    let assay: String
    let scratch: String
    var megabytes = 1000
    var files = 50_000
    /// Deliveries that start at once.
    var together = 100

    func run() async throws {
        let directory = "\(scratch)/delivery"
        try Directory.make("\(directory)/repositories")
        let repository = try await LargeRepository(at: "\(directory)/repositories/large.git", bytes: megabytes << 20, files: files)
        let origin = try await GitWebServer(directory: "\(directory)/origin", root: Path.parent(of: repository.path), users: ["bench": "password"])
        row("a repository of \(megabytes) MB and \(files) files, over https", "")

        let clone = try await clone(origin, directory)
        row("  git clone --depth 1", String(format: "%.2f s, %.1f MB from the origin", clone.seconds, Double(clone.bytes) / 1e6))

        let alone = try await DeliveryCluster(origin, "\(directory)/alone", assay: assay)
        let first = try await alone.deliver(trials: 1)
        row(
            "  first trial, cold, mode sparse: from the job to its task (bound: less than the clone)",
            String(
                format: "%.2f s, %.2f MB from the origin, %.3f of the clone", first.seconds, Double(first.bytes) / 1e6,
                Double(first.bytes) / Double(clone.bytes)))
        let pods = try await alone.startJob("more", trials: 6)
        // The job looks at the remote once when it starts; a trial does not.
        var times: [Double] = []
        let before = try origin.bytes()
        for pod in pods { times.append(try await alone.deliver(pod)) }
        let moved = try origin.bytes() - before
        row(
            "  further trials on the node (bounds: 0 bytes, 20 times faster than the clone)",
            String(format: "%d bytes, median %.3f s, %.0f times faster", moved, median(times), clone.seconds / median(times)))
        await alone.stop()

        let many = try await DeliveryCluster(origin, "\(directory)/many", assay: assay)
        let all = try await many.deliver(trials: together)
        row(
            "  \(together) at once, cold: fetches from the origin (bound: as many as one trial)",
            "\(all.fetches), one trial \(first.fetches); \(String(format: "%.2f", Double(all.bytes) / 1e6)) MB")
        row(
            "  from the job to the last task, against one trial alone (bound: 3)",
            String(format: "ratio %.2f  (%.2f s, %.2f s)", all.seconds / first.seconds, all.seconds, first.seconds))
        row(
            "  the slowest delivery, against one that runs alone",
            String(format: "ratio %.2f  (%.3f s, %.3f s)", (all.deliveries.max() ?? 0) / median(times), all.deliveries.max() ?? 0, median(times)))
        row("  peak memory of the operator (bound: 200 MB)", String(format: "%.0f MB", many.memory.peak))
        await many.stop()
    }

    private func clone(_ origin: GitWebServer, _ directory: String) async throws -> (seconds: Double, bytes: Int) {
        var times: [Double] = []
        let before = try origin.bytes()
        for number in 0..<2 {
            let target = "\(directory)/clone-\(number)"
            let address = origin.url("large.git").replacingOccurrences(of: "https://", with: "https://bench:password@")
            times.append(
                try await seconds {
                    let made = try await Command(
                        "git", ["clone", "--quiet", "--depth", "1", address, target],
                        environment: .inheriting(adding: ["GIT_SSL_CAINFO": "\(directory)/origin/cert.pem"])
                    ).run()
                    guard made.succeeded else { throw BenchmarkError("git clone: \(made.stderrText)") }
                })
            Directory.removeTree(target)
        }
        return (times.min() ?? 0, (try origin.bytes() - before) / times.count)
    }
}

extension GitWebServer {
    /// Bytes sent so far.
    func bytes() throws -> Int { traffic().reduce(0) { $0 + $1.bytes } }
    /// Fetches so far: requests for packs.
    func fetches() -> Int { traffic().count { $0.request.hasPrefix("POST ") && $0.request.contains("git-upload-pack") } }
}
