import Base
import Foundation
import Testing

extension EndToEnd {
    /// test-dataset/formats: one small task for each key of both families' formats. Each passes only if what the key asks for is done, and each record
    /// is compared, field by field, with expected.json.
    @Suite struct FormatsTests {
        /// `family/task` to the fields of its record: a path with dots, `~` at its end for a part of the text, `file:` for an output. null: absent.
        private static func expectations() throws -> [String: [String: JSONValue]] {
            let text = try String(contentsOfFile: "\(Workbench.root)/test-dataset/formats/expected.json", encoding: .utf8)
            return try #require(try JSONValue(parsing: text).object).compactMapValues(\.object)
        }

        private static let secret = "formats-secret-value"

        private static func job(_ name: String, agents: JSONValue, datasets: [JSONValue]) -> String {
            let spec: JSONValue = [
                "source": ["repo": "benchmark"], "datasets": .array(datasets), "agents": agents, "parallelism": 3, "retry": ["maxAttempts": 1],
                "environment": ["env": [["name": "FORMATS_MODE", "value": "fast"]]],
                "artifacts": ["backend": "git", "git": ["remote": "results.git"]],
            ]
            return JSONValue.object(["apiVersion": "assay.dev/v1alpha1", "kind": "EvalJob", "metadata": ["name": .string(name)], "spec": spec]).text
        }

        @Test func eachTaskOfTheFormatsDatasetEndsAsItMust() async throws {
            try await Workbench.with("formats") { bench in
                try await bench.useTestDataset()
                let place = "test-dataset/formats"
                let datasets: [JSONValue] = [
                    ["path": .string("\(place)/rollout"), "name": "rollout", "format": "rollout", "exclude": ["agent-install-timeout"]],
                    ["path": .string("\(place)/harbor"), "name": "harbor"],
                ]
                try bench.write("job.yaml", Self.job("formats", agents: [["name": "oracle"]], datasets: datasets))
                let variables = ["FORMATS_TOKEN": Self.secret]
                let refused = try await bench.assay(["run", "job.yaml"], expecting: 2, environment: variables)
                #expect(
                    refused.stderrText.contains("${FORMATS_TOKEN}") && refused.stderrText.contains("--task-env FORMATS_TOKEN"),
                    "\(refused.stderrText)")
                try await bench.assay(
                    ["run", "job.yaml", "--task-env", "FORMATS_TOKEN", "--anew"], expecting: 1, environment: variables, seconds: 580)
                try bench.write(
                    "installs.yaml",
                    Self.job(
                        "installs", agents: [["name": "installs", "install": "sleep \"${INSTALL_SECONDS:-0}\"", "execute": "true"]],
                        datasets: [
                            ["path": .string("\(place)/rollout"), "name": "rollout", "format": "rollout", "include": ["agent-install-timeout"]]
                        ]))
                try await bench.assay(["run", "installs.yaml"], expecting: 1)

                let branch = try await bench.branch()
                let expected = try Self.expectations()
                #expect(branch.runs.count == expected.count)
                for (name, fields) in expected.sorted(by: { $0.key < $1.key }) {
                    let parts = name.split(separator: "/").map(String.init)
                    let found = branch.runs.first { $0.value["dataset"]?.string == parts[0] && $0.value["task"]?.string == parts[1] }
                    guard let (folder, run) = found else {
                        Issue.record("\(name) has no record")
                        continue
                    }
                    for (path, value) in fields.sorted(by: { $0.key < $1.key }) {
                        try await check(path, value, of: run, folder, name, bench)
                    }
                }
                // The secret is nowhere in the results: what printed it is redacted.
                for (task, name) in [("environment-env", "TOKEN"), ("verifier-env", "KEY")] {
                    let run = branch.runs(task: task).first
                    #expect(run?.at("outputs", "redacted", name)?.int ?? 0 > 0, "\(run?.text ?? task)")
                }
                #expect(await bench.gitAnswer("grep", "-l", "-e", Self.secret, "assay/runs/v1", in: bench.results) == nil)
            }
        }

        private func check(_ path: String, _ value: JSONValue, of run: JSONValue, _ folder: String, _ name: String, _ bench: Workbench) async throws {
            if path.hasPrefix("file:") {
                let text = await bench.gitAnswer("show", "assay/runs/v1:\(folder)/\(path.dropFirst(5))", in: bench.results)
                #expect(text == value.string?.trimmed, "\(name): \(path)")
                return
            }
            let isPart = path.hasSuffix("~")
            var actual: JSONValue? = run
            for key in (isPart ? path.dropLast() : path[...]).split(separator: ".") {
                if let index = Int(key) {
                    let list = actual?.array ?? []
                    actual = index < list.count ? list[index] : nil
                } else {
                    actual = actual?[String(key)]
                }
            }
            if isPart {
                #expect(actual?.string?.contains(value.string ?? "-") == true, "\(name): \(path) is \(actual?.text ?? "absent")")
            } else if let number = value.double {
                #expect(actual?.double == number, "\(name): \(path) is \(actual?.text ?? "absent"), not \(value.text): \(run["error"]?.text ?? "")")
            } else {
                #expect((actual ?? .null) == value, "\(name): \(path) is \(actual?.text ?? "absent"), not \(value.text): \(run["error"]?.text ?? "")")
            }
        }
    }
}
