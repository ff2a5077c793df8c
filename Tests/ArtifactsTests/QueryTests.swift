import Base
import EvalModel
import Git
import Testing

@testable import Artifacts

/// Reading results: from a branch in place, from a copy of a remote, and from a directory.
@Suite struct QueryTests {
    enum Source: String, CaseIterable, Sendable, CustomTestStringConvertible {
        case branch, prefixed, copy, directory
        var testDescription: String { rawValue }
    }

    /// A job of two agents with three tasks, a retry, and the job's record.
    private func written(_ bench: Workbench, _ source: Source) async throws -> (reader: any RunReader, runs: [PendingRun]) {
        let pack = try await bench.pack([
            "transcript.jsonl": Array("{\"step\":1}\n".utf8), "logs/agent/stdout.txt": Array("hello \u{1b}[31m\n".utf8),
            "logs/verifier/stdout.txt": Array("ok\n".utf8), "logs/verifier/reward.txt": Array("1\n".utf8),
        ])
        var runs: [PendingRun] = []
        for index in 0..<3 {
            runs.append(try PendingRun(run: bench.record(index), pack: index == 0 ? pack : nil))
            runs.append(
                try PendingRun(run: bench.record(index + 10, agent: "scripted", model: "m-1", task: "task-\(index)", reward: index == 2 ? nil : 0.5)))
        }
        var failed = bench.record(1, reward: nil)
        failed.kind = "retry"
        runs.append(try PendingRun(run: failed, slot: .retry(0)))
        runs.append(try PendingRun(job: bench.job()))
        if source == .directory {
            let ledger = LocalLedger(directory: "\(bench.path)/results", scratch: "\(bench.path)/scratch")
            for run in runs { try await ledger.submit(run) }
            return (try await query(bench).open(.directory("results")), runs)
        }
        let remote = try await bench.emptyRemote()
        let prefix = source == .prefixed ? ".assay/runs" : ""
        try await bench.commit(["README.md": "people"], to: Workbench.branch, of: remote)
        let ledger = try bench.ledger(remote, path: prefix)
        for run in runs { try await ledger.submit(run) }
        try await ledger.flush()
        let branch = try GitBranch(parsing: Workbench.branch)
        if source != .copy {
            return (try await query(bench).open(.branch(remote: "remote.git", branch: branch, path: GitPath(parsing: prefix))), runs)
        }
        let cache = HistoryCache(directory: "\(bench.path)/cache")
        let url = GitClient.Remote(try GitURL(parsing: "file://\(remote)", allowing: .local))
        let (repository, tip) = try await cache.update(branch, from: url)
        return (
            BranchReader(git: cache.git, repository: repository, remote: url, cache: cache, tip: tip, path: .root, place: "copy"), runs
        )
    }

    private func query(_ bench: Workbench) -> RunQuery {
        RunQuery(cacheDirectory: "\(bench.path)/cache", workingDirectory: bench.path, credentials: .none)
    }

