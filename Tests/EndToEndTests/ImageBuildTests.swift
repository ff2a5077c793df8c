import Base
import Subprocess
import Testing

extension EndToEnd {
    /// Tasks with a Dockerfile, built by podman and run: the base image lies in the user's own storage, under a public name.
    @Suite struct ImageBuildTests {
        private func builtTask(_ bench: Workbench, _ name: String, toml: String = "", _ dockerfile: String, test: String) throws {
            try bench.task(name, toml: toml, solution: "echo solved > /app/answer", test: test)
            try bench.write("\(bench.benchmark)/tasks/\(name)/environment/Dockerfile", dockerfile)
        }

        private func log(_ bench: Workbench, task: String) async throws -> String {
            let branch = try await bench.branch()
            let folder = try #require(branch.runs.first { $0.value["task"]?.string == task }?.key)
            return try await bench.git("show", "assay/runs/v1:\(folder)/image-build.log", in: bench.results)
        }

        /// The image has none of the programs that change a user, and a user of its own.
        @Test func aTasksUsersNeedNothingOfItsImage() async throws {
            try await Workbench.with("users") { bench in
                let user = try UserPodman(bench)
                try await user.makeImage("docker.io/library/base:1")
                try bench.task(
                    "bare", toml: "[verifier]\nuser = \"judge\"\n", solution: "id -u > /tmp/agent; id -g >> /tmp/agent; echo $HOME >> /tmp/agent",
                    test: """
                        if [ "$(id -u):$(id -g):$(id -G)" = "2002:2003:2003 2004" ] && [ "$(cat /tmp/agent)" = "$(printf '2001\\n2003\\n/srv/app')" ]
                        then echo 1; else echo 0; fi > /logs/verifier/reward.txt
                        """)
                try bench.write(
                    "\(bench.benchmark)/tasks/bare/environment/Dockerfile",
                    """
                    FROM base:1
                    RUN echo app:x:2001:2003::/srv/app:/bin/bash >> /etc/passwd; echo judge:x:2002:2003::/:/bin/bash >> /etc/passwd
                    RUN echo staff2:x:2003: >> /etc/group; echo more:x:2004:judge >> /etc/group
                    RUN for tool in su sudo setpriv runuser chroot python3 perl; do rm -f $(command -v $tool); done; mkdir -p /srv/app
                    USER app
                    """)
                try bench.task("closed", toml: "[agent]\nuser = \"app\"\n")
                try bench.write(
                    "\(bench.benchmark)/tasks/closed/environment/Dockerfile",
                    "FROM base:1\nRUN echo app:x:2001:2003::/srv/app:/bin/bash >> /etc/passwd\nRUN chmod 700 /bin /usr/bin\n")
                try await bench.commitBenchmark()
                try bench.write("job.yaml", JobFiles.job("users", image: nil))
                _ = try await user.run("job.yaml", expecting: 3)
                let closed = try #require(try await bench.branch().runs(task: "closed").first)
                #expect(closed.at("error", "message")?.string?.contains("look at the modes of /") == true, "\(closed.text)")
                let record = try #require(try await bench.branch().runs(task: "bare").first)
                #expect(record.at("config", "users", "agent") == "app" && record.at("config", "users", "verifier") == "judge", "\(record.text)")
            }
        }

