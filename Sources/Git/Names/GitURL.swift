import Base

/// The address of a repository, as a user wrote it, after checking that it is safe to pass to git.
///
/// `https` and `ssh` (also as `git@host:path`) are always accepted. `owner/name`, local paths and plain HTTP are accepted only if the policy
/// allows them. Rejected: every other transport (`ext::` runs commands, CVE-2026-28292), user information with a password,
/// control characters (CVE-2020-5260), a leading dash wherever git or ssh could read it as an option (CVE-2017-1000117).
public struct GitURL: Sendable, Hashable, Codable, CustomStringConvertible {
    public enum Transport: String, Sendable, Hashable, Codable { case https, http, ssh, file }

    /// Kinds of addresses that are accepted in addition to https and ssh.
    public struct Policy: OptionSet, Sendable, Hashable {
        public let rawValue: Int
        public init(rawValue: Int) { self.rawValue = rawValue }
        /// `file://` URLs and paths.
        public static let local = Policy(rawValue: 1)
        /// `owner/name`, interpreted as a repository on github.com.
        public static let shorthand = Policy(rawValue: 2)
        /// `http://` to this machine (127.0.0.0/8, ::1, localhost), for tests and for mirrors on loopback.
        public static let loopbackHTTP = Policy(rawValue: 4)

        public static let remote: Policy = []
    }

    public let transport: Transport
    /// In lower case; empty for local files.
    public let host: String
    public let port: Int?
    /// The ssh login name; never a password.
    public let user: String?
    /// The path as git gets it: absolute for files and https, relative to the login's home for `git@host:path`.
    public let path: String

    /// The maximum length of an address, in bytes.
    public static let maximumLength = 2048

    /// The address in the form that git accepts. Contains no secret.
    public var text: String {
        let login = user.map { "\($0)@" } ?? ""
        let authority = login + (host.contains(":") ? "[\(host)]" : host) + (port.map { ":\($0)" } ?? "")
        switch transport {
        case .file: return "file://" + path
        case .https, .http: return "\(transport.rawValue)://\(authority)\(path)"
        case .ssh: return path.hasPrefix("/") ? "ssh://\(authority)\(path)" : "\(authority):\(path)"
        }
    }

    public var description: String { text }
    public var isLocal: Bool { transport == .file }

    /// `scheme://host[:port]`. A credential is valid for one origin only.
    public var origin: String { "\(transport.rawValue)://\(host)\(port.map { ":\($0)" } ?? "")" }

    /// Removes the user information from every address in a text.
    public static func withoutPasswords(_ text: String) -> String { GitFailure.withoutUserInfo(text) }

    /// Whether a credential given for `address` may be sent to this address; false if `address` is not valid.
    public func sharesOrigin(with address: String, allowing policy: Policy) -> Bool {
        (try? GitURL(parsing: address, allowing: policy))?.origin == origin
    }

    /// The last component without `.git`, for directory names and messages.
    public var name: String {
        let last = path.split(separator: "/").last.map(String.init) ?? "repository"
        return last.hasSuffix(".git") && last.count > 4 ? String(last.dropLast(4)) : last
    }

    /// The name that records use: `owner/name` for a repository on a host, the path for a local one.
    public var repositoryName: String {
        guard !isLocal else { return path }
        let trimmed = path.split(separator: "/").joined(separator: "/")
        return trimmed.hasSuffix(".git") ? String(trimmed.dropLast(4)) : trimmed
    }

