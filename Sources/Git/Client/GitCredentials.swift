import Base
import Glibc

/// What git may show to one repository's host.
///
/// A secret lies in a file of mode 0600 and reaches git through a credential helper of ours that answers for one origin
/// only; it is never in an argument, an environment variable or a header (a header follows redirects).
public struct GitCredentials: Sendable, Hashable {
    enum Kind: Sendable, Hashable {
        case none
        case user
        /// `origin` as in `GitURL.origin`; the file holds git's credential protocol: `username=` and `password=` lines.
        case answers(origin: String, file: String)
        /// A token that another program keeps fresh; read at each use.
        case tokenFile(origin: String, username: String, file: String)
        case ssh(keyFile: String, knownHostsFile: String)
    }

    let kind: Kind
    /// Certificates of the authorities that the origin is trusted by, instead of the system's; nil: the system's.
    let authorities: Authorities?
    /// Tells credentials apart without saying what they are: caches of private repositories are keyed by it. Empty for none.
    public let key: String

    struct Authorities: Sendable, Hashable {
        let origin: String
        let file: String
    }

    private init(_ kind: Kind, key: String, authorities: Authorities? = nil) {
        self.kind = kind
        self.key = key
        self.authorities = authorities
    }

    /// Nothing: public repositories.
    public static let none = GitCredentials(.none, key: "")
    /// Whatever the user's own git has: credential helpers, ssh agent, ssh configuration. For the laptop only.
    public static let user = GitCredentials(.user, key: "")

