import AssayAPI
import AssayTesting
import Base
import Foundation
import KubeClient
import KubeCore
import Subprocess
import Testing

extension EndToEnd {
    /// Tasks with a Dockerfile on a cluster: pods build with Debian's buildah, a real registry with a login keeps the images.
    @Suite struct ClusterBuildTests {
        @Test("catalogue 71: images are built by pods, pushed, found again, and a build that fails, hangs or fills the disk has its own error")
        func builds() async throws {
            try await BuildCluster.with("cluster-builds") { cluster in
                let bench = cluster.bench
                let check =
                    "[ \"$(cat /app/answer)\" = solved ] && [ \"$(cat /word)\" = \"made of \\$PARTS\" ] && [ -e seed.txt ] && [ ! -e hidden.key ] && "
                let dockerfile = """
                    FROM base:1 AS maker
                    ARG WORD=unset
                    SHELL ["/bin/bash", "-o", "pipefail", "-c"]
                    RUN echo "$WORD" > /word
                    FROM docker.io/library/base:1
                    COPY --from=maker /word /word
                    WORKDIR /app
                    COPY . .
                    RUN chown worker /app
                    USER worker
                    RUN [ "$(id -u)" = 1234 ] && touch made
                    HEALTHCHECK CMD false
                    ENTRYPOINT ["/bin/false"]
                    """
                for name in ["one", "twin"] {
                    try cluster.task(
                        name, dockerfile, test: check + "[ \"$PWD\" = /app ] && mkdir -p /logs/verifier && echo 1 > /logs/verifier/reward.txt")
                    try bench.write("\(bench.benchmark)/tasks/\(name)/environment/seed.txt", "seed\n")
                    try bench.write("\(bench.benchmark)/tasks/\(name)/environment/hidden.key", "key\n")
                    try bench.write("\(bench.benchmark)/tasks/\(name)/environment/.dockerignore", "*.key\n")
                }
                // The push Secret holds the registry's password: neither files nor environments of the pod have it.
                try cluster.task(
                    "nosy",
                    "FROM base:1\nRUN printf 'push-%s\\n' only > /pattern; found=$(cat /proc/*/environ /proc/*/cmdline /proc/1/root/assay/push/* "
                        + "/assay/push/* 2>/dev/null | grep -c -a -f /pattern || true); echo \"found=$found\"; [ \"$found\" = 0 ]\n")
                try cluster.task("broken", "FROM base:1\nRUN echo the reason >&2; exit 3\n")
                // Another run of the tests on this machine has another number.
                let mark = Int.random(in: 1_000_000...9_999_999)
                try cluster.task("slow", toml: "[environment]\nbuild_timeout_sec = 15\n", "FROM base:1\nRUN trap '' TERM; sleep \(mark)\n")
                try cluster.task("big", "FROM base:1\nRUN dd if=/dev/zero of=/big bs=1M count=1500; sleep 60\n")
                try await bench.commitBenchmark()

                try await cluster.createJob("first", environment: ["buildArguments": ["WORD": "made of $PARTS"]])
                let job = try await cluster.waitForEnd("first")
                #expect(job.at("status", "images") == ["total": 5, "ready": 2, "failed": 3], "\(job["status"]?.text ?? "")")
                let branch = try await bench.branch()
                var digests: Set<String> = []
                for task in ["one", "twin", "nosy"] {
                    for run in branch.runs(task: task) {
                        #expect(run["reward"]?.double == 1, "\(run.text)")
                        let digest = run.at("config", "imageDigest")?.string ?? ""
                        #expect(run.at("config", "image")?.string == "\(cluster.registry.address):\(cluster.registry.port)/assay/tasks@\(digest)")
                        if task != "nosy" { digests.insert(digest) }
                    }
                }
                #expect(digests.count == 1, "one image for one content")
                #expect(try await cluster.log(of: "twin").contains("STEP 1/4: FROM base:1 AS maker"))
                #expect(try await cluster.log(of: "nosy").contains("found=0"))

                #expect(branch.errorType(task: "broken") == "environment_build_failed")
                #expect(branch.errorMessage(task: "broken").contains("tasks/broken/environment/Dockerfile"))
                let broken = try await cluster.log(of: "broken")
                #expect(broken.hasPrefix("failed: STEP 2/2: RUN echo the reason") && broken.contains("\nthe reason\n"), "\(broken)")
                #expect(branch.errorType(task: "slow") == "environment_build_timeout")
                #expect(branch.errorMessage(task: "slow").contains("within 15.0 s (environment.build_timeout_sec) at STEP "))
                #expect(branch.errorType(task: "big") == "environment_build_failed")
                #expect(branch.errorMessage(task: "big").contains("more to the disk than it may"), "\(branch.errorMessage(task: "big"))")
                try await eventually("no build is left") {
                    try await cluster.processes.pods().allSatisfy { $0.at("metadata", "labels", "assay.dev/build") == nil }
                }
                try await eventually("nothing of the build that hung is left") {
                    try await !Command("ps", ["-eo", "args"]).run().stdoutText.contains("sleep \(mark)")
                }

                // A second job builds nothing that is there, and its records have the log too.
                let stored = cluster.stored
                try await cluster.createJob(
                    "again", datasets: [["path": "tasks", "include": ["one"]]], environment: ["buildArguments": ["WORD": "made of $PARTS"]])
                _ = try await cluster.waitForEnd("again")
                #expect(cluster.stored == stored, "nothing is pushed")
                let again = try await bench.branch().runs(task: "one").first { $0["jobName"]?.string == "again" }
                #expect(again?["reward"]?.double == 1)
                #expect(again?.at("config", "imageDigest")?.string == digests.first)
                #expect(try await cluster.log(of: "one", job: "again").contains("AS maker"))

                let preflight = try await cluster.preflight()
                #expect(preflight["status"]?.string == "True", "\(preflight.text)")
            }
        }

