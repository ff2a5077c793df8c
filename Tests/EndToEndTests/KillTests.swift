import AssayAPI
import Base
import Foundation
import Glibc
import KubeCore
import Subprocess
import Testing

extension EndToEnd {
    /// The operator's process is killed, stopped and doubled while a job runs; the results must be the same as without that.
    @Suite struct KillTests {
        /// `ASSAY_TEST_SEED` repeats the times of an earlier run.
        private static let seed = currentEnvironment()["ASSAY_TEST_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0..<1_000_000)

        @Test("kill -9 of the operator at 20 random moments: 32 runs, none twice, the same totals as without kills")
        func killedAtRandom() async throws {
            let bench = try Workbench("kill")
            try await bench.useTestDataset()
            let cluster = try await ClusterProcesses.start(in: bench)

            try await cluster.create("all.yaml", name: "undisturbed", results: "undisturbed.git")
            let calm = try await cluster.startOperator()
            try await cluster.waitForCompletion(of: "undisturbed", seconds: 180)
            calm.signal(SIGTERM)
            #expect(await calm.wait() == .code(0))

            var random = SeededRandom(seed: Self.seed)
            print("kill moments from seed \(Self.seed)")
            try await cluster.create("all.yaml", name: "disturbed", results: "disturbed.git")
            var kills = 0
            while kills < 20 {
                let process = try await cluster.startOperator()
                // Most are short, so that all of them happen during the job, and some are long enough for a push.
                try await Task.sleep(for: .milliseconds(Int.random(in: 150...(kills % 4 == 0 ? 2000 : 600), using: &random)))
                guard try await !cluster.isComplete("disturbed") else {
                    process.signal(SIGKILL)
                    _ = await process.wait()
                    break
                }
                process.signal(SIGKILL)
                #expect(await process.wait() == .signal(SIGKILL), "the operator ended by itself (see \(bench.directory)/operator.log)")
                kills += 1
            }
            #expect(kills == 20, "the job was over after \(kills) kills")

            let last = try await cluster.startOperator()
            try await cluster.waitForCompletion(of: "disturbed", seconds: 180)
            try await eventually("no trial pod is left") { try await cluster.pods().isEmpty }
            try await expectAlike(cluster, "disturbed", "undisturbed", trials: 32)
            try await eventually("no container is left") { await bench.containers().isEmpty }

            last.signal(SIGTERM)
            #expect(await last.wait() == .code(0))
            await cluster.stop()
            await bench.remove()
        }

        @Test("SIGTERM in the middle of a job: the operator ends with 0 within 20 s, and the next one continues")
        func stoppedGracefully() async throws {
            let bench = try Workbench("stop")
            try await bench.useTestDataset()
            let cluster = try await ClusterProcesses.start(in: bench)
            try await create(cluster, "stopped")

            // With election: a stopped leader releases its lease, so that the next one need not wait until it expires.
            let first = try await cluster.startOperator("first", election: true)
            try await eventually("a trial has been counted") { try await (cluster.job("stopped").at("status", "trials", "completed")?.int ?? 0) > 0 }
            let begin = SystemTime().monotonic()
            first.signal(SIGTERM)
            #expect(await first.wait() == .code(0))
            #expect(SystemTime().monotonic() - begin < 20)
            #expect(try await !cluster.isComplete("stopped"))
            let lease = try await cluster.client.get(.leases, ObjectKey(namespace: "default", name: "assay-operator"))
            #expect(lease.at("spec", "holderIdentity") == "", "the lease is released")

            let second = try await cluster.startOperator("second", election: true)
            try await eventually("the second leads") { try await leader(cluster) == second.pid }
            try await cluster.waitForCompletion(of: "stopped", seconds: 120)
            try await expectWhole(cluster, "stopped", trials: 12)
            second.signal(SIGTERM)
            #expect(await second.wait() == .code(0))
            await cluster.stop()
            await bench.remove()
        }

        @Test("two operators with leader election: one works, the other takes over, no trial runs twice")
        func twoOperators() async throws {
            let bench = try Workbench("two")
            try await bench.useTestDataset()
            let cluster = try await ClusterProcesses.start(in: bench)
            let both = [try await cluster.startOperator("one", election: true), try await cluster.startOperator("two", election: true)]
            try await eventually("one leads") { try await both.map(\.pid).contains(leader(cluster) ?? 0) }
            let leading = try #require(try await leader(cluster))
            try await create(cluster, "shared")
            try await eventually("a trial has been counted") { try await (cluster.job("shared").at("status", "trials", "completed")?.int ?? 0) > 0 }
            #expect(try await leader(cluster) == leading, "a running leader keeps its lease")
            let idle = both[0].pid == leading ? "two" : "one"
            #expect(!(try bench.read("\(idle).log")).contains("started a trial"), "the one without the lease does nothing")

            for process in both where process.pid == leading { process.signal(SIGTERM) }
            try await cluster.waitForCompletion(of: "shared", seconds: 120)
            #expect(try await leader(cluster) != leading)
            try await expectWhole(cluster, "shared", trials: 12)
            for process in both {
                process.signal(SIGTERM)
                #expect(await process.wait() == .code(0))
            }
            await cluster.stop()
            await bench.remove()
        }

        // MARK: Parts

        /// Twelve trials, without those that wait for a timeout.
        private func create(_ cluster: ClusterProcesses, _ name: String) async throws {
            try await cluster.create("all.yaml", name: name, results: "\(name).git") { job in
                job.set(["spec", "datasets"], to: [["path": "test-dataset", "include": ["hello-world", "wrong-answer", "reward-missing"]]])
                job.set(["spec", "parallelism"], to: 2)
            }
        }

        /// The process that holds the lease; its identity ends with its process id.
        private func leader(_ cluster: ClusterProcesses) async throws -> Int32? {
            let lease = try? await cluster.client.get(.leases, ObjectKey(namespace: "default", name: "assay-operator"))
            return lease?.at("spec", "holderIdentity")?.string?.split(separator: "-").last.flatMap { Int32($0) }
        }

        private func expectWhole(_ cluster: ClusterProcesses, _ name: String, trials: Int) async throws {
            let bench = cluster.bench
            let recorded = try await RecordedJob(bench, "\(name).git")
            #expect(recorded.runs.count == trials)
            #expect(Set(recorded.runs).count == trials, "a run was committed twice: \(recorded.runs.sorted())")
            #expect(recorded.jobs.count == 1 && recorded.others == [], "\(recorded.jobs) \(recorded.others)")
            #expect(recorded.records["run"]?.count == trials && recorded.records["job"]?.count == 1, "\(recorded.records)")
            #expect(recorded.retries == [], "no try was lost: a killed operator is not the trial's fault")
            let check = try await Command("git", ["-C", "\(bench.directory)/\(name).git", "fsck", "--strict", "--no-dangling"]).run()
            #expect(check.succeeded && !check.stderrText.contains("error"), "\(check.stderrText)")
            let job = try await cluster.job(name)
            #expect(job.at("status", "trials", "total")?.int == trials)
            #expect(job.at("status", "trials", "pending")?.int ?? 0 == 0 && job.at("status", "trials", "running")?.int ?? 0 == 0)
            #expect(job.at("status", "artifacts", "runs")?.int == trials)
            // The finalizer is only for runs that are not recorded yet.
            try await eventually("\(name) has no finalizer") {
                try await (cluster.job(name).at("metadata", "finalizers")?.array ?? []).isEmpty
            }
            #expect(try await cluster.pods().isEmpty)
        }

        private func expectAlike(_ cluster: ClusterProcesses, _ name: String, _ other: String, trials: Int) async throws {
            try await expectWhole(cluster, name, trials: trials)
            try await expectWhole(cluster, other, trials: trials)
            let (one, two) = (try await RecordedJob(cluster.bench, "\(name).git"), try await RecordedJob(cluster.bench, "\(other).git"))
            #expect(one.verdicts.count == trials && one.verdicts == two.verdicts)
            let (job, twin) = (try await cluster.job(name), try await cluster.job(other))
            for field in ["trials", "metrics", "agents"] {
                #expect(job.at("status", field) == twin.at("status", field), "status.\(field)")
            }
        }
    }
}
