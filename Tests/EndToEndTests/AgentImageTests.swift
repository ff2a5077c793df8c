import Base
import Testing

extension EndToEnd {
    /// Agents that come in an image, with podman.
    @Suite struct AgentImageTests {
        @Test func anAgentFindsTheFilesOfItsImage() async throws {
            try await Workbench.with("agent-images") { bench in
                let user = try UserPodman(bench)
                try await user.makeImage("localhost/base:1")
                try await user.makeImage(
                    "localhost/agent:1", files: ["opt/agent/bin/solve": "#!/bin/bash\necho \"$1\" > /answer\n", "opt/agent/word": "packed\n"])
                // An image with the files and without cp, and one with cp and without the files.
                try bench.write("bare/opt/agent/word", "packed\n")
                try await user.archive("bare", as: "localhost/bare:1")
                try bench.task("one", test: "mkdir -p /logs/verifier; [ \"$(cat /answer)\" = packed ] && echo 1 > /logs/verifier/reward.txt")
                try await bench.commitBenchmark()
                let execute = "echo changed > /opt/agent/word && exit 3; bash /opt/agent/bin/solve \"$(cat /opt/agent/word)\""
                let agents = ["agent", "bare", "base"].map { name -> JSONValue in
                    [
                        "name": .string(name), "image": .string("localhost/\(name):1"), "install": "[ -e /opt/agent/word ]",
                        "execute": .string(execute),
                    ]
                }
                try bench.write("job.yaml", JobFiles.job("packed", agents: JSONValue.array(agents).text, image: "localhost/base:1"))
                // An agent whose image is unfit could not be measured.
                _ = try await user.run("job.yaml", expecting: 3)
                let branch = try await bench.branch()
                let good = try #require(branch.runs(agent: "agent").first)
                #expect(good["reward"]?.double == 1, "\(good.text)")
                #expect(good.at("config", "agentImage")?.string?.hasPrefix("localhost/agent:1") == true)
                let bare = try #require(branch.runs(agent: "bare").first)
                #expect(bare.at("error", "type")?.string == "task_invalid", "\(bare.text)")
                #expect(bare.at("error", "message")?.string?.contains("has no cp") == true, "\(bare.text)")
                let base = try #require(branch.runs(agent: "base").first)
                #expect(base.at("error", "type")?.string == "task_invalid", "\(base.text)")
                #expect(base.at("error", "message")?.string?.contains("/opt/agent") == true, "\(base.text)")
                #expect(branch.retries.isEmpty)
            }
        }
    }
}