        @Test func tasksRunInTheImagesThatTheirDockerfilesBuild() async throws {
            try await Workbench.with("images") { bench in
                let user = try UserPodman(bench)
                try await user.makeImage("docker.io/library/base:1")
                let check = "[ \"$(cat /app/answer)\" = solved ] && [ \"$(cat /word)\" = made ] && [ -e seed.txt ] && [ ! -e hidden.key ] && "
                let dockerfile = """
                    FROM base:1 AS maker
                    ARG WORD=made
                    RUN echo "$WORD" > /word
                    FROM docker.io/library/base:1
                    COPY --from=maker /word /word
                    WORKDIR /app
                    COPY . .
                    HEALTHCHECK CMD false
                    ENTRYPOINT ["/bin/false"]
                    """
                for name in ["one", "twin"] {
                    try builtTask(
                        bench, name, dockerfile, test: check + "[ \"$PWD\" = /app ] && mkdir -p /logs/verifier && echo 1 > /logs/verifier/reward.txt")
                    try bench.write("\(bench.benchmark)/tasks/\(name)/environment/seed.txt", "seed\n")
                    try bench.write("\(bench.benchmark)/tasks/\(name)/environment/hidden.key", "key\n")
                    try bench.write("\(bench.benchmark)/tasks/\(name)/environment/.dockerignore", "*.key\n")
                }
                try builtTask(bench, "broken", "FROM base:1\nRUN echo the reason >&2; exit 3\n", test: "true")
                // Another run of the tests on this machine has another number.
                let mark = Int.random(in: 1_000_000...9_999_999)
                try builtTask(
                    bench, "slow", toml: "[environment]\nbuild_timeout_sec = 3\n", "FROM base:1\nRUN trap '' TERM; sleep \(mark)\n", test: "true")
                try await bench.commitBenchmark()
                // What is not committed takes no part.
                try bench.write("\(bench.benchmark)/tasks/one/environment/seed.txt", "changed\n")
                try bench.write("\(bench.benchmark)/tasks/one/environment/new.txt", "new\n")

                try bench.write("job.yaml", JobFiles.job("built", attempts: 2, image: nil))
                // Builds that fail are infrastructure, and no trial has another failure.
                let result = try await user.run("job.yaml", expecting: 3)
                #expect(result.stderrText.contains("waiting: building "), "\(result.stderrText)")
                let branch = try await bench.branch()
                #expect(branch.runs.count == 8 && branch.retries.isEmpty)
                var digests: Set<String> = []
                for task in ["one", "twin"] {
                    for run in branch.runs(task: task) {
                        #expect(run["reward"]?.double == 1, "\(run.text)")
                        let digest = run.at("config", "imageDigest")?.string ?? ""
                        #expect(run.at("config", "image")?.string == "localhost/assay/task@\(digest)")
                        digests.insert(digest)
                    }
                }
                #expect(digests.count == 1, "one image for one content")
                let log = try await log(bench, task: "twin")
                #expect(log.contains("STEP 1/3: FROM base:1 AS maker"))

                #expect(branch.errorType(task: "broken") == "environment_build_failed")
                #expect(branch.errorMessage(task: "broken").contains("tasks/broken/environment/Dockerfile"))
                let broken = try await self.log(bench, task: "broken")
                #expect(broken.hasPrefix("failed: STEP 2/2: RUN echo the reason") && broken.contains("\nthe reason\n"), "\(broken)")
                #expect(branch.errorType(task: "slow") == "environment_build_timeout")
                #expect(branch.errorMessage(task: "slow").contains("within 3.0 s"))
                try await eventually("nothing of the build that hung is left") {
                    try await !Command("ps", ["-eo", "args"]).run().stdoutText.contains("sleep \(mark)")
                }

                // A second job builds nothing that is there, and its records have the log too.
                try bench.write("again.yaml", JobFiles.job("again", datasets: "[{path: tasks, include: [one]}]", image: nil))
                _ = try await user.run("again.yaml", expecting: 0)
                let again = try await bench.branch().runs(task: "one").first { $0["jobName"]?.string == "again" }
                #expect(again?.at("config", "imageDigest")?.string == digests.first)
            }
        }

        @Test func aSeparateVerifierHasAnImageOfItsOwn() async throws {
            try await Workbench.with("verifier-images") { bench in
                let user = try UserPodman(bench)
                try await user.makeImage("docker.io/library/base:1")
                let check = """
                    [ "$(cat /judge)" = judge ] && [ -e /tests/expected ] && [ "$(cat /app/answer)" = solved ] && [ ! -e /word ] && [ "$PWD" = /judging ] &&
                    echo 1 > /logs/verifier/reward.txt
                    """
                try builtTask(bench, "judged", "FROM base:1\nRUN echo made > /word\nWORKDIR /app\n", test: check)
                let folder = "\(bench.benchmark)/tasks/judged"
                try bench.write(
                    "\(folder)/task.toml",
                    "schema_version = \"1.3\"\nartifacts = [\"/app/answer\"]\n[verifier]\nenvironment_mode = \"separate\"\n")
                try bench.write("\(folder)/tests/Dockerfile", "FROM base:1\nRUN echo judge > /judge\nWORKDIR /judging\nCOPY . /tests/\n")
                try bench.write("\(folder)/tests/expected", "solved\n")
                try await bench.commitBenchmark()
                try bench.write("job.yaml", JobFiles.job("judged", image: nil))
                _ = try await user.run("job.yaml", expecting: 0)
                let record = try #require(try await bench.branch().runs(task: "judged").first)
                #expect(record["reward"]?.double == 1, "\(record.text)")
                let own = record.at("config", "imageDigest")?.string ?? ""
                let verifier = record.at("config", "verifier", "imageDigest")?.string ?? ""
                #expect(own.hasPrefix("sha256:") && verifier.hasPrefix("sha256:") && own != verifier)
                #expect(record.at("config", "verifier", "image")?.string == "localhost/assay/task@\(verifier)")
                let log = try await log(bench, task: "judged")
                #expect(log.contains("RUN echo made") && log.contains("The verifier's image (tests/Dockerfile):") && log.contains("RUN echo judge"))
            }
        }
    }
}
