import Base
import Git
import Glibc
import HTTPTransport
import Subprocess

/// Mints tokens of GitHub Apps and renews them before they expire.
///
/// - A token is used until ten minutes before its end; GitHub's last an hour. Many users of one app at a time make one request.
/// - The private key reaches `openssl` through its standard input. It is in no file, argument or variable, and neither is a token.
public final class GitHubAppTokens: Sendable {
    private let transport: HTTPTransport
    private let tls: TLSOptions
    private let openssl: String
    private let time: any TimeSource

    private struct Entry: Sendable {
        var token: GitHubToken?
        var minting: Task<Result<GitHubToken, GitError>, Never>?
    }

    private let entries = Locked<[String: Entry]>([:])
    private static let renewSeconds: Int64 = 600

    /// - Parameters:
    ///   - tls: which servers to trust; by default those of the system.
    ///   - openssl: the program.
    public init(
        transport: HTTPTransport = .shared, tls: TLSOptions = TLSOptions(), openssl: String = "openssl", time: any TimeSource = SystemTime()
    ) {
        self.transport = transport
        self.tls = tls
        self.openssl = openssl
        self.time = time
    }

    /// The data of a Secret with a token in place of the app: `username` and `password`, as `GitCredentials.secret` reads them. Other data is
    /// returned as it is.
    ///
    /// - Throws: `GitError`, without a secret value: `.authentication` when the Secret or GitHub refuses, `.unreachable` when GitHub cannot be asked.
    public func resolved(_ data: [String: [UInt8]], for url: GitURL) async throws(GitError) -> [String: [UInt8]] {
        guard let app = try GitHubApp(data) else { return data }
        try app.check(url)
        var result = data.filter { $0.key == "caFile" || $0.key == "ca.crt" }
        result["username"] = Array("x-access-token".utf8)
        result["password"] = Array(try await token(of: app, authorities: data["caFile"] ?? data["ca.crt"]).text.utf8)
        return result
    }

    private func token(of app: GitHubApp, authorities: [UInt8]?) async throws(GitError) -> GitHubToken {
        let (key, now) = (app.fingerprint, time.now().seconds)
        let work: (token: GitHubToken?, task: Task<Result<GitHubToken, GitError>, Never>?) = entries.withLock { entries in
            entries = entries.filter { $0.value.minting != nil || ($0.value.token?.expires.seconds ?? 0) > now }
            if let token = entries[key]?.token, token.expires.seconds - now > Self.renewSeconds { return (token, nil) }
            if let task = entries[key]?.minting { return (nil, task) }
            let task = Task { await self.mint(app, key, authorities) }
            entries[key, default: Entry()].minting = task
            return (nil, task)
        }
        if let token = work.token { return token }
        guard let task = work.task else { throw GitError(.failed, "no token of the GitHub App was asked for") }
        return try await task.value.get()
    }

    private func mint(_ app: GitHubApp, _ key: String, _ authorities: [UInt8]?) async -> Result<GitHubToken, GitError> {
        let outcome: Result<GitHubToken, GitError>
        do throws(GitError) { outcome = .success(try await request(app, authorities)) } catch { outcome = .failure(error) }
        entries.withLock { entries in
            entries[key]?.minting = nil
            if case .success(let token) = outcome { entries[key]?.token = token }
        }
        return outcome
    }

    private func request(_ app: GitHubApp, _ authorities: [UInt8]?) async throws(GitError) -> GitHubToken {
        let jwt = try await signed(app.claims(at: time.now()), by: app.privateKey)
        let place = "\(app.baseURL)/app/installations/\(app.installation)/access_tokens"
        var tls = tls
        if let authorities { tls.authorities = .data(authorities) }
        let answer: (status: Int, body: [UInt8])
        do {
            let response = try await transport.send(
                HTTPRequest(
                    method: "POST", url: place,
                    headers: [
                        "Authorization": "Bearer \(jwt)", "Accept": "application/vnd.github+json", "User-Agent": "assay",
                        "X-GitHub-Api-Version": "2022-11-28",
                    ], body: [], timeouts: HTTPTimeouts(connect: 20, total: 60), tls: tls, reading: .whole(limit: 1 << 20)))
            answer = (response.status, try await response.body.collect(upTo: 1 << 20))
        } catch {
            throw GitError(.unreachable, "cannot ask \(app.baseURL) for a token of the GitHub App: \(error)")
        }
        if answer.status == 201, let token = GitHubToken(parsing: answer.body) { return token }
        let said = (try? JSONValue(parsing: answer.body))?["message"]?.string.map { ": \($0.replacingControls.prefix(300))" } ?? ""
        throw GitError(
            answer.status >= 500 || answer.status == 429 ? .unreachable : .authentication,
            "\(app.baseURL) gives no token for installation \(app.installation) of the GitHub App \(app.id): status \(answer.status)\(said)")
    }

    /// The text with its signature: a JSON Web Token.
    private func signed(_ text: String, by key: [UInt8]) async throws(GitError) -> String {
        // openssl reads the key from its standard input, so what is signed, which is no secret, comes from a file.
        let file = "\(Self.temporaryDirectory)/assay-claims-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        defer { unlink(file) }
        do throws(FileError) { try FileWriting.replace(file, with: Array(text.utf8), mode: 0o600, durable: false) } catch {
            throw GitError(.storage, "cannot sign a request to GitHub: \(error)")
        }
        let result: CommandResult
        do {
            result = try await Command(
                openssl, ["dgst", "-sha256", "-passin", "pass:", "-sign", "/dev/stdin", "-binary", file], standardInput: .bytes(key),
                deadlineSeconds: 60,
                outputLimit: 64 << 10
            ).run()
        } catch {
            throw GitError(.failed, "a GitHub App's requests are signed with the program openssl: \(error). Install it: apt install openssl")
        }
        guard result.succeeded, !result.stdout.isEmpty else {
            throw GitError(
                .authentication,
                "openssl cannot sign with \(GitHubApp.privateKeyKey) of the Secret; it must be an RSA key in PEM, without a passphrase, as GitHub makes it"
            )
        }
        return text + "." + Base64URL.encode(result.stdout)
    }

    private static var temporaryDirectory: String { getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp" }
}
