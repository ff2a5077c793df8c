import AssayTesting
import Base
import Git
import SourceSync
import Testing

@Suite struct SlowRemoteTests {
    /// A git that receives one byte per tenth of a second from https://slow.example, and works normally for other addresses.
    private func git(_ bench: Workbench, _ addresses: [String], stallSeconds: Double) async throws -> GitClient {
        let source = try await bench.repository(files: ["tasks/a/task.toml": "version = \"1.0\"\n"])
        var settings = GitClient.Settings()
        settings.stallSeconds = stallSeconds
        return try bench.gitServing(
            Dictionary(uniqueKeysWithValues: addresses.map { ($0, source) }),
            "if test \"$fetch$slow\" = 11; then while :; do printf x >> objects/pack/tmp_pack_drip; sleep 0.1; done; fi", settings: settings)
    }

    @Test("catalogue 63: four fetches from a very slow remote leave places for three healthy ones, which take less than a second longer")
    func drip() async throws {
        let bench = try Workbench()
        let slow = (0..<4).map { "https://slow.example/r\($0)" }
        let healthy = (0..<6).map { "https://h\($0).example/r" }
        let budget = CloneBudget()
        let resolver = SourceResolver(
            cacheDirectory: "\(bench.path)/cache", git: try await git(bench, slow + healthy, stallSeconds: 600), budget: budget)
        let time = SystemTime()
        func pin(_ repositories: [String]) async throws -> Double {
            let start = time.monotonic()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for repository in repositories { group.addTask { _ = try await resolver.pin(repository, ref: "main") } }
                try await group.waitForAll()
            }
            return time.monotonic() - start
        }
        let alone = try await pin(Array(healthy[..<3]))
        let dripping = slow.map { repository in Task { try await resolver.pin(repository, ref: "main") } }
        let end = time.monotonic() + 60
        while budget.waiting < 2 {
            try #require(time.monotonic() < end, "two of the four have the host's places, and two wait")
            try await Task.sleep(for: .milliseconds(5))
        }
        let beside = try await pin(Array(healthy[3...]))
        #expect(budget.waiting == 2, "the slow ones still run")
        // Measured twice, because other tests run on the same processors. Without places of their own, the healthy ones would wait for ten minutes.
        #expect(beside < 2 * alone + 1, "\(beside) s instead of \(alone) s")
        dripping.forEach { $0.cancel() }
        for task in dripping { await #expect(throws: SourceError.self) { try await task.value } }
        #expect(budget.waiting == 0)
    }

    @Test("catalogue 63: a fetch from a very slow remote is stopped and leaves nothing behind")
    func givenUp() async throws {
        let bench = try Workbench()
        let resolver = SourceResolver(
            cacheDirectory: "\(bench.path)/cache", git: try await git(bench, ["https://slow.example/r"], stallSeconds: 2))
        let error = await #expect(throws: SourceError.self) { try await resolver.pin("https://slow.example/r", ref: "main") }
        #expect(error?.git == .timeout && error?.isTransient == true)
        #expect(error?.message.contains("the remote has sent less than 1024 bytes a second for 2 s") == true, "\(error?.message ?? "")")
        #expect(Directory.names(in: "\(bench.path)/cache")?.contains { $0.contains(".new-") } == false)
    }
}
