import Base
import Foundation
import Testing

extension EndToEnd {
    /// `assay plan`: what would run, without running it.
    @Suite struct PlanTests {
        @Test func aPlanListsTrialsWarningsAndRefusalsAndRunsNothing() async throws {
            try await Workbench.with("plan") { bench in
                try bench.task("good", toml: "colour = \"red\"\n[verifier]\ntimeout_sec = 30\n")
                try bench.task("built")
                try bench.write("\(bench.benchmark)/tasks/built/environment/Dockerfile", "FROM scratch\n")
                try bench.task("tpu", toml: "[environment.tpu]\ntype = \"v6e\"\n")
                try await bench.commitBenchmark()
                try bench.write(
                    "job.yaml",
                    JobFiles.job(
                        "planned", agents: "[{name: oracle}, {name: a, execute: x}]", attempts: 2, image: nil, extra: "  timeoutMultiplier: 2"))
                let table = try await bench.assay("plan", "job.yaml", expecting: 2).stdoutText
                for word in [
                    "job planned", "12 trials, 4 would be refused", "task good: task.toml line 2: unknown key colour is ignored",
                    "refused: task_invalid",
                    "environment/Dockerfile", "60s", "environment.tpu",
                ] { #expect(table.contains(word), "\(word): \(table)") }

                let json = try JSONValue(parsing: try await bench.assay("plan", "job.yaml", "--output", "json", expecting: 2).stdoutText)
                #expect(json["trials"] == 12 && json["refused"] == 4)
                let line = try #require(json["lines"]?.array?.first { $0["task"] == "good" && $0["agent"] == "a" })
                #expect(line["attempts"] == 2 && line["refusal"] == nil && line["family"] == "harbor" && line["network"] == "public")
                #expect(line["image"] == ["from": "target", "name": "rootfs:/"])
                #expect(line.at("limits", "verifySec")?.double == 60 && line.at("limits", "executeSec") == .null)
                #expect(line.at("resources", "memoryMB") == 2048)
                #expect(json["warnings"] == [["text": "task.toml line 2: unknown key colour is ignored", "tasks": ["good"]]])

                #expect(!FileManager.default.fileExists(atPath: "\(bench.directory)/.assay"), "nothing is made where it is called")

                // The warning is also shown by a run, and kept in the record.
                try bench.write("one.yaml", JobFiles.job("warned", datasets: "[{path: tasks, include: [good]}]", artifacts: "{backend: local}"))
                let run = try await bench.assay("run", "one.yaml", expecting: 0)
                #expect(run.stderrText.contains("warning: task good: task.toml line 2: unknown key colour is ignored"), "\(run.stderrText)")
                let id = try #require(run.stdoutText.split(separator: "\n").dropFirst().first?.split(separator: " ").last)
                let record = try JSONValue(parsing: try await bench.assay("results", "show", String(id), "--output", "json", expecting: 0).stdoutText)
                #expect(record.at("metadata", "warnings") == ["task.toml line 2: unknown key colour is ignored"], "\(record.text)")
            }
        }

        @Test func aPlanRefusesTheFilesThatARunRefusesInTheSameWords() async throws {
            try await Workbench.with("plan-refuses") { bench in
                try bench.task("one")
                try await bench.commitBenchmark()
                let target = "apiVersion: assay.dev/v1alpha1\nkind: EvalTarget\nmetadata: {name: t}\nspec: {type: local, colour: red}\n---\n"
                let overlay =
                    "apiVersion: assay.dev/v1alpha1\nkind: OverlaySource\nmetadata: {name: o}\nspec: {repo: benchmark, interval: often}\n---\n"
                let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {key: \"no base64\"}\n---\n"
                for (file, words) in [
                    (JobFiles.job("field", extra: "  paralellism: 2"), ["EvalJob", "unknown field \"spec.paralellism\""]),
                    (JobFiles.job("agent", agents: "[{name: oracle, nam: x}]"), ["unknown field \"spec.agents[0].nam\""]),
                    (JobFiles.job("type", extra: "  timeoutMultiplier: fast"), ["spec.timeoutMultiplier"]),
                    (JobFiles.job("value", attempts: 0), ["EvalJob \"value\": spec.attempts", "greater than or equal to 1"]),
                    (JobFiles.job("rule", artifacts: "{backend: git}"), ["EvalJob \"rule\": spec.artifacts"]),
                    (JobFiles.job("Name"), ["metadata.name"]),
                    (target + JobFiles.job("target", extra: "  targetRef: {name: t}"), ["EvalTarget", "unknown field \"spec.colour\""]),
                    (overlay + JobFiles.job("overlay"), ["OverlaySource \"o\": spec.interval"]),
                    (secret + JobFiles.job("secret"), ["Secret"]),
                ] {
                    try bench.write("job.yaml", file)
                    let plan = try await bench.assay("plan", "job.yaml", expecting: 2)
                    let run = try await bench.assay("run", "job.yaml", expecting: 2)
                    #expect(plan.stderrText == run.stderrText && plan.stdoutText.isEmpty, "\(file)")
                    for word in words { #expect(plan.stderrText.contains(word), "\(word): \(plan.stderrText)") }
                }
            }
        }

        @Test func aFolderAndAFileOfRolloutCanBePlanned() async throws {
            try await Workbench.with("plan-folder") { bench in
                for name in ["a", "b"] {
                    try bench.write("tasks/\(name)/task.toml", "version = \"1.0\"\n[environment]\ndocker_image = \"debian:12\"\n")
                    try bench.write("tasks/\(name)/instruction.md", "x")
                    try bench.write("tasks/\(name)/tests/test.sh", "true")
                }
                let folder = try await bench.assay("plan", "tasks", expecting: 0).stdoutText
                #expect(folder.contains("2 trials\n") && folder.contains("debian:12"), "\(folder)")
                try bench.write("job.yaml", "n_attempts: 3\nagents: [{name: x, execute: y, env: {K: \"${NOT_SET}\"}}]\ndatasets: [{path: tasks}]\n")
                let json = try JSONValue(parsing: try await bench.assay("plan", "job.yaml", "--output", "json", expecting: 0).stdoutText)
                #expect(json["trials"] == 6 && json["lines"]?[0]?["family"] == "rollout")
                // Rollout's default limits.
                #expect(json["lines"]?[0]?.at("limits", "executeSec")?.double == 600)
                let wrong = try await bench.assay("plan", "nothing.yaml", expecting: 2)
                #expect(wrong.stderrText.contains("nothing.yaml"))
            }
        }

        @Test func aThousandTasksTakeAtMostTwoSeconds() async throws {
            try await Workbench.with("plan-many") { bench in
                // With a user and a Dockerfile, which is then read for its own user.
                for number in 0..<1000 {
                    try bench.task("t\(number)", toml: "[agent]\ntimeout_sec = 60.0\nuser = \"agent\"\n")
                    try bench.write("\(bench.benchmark)/tasks/t\(number)/environment/Dockerfile", "FROM base\nRUN echo \(number)\nUSER agent\n")
                }
                try await bench.commitBenchmark()
                try bench.write("job.yaml", JobFiles.job("many"))
                // Counts the processes of git: one for each task would take most of the time.
                try bench.write("counting/git", "#!/bin/sh\necho >> '\(bench.directory)/started'\nexec /usr/bin/git \"$@\"\n", executable: true)
                let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
                let began = SystemTime().monotonic()
                let result = try await bench.assay(
                    ["plan", "job.yaml"], expecting: 0, environment: ["PATH": "\(bench.directory)/counting:\(path)"])
                let seconds = SystemTime().monotonic() - began
                print("a plan of 1,000 tasks, the first in its directory: \(seconds.rounded(to: 2)) s")
                #expect(result.stdoutText.contains("1000 trials\n"))
                let started = try bench.read("started").count
                #expect(started > 0 && started < 50, "\(started) processes of git")
                let again = SystemTime().monotonic()
                try await bench.assay("plan", "job.yaml", expecting: 0)
                print("the same again: \((SystemTime().monotonic() - again).rounded(to: 2)) s")
            }
        }
    }
}
