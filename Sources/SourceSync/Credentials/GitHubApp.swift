import Base
import Git

/// A GitHub App's installation, as a Secret describes it. Pure.
///
/// The keys are those of Flux: `githubAppID`, `githubAppInstallationID`, `githubAppPrivateKey` (PEM), and for GitHub Enterprise Server
/// `githubAppBaseURL`, such as https://github.example.com/api/v3.
public struct GitHubApp: Sendable, Hashable {
    public static let idKey = "githubAppID"
    static let installationKey = "githubAppInstallationID"
    static let privateKeyKey = "githubAppPrivateKey"
    static let baseURLKey = "githubAppBaseURL"

    public let id: String
    public let installation: String
    /// The address of the API, without a slash at its end.
    public let baseURL: String
    /// PEM.
    let privateKey: [UInt8]

    /// - Parameter data: of the Secret.
    /// - Returns: nil when the Secret is not a GitHub App's.
    /// - Throws: `.authentication` that names the key which is missing or wrong, never a value.
    public init?(_ data: [String: [UInt8]]) throws(GitError) {
        guard data[Self.idKey] != nil || data[Self.installationKey] != nil || data[Self.privateKeyKey] != nil else { return nil }
        func text(_ key: String) -> String { String(decoding: data[key] ?? [], as: UTF8.self).trimmed }
        for key in [Self.idKey, Self.installationKey] {
            let value = text(key)
            // A client id (Iv23li...) may stand for the app's number.
            let isFit = value.unicodeScalars.allSatisfy { ("0"..."9").contains($0) || key == Self.idKey && $0.isASCII && $0.properties.isAlphabetic }
            guard !value.isEmpty, isFit, value.utf8.count <= 64 else {
                throw GitError(.authentication, "the Secret of a GitHub App needs \(key): a number, as GitHub shows it for the app")
            }
        }
        guard text(Self.privateKeyKey).hasPrefix("-----BEGIN ") else {
            throw GitError(.authentication, "the Secret of a GitHub App needs \(Self.privateKeyKey): the app's private key, a PEM file")
        }
        id = text(Self.idKey)
        installation = text(Self.installationKey)
        privateKey = Array((text(Self.privateKeyKey) + "\n").utf8)
        var base = text(Self.baseURLKey)
        while base.hasSuffix("/") { base.removeLast() }
        baseURL = base.isEmpty ? "https://api.github.com" : base
        _ = try address
    }

    private var address: GitURL {
        get throws(GitError) {
            do { return try GitURL(parsing: baseURL + "/x", allowing: .loopbackHTTP) } catch {
                throw GitError(.authentication, "\(Self.baseURLKey) of the Secret must be the https:// address of GitHub's API: \(error.message)")
            }
        }
    }

    /// Checks that the app's tokens are for the host of a repository.
    func check(_ url: GitURL) throws(GitError) {
        let api = try address.host
        let host = api.hasPrefix("api.") ? String(api.dropFirst("api.".count)) : api
        guard url.transport == .https || url.transport == .http, url.host == host else {
            throw GitError(.authentication, "the GitHub App of the Secret is for https repositories of \(host), not for \(url)")
        }
    }

    /// What is signed for a request: header and claims of a JSON Web Token. It is valid for nine minutes; GitHub allows ten.
    func claims(at now: Timestamp) -> String {
        let claims: JSONValue = ["exp": JSONValue(Int(now.seconds) + 540), "iat": JSONValue(Int(now.seconds) - 60), "iss": .string(id)]
        return Base64URL.encode(Array(#"{"alg":"RS256","typ":"JWT"}"#.utf8)) + "." + Base64URL.encode(claims.serialized())
    }

    /// Identifies the app and its key without revealing the key.
    var fingerprint: String { SHA256.hex(of: Array("\(baseURL)\n\(id)\n\(installation)\n".utf8) + privateKey) }
}

/// A token of an installation.
struct GitHubToken: Sendable, Hashable {
    let text: String
    let expires: Timestamp

    /// - Returns: nil for anything but GitHub's answer.
    init?(parsing body: [UInt8]) {
        guard let value = try? JSONValue(parsing: body), let text = value["token"]?.string, !text.isEmpty,
            let expires = value["expires_at"]?.string.flatMap({ Timestamp(rfc3339: $0) })
        else { return nil }
        self.text = text
        self.expires = expires
    }
}
