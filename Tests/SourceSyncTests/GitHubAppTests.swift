import AssayTesting
import Base
import Git
import Subprocess
import Testing

@testable import SourceSync

/// GitHub Apps against a stub of GitHub's API and a private repository over https.
@Suite("Credentials of GitHub Apps")
struct GitHubAppTests {
    private final class Clock: TimeSource {
        let seconds = Locked<Int64>(1_700_000_000)
        func now() -> Timestamp { Timestamp(seconds: seconds.withLock { $0 }) }
        func monotonic() -> Double { Double(seconds.withLock { $0 }) }
        func sleep(seconds: Double) async throws {}
    }

    private let bench: Workbench
    private let clock = Clock()

    init() throws { bench = try Workbench() }

    private func key() async throws -> (pem: String, publicFile: String) {
        let (file, publicFile) = ("\(bench.path)/key.pem", "\(bench.path)/public.pem")
        for words in [["genrsa", "-out", file, "2048"], ["rsa", "-in", file, "-pubout", "-out", publicFile]] {
            let made = try await Command("openssl", words, deadlineSeconds: 120).run()
            try #require(made.succeeded, "\(made.stderrText)")
        }
        return (try #require(bench.text("key.pem")), publicFile)
    }

    /// GitHub's API: gives `token-1`, `token-2` and so on, each for an hour by the test's clock.
    private func api(_ given: Locked<Int>) throws -> ScriptedServer {
        let clock = clock
        return try ScriptedServer { request in
            guard request.method == "POST", request.path == "/app/installations/77/access_tokens" else { return ScriptedResponse(status: 404) }
            let number = given.withLock { number in
                number += 1
                return number
            }
            let body: JSONValue = ["token": .string("token-\(number)"), "expires_at": .string(clock.now().adding(seconds: 3600).rfc3339)]
            return ScriptedResponse(status: 201, pieces: [.bytes(body.serialized())])
        }
    }

    private func secret(_ api: ScriptedServer, _ pem: String) -> [String: [UInt8]] {
        [
            "githubAppID": Array("123".utf8), "githubAppInstallationID": Array("77\n".utf8), "githubAppPrivateKey": Array(pem.utf8),
            "githubAppBaseURL": Array("\(api.url)/".utf8),
        ]
    }

    /// An `openssl` that writes down its arguments and environment.
    private func watchedOpenSSL() throws -> String {
        let file = "\(bench.path)/openssl"
        try FileWriting.replace(
            file, with: Array("#!/bin/sh\n{ echo \"$@\"; env; } >> '\(bench.path)/openssl.log'\nexec openssl \"$@\"\n".utf8), mode: 0o755)
        return file
    }

    @Test("tokens are minted with a signed request, shared, renewed before their end, and keep one mirror; the key is in no argument")
    func mintsAndRenews() async throws {
        let (pem, publicFile) = try await key()
        let given = Locked(0)
        let api = try self.api(given)
        defer { api.stop() }
        let work = try await bench.repository(files: ["tasks/a/task.toml": "version = \"1.0\"\n"])
        try Directory.make("\(bench.path)/root")
        try await bench.git(bench.path, "clone", "-q", "--bare", work, "root/private.git")
        let web = try await GitWebServer(directory: "\(bench.path)/web", root: "\(bench.path)/root", users: ["x-access-token": "token-1"])
        let url = try GitURL(parsing: web.url("private.git"))
        let data = secret(api, pem).merging(["ca.crt": web.authority]) { $1 }
        let tokens = GitHubAppTokens(openssl: try watchedOpenSSL(), time: clock)
        let resolver = SourceResolver(cacheDirectory: "\(bench.path)/cache", policy: [])
        func credentials() async throws -> GitCredentials {
            try .secret(try await tokens.resolved(data, for: url), of: "n/app", for: url, directory: "\(bench.path)/credentials")
        }
        // Many at once make one request.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 { group.addTask { _ = try await tokens.resolved(data, for: url) } }
            try await group.waitForAll()
        }
        #expect(given.withLock { $0 } == 1)
        let source = try await resolver.pin(url.text, ref: "main", credentials: try await credentials())
        #expect(try await resolver.tree(source, credentials: try await credentials()).exists("tasks/a/task.toml"))

        // The request is what GitHub checks: signed by the key, by the app, for at most ten minutes.
        let header = try #require(api.requests.first?.headers["authorization"])
        let parts = header.dropFirst("Bearer ".count).split(separator: ".").map(String.init)
        try #require(parts.count == 3 && header.hasPrefix("Bearer "))
        try bench.write(["signed": "\(parts[0]).\(parts[1])"], in: bench.path)
        try FileWriting.replace("\(bench.path)/signature", with: try #require(Base64URL.decode(parts[2])))
        let verified = try await Command(
            "openssl",
            ["dgst", "-sha256", "-verify", publicFile, "-signature", "\(bench.path)/signature", "\(bench.path)/signed"], deadlineSeconds: 60
        ).run()
        #expect(verified.stdoutText.contains("Verified OK"), "\(verified.stdoutText)\(verified.stderrText)")
        let claims = try JSONValue(parsing: try #require(Base64URL.decode(parts[1])))
        #expect(claims["iss"]?.string == "123" && (claims["exp"]?.int ?? 0) - (claims["iat"]?.int ?? 0) == 600)

        // After 49 minutes the token is used; after 51 a new one is minted, in the same mirror.
        clock.seconds.withLock { $0 += 49 * 60 }
        _ = try await credentials()
        #expect(given.withLock { $0 } == 1)
        clock.seconds.withLock { $0 += 2 * 60 }
        try web.setUsers(["x-access-token": "token-2"])
        try await bench.git("\(bench.path)/root/private.git", "update-ref", "refs/heads/later", source.commit.hex)
        #expect(try await resolver.pin(url.text, ref: "later", credentials: try await credentials()).commit == source.commit)
        #expect(given.withLock { $0 } == 2)
        #expect((Directory.names(in: "\(bench.path)/cache") ?? []).filter { $0.hasSuffix(".git") }.count == 1)

        let log = try #require(bench.text("openssl.log"))
        let secretLine = pem.split(separator: "\n")[1]
        #expect(log.contains("-sign /dev/stdin") && !log.contains(secretLine) && !log.contains("token-"))
    }

    @Test("catalogue 35: a redirect to another host never gets the token")
    func redirect() async throws {
        let (pem, _) = try await key()
        let api = try self.api(Locked(0))
        defer { api.stop() }
        try Directory.make("\(bench.path)/root")
        try await bench.git(bench.path, "clone", "-q", "--bare", try await bench.repository(), "root/private.git")
        let web = try await GitWebServer(directory: "\(bench.path)/web", root: "\(bench.path)/root", users: ["x-access-token": "token-1"])
        let url = try GitURL(parsing: web.url("moved/private.git"))
        let data = try await GitHubAppTokens(time: clock).resolved(secret(api, pem).merging(["ca.crt": web.authority]) { $1 }, for: url)
        let credentials = try GitCredentials.secret(data, of: "n/app", for: url, directory: "\(bench.path)/credentials")
        let resolver = SourceResolver(cacheDirectory: "\(bench.path)/cache", policy: [])
        await #expect(throws: SourceError.self) { try await resolver.pin(url.text, ref: "main", credentials: credentials) }
        #expect(!web.requestsToOtherHost().contains { $0.contains("Basic") || $0.contains("Bearer") })
    }

    @Test("what is wrong is said, without a secret value")
    func refusals() async throws {
        let (pem, _) = try await key()
        let refusing = try ScriptedServer { _ in
            ScriptedResponse(status: 401, pieces: [.bytes(Array(#"{"message": "A JSON web token could not be decoded"}"#.utf8))])
        }
        defer { refusing.stop() }
        let tokens = GitHubAppTokens(time: clock)
        let loopback = try GitURL(parsing: "http://127.0.0.1:1/org/repo", allowing: .loopbackHTTP)
        func error(_ change: [String: String], for url: GitURL, _ tokens: GitHubAppTokens? = nil) async -> GitError? {
            let data = secret(refusing, pem).merging(change.mapValues { Array($0.utf8) }) { $1 }
            return await #expect(throws: GitError.self) { try await (tokens ?? GitHubAppTokens(time: clock)).resolved(data, for: url) }
        }
        let secretLine = String(pem.split(separator: "\n")[1])
        let cases: [(change: [String: String], words: String)] = [
            ([:], "A JSON web token could not be decoded"), (["githubAppID": ""], "githubAppID"),
            (["githubAppInstallationID": "7/../8"], "githubAppInstallationID"),
            (["githubAppPrivateKey": "secret"], "githubAppPrivateKey"),
            (["githubAppPrivateKey": "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"], "must be an RSA key in PEM"),
            (["githubAppBaseURL": "ftp://x"], "githubAppBaseURL"),
            (["githubAppBaseURL": "https://api.github.com"], "for https repositories of github.com"),
        ]
        for (change, words) in cases {
            let found = await error(change, for: loopback)
            #expect(found?.kind == .authentication && found?.message.contains(words) == true, "\(change.keys): \(found?.message ?? "")")
            #expect(found?.message.contains(secretLine) == false)
        }
        let absent = await error([:], for: loopback, GitHubAppTokens(openssl: "openssl-that-is-not-there", time: clock))
        #expect(absent?.message.contains("apt install openssl") == true, "\(absent?.message ?? "")")
        // A repository of another host is never offered a token, and other Secrets stay as they are.
        let elsewhere = await error([:], for: try GitURL(parsing: "https://git.example.com/org/repo"))
        #expect(elsewhere?.message.contains("not for https://git.example.com/org/repo") == true)
        #expect(try await tokens.resolved(["token": [1]], for: loopback) == ["token": [1]])
    }
}