    @Test("a listing has each run once, newest first, and distinguishes retries and jobs", arguments: Source.allCases)
    func list(_ source: Source) async throws {
        let bench = try Workbench()
        let (reader, _) = try await written(bench, source)
        let runs = try await reader.list()
        #expect(runs.count == 6 && runs.allSatisfy { $0.kind == .run && $0.job == "job" && $0.dataset == "basic" && $0.attempt == 1 })
        if source == .directory {
            #expect(runs.map(\.date) == runs.map(\.date).sorted(by: >))
        } else {
            // In the order of the commits, which is the order of the ends, except for runs that ended between two pushes.
            let subjects = try await bench.subjects("\(bench.path)/remote.git").filter { $0.hasPrefix("Run: ") }.reversed()
            #expect(runs.map { "Run: \($0.id)" } == Array(subjects))
        }
        #expect(Set(runs.map(\.id)).count == 6)
        let last = try #require(runs.max { $0.date < $1.date })
        #expect(
            last.agent == "scripted" && last.model == "m-1" && last.error == "verifier_reward_missing" && last.outcome == "failed"
                && last.reward == nil)
        #expect(last.seconds == 1.5 && last.sourceCommit == String(repeating: "ab", count: 20))
        var filter = RunFilter()
        filter.agent = "oracle"
        filter.task = "task-1"
        #expect(try await reader.list(filter).map(\.reward) == [1.0])
        filter.task = "task-9"
        #expect(try await reader.list(filter).isEmpty)
        filter = RunFilter()
        filter.kinds = [.retry]
        let retries = try await reader.list(filter)
        #expect(retries.count == 1 && retries[0].retry == 0 && retries[0].id == bench.record(1).runId)
        filter.kinds = [.job]
        let jobs = try await reader.list(filter)
        #expect(jobs.count == 1 && jobs[0].trials == 2 && jobs[0].passRate == 0.5 && jobs[0].job == "job" && !jobs[0].cancelled)
        #expect(try await reader.list(limit: 2).count == 2)
        let json = last.json
        #expect(json["runId"]?.string == last.id.rawValue && json["error"]?.string == "verifier_reward_missing" && json["reward"] == nil)
    }

    @Test("a run's record, transcript, logs and list of files", arguments: Source.allCases)
    func show(_ source: Source) async throws {
        let bench = try Workbench()
        let (reader, runs) = try await written(bench, source)
        let details = try await reader.details(of: runs[0].id)
        #expect(details.run == bench.record(0))
        #expect(details.summary?["task"]?.string == "task-0")
        #expect(
            details.files.map(\.path.text) == [
                "logs/agent/stdout.txt", "logs/verifier/reward.txt", "logs/verifier/stdout.txt", "metadata.json", "summary.json", "transcript.jsonl",
            ])
        #expect(details.hasTranscript)
        #expect(try await reader.transcript(of: runs[0].id) == Array("{\"step\":1}\n".utf8))
        for name in ["reward.txt", "verifier/reward.txt", "logs/verifier/reward.txt"] {
            #expect(try await reader.contents(of: details.log(named: name), run: runs[0].id, limit: 100) == Array("1\n".utf8))
        }
        let ambiguous = try await artifactError { try details.log(named: "stdout.txt") }
        #expect(ambiguous.kind == .notFound && ambiguous.message.contains("agent/stdout.txt, verifier/stdout.txt"))
        #expect(try await artifactError { try details.log(named: "nothing") }.message.contains("verifier/reward.txt"))
        _ = try await artifactError { try await reader.contents(of: GitPath(parsing: "logs/agent/stdout.txt"), run: runs[0].id, limit: 3) }
        #expect(try await artifactError { try await reader.transcript(of: runs[1].id) }.kind == .notFound)
        let job = try await reader.details(of: bench.job().runId)
        #expect(job.isJob && job.job == bench.job() && job.run == nil)
        let retried = try await reader.details(of: bench.record(1).runId)
        #expect(retried.files.map(\.path.text).contains("retries/0/metadata.json"))
    }

    @Test("an id is found by its first digits; the error for a missing one names those that exist", arguments: Source.allCases)
    func resolve(_ source: Source) async throws {
        let bench = try Workbench()
        let (reader, runs) = try await written(bench, source)
        let id = runs[3].id
        #expect(try await reader.resolve(String(id.rawValue.prefix(12))) == id)
        #expect(try await reader.resolve(id.rawValue.uppercased()) == id)
        #expect(try await artifactError { try await reader.resolve("abc") }.kind == .invalid)
        #expect(try await artifactError { try await reader.resolve("../../etc") }.kind == .invalid)
        let missing = try await artifactError { try await reader.details(of: try #require(RunID("0000000000000000"))) }
        let newest = try await reader.list(limit: 1)[0].id.rawValue
        #expect(missing.kind == .notFound && missing.message.contains(newest))
        #expect(try await artifactError { try await reader.resolve("00000000") }.kind == .notFound)
    }

    @Test("a copy of a remote has the commits, no files, and only the folders that were read")
    func copyIsSmall() async throws {
        let bench = try Workbench()
        let (reader, runs) = try await written(bench, .copy)
        let branchReader = try #require(reader as? BranchReader)
        _ = try await reader.list()
        let before = try await bench.git(branchReader.repository, "rev-list", "--objects", "--all", "--missing=print", "--no-object-names")
        #expect(!before.split(separator: "\n").contains { !$0.hasPrefix("?") && $0.count != 40 })
        let types = try await bench.git(branchReader.repository, "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)")
        #expect(!types.contains("blob") && !types.contains("tree"))
        _ = try await reader.details(of: runs[0].id)
        // The remote gets more commits; the next reader sees them.
        let remote = try #require(branchReader.remote)
        let ledger = try bench.ledger("\(bench.path)/remote.git", directory: "later")
        try await ledger.submit(PendingRun(run: bench.record(77)))
        try await ledger.flush()
        let (repository, tip) = try await HistoryCache(directory: "\(bench.path)/cache").update(GitBranch(parsing: Workbench.branch), from: remote)
        #expect(repository == branchReader.repository && tip != branchReader.tip)
    }

    @Test("all folders, their files and the beginnings of files are read together", arguments: Source.allCases)
    func together(_ source: Source) async throws {
        let bench = try Workbench()
        let (reader, runs) = try await written(bench, source)
        let folders = try await reader.folders()
        #expect(folders.map(\.id) == Array(Set(runs.map(\.id))).sorted())
        let lists = try await reader.files(of: folders)
        for (folder, files) in zip(folders, lists) {
            let details = try await reader.details(of: folder.id)
            #expect(files.map(\.path) == details.files.map(\.path.text))
        }
        let place = try #require(folders.firstIndex { $0.id == runs[0].id })
        let files = lists[place].filter { $0.path.hasSuffix("stdout.txt") }
        #expect(files.map(\.path) == ["logs/agent/stdout.txt", "logs/verifier/stdout.txt"])
        #expect(try await reader.beginnings(of: files, limit: 1000) == [Array("hello \u{1b}[31m\n".utf8), Array("ok\n".utf8)])
        #expect(try await reader.beginnings(of: files, limit: 4) == [Array("hell".utf8), Array("ok\n".utf8)])
        #expect(try await reader.folders() == folders)
        #expect(try await reader.beginnings(of: [], limit: 4).isEmpty)
        #expect(try await reader.files(of: []).isEmpty)
    }

    @Test("a copy fetches together in few requests, and the next time only changes")
    func copyTogether() async throws {
        let bench = try Workbench()
        let (reader, runs) = try await written(bench, .copy)
        let remote = try #require((reader as? BranchReader)?.remote)
        try await bench.git("\(bench.path)/remote.git", "config", "uploadpack.allowFilter", "true")
        try await bench.git("\(bench.path)/remote.git", "config", "uploadpack.allowAnySHA1InWant", "true")
        let calls = "\(bench.path)/fetches"
        let counting = try bench.fakeGit("[ -n \"$fetch\" ] && echo fetch >> \(calls)")
        func reading() async throws -> (folders: [RunFolder], fetches: Int) {
            Directory.removeTree(calls)
            let cache = HistoryCache(directory: "\(bench.path)/cache", git: counting)
            let (repository, tip) = try await cache.update(GitBranch(parsing: Workbench.branch), from: remote)
            let reader = BranchReader(git: counting, repository: repository, remote: remote, cache: cache, tip: tip, path: .root, place: "copy")
            let folders = try await reader.folders()
            let files = try await reader.files(of: folders)
            _ = try await reader.beginnings(of: files.flatMap { $0 }, limit: 1 << 20)
            return (folders, (FileReading.whole(calls) ?? []).count { $0 == 10 })
        }
        let first = try await reading()
        #expect(first.folders.count == Set(runs.map(\.id)).count && first.fetches <= 6)
        let ledger = try bench.ledger("\(bench.path)/remote.git", directory: "later")
        try await ledger.submit(PendingRun(run: bench.record(77)))
        try await ledger.flush()
        let second = try await reading()
        #expect(second.folders.count == first.folders.count + 1 && second.fetches <= 6)
        #expect(Set(second.folders).isSuperset(of: first.folders))
    }

    @Test("the error for a missing branch or place names those that exist")
    func missingPlaces() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        try await bench.commit(["a": "b"], to: "main", of: remote)
        let branch = try GitBranch(parsing: "assay/nothing")
        for place in [remote, "file://\(remote)", "remote.git", "./remote.git"] {
            let error = try await artifactError { try await query(bench).open(.branch(remote: place, branch: branch, path: .root)) }
            #expect(error.kind == .notFound && error.message.contains("it has: main"), "\(place): \(error.message)")
        }
        #expect(try await artifactError { try await query(bench).open(.branch(remote: bench.path, branch: branch, path: .root)) }.kind == .notFound)
        #expect(
            try await artifactError { try await query(bench).open(.branch(remote: "origin", branch: branch, path: .root)) }.message.contains("origin")
        )
        #expect(try await artifactError { try await query(bench).open(.branch(remote: "ext::sh", branch: branch, path: .root)) }.kind == .invalid)
        #expect(try await artifactError { try await query(bench).open(.directory("nothing")) }.kind == .notFound)
        let cache = HistoryCache(directory: "\(bench.path)/cache")
        let url = GitClient.Remote(try GitURL(parsing: "file://\(remote)", allowing: .local))
        await #expect(throws: GitError.self) { try await cache.update(branch, from: url) }
    }

    @Test("a remote is found by its name in a checkout, and a fetched branch is read in place")
    func byName() async throws {
        let bench = try Workbench()
        let (_, runs) = try await written(bench, .branch)
        try await bench.git(bench.path, "clone", "-q", "\(bench.path)/remote.git", "\(bench.path)/code")
        try Directory.make("\(bench.path)/code/deep")
        let branch = try GitBranch(parsing: Workbench.branch)
        for (directory, remote) in [("code/deep", "origin"), ("", "code")] {
            let query = RunQuery(cacheDirectory: "\(bench.path)/cache", workingDirectory: "\(bench.path)/\(directory)", credentials: .none)
            let reader = try await query.open(.branch(remote: remote, branch: branch, path: .root))
            #expect(try await reader.list().count == 6)
            #expect(try await reader.details(of: runs[0].id).run?.runId == runs[0].id)
        }
    }

    @Test("the error for a run below another path names that path")
    func otherPath() async throws {
        let bench = try Workbench()
        let (_, runs) = try await written(bench, .prefixed)
        let reader = try await query(bench).open(.branch(remote: "remote.git", branch: GitBranch(parsing: Workbench.branch), path: .root))
        let error = try await artifactError { try await reader.details(of: runs[0].id) }
        #expect(error.kind == .notFound && error.message.contains("--path"))
    }

    @Test("commits of others, and those that only look like ours, are skipped")
    func foreign() throws {
        func entry(_ message: String) -> RunEntry? {
            GitObjectID(String(repeating: "a", count: 40)).flatMap {
                RunEntry(LoggedCommit(id: $0, date: Workbench.epoch, message: Array(message.utf8)))
            }
        }
        for message in [
            "", "Run:", "Run: nothing", "Run: 0123456789abcde", "Run: 0123456789ABCDEF", "Run: 0123456789abcdef and more", "Retry: 0123456789abcdef",
            "Retry: 0123456789abcdef x", "Retry: 0123456789abcdef -1", "fix: Run: 0123456789abcdef", "\n\n\n",
        ] { #expect(entry(message) == nil, "\(message)") }
        let bare = try #require(entry("Run: 0123456789abcdef"))
        #expect(bare.job == nil && bare.reward == nil)
        let odd = try #require(entry("Run: 0123456789abcdef\n\nAssay-Task: x: y\nAssay-Reward: many\nno trailer\n: \nAssay-Job:\n\n"))
        #expect(odd.task == "x: y" && odd.reward == nil && odd.job == nil)
    }
}
