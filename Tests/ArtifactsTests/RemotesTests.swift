import Artifacts
import AssayTesting
import Base
import EvalModel
import Foundation
import Git
import Subprocess
import Testing

/// Remotes as in real use: HTTPS with a password, a token, or an own certificate authority; ssh.
@Suite struct RemotesTests {
    private let bench: Workbench

    init() throws { bench = try Workbench() }

    private func web(_ users: [String: String] = ["me": "right"]) async throws -> GitWebServer {
        try await GitWebServer(directory: "\(bench.path)/web", root: bench.path, users: users)
    }

    /// A ledger with the credential from a Secret with these keys.
    private func ledger(_ url: String, secret: [String: [UInt8]], directory: String = "ledger", time: any TimeSource = HastyTime()) throws
        -> GitLedger
    {
        let url = try GitURL(parsing: url)
        let credentials = try GitCredentials.secret(secret, for: url, directory: "\(bench.path)/credentials")
        var settings = try bench.settings("/unused", directory: directory)
        settings.remote = .init(url, credentials: credentials)
        return try GitLedger(settings: settings, time: time, log: Log("test"))
    }

    @Test(
        "https: every kind of Secret can push: basic, a token under each name, with the host's own authority",
        arguments: [
            ["username": "me", "password": "right"], ["token": "tok en/=+"], ["bearerToken": "tok en/=+"], ["password": "tok en/=+"],
            ["username": "me", "token": "right"],
        ])
    func secrets(data: [String: String]) async throws {
        let server = try await web(["me": "right", "x-access-token": "tok en/=+"])
        let remote = try await bench.emptyRemote()
        let runs = try bench.runs(0..<3)
        for authority in ["caFile", "ca.crt"] {
            var secret = data.mapValues { Array($0.utf8) }
            secret[authority] = server.authority
            let ledger = try ledger(server.url("remote.git"), secret: secret, directory: "ledger-\(authority)")
            try await ledger.check()
            for run in runs { try await ledger.submit(run) }
            try await ledger.flush()
        }
        try await bench.expectOnce(runs, remote)
        try await bench.expectSound(remote)
    }

    @Test("https: a wrong password and an unknown authority are reported with advice; the results wait")
    func refusals() async throws {
        let server = try await web()
        _ = try await bench.emptyRemote()
        let wrong = try ledger(
            server.url("remote.git"), secret: ["username": Array("me".utf8), "password": Array("wr0ng".utf8), "caFile": server.authority],
            directory: "wrong", time: FrozenTime(passing: 0))
        try await wrong.submit(try bench.runs(0..<1)[0])
        let refused = try await artifactError { try await wrong.flush() }
        #expect(refused.kind == .refused && refused.message.contains("secretRef") && !refused.message.contains("wr0ng"))
        let stranger = try ledger(
            server.url("remote.git"), secret: ["username": Array("me".utf8), "password": Array("right".utf8)], directory: "stranger",
            time: FrozenTime(passing: 0))
        let unknown = try await artifactError { try await stranger.check() }
        #expect(unknown.message.contains("caFile"), "\(unknown.message)")
        #expect(await wrong.state.pending == 1)
    }

    @Test("after the rotation of a Secret, waiting results are pushed at once with the new password")
    func rotated() async throws {
        let server = try await web(["me": "old"])
        let remote = try await bench.emptyRemote()
        let time = FrozenTime(passing: 1)
        func secret(_ password: String) -> [String: [UInt8]] {
            ["username": Array("me".utf8), "password": Array(password.utf8), "caFile": server.authority]
        }
        let ledger = try ledger(server.url("remote.git"), secret: secret("old"), time: time)
        let runs = try bench.runs(0..<4)
        try await ledger.submit(runs[0])
        try await ledger.flush()
        try server.setUsers(["me": "new"])
        for run in runs[1...] { try await ledger.submit(run) }
        try await eventually("the old password is refused") { await ledger.state.failure?.kind == .refused }
        try await eventually("the pump waits") { !time.sleeps.isEmpty }
        #expect(await ledger.state.pending == 3)
        // Reading the same content again changes nothing.
        let waits = time.sleeps.count
        let pushes = server.requests().count
        await ledger.use(try .secret(secret("old"), for: GitURL(parsing: server.url("remote.git")), directory: "\(bench.path)/credentials"))
        #expect(time.sleeps.count == waits && server.requests().count == pushes)
        let url = try GitURL(parsing: server.url("remote.git"))
        await ledger.use(try .secret(secret("new"), for: url, directory: "\(bench.path)/credentials"))
        try await eventually("what waited is pushed") { await ledger.state.pending == 0 }
        #expect(await ledger.state.failure == nil)
        await ledger.stop()
        try await bench.expectOnce(runs, remote)
    }