        @Test("20 jobs at once that need one image: one build, also when the first of them is deleted and the operator killed meanwhile")
        func manyJobs() async throws {
            try await BuildCluster.with("cluster-many") { cluster in
                // Long enough that all jobs are seen while it lasts.
                try cluster.task("one", "FROM base:1\nRUN sleep 60\n")
                try await cluster.bench.commitBenchmark()
                for number in 0..<20 { try await cluster.createJob("job-\(number)") }
                try await eventually("a build pod belongs to all jobs") {
                    try await cluster.builds().contains { ($0.at("metadata", "ownerReferences")?.array ?? []).count == 20 }
                }
                let pod = try #require(try await cluster.builds().first)
                _ = try await cluster.processes.client.delete(EvalJob.resource, ObjectKey(namespace: "default", name: "job-0"))
                try await eventually("the first job is gone") {
                    try await cluster.processes.client.listAll(EvalJob.resource, namespace: "default").items.count == 19
                }
                try await cluster.killOperator()
                for number in 1..<20 {
                    let job = try await cluster.waitForEnd("job-\(number)")
                    #expect(job.at("status", "trials", "completed")?.int == 1, "\(job["status"]?.text ?? "")")
                }
                #expect(pod.at("metadata", "name")?.string?.hasPrefix("assay-build-") == true)
                #expect(cluster.stored.count == 1, "\(cluster.stored)")
            }
        }

        @Test("a registry that refuses the login, or is down, is named")
        func registryRefuses() async throws {
            try await BuildCluster.with("cluster-refused") { cluster in
                try cluster.task("one", "FROM base:1\nRUN true\n")
                try await cluster.bench.commitBenchmark()
                try await cluster.setPushLogin(cluster.registry.dockerConfig(password: "wrong"))
                try await cluster.createJob("refused")
                _ = try await cluster.waitForEnd("refused")
                let branch = try await cluster.bench.branch()
                #expect(branch.errorType(task: "one") == "environment_build_failed")
                #expect(branch.errorMessage(task: "one").contains("HTTP 401 (unauthorized)"), "\(branch.errorMessage(task: "one"))")
                // The target's own check says it too, without any job, and finds by itself that the password is right again.
                try await cluster.changeTarget()
                try await eventually("Preflight names the refused login", seconds: 300) {
                    try await cluster.preflight()["status"] == "False"
                }
                let preflight = try await cluster.preflight()
                #expect(preflight["reason"] == "BuildRefused", "\(preflight.text)")
                for words in ["\(cluster.registry.address):\(cluster.registry.port)", "HTTP 401 (unauthorized)"] {
                    #expect(preflight["message"]?.string?.contains(words) == true, "\(words): \(preflight.text)")
                }
                try await cluster.setPushLogin(cluster.registry.dockerConfig())
                try await eventually("Preflight succeeds with the right password", seconds: 300) {
                    try await cluster.preflight()["status"] == "True"
                }
                await cluster.registry.stop()
                try await cluster.createJob("down")
                _ = try await cluster.waitForEnd("down")
                let down = try await cluster.bench.branch().runs(task: "one").first { $0["jobName"]?.string == "down" }
                #expect(down?.at("error", "type")?.string == "environment_build_failed")
                #expect(
                    down?.at("error", "message")?.string?.contains(
                        "the registry \(cluster.registry.address):\(cluster.registry.port) cannot be reached") == true)
            }
        }

        @Test("a registry with a certificate of an authority of its own: known by caRef it is used, unknown it is named")
        func registryWithTLS() async throws {
            try await BuildCluster.with("cluster-tls", tls: true) { cluster in
                try cluster.task(
                    "one", "FROM base:1\nRUN echo made > /made\n", test: "mkdir -p /logs/verifier; [ -e /made ] && echo 1 > /logs/verifier/reward.txt"
                )
                try cluster.task("two", "FROM base:1\nRUN echo never > /made\n")
                try await cluster.bench.commitBenchmark()
                try await cluster.createJob("known", datasets: [["path": "tasks", "include": ["one"]]])
                _ = try await cluster.waitForEnd("known")
                let run = try #require(try await cluster.bench.branch().runs(task: "one").first)
                #expect(run["reward"]?.double == 1, "\(run.text)")
                let image = run.at("config", "image")?.string ?? ""
                #expect(image.hasPrefix("\(cluster.registry.address):\(cluster.registry.port)/assay/tasks@sha256:"), "\(image)")
                #expect(cluster.stored.count == 1, "\(cluster.stored)")

                try await cluster.forgetAuthority()
                try await cluster.createJob("unknown", datasets: [["path": "tasks", "include": ["two"]]])
                _ = try await cluster.waitForEnd("unknown")
                let branch = try await cluster.bench.branch()
                #expect(branch.errorType(task: "two") == "environment_build_failed")
                let message = branch.errorMessage(task: "two")
                #expect(message.contains("\(cluster.registry.address):\(cluster.registry.port)") && message.contains("certificate"), "\(message)")
                // The changed target is probed anew, which fails as well.
                try await eventually("the probe of the changed target has failed", seconds: 300) {
                    try await cluster.preflight()["status"] == "False"
                }
                try await eventually("no build is left", seconds: 300) {
                    try await cluster.processes.pods().allSatisfy { $0.at("metadata", "labels", "assay.dev/build") == nil }
                }
            }
        }
    }
}
