import Base
import Foundation
import Subprocess
import Testing

extension EndToEnd {
    /// From a job to its pages in a browser.
    @Suite struct DashboardTests {
        /// The script with which DashboardTests control the browser.
        private static let browse = "\(Workbench.root)/Tests/DashboardTests/Browser/browse.py"

        private func browse(_ plan: JSONValue) async throws -> JSONValue {
            let result = try await Command("python3", [Self.browse], standardInput: .bytes(plan.serialized()), deadlineSeconds: 120).run()
            try #require(result.succeeded, "\(result.stderrText.suffix(2000))")
            return try JSONValue(parsing: result.stdout)
        }

        @Test("catalogue 55: the site of a real job: every link leads to a page, and the agent's output has no effect")
        func realJob() async throws {
            try await Workbench.with("dashboard") { bench in
                try bench.task("greet")
                try bench.task("half", test: "mkdir -p /logs/verifier; echo 0.5 > /logs/verifier/reward.txt")
                try bench.task("unrewarded", test: "true")
                try await bench.commitBenchmark()
                let session =
                    #"{"role":"user","content":"greet"}"# + "\n"
                    + #"{"role":"assistant","content":"<script>alert(1)</script>","tool_calls":[{"function":{"name":"sh","arguments":"{\"command\":\"ls\"}"}}]}"#
                    + "\n"
                let script = """
                    cat > /logs/agent/transcript.jsonl <<'EOF'
                    \(session)EOF
                    printf 'no JSON \\033[31m \\377 <script>alert(2)</script>\\n' >> /logs/agent/transcript.jsonl
                    printf '\\033[2J\\033]0;owned\\007 \\342\\200\\256 </pre><script>alert(3)</script>\\377\\n'
                    """
                try bench.write("job.yaml", JobFiles.job("pages", agents: JobFiles.agent("hostile", execute: script)))
                try await bench.assay("run", "job.yaml", expecting: 1)
                // Without a place for the results: the results of the last run are used.
                let made = try await bench.assay("dashboard", "--out", "site", expecting: 0)
                #expect(made.stdoutText.hasPrefix("3 runs of 1 job; "))

                let base = "file://\(bench.directory)/site/"
                let answer = try await browse(["start": .string(base + "index.html"), "crawl": true, "evaluate": "document.body.innerText"])
                for key in ["console", "violations", "failed"] { #expect(answer[key] == .array([])) }
                for request in answer["requests"]?.array ?? [] { #expect(request.string?.hasPrefix(base) == true) }
                let pages = answer["pages"]?.array ?? []
                #expect(pages.count { $0["url"]?.string?.contains("/run/") == true } == 3)
                let shown = pages.compactMap { $0["value"]?.string }.filter { $0.contains("no JSON") }
                #expect(shown.count == 3)
                for text in shown {
                    #expect(text.contains("no JSON \\x1b[31m \u{FFFD} <script>alert(2)</script>") && text.contains("<script>alert(1)</script>"))
                }

                #expect(try await bench.assay("dashboard", "--out", "site", expecting: 0).stdoutText.hasPrefix("3 runs of 1 job; 0 files written"))
                // Another user's folder, and an invalid address.
                try await bench.assay("dashboard", "--out", "benchmark", expecting: 1)
                try await bench.assay("dashboard", "--serve", "nonsense", expecting: 2)
                try await bench.assay("dashboard", expecting: 2)
            }
        }

        @Test("served: the pages are updated after commits, and SIGTERM ends the server")
        func served() async throws {
            try await Workbench.with("dashboard-serve") { bench in
                try bench.task("one")
                try await bench.commitBenchmark()
                try bench.write("job.yaml", JobFiles.job("first"))
                try await bench.assay("run", "job.yaml", expecting: 0)
                let server = try bench.start(["dashboard", "--serve", "--interval", "1"], to: "serve.log")
                try await eventually("it serves") { try bench.read("serve.log").contains("serving http://127.0.0.1:") }
                let line = try #require(try bench.read("serve.log").split(separator: "\n").first { $0.hasPrefix("serving ") })
                let base = String(line.dropFirst("serving ".count))
                async let watched = browse([
                    "steps": [
                        ["open": .string(base + "runs.html")], ["wait": "document.body?.textContent.includes('2 runs') === true"],
                        ["evaluate": "location.href"],
                    ]
                ])
                try bench.write("job2.yaml", JobFiles.job("second"))
                try await bench.assay("run", "job2.yaml", expecting: 0)
                let answer = try await watched
                #expect(answer["values"] == .array([.string(base + "runs.html")]) && answer["console"] == .array([]))
                server.signal(SIGTERM)
                #expect(await server.wait() == .code(0))
            }
        }
    }
}
