import Base

/// A request to the proxy, read strictly: a shape that this proxy and a server behind it could read differently is an error.
struct ProxyRequest: Sendable, Hashable {
    enum Target: Sendable, Hashable {
        /// CONNECT.
        case tunnel(Destination)
        /// A request to pass on. `authority` is the Host header for the server; `path` begins with a slash, or is `*`.
        case forward(Destination, authority: String, path: String)
        /// A request to the proxy itself; the path without its query.
        case own(path: String)
    }

    let method: String
    let target: Target
    let isHTTP10: Bool
    let fields: HeaderFields
    let framing: BodyFraming
    /// The client wants the connection to end after the answer.
    let wantsClose: Bool

    /// The host of the proxy's own pages for clients that send them through the proxy: `http://proxy/.assay/denials`.
    static let ownHost = "proxy"
    static let ownPrefix = "/.assay/"

    /// - Parameter lines: of the head, without their ends.
    init(lines: [ArraySlice<UInt8>]) throws(HTTPSyntaxError) {
        let words = (lines.first ?? []).split(separator: 0x20, omittingEmptySubsequences: false)
        guard words.count == 3, !words[0].isEmpty, words[0].allSatisfy(isTokenLetter) else { throw HTTPSyntaxError("a malformed request line") }
        guard !words[1].isEmpty, words[1].allSatisfy({ (0x21...0x7E).contains($0) }), !words[1].contains(UInt8(ascii: "#")) else {
            throw HTTPSyntaxError("a malformed request target")
        }
        method = String(decoding: words[0], as: UTF8.self)
        switch String(decoding: words[2], as: UTF8.self) {
        case "HTTP/1.1": isHTTP10 = false
        case "HTTP/1.0": isHTTP10 = true
        case let other where other.hasPrefix("HTTP/"): throw HTTPSyntaxError("only HTTP/1.1 and HTTP/1.0 are supported", status: 505)
        default: throw HTTPSyntaxError("a malformed request line")
        }
        fields = try HeaderFields(lines: lines.dropFirst())
        framing = try BodyFraming(fields, isHTTP10: isHTTP10) ?? .none
        target = try Self.target(String(decoding: words[1], as: UTF8.self), method: method)
        let hosts = fields.all("host")
        if case .tunnel = target {
            guard hosts.count <= 1 else { throw HTTPSyntaxError("more than one Host") }
            guard framing == .none else { throw HTTPSyntaxError("CONNECT with a body") }
        } else {
            guard hosts.count == 1 || isHTTP10 && hosts.isEmpty else { throw HTTPSyntaxError("no Host, or more than one") }
        }
        let connection = fields.words("connection") + fields.words("proxy-connection")
        guard connection.allSatisfy({ !["content-length", "transfer-encoding", "host"].contains($0) }) else {
            throw HTTPSyntaxError("a Connection header that names fields which a message needs")
        }
        wantsClose = isHTTP10 || connection.contains("close")
    }

    private static func target(_ text: String, method: String) throws(HTTPSyntaxError) -> Target {
        if method == "CONNECT" {
            do { return .tunnel(try Destination(text)) } catch { throw HTTPSyntaxError("the host of CONNECT \(error)") }
        }
        if text.hasPrefix("/") { return .own(path: String(text.prefix { $0 != "?" })) }
        guard let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://") else {
            throw HTTPSyntaxError("a request to a proxy has a URL or is a CONNECT")
        }
        let scheme = text[..<colon].lowercased()
        guard scheme == "http" else {
            throw HTTPSyntaxError("the scheme of the URL is not http: use CONNECT for https, other schemes are not supported")
        }
        let rest = text[text.index(colon, offsetBy: 3)...]
        let authority = String(rest.prefix { $0 != "/" && $0 != "?" })
        var path = String(rest.dropFirst(authority.count))
        guard !authority.contains("@") else { throw HTTPSyntaxError("a URL with a user name: send an Authorization header") }
        if path.isEmpty { path = method == "OPTIONS" ? "*" : "/" }
        if path.hasPrefix("?") { path = "/" + path }
        do {
            let destination = try Destination(authority, defaultPort: 80)
            if path.hasPrefix(ownPrefix), destination.host.description == ownHost { return .own(path: String(path.prefix { $0 != "?" })) }
            return .forward(destination, authority: authority, path: path)
        } catch {
            throw HTTPSyntaxError("the host of the URL \(error)")
        }
    }

    /// The token in Proxy-Authorization (or, for the proxy's own pages, Authorization): the password of Basic, its user name when there is no
    /// password, or the token of Bearer. Nil when there is none.
    var credentials: String? {
        var found = fields.all("proxy-authorization")
        if found.isEmpty, case .own = target { found = fields.all("authorization") }
        guard found.count == 1, let text = found.first?.text, let space = text.firstIndex(of: " ") else { return nil }
        let value = text[space...].trimmed
        switch text[..<space].lowercased() {
        case "bearer": return value
        case "basic":
            guard case .success(let bytes) = Base64.decode(value) else { return nil }
            let pair = String(decoding: bytes, as: UTF8.self)
            guard let colon = pair.firstIndex(of: ":") else { return pair }
            let password = pair[pair.index(after: colon)...]
            return String(password.isEmpty ? pair[..<colon] : password)
        default: return nil
        }
    }
}
