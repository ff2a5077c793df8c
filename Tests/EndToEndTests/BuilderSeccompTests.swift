import Base
import Testing

extension EndToEnd {
    /// The builder on a node whose containers have Docker's default seccomp profile.
    @Suite struct BuilderSeccompTests {
        @Test("Docker's default profile refuses the default builder; Preflight and the trials say so, and with what they advise images are built")
        func dockersProfile() async throws {
            let profile = "\(Workbench.root)/Tests/EndToEndTests/Fixtures/seccomp/default.json"
            try await BuildCluster.with("cluster-seccomp", seccomp: profile) { cluster in
                try cluster.task(
                    "one", "FROM base:1\nRUN echo made > /word\n",
                    test: "[ \"$(cat /word)\" = made ] && mkdir -p /logs/verifier && echo 1 > /logs/verifier/reward.txt")
                try await cluster.bench.commitBenchmark()
                try await eventually("Preflight says that the builder cannot work", seconds: 300) {
                    try await cluster.preflight()["status"] == "False"
                }
                let refused = try await cluster.preflight()
                #expect(refused["reason"] == "BuildRefused", "\(refused.text)")
                for words in ["seccomp profile", "spec.image.build.securityContext"] {
                    #expect(refused["message"]?.string?.contains(words) == true, "\(words): \(refused.text)")
                }
                try await cluster.createJob("refused")
                _ = try await cluster.waitForEnd("refused")
                let branch = try await cluster.bench.branch()
                #expect(branch.errorType(task: "one") == "environment_build_failed")
                #expect(branch.errorMessage(task: "one").contains("seccomp profile"), "\(branch.errorMessage(task: "one"))")

                // With this capability the same profile allows what the builder needs.
                try await cluster.changeTarget(securityContext: ["capabilities": ["add": ["SYS_ADMIN"]]])
                try await eventually("Preflight says that the builder works", seconds: 300) { try await cluster.preflight()["status"] == "True" }
                try await cluster.createJob("allowed")
                _ = try await cluster.waitForEnd("allowed")
                let run = try #require(try await cluster.bench.branch().runs(task: "one").first { $0["jobName"]?.string == "allowed" })
                #expect(run["reward"]?.double == 1, "\(run.text)")
            }
        }
    }
}