    @Test("a token in a file, such as a GitHub App's, is read at each use")
    func tokenFile() async throws {
        let server = try await web(["x-access-token": "first"])
        let remote = try await bench.emptyRemote()
        let file = "\(bench.path)/token"
        try FileWriting.replace(file, with: Array("first\n".utf8))
        let url = try GitURL(parsing: server.url("remote.git"))
        var settings = try bench.settings("/unused")
        settings.remote = .init(url, credentials: try .tokenFile(file, authorities: "\(bench.path)/web/cert.pem", for: url))
        let ledger = try GitLedger(settings: settings, time: FrozenTime(passing: 0), log: Log("test"))
        let runs = try bench.runs(0..<2)
        try await ledger.submit(runs[0])
        try await ledger.flush()
        try server.setUsers(["x-access-token": "second"])
        try FileWriting.replace(file, with: Array("second\n".utf8))
        try await ledger.submit(runs[1])
        try await ledger.flush()
        try await bench.expectOnce(runs, remote)
    }

    @Test("ssh: key and known_hosts from a Secret; a host with another key is refused")
    func ssh() async throws {
        let server = try await SSHServer(directory: "\(bench.path)/ssh")
        let remote = try await bench.emptyRemote()
        let runs = try bench.runs(0..<3)
        let good = try ledger(server.url(remote), secret: ["identity": server.identity, "known_hosts": server.knownHosts])
        for run in runs { try await good.submit(run) }
        try await good.flush()
        try await bench.expectOnce(runs, remote)
        try await bench.expectSound(remote)
        // The names of `kubernetes.io/ssh-auth`, and without the final newline, which Secrets often lack.
        let again = try ledger(
            server.url(remote), secret: ["ssh-privatekey": server.identity.dropLast(), "known_hosts": server.knownHosts], directory: "again")
        try await again.check()

        let other = try await SSHServer(directory: "\(bench.path)/ssh-other")
        let impostor = String(decoding: other.knownHosts, as: UTF8.self).replacingOccurrences(of: "\(other.port)", with: "\(server.port)")
        let fooled = try ledger(server.url(remote), secret: ["identity": server.identity, "known_hosts": Array(impostor.utf8)], directory: "fooled")
        let unknown = try await artifactError { try await fooled.check() }
        #expect(unknown.kind == .refused && unknown.message.contains("known_hosts"))
        let stranger = try ledger(server.url(remote), secret: ["identity": other.identity, "known_hosts": server.knownHosts], directory: "stranger")
        #expect(try await artifactError { try await stranger.check() }.kind == .refused)
    }

    @Test("a remote with filters and one without, empty and full, over https and over ssh", arguments: [true, false])
    func filters(allowed: Bool) async throws {
        let server = try await web()
        let ssh = try await SSHServer(directory: "\(bench.path)/ssh")
        let remote = try await bench.emptyRemote()
        if allowed { for key in ["allowFilter", "allowAnySHA1InWant"] { try await bench.git(remote, "config", "uploadpack.\(key)", "true") } }
        let http = ["username": Array("me".utf8), "password": Array("right".utf8), "caFile": server.authority]
        let key = ["identity": ssh.identity, "known_hosts": ssh.knownHosts]
        let runs = try bench.runs(0..<8)
        let writers = [
            try ledger(server.url("remote.git"), secret: http, directory: "a"), try ledger(ssh.url(remote), secret: key, directory: "b"),
            try ledger(server.url("remote.git"), secret: http, directory: "c"), try ledger(ssh.url(remote), secret: key, directory: "d"),
        ]
        for (index, run) in runs.enumerated() {
            // Each one reads the others' records.
            try await writers[index % 4].submit(run)
            try await writers[index % 4].flush()
        }
        try await writers[3].submit(runs[0])
        try await writers[3].flush()
        #expect(try await writers[2].record(of: runs[1].id)?.runId == runs[1].id)
        try await bench.expectOnce(runs, remote)
        try await bench.expectSound(remote)
    }

