/// The parts of a URL that this module needs; libcurl parses the rest.
struct HTTPAddress: Sendable, Hashable {
    let scheme: String
    /// With brackets when it is an IPv6 address.
    let host: String
    let port: Int
    let hasExplicitPort: Bool
    /// Path and query, unchanged; empty, or begins with `/` or `?`.
    let rest: String

    /// `host:port`, for messages.
    var name: String { "\(host):\(port)" }

    /// The value of the `Host` header.
    var hostHeader: String { hasExplicitPort ? "\(host):\(port)" : host }

    var isLoopback: Bool {
        let lower = host.lowercased()
        return lower == "localhost" || lower == "[::1]" || lower.hasPrefix("127.")
    }

    init(url: String) throws(HTTPTransportError) {
        guard url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw .invalidRequest("the URL holds spaces, control characters or non-ASCII: percent-encode them")
        }
        let lower = url.lowercased()
        let prefix: String
        if lower.hasPrefix("https://") {
            prefix = "https"
        } else if lower.hasPrefix("http://") {
            prefix = "http"
        } else {
            throw .invalidRequest("the URL must begin with http:// or https://")
        }
        scheme = prefix
        let afterScheme = url.dropFirst(prefix.count + 3)
        let end = afterScheme.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? afterScheme.endIndex
        let authority = afterScheme[..<end]
        rest = String(afterScheme[end...])
        guard !authority.contains("@") else {
            throw .invalidRequest("the URL holds a user name or password: credentials go into headers")
        }
        // Parsers disagree about `\` and `;`; no host name contains them.
        guard !authority.isEmpty, !authority.contains("\\"), !authority.contains(";") else {
            throw .invalidRequest("the URL has no valid host")
        }
        var name = authority
        var number: Substring?
        if authority.hasPrefix("[") {
            guard let close = authority.firstIndex(of: "]") else {
                throw .invalidRequest("the URL has no valid host: ']' is missing")
            }
            name = authority[...close]
            let tail = authority[authority.index(after: close)...]
            guard tail.isEmpty || tail.hasPrefix(":") else { throw .invalidRequest("the URL has no valid host") }
            if tail.hasPrefix(":") { number = tail.dropFirst() }
        } else if let colon = authority.firstIndex(of: ":") {
            name = authority[..<colon]
            number = authority[authority.index(after: colon)...]
        }
        guard !name.isEmpty else { throw .invalidRequest("the URL has no host") }
        host = String(name)
        if let number {
            guard let value = Int(number), (1...65535).contains(value) else {
                throw .invalidRequest("the port \(number) of the URL is none: use 1 to 65535")
            }
            port = value
            hasExplicitPort = true
        } else {
            port = prefix == "https" ? 443 : 80
            hasExplicitPort = false
        }
    }
}
