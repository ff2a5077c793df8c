import AssayTesting
import Base
import Foundation
import Subprocess
import Testing

@testable import Git

@Suite struct RemoteTests {
    let bench: Workbench
    let git = GitClient()

    init() throws { bench = try Workbench() }

    private func remote(_ server: LoopbackServer, password: String? = nil) throws -> GitClient.Remote {
        let url = try GitURL(parsing: server.url, allowing: .loopbackHTTP)
        guard let password else { return GitClient.Remote(url) }
        let secret = ["username": Array("me".utf8), "password": Array(password.utf8)]
        return GitClient.Remote(url, credentials: try .secret(secret, for: url, directory: "\(bench.path)/credentials"))
    }

    /// A repository with one branch over the plain-file ("dumb") protocol, with a password.
    private func privateServer() throws -> LoopbackServer {
        let allowed = "Basic " + Data("me:right-password".utf8).base64EncodedString()
        return try LoopbackServer { head in
            guard head.contains("Authorization: \(allowed)") else {
                return .reply(status: "401 Unauthorized", headers: ["WWW-Authenticate: Basic realm=\"r\""])
            }
            if head.hasPrefix("GET /r.git/info/refs") {
                return .reply(status: "200 OK", body: Array("\(String(repeating: "a", count: 40))\trefs/heads/main\n".utf8))
            }
            if head.hasPrefix("GET /r.git/HEAD") { return .reply(status: "200 OK", body: Array("ref: refs/heads/main\n".utf8)) }
            return .reply(status: "404 Not Found")
        }
    }

    @Test func theRightPassword() async throws {
        let server = try privateServer()
        let refs = try await git.listRemote(try remote(server, password: "right-password"))
        #expect(refs.refs["refs/heads/main"] != nil)
    }

    @Test("a wrong or missing password is an authentication error that does not repeat it", arguments: ["wrong-password", nil])
    func theWrongPassword(password: String?) async throws {
        let server = try privateServer()
        let error = await #expect(throws: GitError.self) { try await git.listRemote(try remote(server, password: password)) }
        #expect(error?.kind == .authentication)
        #expect(error?.message.contains("wrong-password") == false)
    }

    @Test("catalogue 35: a redirect is not followed, and the secret is not sent to it")
    func redirect() async throws {
        let thief = try LoopbackServer { _ in .reply(status: "401 Unauthorized", headers: ["WWW-Authenticate: Basic realm=\"r\""]) }
        let location = thief.url
        let server = try LoopbackServer { head in
            head.contains("Authorization:")
                ? .reply(status: "302 Found", headers: ["Location: \(location)/info/refs?service=git-upload-pack"])
                : .reply(status: "401 Unauthorized", headers: ["WWW-Authenticate: Basic realm=\"r\""])
        }
        let remote = try remote(server, password: "right-password")
        let error = await #expect(throws: GitError.self) { try await git.listRemote(remote) }
        #expect(error?.kind == .refused)
        #expect(server.requests.contains { $0.contains("Authorization: Basic") })
        #expect(thief.requests.isEmpty)
    }

    @Test("catalogue 35: the helper answers for its own origin only")
    func helper() async throws {
        let url = try GitURL(parsing: "https://git.example.com/org/repo")
        let credentials = try GitCredentials.secret(["token": Array("tok'en \"x".utf8)], for: url, directory: "\(bench.path)/credentials")
        func answer(_ request: String) async throws -> String {
            let result = try await git.result(
                .init(
                    arguments: ["credential", "fill"], remote: .init(url, credentials: credentials), input: .bytes(Array((request + "\n\n").utf8)),
                    doing: "ask"))
            return result.stdoutText
        }
        #expect(try await answer("protocol=https\nhost=git.example.com").contains("password=tok'en \"x\n"))
        let templated = try GitCredentials.secret(
            ["username": [], "password": Array("\n".utf8), "token": Array("tok'en \"x".utf8)], for: url, directory: "\(bench.path)/credentials")
        #expect(templated.key == credentials.key, "empty keys count as absent")
        for other in [
            "protocol=https\nhost=evil.example.com", "protocol=http\nhost=git.example.com", "protocol=https\nhost=git.example.com:8443",
            "protocol=https\nhost=git.example.com.evil.org",
        ] {
            #expect(try await !answer(other).contains("tok'en"), "\(other)")
        }
    }