    @Test("catalogue 35: a redirect to another host is refused, and the other host receives nothing")
    func redirect() async throws {
        let server = try await web()
        let remote = try await bench.emptyRemote()
        let ledger = try ledger(
            server.url("moved/remote.git"), secret: ["username": Array("me".utf8), "password": Array("right".utf8), "caFile": server.authority],
            time: FrozenTime(passing: 0))
        try await ledger.submit(try bench.runs(0..<1)[0])
        let error = try await artifactError { try await ledger.flush() }
        #expect(error.kind == .refused && error.message.contains("redirect"), "\(error)")
        #expect(server.requests().contains { $0.hasPrefix("me ") && $0.contains("/moved/") && $0.hasSuffix(" 302") }, "\(server.requests())")
        #expect(server.requestsToOtherHost().isEmpty)
        #expect(await ledger.state.pending == 1)
        #expect(try await bench.git(remote, "for-each-ref").isEmpty)
    }

    @Test("a remote with SHA-256 is told to be one with SHA-1, and not to allow a credential")
    func otherObjectIDs() async throws {
        let remote = "\(bench.path)/sha256.git"
        try await bench.git(bench.path, "init", "--quiet", "--bare", "--object-format=sha256", remote)
        let ledger = try GitLedger(settings: try bench.settings(remote, directory: "ledger"), time: FrozenTime(passing: 0), log: Log("test"))
        try await ledger.submit(try bench.runs(0..<1)[0])
        let error = try await artifactError { try await ledger.flush() }
        #expect(error.kind == .refused && error.message.contains("SHA-1") && error.message.contains("the results wait here"), "\(error)")
        #expect(!error.message.contains("credential"), "\(error)")
        #expect(await ledger.state.pending == 1)
    }

    @Test("catalogue 36: a push that is never answered ends at a deadline; the results wait and are pushed later")
    func stalls() async throws {
        let server = try await web()
        let remote = try await bench.emptyRemote()
        let url = try GitURL(parsing: server.url("stalls/remote.git"))
        let secret = ["username": Array("me".utf8), "password": Array("right".utf8), "caFile": server.authority]
        var client = GitClient.Settings()
        client.lowSpeedSeconds = 1
        var settings = try bench.settings("/unused")
        settings.remote = .init(url, credentials: try .secret(secret, for: url, directory: "\(bench.path)/credentials"))
        let stalled = try GitLedger(settings: settings, client: GitClient(settings: client), time: FrozenTime(passing: 0), log: Log("test"))
        let runs = try bench.runs(0..<2)
        for run in runs { try await stalled.submit(run) }
        let began = SystemTime().monotonic()
        let error = try await artifactError { try await stalled.flush() }
        #expect(error.kind == .unreachable, "\(error)")
        #expect(SystemTime().monotonic() - began < 30)
        await stalled.stop(grace: 0)
        let next = try ledger(server.url("remote.git"), secret: secret)
        #expect(await next.state.pending == 2)
        try await next.flush()
        try await bench.expectOnce(runs, remote)
    }

    @Test("catalogue 27: the web server disconnects after storing the push: the records are found on the branch and not pushed twice")
    func forgets() async throws {
        let server = try await web()
        let remote = try await bench.emptyRemote()
        let ledger = try ledger(
            server.url("forgets/remote.git"), secret: ["username": Array("me".utf8), "password": Array("right".utf8), "caFile": server.authority],
            time: FrozenTime(passing: 0))
        let runs = try bench.runs(0..<6)
        for run in runs[..<3] { try await ledger.submit(run) }
        try await ledger.flush()
        let state = await ledger.state
        #expect(state.pending == 0 && state.failure == nil)
        #expect(try await state.head?.hex == bench.git(remote, "rev-parse", Workbench.branch))
        for run in runs[3...] { try await ledger.submit(run) }
        try await ledger.flush()
        try await bench.expectOnce(runs, remote)
        #expect(server.requests().count { $0.contains("POST /forgets/remote.git/git-receive-pack") && $0.hasSuffix(" 502") } >= 2)
        try await bench.expectSound(remote)
    }
}
