import Artifacts
import Base
import EvalModel
import Foundation
import Git
import Glibc
import Testing

@testable import Dashboard

/// A site from a branch that a ledger wrote, and its updates when the branch changes.
@Suite struct SiteTests {
    @Test("a site shows the results of the runs, and every linked page exists")
    func whole() async throws {
        let bench = try await SiteBench()
        try await bench.writeEverything()
        let report = try await bench.generate()
        #expect(report.runs == 14 && report.jobs == 2 && report.unreadable.isEmpty && report.removed == 0)
        let files = bench.files()
        #expect(
            files.isSuperset(of: [
                "index.html", "jobs.html", "runs.html", "matrix.html", "compare.html", "assets/style.css", "assets/app.js", "assets/icon.svg",
            ]))
        #expect(files.count { $0.hasPrefix("run/") } == 14)
        #expect(files.count { $0.hasPrefix("job/") } == 2 && files.count { $0.hasPrefix("data/") } == 2)
        let index = try bench.text(.index)
        // 12 of 14 count, because infrastructure ended two. Passes: hello 1 and 2 of the oracle, and both attempts of the second job.
        #expect(index.contains("5 of 12 that count") && index.contains("41.7%"))
        #expect(index.contains("environment_node_lost") && index.contains("infrastructure or input; does not count"))
        let job = try bench.text(.job(RunID(jobUID: "uid-2")))
        #expect(job.contains("cancelled") && job.contains("stopped by a user"))
        #expect(job.contains("1 better") && job.contains("1 worse") && job.contains("3 the same") && job.contains("of 5 pairs of agent and task"))
    }

    @Test("catalogue 55: no page contains markup, a script or a link from a trial")
    func inert() async throws {
        let bench = try await SiteBench()
        try await bench.writeEverything()
        try await bench.generate()
        for name in bench.files() where name.hasSuffix(".html") {
            let text = String(decoding: try #require(FileReading.whole("\(bench.site)/\(name)")), as: UTF8.self)
            #expect(text.contains("default-src &#39;none&#39;; style-src &#39;self&#39;; script-src &#39;self&#39;"))
            // One script: our own, from a file. No image, no style, no handler.
            #expect(text.components(of: "<script") == 1 && text.contains("assets/app.js\"></script>"))
            for word in ["<img", "<iframe", "<style", " style=", "<svg onload", " onerror=alert(2)>", "javascript:", "src=\"http", "href=\"http"] {
                #expect(!text.contains(word), "\(word) in \(name)")
            }
            #expect(
                !text.unicodeScalars.contains {
                    $0.value < 0x20 && $0 != "\n" && $0 != "\t" || (0x7F..<0xA0).contains($0.value) || $0.value == 0x202E
                })
        }
        let run = SiteBench.everything()[0]
        let page = try bench.text(.run(SiteBench.record(run).runId))
        #expect(page.contains("this is no JSON &lt;script&gt;document.title='owned'") && page.contains("\\x1b[31m") && page.contains("\u{FFFD}"))
    }

    @Test("unchanged pages are not written again; a new run changes its own page and the lists")
    func incremental() async throws {
        let bench = try await SiteBench()
        try await bench.writeEverything()
        try await bench.generate()
        #expect(try await bench.generate().written == 0)
        let old = SiteBench.everything()[0]
        let page = "\(bench.site)/\(SitePath.run(SiteBench.record(old).runId).text)"
        let before = try inode(page)
        try await bench.write([SiteBench.pending(.init(task: "new", at: 100_000))], directory: "ledger-2")
        let report = try await bench.generate()
        // The run, its job and that job's data, the lists, the overview, the page for choosing jobs, the job that is compared with it.
        #expect(report.runs == 15 && (5...9).contains(report.written))
        #expect(try inode(page) == before)
        #expect(try bench.text(.index).contains("of 4 agents") || bench.text(.index).contains("of 3 agents"))
        // The title is on every page.
        #expect(try await bench.generate(title: "other").written >= 15)
    }

    @Test("pages and raw files of pruned runs are removed; other files stay")
    func pruned() async throws {
        let bench = try await SiteBench()
        let long = Array(String(repeating: "a line of a long log\n", count: 5000).utf8)
        let kept = SiteBench.Run(task: "kept")
        let gone = SiteBench.Run(task: "gone", at: 10, files: ["logs/agent/stdout.txt": long])
        try await bench.write([try SiteBench.pending(kept)])
        let tip = try await bench.git("-C", bench.remote, "rev-parse", SiteBench.branch)
        try await bench.write([try SiteBench.pending(gone)], directory: "ledger-2")
        try await bench.generate()
        let id = SiteBench.record(gone).runId
        let raw = try #require(bench.files().first { $0.hasPrefix("raw/\(id.path)/") })
        #expect(FileReading.whole("\(bench.site)/\(raw)") == long)
        try FileWriting.replace("\(bench.site)/CNAME", with: Array("results.example\n".utf8))
        try FileWriting.replace("\(bench.site)/run/\(id.path.prefix(2))/notes.txt", with: Array("mine\n".utf8))
        // Left by a writer that was killed.
        try FileWriting.replace("\(bench.site)/runs.html.tmp-1-2", with: Array("half".utf8))
        try await bench.git("-C", bench.remote, "update-ref", "refs/heads/\(SiteBench.branch)", tip.trimmedLine)
        let report = try await bench.generate()
        #expect(report.runs == 1 && report.removed == 2)
        let files = bench.files()
        #expect(!files.contains { $0.hasPrefix("raw/") } && files.count { $0.hasPrefix("run/") && $0.hasSuffix(".html") } == 1)
        #expect(files.contains("CNAME") && files.contains("run/\(id.path.prefix(2))/notes.txt") && !files.contains("runs.html.tmp-1-2"))
    }

    @Test("long sessions and logs are cut with a note, and the whole files are beside the page")
    func long() async throws {
        let bench = try await SiteBench()
        let line = #"{"role":"assistant","content":"\#(String(repeating: "word ", count: 200))"}"# + "\n"
        let session = Array(String(repeating: line, count: 2000).utf8)
        let log = Array(String(repeating: "\u{1B}[1mbuild\u{1B}[0m \u{202E}\n", count: 9000).utf8)
        let run = SiteBench.Run(
            task: "long", files: ["transcript.jsonl": session, "logs/agent/stdout.txt": log, "logs/agent/core": [0x7F, 0x45, 0, 1, 2]])
        try await bench.write([try SiteBench.pending(run)])
        try await bench.generate()
        let id = SiteBench.record(run).runId
        let page = try bench.text(.run(id))
        #expect(page.utf8.count < 2 << 20)
        #expect(
            page.contains("This page shows the beginning of the session") && page.contains("left out \u{2026}")
                && page.contains("1 file not shown here: binary"))
        let raw = bench.files().filter { $0.hasPrefix("raw/\(id.path)/") }
        #expect(Set(raw.compactMap { FileReading.whole("\(bench.site)/\($0)") }) == [session, log])
        for name in raw { #expect(page.contains("../../\(name)\"")) }
    }

    @Test("a trajectory is used if the session has no known lines; tries ended by infrastructure are listed")
    func trajectory() async throws {
        let bench = try await SiteBench()
        let atif = #"{"schema_version":"ATIF-v1.4","steps":[{"step_id":1,"source":"agent","message":"from the trajectory"}]}"#
        var run = SiteBench.Run(task: "atif")
        run.files = ["trajectory.json": Array(atif.utf8)]
        var lost = SiteBench.record(run)
        lost.kind = "retry"
        lost.error = TrialError(.environmentEvicted, "the node was <full>")
        try await bench.write([try PendingRun(run: lost, slot: .retry(0)), try SiteBench.pending(run)])
        try await bench.generate()
        let page = try bench.text(.run(SiteBench.record(run).runId))
        #expect(page.contains("from the trajectory") && page.contains("environment_evicted") && page.contains("the node was &lt;full&gt;"))
        #expect(try await bench.generate().runs == 1)
    }

    @Test("a folder with other content is refused, and so is a file")
    func folders() async throws {
        let bench = try await SiteBench()
        try Directory.make("\(bench.path)/mine")
        try FileWriting.replace("\(bench.path)/mine/thesis.txt", with: [1])
        #expect(throws: DashboardError.self) { try SiteGenerator(directory: "\(bench.path)/mine", title: "t") }
        #expect(throws: DashboardError.self) { try SiteGenerator(directory: "\(bench.path)/mine/thesis.txt", title: "t") }
        #expect(Directory.names(in: "\(bench.path)/mine") == ["thesis.txt"])
    }

    @Test("an empty branch gives a site, too, and folders without a record are reported")
    func odd() async throws {
        let bench = try await SiteBench()
        var broken = try SiteBench.pending(.init(task: "broken"))
        broken.files[try GitPath(parsing: "metadata.json")] = Array("{ half".utf8)
        try await bench.write([broken])
        let report = try await bench.generate()
        #expect(report.runs == 0 && report.unreadable == [broken.id])
        #expect(try bench.text(.index).contains("No runs yet."))
        #expect(try await bench.generate().written == 0)
    }

    @Test("the directory of backend: local gives the same pages as the branch")
    func directory() async throws {
        let bench = try await SiteBench()
        try await bench.writeEverything()
        try await bench.generate()
        // The layout is that of the branch.
        try await bench.git("clone", "-q", "-b", SiteBench.branch, bench.remote, "results")
        let reader = try await RunQuery(cacheDirectory: "\(bench.path)/cache", workingDirectory: bench.path).open(.directory("results"))
        let generator = try SiteGenerator(directory: "\(bench.path)/site-2", title: "evals")
        _ = try await generator.update(from: reader, origin: "Branch \(SiteBench.branch) of evals")
        for name in bench.files() {
            #expect(FileReading.whole("\(bench.site)/\(name)") == FileReading.whole("\(bench.path)/site-2/\(name)"), "\(name)")
        }
        #expect(try await generator.update(from: reader, origin: "Branch \(SiteBench.branch) of evals").written == 0)
    }

    @Test("lists are split into pages: no page grows with the number of runs")
    func pages() throws {
        let metadata = try JSONValueEncoder().encode(SiteBench.record(.init(task: "task")))
        let one = try #require(RunFacts(id: RunID(jobUID: "run"), metadata: metadata))
        let runs = (0..<2000).map { index in
            var run = one
            run.id = RunID(jobUID: "run-\(index)")
            run.task = "task-\(index % 900)"
            run.attempt = index / 900 + 1
            return run
        }
        let content = SiteContent(runs: runs, jobs: [])
        let pages = ListPages(content: content, origin: "o").all + content.jobs.flatMap { JobPages(job: $0, predecessor: nil).pages }
        #expect(Set(pages.map(\.path)).count == pages.count)
        #expect(pages.count { $0.path.text.hasPrefix("runs") } == 10 && pages.count { $0.path.text.hasPrefix("job/") } == 8)
        let sizes = pages.map { $0.bytes(SiteFrame(title: "t")).count }
        #expect((sizes.max() ?? 0) < 700_000)
        #expect(runs.allSatisfy { RunFacts(json: $0.json) == $0 })
    }

    private func inode(_ path: String) throws -> UInt64 {
        var info = stat()
        try #require(lstat(path, &info) == 0)
        return UInt64(info.st_ino)
    }
}

extension String {
    fileprivate func components(of text: String) -> Int {
        var count = 0
        var rest = self[...]
        while let found = rest.range(of: text) {
            count += 1
            rest = rest[found.upperBound...]
        }
        return count
    }

    fileprivate var trimmedLine: String { String(prefix { !$0.isNewline }) }
}
