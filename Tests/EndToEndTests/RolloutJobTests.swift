import Base
import Foundation
import Glibc
import Subprocess
import Testing

extension EndToEnd {
    /// Job files of Rollout, run as they are.
    @Suite struct RolloutJobTests {
        private func json(_ bench: Workbench, _ path: String) throws -> JSONValue { try JSONValue(parsing: try bench.read(path)) }

        private func task(_ bench: Workbench, _ folder: String, solution: String = "true", test: String = "echo 1 > /logs/verifier/reward.txt") throws
        {
            try bench.write("\(folder)/task.toml", "version = \"1.0\"\n[environment]\ndocker_image = \"rootfs:/\"\nmemory_mb = 256\n")
            try bench.write("\(folder)/instruction.md", "say hello\n")
            try bench.write("\(folder)/solution/solve.sh", "#!/bin/bash\n\(solution)\n", executable: true)
            try bench.write("\(folder)/tests/test.sh", "#!/bin/bash\n\(test)\n", executable: true)
        }

        /// Two agents, a folder that is in no repository, and a registry whose tasks are in another repository.
        private func twoDatasets(_ bench: Workbench) async throws {
            try task(
                bench, "local/greet", solution: "echo hi > /logs/agent/said.txt",
                test: "cp /logs/agent/said.txt /logs/verifier/; echo 1 > /logs/verifier/reward.txt")
            try task(bench, "remote/tasks/half", test: "echo 0.5 > /logs/verifier/reward.txt")
            try task(bench, "remote/tasks/broken", test: "echo 1 > /logs/verifier/reward.txt; exit 3")
            try await bench.git("init", "--quiet", "remote", in: bench.directory)
            try await bench.git("add", "--all", in: "\(bench.directory)/remote")
            try await bench.git("commit", "--quiet", "--message", "tasks", in: "\(bench.directory)/remote")
            let commit = try await bench.git("rev-parse", "HEAD", in: "\(bench.directory)/remote")
            let address = "file://\(bench.directory)/remote"
            try bench.write(
                "registry.json",
                """
                [{"name": "pair", "version": "head", "tasks": [
                  {"name": "half", "git_url": "\(address)", "git_commit_id": "\(commit)", "path": "tasks/half"},
                  {"name": "broken", "git_url": "\(address)", "git_commit_id": "\(commit)", "path": "tasks/broken"}]},
                 {"name": "spoilt", "version": "1", "tasks": [{"path": "../x"}]}]
                """)
            try bench.write(
                "job.yaml",
                """
                name: two agents
                jobs_dir: out/jobs
                n_concurrent_trials: 2
                agents:
                  - name: oracle
                  - name: Some Agent
                    install: echo installing
                    execute: |
                      echo working; echo hi > /logs/agent/said.txt; echo "$GREETING" > /logs/agent/greeting.txt
                    env:
                      GREETING: "${GREETING}"
                      PORT: 8080
                  - name: later
                datasets:
                  - path: ./local
                  - registry: {path: registry.json}
                    name: pair
                """)
        }

