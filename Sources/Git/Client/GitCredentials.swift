import Base
import Glibc

/// The credential that git may send to the host of one repository.
///
/// A secret is stored in a file of mode 0600 and reaches git through Assay's credential helper, which answers for one origin
/// only. It is never in an argument, an environment variable or a header (git sends headers to redirect targets, too).
public struct GitCredentials: Sendable, Hashable {
    enum Kind: Sendable, Hashable {
        case none
        case user
        /// `origin`: see `GitURL.origin`. The file contains lines of git's credential protocol: `username=` and `password=`.
        case answers(origin: String, file: String)
        /// A token in a file that another program keeps up to date. The file is read at each use.
        case tokenFile(origin: String, username: String, file: String)
        case ssh(keyFile: String, knownHostsFile: String)
    }

    let kind: Kind
    /// Certificates of the authorities that the origin is checked against instead of the system's; nil means the system's.
    let authorities: Authorities?
    /// Distinguishes credentials by content without revealing the content. Empty for none.
    public let key: String
    /// Identifies the owner of caches of private repositories: the Secret that the credential is from, whose content may change every
    /// hour, or the content if there is no Secret. Empty for none.
    public let scope: String

    struct Authorities: Sendable, Hashable {
        let origin: String
        let file: String
    }

    private init(_ kind: Kind, key: String, scope: String? = nil, authorities: Authorities? = nil) {
        self.kind = kind
        self.key = key
        self.scope = scope ?? key
        self.authorities = authorities
    }

    /// No credential, for public repositories.
    public static let none = GitCredentials(.none, key: "")
    /// The credentials of the user's own git: credential helpers, ssh agent, ssh configuration. Only for use on a laptop.
    public static let user = GitCredentials(.user, key: "")

    /// A token in a file that is read at each use (such as a GitHub App's token, which changes every hour).
    /// - Parameter authorities: a file of certificates (PEM) that the host is checked against; nil means the system's.
    public static func tokenFile(
        _ path: String, username: String = "x-access-token", authorities: String? = nil, for url: GitURL
    ) throws(GitError) -> GitCredentials {
        try CredentialFiles.check(path)
        if let authorities { try CredentialFiles.check(authorities) }
        try checkValue(username, "username")
        guard url.transport == .https || url.transport == .http else {
            throw GitError(.invalidInput, "a token is for https:// repositories, not for \(url)")
        }
        return GitCredentials(
            .tokenFile(origin: url.origin, username: username, file: path), key: fingerprint([path, username, url.origin]),
            authorities: authorities.map { Authorities(origin: url.origin, file: $0) })
    }

    /// Credentials from the data of a Kubernetes Secret, for one repository.
    ///
    /// Recognised keys: `username` and `password` (basic), `token` or `bearerToken` (for any host that accepts a token as the
    /// password), `identity` or `ssh-privatekey` with `known_hosts` (ssh), `caFile` or `ca.crt` (certificates, PEM, that an
    /// https host is checked against; may also be the only key, for a public repository).
    /// - Parameters:
    ///   - name: the Secret, as `namespace/name`. A named Secret has one set of files, which new content overwrites, and one
    ///     mirror of each repository. If nil, the name is not known, and each content has its own files and mirrors.
    ///   - directory: a private directory for the files; created with mode 0700.
    public static func secret(
        _ data: [String: [UInt8]], of name: String? = nil, for url: GitURL, directory: String
    ) throws(GitError) -> GitCredentials {
        let files = CredentialFiles(directory: directory, secret: name.map { fingerprint([$0, url.origin]) })
        func text(_ names: String...) -> String? {
            // A key with an empty value counts as absent, because templates may produce one.
            names.lazy.compactMap { data[$0] }.map { String(decoding: $0, as: UTF8.self).trimmedBlanks }.first { !$0.isEmpty }
        }
        switch url.transport {
        case .file: return .none
        case .https, .http:
            var authorities: Authorities?
            var authoritiesKey = ""
            if let certificates = data["caFile"] ?? data["ca.crt"] {
                guard String(decoding: certificates, as: UTF8.self).contains("-----BEGIN CERTIFICATE-----") else {
                    throw GitError(.authentication, "caFile of the secret for \(url) holds no certificate in PEM (-----BEGIN CERTIFICATE-----)")
                }
                authoritiesKey = fingerprint([String(decoding: certificates, as: UTF8.self)])
                authorities = Authorities(origin: url.origin, file: try files.keep(certificates, .authorities, key: authoritiesKey))
            }
            let token = text("token", "bearerToken")
            if let authorities, data["password"] == nil, token == nil {
                let unknownKeys = Set(data.keys).subtracting(["caFile", "ca.crt", "username"]).sorted()
                guard unknownKeys.isEmpty else {
                    throw GitError(
                        .authentication,
                        "the secret for \(url) has no password or token key; these keys are not understood: "
                            + unknownKeys.map { $0.replacingControls }.joined(separator: ", "))
                }
                return GitCredentials(.none, key: authoritiesKey, scope: name, authorities: authorities)
            }
            guard let password = text("password") ?? token, !password.isEmpty else {
                throw GitError(.authentication, "the secret for \(url) has no password or token key")
            }
            let username = text("username") ?? "x-access-token"
            try checkValue(username, "username")
            try checkValue(password, "password")
            let key = fingerprint([url.origin, username, password, authoritiesKey])
            let file = try files.keep(Array("username=\(username)\npassword=\(password)\n".utf8), .answers, key: key)
            return GitCredentials(.answers(origin: url.origin, file: file), key: key, scope: name, authorities: authorities)
        case .ssh:
            guard var identity = data["identity"] ?? data["ssh-privatekey"] else {
                throw GitError(.authentication, "the secret for \(url) has no identity (or ssh-privatekey) key")
            }
            guard let knownHosts = data["known_hosts"]?.filter({ $0 != 0x0D }) else {
                throw GitError(
                    .authentication, "the secret for \(url) has no known_hosts key; without it the host's identity cannot be checked")
            }
            // OpenSSH does not accept a key with Windows line endings.
            identity = identity.filter { $0 != 0x0D }
            guard !SSHKey.hasPassphrase(identity) else {
                throw GitError(
                    .authentication,
                    "the identity key of the secret for \(url) has a passphrase, which cannot be entered here: make a key without one (ssh-keygen -N '')"
                )
            }
            // OpenSSH rejects a key file without a newline at the end, and Secrets often lack it.
            if identity.last != 0x0A { identity.append(0x0A) }
            let key = fingerprint([url.origin, String(decoding: identity, as: UTF8.self)])
            let keyFile = try files.keep(identity, .identity, key: key)
            let hosts = try files.keep(knownHosts, .knownHosts, key: fingerprint([String(decoding: knownHosts, as: UTF8.self)]))
            return GitCredentials(.ssh(keyFile: keyFile, knownHostsFile: hosts), key: key, scope: name)
        }
    }

