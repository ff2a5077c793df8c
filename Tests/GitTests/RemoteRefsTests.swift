import Git
import Testing

@testable import Git

@Suite struct RemoteRefsTests {
    static let a = String(repeating: "a", count: 40), b = String(repeating: "b", count: 40), c = String(repeating: "c", count: 40)
    static let d = String(repeating: "d", count: 40)
    let refs = RemoteRefs(
        parsing: """
            ref: refs/heads/main\tHEAD
            \(a)\tHEAD
            \(a)\trefs/heads/main
            \(b)\trefs/heads/feature/x
            \(b)\trefs/heads/both
            \(c)\trefs/tags/both
            \(c)\trefs/tags/v1
            \(d)\trefs/tags/v1^{}
            \(b)\trefs/tags/light
            \(a)\trefs/tags/same
            \(a)\trefs/heads/same
            """)

    @Test(
        "a ref means",
        arguments: [
            (String?.none, a, "refs/heads/main"), ("HEAD", a, "refs/heads/main"), ("main", a, "refs/heads/main"),
            ("feature/x", b, "refs/heads/feature/x"),
            ("v1", d, "refs/tags/v1"), ("light", b, "refs/tags/light"), ("refs/heads/both", b, "refs/heads/both"),
            ("refs/tags/both", c, "refs/tags/both"),
            ("same", a, "refs/heads/same"),
        ])
    func resolution(text: String?, id: String, name: String) throws {
        let ref = try text.map { try GitRef(parsing: $0) }
        let wanted = try #require(GitObjectID(id))
        #expect(try refs.resolve(ref, place: "r") == .commit(wanted, name: name))
    }

    @Test func commitIDsAreAskedFor() throws {
        for text in [Self.d, "abcdef1"] { #expect(try refs.resolve(try GitRef(parsing: text), place: "r") == .ask) }
    }

    @Test func bothABranchAndATag() throws {
        let error = #expect(throws: GitError.self) { try refs.resolve(try GitRef(parsing: "both"), place: "r") }
        #expect(error?.message.contains("refs/heads/both or refs/tags/both") == true)
    }

    @Test func theErrorForAMissingRefNamesSimilarOnes() throws {
        let error = #expect(throws: GitError.self) { try refs.resolve(try GitRef(parsing: "mian"), place: "https://h/r") }
        #expect(error?.kind == .refNotFound)
        #expect(error?.hints.first == "main")
        #expect(error?.message == "https://h/r has no branch, tag or commit \"mian\"; it has: main, both, light, same, v1, feature/x")
    }

    @Test func emptyAndDangling() throws {
        let empty = #expect(throws: GitError.self) { try RemoteRefs().resolve(nil, place: "r") }
        #expect(empty?.message.contains("has no commit yet") == true)
        let dangling = RemoteRefs(parsing: "\(Self.a)\trefs/heads/trunk\n")
        let error = #expect(throws: GitError.self) { try dangling.resolve(nil, place: "r") }
        #expect(error?.hints == ["trunk"])
    }

    @Test(
        "git's messages and their kinds",
        arguments: [
            ("fatal: unable to access 'https://nope/': Could not resolve host: nope", GitError.Kind.unreachable),
            ("fatal: unable to access 'https://h/': Failed to connect to h port 443 after 0 ms: Couldn't connect to server", .unreachable),
            ("ssh: connect to host h port 22: Connection refused\nfatal: Could not read from remote repository.", .unreachable),
            ("fatal: unable to access 'https://h/': The requested URL returned error: 503", .unreachable),
            ("fatal: the remote end hung up unexpectedly", .unreachable),
            ("git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.", .authentication),
            ("fatal: could not read Username for 'https://h': terminal prompts disabled", .authentication),
            ("fatal: Authentication failed for 'https://h/r/'", .authentication),
            ("Host key verification failed.\nfatal: Could not read from remote repository.", .authentication),
            ("fatal: unable to access 'https://h/r/': The requested URL returned error: 403", .authentication),
            ("fatal: repository 'https://h/r/' not found", .notARepository),
            ("fatal: '/x' does not appear to be a git repository\nfatal: Could not read from remote repository.", .notARepository),
            ("fatal: couldn't find remote ref refs/heads/x", .refNotFound),
            ("fatal: remote error: upload-pack: not our ref aaaa", .refNotFound),
            ("fatal: unable to access 'http://h/r/': Operation too slow. Less than 1000 bytes/sec transferred the last 30 seconds", .timeout),
            ("fatal: write error: No space left on device", .storage),
            (
                "error: inflate: data stream error (incorrect header check)\nfatal: packed object aaaa (stored in ./objects/pack/p.pack) is corrupt",
                .corrupt
            ),
            ("fatal: transport 'file' not allowed", .refused),
            ("fatal: detected dubious ownership in repository at '/x'", .refused),
            ("fatal: something never seen", .failed),
            (
                "error: no DAV locking support on https://h/r/\nfatal: git-http-push failed\nerror: failed to push some refs to 'https://h/r'",
                .notARepository
            ),
            // Names must not be read as messages.
            ("fatal: repository 'https://h/timeout-bench/' not found", .notARepository),
            (
                "fatal: '/srv/redirects/corrupt.git' does not appear to be a git repository\nfatal: Could not read from remote repository.",
                .notARepository
            ),
            ("fatal: unable to access 'https://h/access denied/': Could not resolve host: h", .unreachable),
            ("fatal: couldn't find remote ref refs/heads/timeout", .refNotFound),
            ("fatal: not a git repository: '.'", .corrupt),
            ("fatal: transport 'file' not allowed\nfatal: could not fetch aaaa from promisor remote", .refused),
            ("fatal: unable to access 'https://h/r/': SSL connection timeout", .timeout),
            ("fatal: unable to access 'https://h/r/': Maximum (0) redirects followed", .refused),
        ])
    func classification(said: String, kind: GitError.Kind) {
        #expect(GitFailure.classify(stderr: said, exit: "exit status 128", timedOut: false, doing: "fetch", place: "r").kind == kind)
    }

    @Test("how long an attempt took is left out: the message of one cause stays the same")
    func durations() {
        func message(_ said: String) -> String {
            GitFailure.classify(stderr: said, exit: "exit status 128", timedOut: false, doing: "fetch", place: "r").message
        }
        let cases = [
            "fatal: unable to access 'https://h/': Failed to connect to h port 443 after % ms: Couldn't connect to server",
            "fatal: unable to access 'https://h/': Connection timed out after % milliseconds",
            "fatal: unable to access 'https://h/': Failed to connect to h port 443 after % ms: Could not connect to server",
        ]
        for text in cases { #expect(message(text.replacing("%", with: "2")) == message(text.replacing("%", with: "1307"))) }
        #expect(message(cases[0]).contains("port 443: Couldn't connect"))
    }

    @Test func messagesContainNoUserInformation() {
        let error = GitFailure.classify(
            stderr: "fatal: unable to access 'https://me:hunter22@h/r/': \u{1B}[31mbad", exit: "exit status 128", timedOut: false, doing: "fetch",
            place: "r")
        #expect(!error.message.contains("hunter22"))
        #expect(!error.message.contains("\u{1B}"))
    }
}
