import Artifacts
import Base
import EvalModel
import Git
import Testing

/// Input of users and trials.
@Suite struct InputTests {
    @Test(
        "catalogue 44: a branch name that git would interpret is refused",
        arguments: ["--upload-pack=touch /tmp/x", "-b", "a..b", "a b", "a\nb", "refs/heads/x", "HEAD", "x.lock", "@{-1}", "a:b", "", "x/", "\u{7}"])
    func branches(_ text: String) {
        #expect(throws: GitError.self) { try GitBranch(parsing: text) }
    }

    @Test(
        "catalogue 45: a remote that could run a program, or is more than an address, is refused",
        arguments: [
            "ext::sh -c touch% /tmp/x", "file:///etc", "/etc", "https://user:secret@example.com/x.git", "https://example.com/x\ny.git",
            "-oProxyCommand=x", "ssh://-oProxyCommand=x/y", "http://example.com/x.git", "git://example.com/x.git", "",
        ])
    func remotes(_ text: String) {
        #expect(throws: GitError.self) { try GitURL(parsing: text) }
    }

    @Test(
        "catalogue 46: a path prefix out of the branch is refused", arguments: ["../x", "/x", "a/../b", ".git", "a/.GIT/x", "a\0b", "a\\b", "a//b"])
    func paths(_ text: String) {
        #expect(throws: GitError.self) { try GitPath(parsing: text) }
    }

    @Test(
        "catalogue 44: a committer's name cannot contain a line end or other syntax of the stream",
        arguments: [("a\ncommit x", "b"), ("a", "b>c"), ("", "b"), ("a", "\0")])
    func committers(_ name: String, _ email: String) {
        #expect(throws: GitError.self) { try FastImportStream.Identity(name: name, email: email) }
    }

    @Test("catalogue 51: .gitignore, .gitattributes and similar files in the outputs are stored byte for byte")
    func exactBytes() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        let files: [String: [UInt8]] = [
            "logs/artifacts/repo/.gitignore": Array("*\n".utf8),
            "logs/artifacts/repo/.gitattributes": Array("* text eol=crlf filter=lfs ident\n".utf8),
            "logs/artifacts/repo/a.txt": Array("one\r\ntwo\nthree\r$Id$\n".utf8), "logs/artifacts/repo/HEAD": Array("ref: refs/heads/main\n".utf8),
            "logs/artifacts/repo/objects/x": [0, 1, 2, 255, 254], "logs/artifacts/repo/core": Array("[core]\n\tfsmonitor = touch /tmp/x\n".utf8),
            "logs/agent/ä \"quoted\" \t name": Array("x".utf8), "logs/agent/empty": [],
        ]
        let run = try PendingRun(run: bench.record(0), pack: try await bench.pack(files))
        let ledger = try bench.ledger(remote)
        try await ledger.submit(run)
        try await ledger.flush()
        for (name, bytes) in files {
            #expect(try await bench.gitBytes(remote, ["cat-file", "blob", "\(Workbench.branch):\(run.id.path)/\(name)"]) == bytes, "\(name)")
        }
        try await bench.expectSound(remote)

        // And as files, with backend: local.
        var inDirectory = run
        inDirectory.pack = try await bench.pack(files.filter { !$0.key.contains("\t") })
        let local = LocalLedger(directory: "\(bench.path)/results", scratch: "\(bench.path)/scratch")
        try await local.submit(inDirectory)
        for (name, bytes) in files where !name.contains("\t") {
            #expect(FileReading.whole("\(bench.path)/results/\(run.id.path)/\(name)") == bytes, "\(name)")
        }
    }

    @Test("catalogue 51: a pack that has a nested .git, is damaged, is cut, or lacks its tree is refused, a good one is not")
    func badPacks() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        let good = try await bench.pack(["logs/a.txt": [1]])
        var short = good
        short.bytes.removeLast(10)
        var other = good
        other.tree = try #require(GitObjectID(String(repeating: "1", count: 40)))
        let bad = [
            try await bench.pack(["logs/.git/hooks/post-checkout": [1]]), try await bench.pack(["logs/.GIT": [1]]), short, other,
            .init(bytes: [1, 2, 3], tree: good.tree), .init(bytes: [], tree: good.tree),
        ]
        // Each in its own bench, because an earlier pack might already contain the tree.
        for (index, pack) in bad.enumerated() {
            let ledger = try bench.ledger(remote, directory: "ledger-\(index)")
            let run = try PendingRun(run: bench.record(index), pack: pack)
            #expect(try await artifactError { try await ledger.submit(run) }.kind == .damaged, "pack \(index)")
            #expect(await ledger.state.pending == 0)
            let local = LocalLedger(directory: "\(bench.path)/results", scratch: "\(bench.path)/scratch")
            #expect(try await artifactError { try await local.submit(run) }.kind == .damaged, "pack \(index)")
            #expect(await local.record(of: run.id) == nil)
            // The verdict is recorded even without its outputs.
            try await ledger.submit(PendingRun(run: bench.record(index)))
            try await ledger.flush()
        }
        try await bench.expectOnce(try bench.runs(0..<bad.count), remote)
        try await bench.expectSound(remote)
        #expect((Directory.names(in: "\(bench.path)/scratch") ?? []).isEmpty)
    }

    @Test("files of the trial never replace a record's own files")
    func forgedMetadata() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        let pack = try await bench.pack(["metadata.json": Array("{\"reward\":9}".utf8), "logs/x": [1]])
        let run = try PendingRun(run: bench.record(0, reward: 0), pack: pack)
        let ledger = try bench.ledger(remote)
        try await ledger.submit(run)
        try await ledger.flush()
        #expect(try await ledger.record(of: run.id)?.reward == 0)
        let local = LocalLedger(directory: "\(bench.path)/results", scratch: "\(bench.path)/scratch")
        try await local.submit(run)
        #expect(await local.record(of: run.id)?.reward == 0)
    }
}