    /// A token in a file that is read at each use (as a GitHub App's, which changes each hour).
    /// - Parameter authorities: a file of certificates (PEM) that the host is trusted by; nil: the system's.
    public static func tokenFile(
        _ path: String, username: String = "x-access-token", authorities: String? = nil, for url: GitURL
    ) throws(GitError) -> GitCredentials {
        try checkFile(path)
        if let authorities { try checkFile(authorities) }
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
    /// Keys understood: `username` and `password` (basic), `token` or `bearerToken` (any host that takes a token as the
    /// password), `identity` or `ssh-privatekey` with `known_hosts` (ssh), `caFile` or `ca.crt` (certificates, PEM, that an
    /// https host is trusted by; alone, too, for a public repository).
    /// - Parameter directory: a private directory in which the files are kept; made with mode 0700.
    public static func secret(
        _ data: [String: [UInt8]], for url: GitURL, directory: String
    ) throws(GitError) -> GitCredentials {
        func text(_ names: String...) -> String? {
            // A key that is there and empty, as templates leave them, says nothing.
            names.lazy.compactMap { data[$0] }.map { String(decoding: $0, as: UTF8.self).trimmedBlanks }.first { !$0.isEmpty }
        }
        switch url.transport {
        case .file: return .none
        case .https, .http:
            var authorities: Authorities?
            if let certificates = data["caFile"] ?? data["ca.crt"] {
                guard String(decoding: certificates, as: UTF8.self).contains("-----BEGIN CERTIFICATE-----") else {
                    throw GitError(.authentication, "caFile of the secret for \(url) holds no certificate in PEM (-----BEGIN CERTIFICATE-----)")
                }
                let name = "authorities-\(fingerprint([String(decoding: certificates, as: UTF8.self)]))"
                authorities = Authorities(origin: url.origin, file: try keep(certificates, as: name, in: directory))
            }
            let token = text("token", "bearerToken")
            if let authorities, data["password"] == nil, token == nil {
                let strange = Set(data.keys).subtracting(["caFile", "ca.crt", "username"]).sorted()
                guard strange.isEmpty else {
                    throw GitError(
                        .authentication, "the secret for \(url) has no password or token key; what it has means nothing here: "
                            + strange.map { $0.replacingControls }.joined(separator: ", "))
                }
                return GitCredentials(.none, key: fingerprint([authorities.file]), authorities: authorities)
            }
            guard let password = text("password") ?? token, !password.isEmpty else {
                throw GitError(.authentication, "the secret for \(url) has no password or token key")
            }
            let username = text("username") ?? "x-access-token"
            try checkValue(username, "username")
            try checkValue(password, "password")
            let key = fingerprint([url.origin, username, password, authorities?.file ?? ""])
            let file = try keep(Array("username=\(username)\npassword=\(password)\n".utf8), as: "answers-\(key)", in: directory)
            return GitCredentials(.answers(origin: url.origin, file: file), key: key, authorities: authorities)
        case .ssh:
            guard var identity = data["identity"] ?? data["ssh-privatekey"] else {
                throw GitError(.authentication, "the secret for \(url) has no identity (or ssh-privatekey) key")
            }
            guard let knownHosts = data["known_hosts"]?.filter({ $0 != 0x0D }) else {
                throw GitError(
                    .authentication, "the secret for \(url) has no known_hosts key; without it the host cannot be told from an impostor")
            }
            // A key that went through an editor on Windows is no key to OpenSSH.
            identity = identity.filter { $0 != 0x0D }
            guard !SSHKey.hasPassphrase(identity) else {
                throw GitError(
                    .authentication, "the identity key of the secret for \(url) has a passphrase, which nobody can type here: make one without (ssh-keygen -N '')")
            }
            // OpenSSH refuses a key file without a newline at its end, and secrets lose it easily.
            if identity.last != 0x0A { identity.append(0x0A) }
            let key = fingerprint([url.origin, String(decoding: identity, as: UTF8.self)])
            let keyFile = try keep(identity, as: "identity-\(key)", in: directory)
            let hosts = try keep(knownHosts, as: "known-hosts-\(fingerprint([String(decoding: knownHosts, as: UTF8.self)]))", in: directory)
            return GitCredentials(.ssh(keyFile: keyFile, knownHostsFile: hosts), key: key)
        }
    }

    /// Credentials from a mounted Secret; `.none` when the directory does not exist or holds nothing.
    public static func mounted(at path: String, for url: GitURL, directory: String) throws(GitError) -> GitCredentials {
        var data: [String: [UInt8]] = [:]
        for name in ["username", "password", "token", "bearerToken", "identity", "ssh-privatekey", "known_hosts", "caFile", "ca.crt"] {
            if let bytes = FileReading.whole("\(path)/\(name)", limit: 1 << 20) { data[name] = bytes }
        }
        return data.isEmpty ? .none : try secret(data, for: url, directory: directory)
    }

    // MARK: What git gets

    /// Configuration that makes git ask our helper, and nobody else.
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

    /// The program for ssh remotes; nil leaves it to the user's configuration.
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

    /// git binds the helper to the origin by its configuration key; the helper checks it again, because the price of a
    /// mistake there is a leaked credential.
    private static func helper(_ origin: String, _ answer: String) -> String {
        let parts = origin.split(separator: ":", maxSplits: 1).map(String.init)
        let host = String(parts[parts.count - 1].dropFirst(2))
        return "!f() { test \"$1\" = get || exit 0; p=; h=; while IFS='=' read -r k v; do case \"$k\" in protocol) p=$v;; host) h=$v;; esac; done; "
            + "test \"$p\" = \(shellQuoted(parts[0])) && test \"$h\" = \(shellQuoted(host)) || exit 0; \(answer); }; f"
    }

    // MARK: Files

    private static func keep(_ bytes: [UInt8], as name: String, in directory: String) throws(GitError) -> String {
        try checkFile(directory)
        let path = "\(directory)/\(name)"
        do {
            try Directory.make(directory, mode: 0o700)
            try FileWriting.replace(path, with: bytes, mode: 0o600, durable: false)
        } catch {
            throw GitError(.storage, "cannot keep a credential in \(directory): \(error)")
        }
        return path
    }

    private static func checkFile(_ path: String) throws(GitError) {
        guard path.hasPrefix("/"), !path.unicodeScalars.contains(where: { $0.value < 0x20 }) else {
            throw GitError(.invalidInput, "a credential's directory must be an absolute path, not \(quoted(path))")
        }
    }

    /// A newline would end the line of the credential protocol and begin another (CVE-2020-5260, CVE-2024-52006).
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