    public init(parsing text: String, allowing policy: Policy = .remote) throws(GitError) {
        func refuse(_ why: String) -> GitError {
            GitError(.invalidInput, "the repository address \(quoted(text)) is refused: \(why)")
        }
        guard !text.isEmpty else { throw refuse("it is empty; write an https:// or ssh:// URL") }
        guard text.utf8.count <= Self.maximumLength else { throw refuse("it is longer than \(Self.maximumLength) bytes") }
        guard !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F || (0x80..<0xA0).contains($0.value) })
        else { throw refuse("it contains a control character") }
        // Only folders on this machine have blanks in their names.
        guard !text.contains(" ") || ["/", "./", "../", "file:///"].contains(where: { text.hasPrefix($0) }) else {
            throw refuse("it contains a blank")
        }
        guard !text.hasPrefix("-") else { throw refuse("it begins with a dash, which git would read as an option") }
        guard !text.contains("::") || text.contains("://["), !text.hasPrefix("ext:") else {
            throw refuse("transports with \"::\" run programs and are never used; write an https:// or ssh:// URL")
        }
        if let range = text.firstRange(of: "://") {
            let scheme = text[..<range.lowerBound].lowercased()
            try self.init(scheme: scheme, rest: String(text[range.upperBound...]), policy: policy, refuse: refuse)
        } else if let colon = text.firstIndex(of: ":"), !text[..<colon].contains("/") {
            let (user, host) = try Self.login(String(text[..<colon]), refuse: refuse)
            let path = String(text[text.index(after: colon)...])
            guard !path.isEmpty, !path.hasPrefix("-") else { throw refuse("the path after the colon is empty or begins with a dash") }
            try self.init(transport: .ssh, host: host, port: nil, user: user, path: path, refuse: refuse)
        } else if policy.contains(.local), text.hasPrefix("/") || text.hasPrefix("./") || text.hasPrefix("../") {
            try self.init(transport: .file, host: "", port: nil, user: nil, path: text, refuse: refuse)
        } else if policy.contains(.shorthand), Self.isShorthand(text) {
            try self.init(transport: .https, host: "github.com", port: nil, user: nil, path: "/\(text).git", refuse: refuse)
        } else if text.hasPrefix("/") || text.hasPrefix(".") {
            throw refuse("paths on this machine are not allowed here; write an https:// or ssh:// URL")
        } else {
            throw refuse("write an https:// or ssh:// URL, or git@host:path")
        }
    }

    private init(scheme: String, rest: String, policy: Policy, refuse: (String) -> GitError) throws(GitError) {
        switch scheme {
        case "file":
            guard policy.contains(.local) else { throw refuse("file:// is not allowed here; write an https:// or ssh:// URL") }
            guard rest.hasPrefix("/") else { throw refuse("a file:// URL needs an absolute path (three slashes)") }
            try self.init(transport: .file, host: "", port: nil, user: nil, path: rest, refuse: refuse)
        case "https", "http", "ssh":
            guard let slash = rest.firstIndex(of: "/") else { throw refuse("there is no path after the host") }
            let (user, hostAndPort) = try Self.login(String(rest[..<slash]), refuse: refuse)
            let (host, port) = try Self.hostAndPort(hostAndPort, refuse: refuse)
            let path = String(rest[slash...])
            guard path.count > 1 else { throw refuse("there is no path after the host") }
            if scheme == "ssh" {
                try self.init(transport: .ssh, host: host, port: port, user: user, path: path, refuse: refuse)
                return
            }
            guard user == nil else {
                throw refuse("it names a user; credentials belong in a Secret (secretRef), not in the URL")
            }
            guard !path.contains("?"), !path.contains("#") else { throw refuse("it has a query or a fragment") }
            if scheme == "http", !(policy.contains(.loopbackHTTP) && Self.isLoopback(host)) {
                throw refuse("http:// sends everything in the clear; write https://")
            }
            try self.init(
                transport: scheme == "http" ? .http : .https, host: host, port: port, user: nil, path: path, refuse: refuse)
        default:
            throw refuse("the scheme \(quoted(scheme)) is not used; write an https:// or ssh:// URL")
        }
    }

    private init(
        transport: Transport, host: String, port: Int?, user: String?, path: String, refuse: (String) -> GitError
    ) throws(GitError) {
        guard !path.contains("\\") else { throw refuse("it holds a backslash") }
        self.transport = transport
        self.host = host.lowercased()
        self.port = port
        self.user = user
        var path = path
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        self.path = path
    }

    private static func login(_ text: String, refuse: (String) -> GitError) throws(GitError) -> (user: String?, host: String) {
        guard let at = text.lastIndex(of: "@") else {
            guard validHost(text) else { throw refuse("the host \(quoted(text)) is not a host name") }
            return (nil, text)
        }
        let user = String(text[..<at])
        let host = String(text[text.index(after: at)...])
        guard !user.contains(":") else {
            throw refuse("it holds a password; credentials belong in a Secret (secretRef), not in the URL")
        }
        guard !user.isEmpty, !user.hasPrefix("-"),
            user.utf8.allSatisfy({ isAlphanumeric($0) || "._-+".utf8.contains($0) })
        else { throw refuse("the user before the @ is not a login name") }
        guard validHost(host) else { throw refuse("the host \(quoted(host)) is not a host name") }
        return (user, host)
    }

    private static func hostAndPort(_ text: String, refuse: (String) -> GitError) throws(GitError) -> (String, Int?) {
        var host = text
        var port: Int?
        let end = text.lastIndex(of: "]") ?? text.startIndex
        if let colon = text[end...].lastIndex(of: ":") {
            let digits = text[text.index(after: colon)...]
            guard let number = Int(digits), (1...65535).contains(number), digits.utf8.allSatisfy({ (48...57).contains($0) })
            else { throw refuse("the port is not a number between 1 and 65535") }
            port = number
            host = String(text[..<colon])
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        return (host, port)
    }

    private static func validHost(_ text: String) -> Bool {
        guard let first = text.utf8.first, first != UInt8(ascii: "-"), text.utf8.count <= 255 else { return false }
        return text.utf8.allSatisfy { isAlphanumeric($0) || "._-:[]".utf8.contains($0) }
    }

    private static func isLoopback(_ host: String) -> Bool {
        host == "localhost" || host == "::1" || (host.hasPrefix("127.") && host.utf8.allSatisfy { $0 == 46 || (48...57).contains($0) })
    }

    private static func isShorthand(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count == 2
            && parts.allSatisfy { part in
                !part.isEmpty && part.first != "." && part.first != "-"
                    && part.utf8.allSatisfy { isAlphanumeric($0) || "._-".utf8.contains($0) }
            }
    }

    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        try self.init(parsing: text, allowing: [.local, .loopbackHTTP])
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}

func isAlphanumeric(_ byte: UInt8) -> Bool {
    (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
}

/// Prepares untrusted text for a message: truncated, without control characters, and without text before an `@`, which may be a password.
func quoted(_ text: String) -> String {
    var shown = text
    if let at = shown.lastIndex(of: "@"), shown.contains(":") {
        let start = shown.firstRange(of: "://")?.upperBound ?? shown.startIndex
        if start < at, shown[start..<at].contains(":") { shown.replaceSubrange(start..<at, with: "[redacted]") }
    }
    return "\"" + String(shown.prefix(200)).replacingControls + (shown.count > 200 ? "..." : "") + "\""
}