        @Test func twoAgentsWithALocalAndARegistryDatasetGiveTheTreeAndTheResultsWithEveryField() async throws {
            try await Workbench.with("two-agents") { bench in
                try await twoDatasets(bench)
                let missing = try await bench.assay("run", "job.yaml", expecting: 2)
                #expect(
                    missing.stderrText.contains("the environment has no value for ${GREETING} (agent \"Some Agent\", env GREETING)"),
                    "\(missing.stderrText)")
                #expect(!FileManager.default.fileExists(atPath: "\(bench.directory)/.assay"), "nothing is made")

                let environment = ["GREETING": "good-morning-everyone"]
                let result = try await bench.assay(["run", "job.yaml"], expecting: 1, environment: environment)
                for word in [
                    "agent \"later\" has no execute script and is skipped", "local is in no git repository",
                    "outputs: \(bench.directory)/out/jobs/two agents",
                ] { #expect((result.stdoutText + result.stderrText).contains(word), "\(word): \(result.stdoutText)\(result.stderrText)") }

                let root = "out/jobs/two agents"
                let manager = FileManager.default
                let found = try manager.subpathsOfDirectory(atPath: "\(bench.directory)/\(root)").filter { $0.hasSuffix("result.json") }
                #expect(
                    Set(found) == [
                        "result.json", "oracle/local/greet__1/result.json", "oracle/pair/half__1/result.json", "oracle/pair/broken__1/result.json",
                        "Some Agent/local/greet__1/result.json", "Some Agent/pair/half__1/result.json", "Some Agent/pair/broken__1/result.json",
                    ])
                let config = try json(bench, "\(root)/config.json")
                #expect(config["name"] == "two agents" && config["n_attempts"] == 1 && config["n_concurrent_trials"] == 2)
                #expect(config["agents"]?[1]?.at("env", "GREETING") == "${GREETING}")

                let job = try json(bench, "\(root)/result.json")
                #expect(
                    Set((job.object ?? [:]).keys) == [
                        "job_name", "cancelled", "total_trials", "completed_trials", "failed_trials", "skipped_trials", "pass_rate", "mean_reward",
                        "total_cost", "total_duration_sec", "started_at", "ended_at", "agents", "results",
                    ])
                #expect(job["job_name"] == "two agents" && job["cancelled"] == false && job["total_trials"] == 6 && job["skipped_trials"] == 0)
                #expect(job["completed_trials"] == 4 && job["failed_trials"] == 2, "\(job.text)")
                #expect(job["pass_rate"] == 0.5 && job["mean_reward"] == 0.75)
                #expect(Set((job["agents"]?.object ?? [:]).keys) == ["oracle", "Some Agent"])
                #expect(job["results"]?.array?.count == 6)

                let trial = try json(bench, "\(root)/Some Agent/local/greet__1/result.json")
                #expect(trial["task_git_commit_id"] == .null && trial["reward"]?.double == 1 && trial["error"] == .null && trial["attempt"] == 1)
                for field in ["total_sec", "environment_setup_sec", "agent_setup_sec", "agent_execution_sec", "verifier_sec"] {
                    #expect(trial.at("durations", field)?.double ?? -1 >= 0, "\(field): \(trial.text)")
                }
                for field in ["started_at", "environment_setup_started_at", "agent_setup_ended_at", "verifier_ended_at", "ended_at"] {
                    #expect(trial.at("timestamps", field)?.string?.hasSuffix("Z") == true, "\(field): \(trial.text)")
                }
                let folder = "\(root)/Some Agent/local/greet__1"
                #expect(try bench.read("\(folder)/setup/stdout.txt") == "installing\n")
                #expect(try bench.read("\(folder)/command/stdout.txt") == "working\n")
                #expect(try bench.read("\(folder)/logs/agent/said.txt") == "hi\n")
                #expect(try bench.read("\(folder)/logs/verifier/reward.txt") == "1\n")
                #expect(try !bench.read("\(folder)/logs/agent/greeting.txt").contains("good-morning"), "a value from the environment is redacted")

                let failed = try json(bench, "\(root)/oracle/pair/broken__1/result.json")
                #expect(failed.at("error", "type") == "verifier_failed" && failed["reward"] == .null, "Rollout's rule for the exit code")
                #expect(try await failed["task_git_commit_id"]?.string == bench.git("rev-parse", "HEAD", in: "\(bench.directory)/remote"))
                #expect(try bench.read("\(root)/oracle/pair/broken__1/error.txt").isEmpty == false)

                // A second run has nothing to do, and the tree is as it was.
                let again = try await bench.assay(["run", "job.yaml"], expecting: 1, environment: environment)
                #expect(again.stdoutText.contains("nothing is left to run"))
                #expect(try json(bench, "\(root)/result.json") == job)
                #expect(try await bench.assay("results", "list", expecting: 0).stdoutText.contains("Some Agent"))