    @Test("the error for an unusable Secret names the Secret, not the remote")
    func unusableSecrets() async throws {
        let https = try GitURL(parsing: "https://git.example.com/r")
        let ssh = try GitURL(parsing: "ssh://git@git.example.com/r")
        func message(_ data: [String: [UInt8]], _ url: GitURL) -> String {
            do { return "key \(try GitCredentials.secret(data, for: url, directory: "\(bench.path)/credentials").key)" } catch {
                return error.message
            }
        }
        let authority = Array("-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n".utf8)
        #expect(message(["caFile": Array("not pem".utf8), "token": [65]], https).contains("no certificate in PEM"))
        #expect(message(["caFile": authority, "tokn": Array("t".utf8)], https).contains("these keys are not understood: tokn"))
        #expect(message(["caFile": authority], https).hasPrefix("key "))
        var keys: [String: [UInt8]] = [:]
        for (name, passphrase, format) in [("plain", "", "RFC4716"), ("locked", "secret-words", "RFC4716"), ("pem", "secret-words", "PEM")] {
            let file = "\(bench.path)/\(name)"
            let made = try await Command("ssh-keygen", ["-q", "-t", format == "PEM" ? "rsa" : "ed25519", "-m", format, "-N", passphrase, "-f", file])
                .run()
            try #require(made.succeeded, "\(made.stderrText)")
            keys[name] = FileReading.whole(file)
        }
        let hosts = Array("git.example.com ssh-ed25519 AAAA\n".utf8)
        let plain = try #require(keys["plain"])
        let crlf = Array(String(decoding: plain, as: UTF8.self).replacing("\n", with: "\r\n").utf8)
        #expect(message(["identity": plain, "known_hosts": hosts], ssh) == message(["identity": crlf, "known_hosts": hosts], ssh))
        for name in ["locked", "pem"] {
            #expect(message(["identity": try #require(keys[name]), "known_hosts": hosts], ssh).contains("has a passphrase"), "\(name)")
        }
    }

    @Test func noSecretInArgumentsOrEnvironment() throws {
        let url = try GitURL(parsing: "https://git.example.com/org/repo")
        let credentials = try GitCredentials.secret(
            ["username": Array("me".utf8), "password": Array("s3cr3t-value".utf8)], for: url, directory: "\(bench.path)/credentials")
        let command = git.command(.init(arguments: ["ls-remote", url.text], remote: .init(url, credentials: credentials), doing: "read"))
        #expect(!command.arguments.joined().contains("s3cr3t-value"))
        guard case .exact(let environment) = command.environment else { throw GitError(.failed, "the environment is inherited") }
        #expect(!environment.values.contains { $0.contains("s3cr3t-value") })
        #expect(environment["GIT_ALLOW_PROTOCOL"] == "https")
        #expect(environment["GIT_CONFIG_GLOBAL"] == "/dev/null")
        let file = try #require(Directory.names(in: "\(bench.path)/credentials")?.first)
        let mode = try FileManager.default.attributesOfItem(atPath: "\(bench.path)/credentials/\(file)")[.posixPermissions] as? Int
        #expect(mode == 0o600)
    }

    @Test(
        "invalid Secrets",
        arguments: [
            ["password": "a\nhost=evil.example.com"], ["password": ""], ["username": "a\nb", "password": "long-enough"], [:],
        ])
    func badSecrets(data: [String: String]) throws {
        let url = try GitURL(parsing: "https://git.example.com/org/repo")
        #expect(throws: GitError.self) { try GitCredentials.secret(data.mapValues { Array($0.utf8) }, for: url, directory: "\(bench.path)/c") }
    }

