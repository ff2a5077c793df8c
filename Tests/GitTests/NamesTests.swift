import Git
import Testing

@Suite struct NamesTests {
    @Test(
        "accepted addresses, and what git gets",
        arguments: [
            ("https://github.com/org/repo.git", "https://github.com/org/repo.git"),
            ("https://GitHub.com/org/repo/", "https://github.com/org/repo"),
            ("https://host:8443/a/b", "https://host:8443/a/b"),
            ("ssh://git@host:2222/a/b.git", "ssh://git@host:2222/a/b.git"),
            ("git@github.com:org/repo.git", "git@github.com:org/repo.git"),
            ("host:repo", "host:repo"),
            ("https://[::1]:8443/a", "https://[::1]:8443/a"),
        ])
    func accepted(text: String, git: String) throws {
        #expect(try GitURL(parsing: text).text == git)
    }

    @Test(
        "catalogue 45: ext, file, newline, userinfo and other addresses are refused",
        arguments: [
            "ext::sh -c touch% /tmp/x", "ext::sh", "fd::17", "file:///etc", "/srv/repo", "./repo", "../repo", "http://example.com/a",
            "git://example.com/a",
            "ftp://example.com/a", "https://user:secret@example.com/a", "https://user@example.com/a", "https://example.com/a\nhost=evil",
            "https://example.com/a\u{0}b", "https://example.com/a b", "-uhttps://x/a", "--upload-pack=touch /tmp/x", "ssh://-oProxyCommand=x/a",
            "ssh://git@-oProxyCommand=x/a", "-oProxyCommand=x:a", "git@host:-x", "git@host:", "ssh://git:pw@host/a", "https://", "https://host",
            "https://host/", "https:///a", "https://host:0/a", "https://host:99999/a", "https://host/a?x=1", "https://host/a#x", "https://host/a\\b",
            "owner/name", "javascript:alert(1)//x/y::z", "", "name", "https://ho st/a", "https://h%6fst/a",
        ])
    func refused(text: String) {
        let error = #expect(throws: GitError.self) { try GitURL(parsing: text) }
        #expect(error?.kind == .invalidInput)
        #expect(error?.message.contains("secret@") != true)
        #expect(error?.message.contains("\n") != true)
    }

    @Test(
        "the path of a local folder may contain blanks",
        arguments: [
            ("/srv/my benchmarks/r", "file:///srv/my benchmarks/r"), ("./a b", "file://./a b"), ("file:///srv/a  b", "file:///srv/a  b"),
        ])
    func blanks(text: String, git: String) throws {
        #expect(try GitURL(parsing: text, allowing: .local).text == git)
        #expect(throws: GitError.self) { try GitURL(parsing: text) }
    }

    @Test func overlong() {
        #expect(throws: GitError.self) { try GitURL(parsing: "https://host/" + String(repeating: "a", count: 5000)) }
    }

    @Test("addresses that only a policy allows")
    func policies() throws {
        #expect(try GitURL(parsing: "owner/name", allowing: .shorthand).text == "https://github.com/owner/name.git")
        #expect(try GitURL(parsing: "file:///srv/r.git", allowing: .local).text == "file:///srv/r.git")
        #expect(try GitURL(parsing: "/srv/r", allowing: .local).isLocal)
        #expect(try GitURL(parsing: "http://127.0.0.1:8080/r", allowing: .loopbackHTTP).origin == "http://127.0.0.1:8080")
        for text in ["../x", "a/b/c", "-a/b", ".a/b"] {
            #expect(throws: GitError.self) { try GitURL(parsing: text, allowing: .shorthand) }
        }
        #expect(throws: GitError.self) { try GitURL(parsing: "http://127.0.0.1.example.com/r", allowing: .loopbackHTTP) }
        #expect(throws: GitError.self) { try GitURL(parsing: "file://host/r", allowing: .local) }
    }

    @Test func namesForPeople() throws {
        #expect(try GitURL(parsing: "git@github.com:org/repo.git").repositoryName == "org/repo")
        #expect(try GitURL(parsing: "https://h/org/repo.git").name == "repo")
    }

    @Test("accepted refs", arguments: ["main", "feature/x-1", "v1.0", "refs/heads/main", "HEAD", "0123abc", "a@b", "ünïcode"])
    func refs(text: String) throws { #expect(try GitRef(parsing: text).text == text) }

    @Test(
        "catalogue 44: refs that git would read as options or expressions are refused",
        arguments: [
            "--upload-pack=touch /tmp/x", "-x", "", "a..b", "a~1", "a^", "a^{tree}", "main:path", "a b", "a\nb", "a\u{0}b", "@{-1}", "@", "a@{0}",
            "/a", "a/",
            "a//b", "a.lock", "x/.hidden", "a.", "a?b", "a*b", "a[b", "a\\b", String(repeating: "a", count: 2000),
        ])
    func refusedRefs(text: String) {
        #expect(throws: GitError.self) { try GitRef(parsing: text) }
        #expect(throws: GitError.self) { try GitBranch(parsing: text) }
    }

    @Test func branches() throws {
        #expect(try GitBranch(parsing: "assay/runs/v1").ref == "refs/heads/assay/runs/v1")
        #expect(throws: GitError.self) { try GitBranch(parsing: "refs/heads/x") }
        #expect(throws: GitError.self) { try GitBranch(parsing: "HEAD") }
    }

    @Test func objectIDs() {
        #expect(GitObjectID(String(repeating: "a", count: 40)) != nil)
        #expect(GitObjectID(String(repeating: "A", count: 40)) == nil)
        #expect(GitObjectID(String(repeating: "a", count: 39)) == nil)
        #expect(GitObjectID(String(repeating: "a", count: 64)) != nil)
    }

    @Test(
        "accepted paths",
        arguments: [
            ("tasks", "tasks"), ("./tasks/", "tasks"), (".", ""), ("", ""), ("a/b c/ü", "a/b c/ü"), (".gitignore", ".gitignore"),
            (".github/x", ".github/x"),
            ("a/.gitx", "a/.gitx"), ("git~2", "git~2"),
        ])
    func paths(text: String, normal: String) throws { #expect(try GitPath(parsing: text).text == normal) }

    @Test(
        "catalogue 46: paths that lead out of the repository, or that a file system treats as .git, are refused",
        arguments: [
            "../x", "a/../b", "a/..", "/etc/passwd", ".git", "a/.git/hooks/x", ".GIT", ".git.", ".git ", ".git::$INDEX_ALLOCATION", "git~1", "GIT~1",
            ".g\u{200C}it", "a\u{0}b", "a\nb", "a//b", "a/./b", "a\\b", String(repeating: "a", count: 256),
            String(repeating: "a/", count: 2500) + "b",
        ])
    func refusedPaths(text: String) {
        #expect(throws: GitError.self) { try GitPath(parsing: text) }
    }
}