                // What convert prints has no value of a variable, and is the same job.
                let printed = try await bench.assay("convert", "job.yaml", expecting: 0).stdoutText
                #expect(!printed.contains("good-morning") && printed.contains("${GREETING}"))
                try bench.write("converted/job.yaml", printed)
                let place = "\(bench.directory)/converted"
                let converted = try await bench.assay(["run", "job.yaml"], expecting: 1, in: place, environment: environment)
                #expect(converted.stdoutText.contains("6 trials: 4 completed, 2 failed"), "\(converted.stdoutText)\(converted.stderrText)")
                let unset = try await bench.assay(["run", "job.yaml"], expecting: 2, in: place)
                #expect(unset.stderrText.contains("GREETING"), "\(unset.stderrText)")
            }
        }

        @Test func anInterruptedJobHasItsResultAndTheSameFileGoesOnWithIt() async throws {
            try await Workbench.with("cancelled") { bench in
                try task(bench, "tasks/a")
                try task(bench, "tasks/b", solution: "sleep 20")
                try task(bench, "tasks/c", solution: "sleep 20")
                // Without a name: the directory is named by the time.
                try bench.write("job.yaml", "n_concurrent_trials: 2\nagents: [{name: oracle}]\ndatasets: [{path: tasks}]\n")
                let running = try bench.start(["run", "job.yaml"], to: "run.log")
                func directory() -> String? {
                    ((try? FileManager.default.contentsOfDirectory(atPath: "\(bench.directory)/jobs")) ?? []).first.map { "jobs/\($0)" }
                }
                try await eventually("a trial's result is there while the job runs") {
                    directory().map { FileManager.default.fileExists(atPath: "\(bench.directory)/\($0)/oracle/tasks/a__1/result.json") } ?? false
                }
                let place = try #require(directory())
                #expect(place.wholeMatch(of: /jobs\/\d{4}-\d\d-\d\d__\d\d-\d\d-\d\d/) != nil, "\(place)")
                #expect(!FileManager.default.fileExists(atPath: "\(bench.directory)/\(place)/result.json"))
                running.signal(SIGINT)
                #expect(await running.wait() == .code(130), "\((try? bench.read("run.log")) ?? "")")
                let stopped = try json(bench, "\(place)/result.json")
                #expect(
                    stopped["cancelled"] == true && stopped["total_trials"] == 3 && stopped["completed_trials"] == 1 && stopped["skipped_trials"] == 2
                )

                for name in ["b", "c"] { try bench.write("later", name) }
                let again = try await bench.assay("run", "job.yaml", expecting: 0)
                #expect(again.stderrText.contains("going on: 1 of 3"), "\(again.stderrText)")
                let whole = try json(bench, "\(place)/result.json")
                #expect(whole["cancelled"] == false && whole["completed_trials"] == 3 && whole["skipped_trials"] == 0)
                #expect(try FileManager.default.contentsOfDirectory(atPath: "\(bench.directory)/jobs").count == 1)
                // It is over: the next run is a job of its own.
                try await bench.assay("run", "job.yaml", expecting: 0)
                #expect(try FileManager.default.contentsOfDirectory(atPath: "\(bench.directory)/jobs").count == 2)
            }
        }

        @Test func whatAKilledRunLeftIsCompletedByTheNextCommand() async throws {
            try await Workbench.with("killed-rollout") { bench in
                try task(bench, "tasks/a")
                try task(bench, "tasks/b", solution: "sleep 15")
                try bench.write("job.yaml", "name: killed\nagents: [{name: oracle}]\ndatasets: [{path: tasks}]\n")
                let running = try bench.start(["run", "job.yaml"], to: "run.log")
                let trial = "\(bench.directory)/jobs/killed/oracle/tasks/a__1"
                try await eventually("a trial's result is there") { FileManager.default.fileExists(atPath: "\(trial)/result.json") }
                running.signal(SIGKILL)
                _ = await running.wait()
                // As if it had been killed before it wrote this.
                try FileManager.default.removeItem(atPath: trial)
                try await bench.assay("results", "list", expecting: 0)
                let partial = try json(bench, "jobs/killed/result.json")
                #expect(partial["cancelled"] == true && partial["completed_trials"] == 1 && partial["skipped_trials"] == 1)
                #expect(FileManager.default.fileExists(atPath: "\(trial)/logs/verifier/reward.txt"))

                try await bench.assay("run", "job.yaml", expecting: 0)
                let whole = try json(bench, "jobs/killed/result.json")
                #expect(whole["cancelled"] == false && whole["completed_trials"] == 2)
            }
        }

        @Test func aRegistryBesideTheJobFileAndTheFolderOfTheCommandAreDatasets() async throws {
            try await Workbench.with("rollout-here") { bench in
                try task(bench, "a")
                try bench.write("registry.json", #"[{"name": "d", "version": "1.0", "tasks": [{"name": "a", "path": "a"}]}]"#)
                let datasets = "datasets: [{registry: {path: registry.json}, name: d}, {path: .}]\n"
                try bench.write("job.yaml", "name: here\nagents: [{name: oracle}]\n" + datasets)
                try await bench.assay("run", "job.yaml", expecting: 0)
                #expect(try json(bench, "jobs/here/result.json")["completed_trials"]?.int == 2)
                // The outputs of the first run are beside the tasks now, and are no change of them.
                let again = try await bench.assay("run", "job.yaml", expecting: 0)
                #expect(again.stdoutText.contains("nothing is left to run"), "\(again.stdoutText)")
            }
        }

        @Test func filesThatCannotRunSayWhy() async throws {
            try await Workbench.with("rollout-errors") { bench in
                try task(bench, "tasks/a")
                let rest = "agents: [{name: oracle}]\ndatasets: [{path: tasks}]\n"
                for (text, words) in [
                    ("environment: {type: modal}\n" + rest, ["environment.type", "\"modal\" is not supported", "docker", "k8s"]),
                    (
                        "agents: [{name: oracle}]\ndatasets: [{path: nowhere}]\n",
                        ["datasets[0].path: there is no directory \(bench.directory)/nowhere"]
                    ),
                    ("n_attempts: many\n" + rest, ["n_attempts: must be a whole number"]),
                    (
                        "agents: [{name: a, execute: x, env: {K: \"${NO_A}${NO_B}\"}}, {name: b, execute: x, env: {K: \"${NO_C}\"}}]\ndatasets: [{path: tasks}]\n",
                        ["${NO_A}", "${NO_B}", "${NO_C}"]
                    ),
                ] {
                    try bench.write("job.yaml", text)
                    let result = try await bench.assay("run", "job.yaml", expecting: 2)
                    for word in words { #expect(result.stderrText.contains(word), "\(word): \(result.stderrText)") }
                }
                // Results of another program are left alone.
                try bench.write("jobs/taken/result.json", "{}")
                try bench.write("job.yaml", "name: taken\n" + rest)
                let taken = try await bench.assay("run", "job.yaml", expecting: 2)
                #expect(taken.stderrText.contains("jobs/taken exists already"), "\(taken.stderrText)")
            }
        }

        @Test func tasksThatChangedAreNamedWithBothCommitsAndRunAnew() async throws {
            try await Workbench.with("changed") { bench in
                try task(bench, "repo/tasks/a")
                try await bench.git("init", "--quiet", "repo", in: bench.directory)
                func commit() async throws -> String {
                    try await bench.git("add", "--all", in: "\(bench.directory)/repo")
                    try await bench.git("commit", "--quiet", "--message", "tasks", in: "\(bench.directory)/repo")
                    return try await bench.git("rev-parse", "HEAD", in: "\(bench.directory)/repo")
                }
                let first = try await commit()
                try bench.write("rollout.yaml", "name: again\nagents: [{name: oracle}]\ndatasets: [{path: repo/tasks}]\n")
                try bench.write("job.yaml", JobFiles.job("again-2", source: "{repo: repo}", image: nil, artifacts: "{backend: local}"))
                try await bench.assay("run", "rollout.yaml", expecting: 0)
                try await bench.assay("run", "job.yaml", expecting: 0)

                try task(bench, "repo/tasks/a", test: "echo 0 > /logs/verifier/reward.txt")
                let second = try await commit()
                let refused = try await bench.assay("run", "rollout.yaml", expecting: 2)
                let told = try await bench.assay("run", "job.yaml", expecting: 0)
                for said in [refused.stderrText, told.stderrText] {
                    for word in [String(first.prefix(12)), String(second.prefix(12)), "--anew", "another name"] {
                        #expect(said.contains(word), "\(word): \(said)")
                    }
                }
                #expect(told.stdoutText.contains("nothing is left to run") && told.stdoutText.contains("1.00"))

                let anew = try await bench.assay("run", "job.yaml", "--anew", expecting: 0)
                #expect(anew.stdoutText.contains("0.00"), "\(anew.stdoutText)")
                try await bench.assay("run", "rollout.yaml", "--anew", expecting: 0)
                #expect(try json(bench, "jobs/again/result.json")["mean_reward"]?.double == 0)
                #expect(try json(bench, "jobs/again~1/result.json")["mean_reward"]?.double == 1, "earlier outputs stay")
                #expect(try await bench.assay("results", "list", expecting: 0).stdoutText.split(separator: "\n").count == 5, "earlier results stay")
            }
        }
    }
}