    /// Credentials from a mounted Secret; `.none` if the directory does not exist or is empty.
    public static func mounted(at path: String, for url: GitURL, directory: String) throws(GitError) -> GitCredentials {
        var data: [String: [UInt8]] = [:]
        for name in ["username", "password", "token", "bearerToken", "identity", "ssh-privatekey", "known_hosts", "caFile", "ca.crt"] {
            if let bytes = FileReading.whole("\(path)/\(name)", limit: 1 << 20) { data[name] = bytes }
        }
        return data.isEmpty ? .none : try secret(data, for: url, directory: directory)
    }

    // MARK: What git gets

    /// Configuration that makes git use Assay's credential helper and no other.
    var configuration: [(String, String)] {
        helpers + (authorities.map { [("http.\($0.origin).sslCAInfo", $0.file)] } ?? [])
    }

    private var helpers: [(String, String)] {
        switch kind {
        case .user: return []
        case .none, .ssh: return [("credential.helper", "")]
        case .answers(let origin, let file):
            return [("credential.helper", ""), ("credential.\(origin).helper", Self.helper(origin, "cat \(shellQuoted(file))"))]
        case .tokenFile(let origin, let username, let file):
            let answer = "echo username=\(shellQuoted(username)) && printf 'password=%s\\n' \"$(cat \(shellQuoted(file)))\""
            return [("credential.helper", ""), ("credential.\(origin).helper", Self.helper(origin, answer))]
        }
    }

    /// The ssh program to use; nil means that the user's configuration decides.
    var sshCommand: String? {
        let common = "ssh -o BatchMode=yes -o ConnectTimeout=20 -o ServerAliveInterval=15 -o ServerAliveCountMax=4"
        switch kind {
        case .user: return nil
        case .ssh(let key, let hosts):
            return common + " -F /dev/null -o IdentitiesOnly=yes -o IdentityAgent=none -o StrictHostKeyChecking=yes"
                + " -o GlobalKnownHostsFile=/dev/null -o UserKnownHostsFile=\(shellQuoted(hosts)) -i \(shellQuoted(key))"
        case .none, .answers, .tokenFile:
            return common + " -F /dev/null -o IdentityFile=none -o IdentityAgent=none -o StrictHostKeyChecking=yes"
        }
    }

    var isUser: Bool { kind == .user }

    /// git calls the helper only for the origin in its configuration key. The helper checks the origin again, because a mistake
    /// would leak a credential.
    private static func helper(_ origin: String, _ answer: String) -> String {
        let parts = origin.split(separator: ":", maxSplits: 1).map(String.init)
        let host = String(parts[parts.count - 1].dropFirst(2))
        return "!f() { test \"$1\" = get || exit 0; p=; h=; while IFS='=' read -r k v; do case \"$k\" in protocol) p=$v;; host) h=$v;; esac; done; "
            + "test \"$p\" = \(shellQuoted(parts[0])) && test \"$h\" = \(shellQuoted(host)) || exit 0; \(answer); }; f"
    }

    // MARK: Values

    /// A newline would end the line of the credential protocol and start another one (CVE-2020-5260, CVE-2024-52006).
    private static func checkValue(_ value: String, _ name: String) throws(GitError) {
        guard !value.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else {
            throw GitError(.authentication, "the secret's \(name) holds a control character")
        }
    }

    private static func fingerprint(_ parts: [String]) -> String {
        String(SHA256.hex(of: Array(parts.joined(separator: "\n").utf8)).prefix(16))
    }
}

func shellQuoted(_ text: String) -> String {
    "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
}