    @Test func anSSHKeyNeedsItsHost() throws {
        let url = try GitURL(parsing: "git@git.example.com:org/repo")
        let error = #expect(throws: GitError.self) {
            try GitCredentials.secret(["identity": Array("KEY".utf8)], for: url, directory: "\(bench.path)/c")
        }
        #expect(error?.message.contains("known_hosts") == true)
        let credentials = try GitCredentials.secret(
            ["identity": Array("KEY".utf8), "known_hosts": Array("git.example.com ssh-ed25519 AAAA\n".utf8)], for: url, directory: "\(bench.path)/c")
        #expect(credentials.sshCommand?.contains("StrictHostKeyChecking=yes") == true)
        #expect(credentials.sshCommand?.contains("-F /dev/null") == true)
    }

    @Test("catalogue 36: a fetch from a remote that sends nothing ends at a deadline")
    func slowLoris() async throws {
        var settings = GitClient.Settings()
        settings.lowSpeedSeconds = 1
        let server = try LoopbackServer { _ in .stall }
        let time = SystemTime()
        let start = time.monotonic()
        let error = await #expect(throws: GitError.self) { try await GitClient(settings: settings).listRemote(try remote(server)) }
        #expect(error?.kind == .timeout)
        settings.lowSpeedSeconds = 600
        let deadline = await #expect(throws: GitError.self) {
            try await GitClient(settings: settings).listRemote(try remote(server), deadline: 0.5)
        }
        #expect(deadline?.kind == .timeout)
        #expect(time.monotonic() - start < 30)
    }

    @Test("an unreachable remote, and an address that is not a repository")
    func unreachable() async throws {
        let gone = GitClient.Remote(try GitURL(parsing: "http://127.0.0.1:1/r", allowing: .loopbackHTTP))
        #expect(await #expect(throws: GitError.self) { try await git.listRemote(gone) }?.kind == .unreachable)
        let folder = GitClient.Remote(try GitURL(parsing: bench.path, allowing: .local))
        #expect(await #expect(throws: GitError.self) { try await git.listRemote(folder) }?.kind == .notARepository)
        var settings = GitClient.Settings()
        settings.executable = "no-such-git"
        #expect(await #expect(throws: GitError.self) { try await GitClient(settings: settings).listRemote(folder) }?.kind == .gitMissing)
    }

    @Test("the default branch, also of an empty remote")
    func defaultBranch() async throws {
        try await bench.git(bench.path, "init", "-q", "--bare", "-b", "trunk", "empty.git")
        let empty = try bench.remote("\(bench.path)/empty.git")
        #expect(try await git.listRemote(empty).isEmpty)
        #expect(try await git.defaultBranch(empty) == "trunk")
        let source = try await bench.repository()
        #expect(try await git.defaultBranch(try bench.remote(source)) == "main")
        // HEAD names a missing branch.
        try await bench.git(source, "symbolic-ref", "HEAD", "refs/heads/elsewhere")
        #expect(try await git.defaultBranch(try bench.remote(source)) == "elsewhere")
    }

    @Test("catalogue 52: nothing that a repository's configuration names is run")
    func nothingRuns() async throws {
        let source = try await bench.repository()
        let marker = "\(bench.path)/ran"
        let script = "\(bench.path)/evil.sh"
        try "#!/bin/sh\ntouch \(marker)\n".write(toFile: script, atomically: false, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: script)
        for key in ["core.fsmonitor", "uploadpack.packObjectsHook", "core.sshCommand", "core.pager", "core.editor", "core.gitProxy"] {
            try await bench.git(source, "config", key, script)
        }
        for hook in ["post-checkout", "reference-transaction", "post-index-change", "pre-auto-gc"] {
            try FileManager.default.copyItem(atPath: script, toPath: "\(source)/.git/hooks/\(hook)")
        }
        let store = MirrorStore(directory: "\(bench.path)/cache", git: git)
        let commit = try await bench.head(source)
        try? FileManager.default.removeItem(atPath: marker)
        let path = try await store.ensure(commit, from: try bench.remote(source))
        let tree = try await GitTree.load(commit, in: path, git: git)
        try await TreeExport(tree).export(.root, to: "\(bench.path)/out")
        _ = try await git.listTree(commit, in: "\(source)/.git")
        #expect(!FileEntry.exists(marker))
    }

    @Test func cancellationEndsGit() async throws {
        let server = try LoopbackServer { _ in .stall }
        let remote = try remote(server)
        let task = Task { try await git.listRemote(remote) }
        while server.requests.isEmpty { await Task.yield() }
        task.cancel()
        await #expect { try await task.value } throws: { ($0 as? GitError)?.kind == .cancelled }
    }
}
