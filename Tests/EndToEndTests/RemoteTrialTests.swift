import Base
import Foundation
import Subprocess
import Testing

extension EndToEnd {
    /// Trials on the host of a vm target, on a real sshd.
    @Suite struct RemoteTrialTests {
        /// A job with one agent on that machine.
        private func job(_ name: String, execute: String, env: [JSONValue] = [], extra: String = "") -> String {
            JobFiles.job(
                name, agents: JobFiles.agent("worker", install: "echo installed > ~/installed", execute: execute, env: env),
                extra: "  targetRef: {name: machine}\n  retry: {maxAttempts: 8, initialDelayMs: 100, maxDelayMs: 500}\n" + extra)
        }

        private func record(_ bench: Workbench) async throws -> (path: String, value: JSONValue) {
            let names = try await bench.git("ls-tree", "-r", "--name-only", "assay/runs/v1", in: bench.results)
            for name in names.split(separator: "\n") where name.hasSuffix("/metadata.json") && !name.contains("/retries/") {
                let value = try JSONValue(parsing: Array(try await bench.git("show", "assay/runs/v1:\(name)", in: bench.results).utf8))
                if value["task"]?.string != nil { return (String(name), value) }
            }
            throw Unfound()
        }

        private struct Unfound: Error {}

        @Test func aTrialIsAUserOfItsOwnAndItsSecretsAreRedacted() async throws {
            try await Workbench.with("remote") { bench in
                try await RemoteMachine.with(bench) { machine in
                    try bench.task(
                        "look", toml: "[environment.env]\nGREETING = \"a b\"\n",
                        test: "[ -f ~/installed ] && [ \"$(cat /work/made)\" = \"a b\" ] && echo 1 > /logs/verifier/reward.txt")
                    try await bench.commitBenchmark()
                    let execute = """
                        id -u; id -un; echo "token $TOKEN"; printf %s "$GREETING" > made
                        ls /tests /root /var/lib/assay /assay/host-key 2>&1; cat /assay/gate/environment 2>&1; env | grep -c ASSAY_GIVEN
                        echo kept > /logs/artifacts/kept; (exec 3<>/dev/tcp/169.254.169.254/80) 2>/logs/artifacts/metadata || true
                        """
                    try bench.write(
                        "job.yaml",
                        machine.documents(target: "machine") + JobFiles.secret("model", ["token": "s3cret-value-of-the-token"])
                            + job(
                                "remote", execute: execute,
                                env: [["name": "TOKEN", "valueFrom": ["secretKeyRef": ["name": "model", "key": "token"]]]]))
                    try await bench.assay("run", "job.yaml", expecting: 0)
                    let (path, value) = try await record(bench)
                    #expect(value["reward"]?.double == 1 && value["error"] == nil, "\(value.text)")
                    let folder = path.dropLast("metadata.json".count)
                    let output = try await bench.git("show", "assay/runs/v1:\(folder)logs/command/stdout.txt", in: bench.results)
                    #expect(output.hasPrefix("19000") && output.contains("\nassay\n"), "\(output)")
                    #expect(!output.contains("s3cret") && output.contains("token "), "\(output)")
                    #expect(output.contains("cannot access '/var/lib/assay'") && output.contains("cannot access '/assay/host-key'"), "\(output)")
                    #expect(output.hasSuffix("\n0"), "\(output)")
                    #expect(try await bench.git("show", "assay/runs/v1:\(folder)logs/artifacts/kept", in: bench.results) == "kept")
                    let metadata = try await bench.git("show", "assay/runs/v1:\(folder)logs/artifacts/metadata", in: bench.results)
                    #expect(metadata.contains("Permission denied"), "catalogue 56: \(metadata)")
                    try await machine.expectClean()
                }
            }
        }

        /// Runs a job that cannot begin; returns what is said.
        private func refused(_ bench: Workbench, _ name: String, _ documents: String) async throws -> String {
            try bench.write("\(name).yaml", documents + job(name, execute: "true"))
            let run = try await bench.assay("run", "\(name).yaml", expecting: 2)
            return run.stdoutText + run.stderrText
        }

        @Test func aHostThatCannotRunTrialsIsSaidBeforeAnyTrialStarts() async throws {
            try await Workbench.with("unfit") { bench in
                try await RemoteMachine.with(bench, lacking: ["flock", "tar"]) { machine in
                    try bench.task("good")
                    try await bench.commitBenchmark()
                    let lacks = try await refused(bench, "lacks", try machine.documents())
                    #expect(
                        lacks.contains("lacks flock, tar; install tar and util-linux there, for example with: apt-get install tar util-linux"),
                        "\(lacks)")
                    let doctor = try await bench.assay("doctor", "lacks.yaml", expecting: 1)
                    #expect(doctor.stdoutText.contains("EvalTarget machine: \(machine.address) lacks flock, tar; install"), "\(doctor.stdoutText)")
                    let stranger = try await refused(bench, "stranger", try machine.documents(hostKey: "stranger"))
                    #expect(stranger.contains("the key of \(machine.address) is not the one in known_hosts"), "\(stranger)")
                    let login = try await refused(bench, "login", try machine.documents(key: "stranger"))
                    #expect(login.contains("root@\(machine.address):22 refuses the key of host.sshSecretRef"), "\(login)")
                    await machine.powerOff()
                    let off = try await refused(bench, "off", try machine.documents())
                    #expect(off.contains("no connection to root@\(machine.address):22"), "\(off)")
                    let log = await bench.gitAnswer("log", "--format=%s", "assay/runs/v1", in: bench.results)
                    #expect(log?.contains("Run: ") != true)
                    #expect(machine.trialsLeft().isEmpty)
                }
            }
        }

