import AssayTesting
import Base
import Testing

@testable import Git

/// Mirrors of private repositories whose Secrets change.
@Suite struct MirrorSecretTests {
    let bench: Workbench
    let credentials: String

    init() throws {
        bench = try Workbench()
        credentials = "\(bench.path)/credentials"
    }

    private func secret(_ password: String, of name: String = "team/token", for url: GitURL) throws -> GitCredentials {
        try .secret(["password": Array(password.utf8)], of: name, for: url, directory: credentials)
    }

    @Test("catalogue 64: 1,000 rotations of a token leave one mirror and one credential file; nothing is cloned again")
    func rotations() async throws {
        let source = try await bench.repository()
        let commit = try await bench.head(source)
        let url = try GitURL(parsing: "https://h/r")
        let git = try bench.gitServing(["https://h/r": source], "test -z \"$fetch\" || echo fetch >> \(bench.path)/fetches")
        let store = MirrorStore(directory: "\(bench.path)/cache", git: git)
        var names: Set<String> = []
        for rotation in 0..<1000 {
            let remote = GitClient.Remote(url, credentials: try secret("token-\(rotation)", for: url))
            names.insert(store.path(for: remote))
            if rotation % 50 == 0 { names.insert(try await store.open(commit, from: remote).path) }
        }
        #expect(names.count == 1)
        #expect(Directory.names(in: store.directory)?.filter { $0.hasSuffix(".git") }.count == 1)
        #expect(Directory.names(in: credentials)?.count == 1)
        #expect(bench.text("fetches") == "fetch\n")
    }

    @Test("a Secret whose new content may not read the repository gets nothing from the existing mirror")
    func revoked() async throws {
        let source = try await bench.repository()
        let commit = try await bench.head(source)
        let url = try GitURL(parsing: "https://h/r")
        let refuse =
            "if test -n \"$fetch$look\" && ! grep -qs password=good '\(credentials)'/answers-*; then echo \"fatal: Authentication failed for 'https://h/r'\" >&2; exit 128; fi"
        let git = try bench.gitServing(["https://h/r": source], refuse)
        let store = MirrorStore(directory: "\(bench.path)/cache", git: git)
        let good = GitClient.Remote(url, credentials: try secret("good", for: url))
        let path = try await store.open(commit, from: good).path
        #expect(try await store.existing(good, having: commit) == path)
        let bad = GitClient.Remote(url, credentials: try secret("bad", for: url))
        #expect(try await store.existing(bad, having: commit) == nil)
        await #expect { try await store.open(commit, from: bad) } throws: { ($0 as? GitError)?.kind == .authentication }
        // Content that may read the repository is accepted after the remote was asked once.
        let better = GitClient.Remote(url, credentials: try secret("good2", for: url))
        #expect(try await store.open(commit, from: better).path == path)
        #expect(try await store.existing(better, having: commit) == path)
    }

    @Test("catalogue 64: above the limit the least recently used mirror is evicted, but none that is in use")
    func eviction() async throws {
        let noise = { (0..<60_000).map { _ in String(UInt32.random(in: 0 ... .max), radix: 36) }.joined() }
        var remotes: [(GitClient.Remote, GitObjectID)] = []
        for index in 0..<4 {
            let source = try await bench.repository("source-\(index)", files: ["noise": noise()])
            remotes.append((try bench.remote(source), try await bench.head(source)))
        }
        // Each has about 300 KB.
        let store = MirrorStore(directory: "\(bench.path)/cache", sizeLimit: 900_000)
        func isThere(_ index: Int) -> Bool { FileEntry.isDirectory(store.path(for: remotes[index].0)) }
        let held = try await store.open(remotes[0].1, from: remotes[0].0)
        for index in [1, 2] { _ = try await store.open(remotes[index].1, from: remotes[index].0) }
        _ = try await store.open(remotes[1].1, from: remotes[1].0)
        _ = try await store.open(remotes[3].1, from: remotes[3].0)
        #expect(isThere(0), "it is in use, although its last use is the oldest")
        #expect(!isThere(2) && isThere(3))
        #expect(Directory.names(in: store.directory)?.filter { $0.contains(".old-") || $0.contains(".new-") } == [])
        withExtendedLifetime(held) {}
        // An evicted mirror is fetched again.
        let tree = try await GitTree.load(remotes[2].1, in: try await store.open(remotes[2].1, from: remotes[2].0), git: store.git)
        #expect(tree.exists("noise"))
    }

    @Test("leftovers of dead processes are removed, but not what another process is writing")
    func leftovers() async throws {
        let store = MirrorStore(directory: "\(bench.path)/cache")
        for name in ["a-1.new-1-1", "b-2.new-1-1", "c-3.old-1-1"] { try Directory.make("\(store.directory)/\(name)/objects") }
        let lock = try await FileLock.acquire(store.lockFile("b-2"), deadline: 1)
        await store.clean()
        #expect(
            Directory.names(in: store.directory)?.filter { !$0.hasSuffix(".lock") } == ["b-2.new-1-1", "c-3.old-1-1"], "a reader may be in the last")
        lock.release()
        await store.clean()
        #expect(Directory.names(in: store.directory)?.filter { !$0.hasSuffix(".lock") } == ["c-3.old-1-1"])
    }
}