        @Test func theStepsOfATaskRunOnTheHost() async throws {
            try await Workbench.with("stages") { bench in
                try await RemoteMachine.with(bench) { machine in
                    let path = "\(bench.benchmark)/tasks/stages"
                    try bench.write(
                        "\(path)/task.toml",
                        "schema_version = \"1.3\"\nmulti_step_reward_strategy = \"mean\"\n[[steps]]\nname = \"one\"\nmin_reward = 0.5\n[[steps]]\nname = \"two\"\n"
                    )
                    try bench.write("\(path)/environment/keep", "")
                    for step in ["one", "two"] { try bench.write("\(path)/steps/\(step)/instruction.md", "Write down the step.\n") }
                    try bench.write("\(path)/steps/one/solution/solve.sh", "ls /tests > /work/tests; echo 1 > /work/steps")
                    try bench.write("\(path)/steps/two/solution/solve.sh", "echo 2 >> /work/steps")
                    try bench.write(
                        "\(path)/steps/one/tests/test.sh",
                        "[ \"$(cat /work/steps)\" = 1 ] && [ ! -s /work/tests ] && echo 0.6 > /logs/verifier/reward.txt")
                    try bench.write(
                        "\(path)/steps/two/tests/test.sh", "[ \"$(tr -d '\\n' < /work/steps)\" = 12 ] && echo 1 > /logs/verifier/reward.txt")
                    try await bench.commitBenchmark()
                    try bench.write("job.yaml", try machine.documents() + JobFiles.job("stages", extra: "  targetRef: {name: machine}"))
                    try await bench.assay("run", "job.yaml")
                    let record = try #require(try await bench.branch().runs().first)
                    #expect(record["reward"]?.double == 0.8 && record["error"] == nil, "\(record.text)")
                    try await machine.expectClean()
                }
            }
        }

        @Test func aTaskWithAnImageRunsInAContainerOfTheHost() async throws {
            try await Workbench.with("images") { bench in
                let (user, variables) = try await RemoteMachine.images(bench)
                try await RemoteMachine.with(bench, variables: variables) { machine in
                    let image = "[environment]\ndocker_image = \"localhost/task:1\"\nmemory_mb = 64\n"
                    try bench.task(
                        "good", toml: image, solution: "cp /etc/marked /marked; echo kept > /logs/artifacts/kept",
                        test: "[ \"$(cat /marked)\" = \"the image's\" ] && echo 1 > /logs/verifier/reward.txt")
                    try bench.task("memory", toml: image, solution: "head -c 300M /dev/zero | tail > /dev/null; exit $?")
                    try bench.task("nowhere", toml: "[environment]\ndocker_image = \"localhost:1/none:1\"\n")
                    try await bench.commitBenchmark()
                    try bench.write(
                        "job.yaml",
                        try machine.documents()
                            + JobFiles.job(
                                "images", image: nil,
                                extra: "  targetRef: {name: machine}\n  retry: {maxAttempts: 2, initialDelayMs: 100, maxDelayMs: 500}"))
                    try await bench.assay("run", "job.yaml")
                    let branch = try await bench.branch()
                    #expect(branch.runs(task: "good").first?["reward"]?.double == 1, "\(branch.runs(task: "good"))")
                    #expect(branch.errorType(task: "memory") == "agent_execution_failed", "\(branch.runs(task: "memory"))")
                    #expect(branch.errorType(task: "nowhere") == "environment_image_pull_failed", "\(branch.runs(task: "nowhere"))")
                    try await machine.expectClean()
                    let left = try await Command("podman", ["ps", "-aq"], environment: .inheriting(adding: user.environment)).run()
                    #expect(left.stdoutText.isEmpty, "\(left.stdoutText)")
                }
            }
        }

        @Test func whatTheHostDoesNotEnforceIsRefusedByName() async throws {
            try await Workbench.with("refused") { bench in
                try await RemoteMachine.with(bench, lacking: ["podman"]) { machine in
                    try bench.task("image", toml: "[environment]\ndocker_image = \"debian:12\"\n")
                    try bench.task("network", toml: "[environment]\nallow_internet = false\ndocker_image = \"rootfs:/\"\n")
                    try await bench.commitBenchmark()
                    try bench.write(
                        "job.yaml",
                        try machine.documents() + JobFiles.job("refused", image: nil, extra: "  targetRef: {name: machine}"))
                    try await bench.assay("run", "job.yaml")
                    let branch = try await bench.branch()
                    for (task, words) in [("image", "the host has neither podman nor docker"), ("network", "its network is restricted")] {
                        #expect(branch.errorType(task: task) == "task_invalid", "\(branch.runs(task: task))")
                        #expect(branch.errorMessage(task: task).contains(words), "\(branch.errorMessage(task: task))")
                    }
                    try bench.write(
                        "template.yaml",
                        try machine.documents()
                            + JobFiles.job(
                                "template", environment: "podTemplate: {resources: {limits: {memory: 1Gi}}}", extra: "  targetRef: {name: machine}"))
                    let run = try await bench.assay("run", "template.yaml", expecting: 2)
                    #expect((run.stdoutText + run.stderrText).contains("spec.environment.podTemplate"), "\(run.stderrText)")
                    #expect(machine.trialsLeft().isEmpty)
                }
            }
        }
    }
}
