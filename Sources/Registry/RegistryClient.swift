import Base
import HTTPTransport

/// One repository of a registry that speaks the OCI distribution protocol.
///
/// - Guarantees: a login is sent to the registry's own host and to the address that it names for tokens, nowhere else; redirects are not followed.
public final class RegistryClient: Sendable {
    public let repository: ImageRepository
    private let credentials: RegistryCredentials
    private let tls: TLSOptions
    private let transport: HTTPTransport
    /// The value of `Authorization` that the registry took last.
    private let authorization = Locked<String?>(nil)

    /// Bytes of one piece of an upload.
    static let pieceBytes = 16 << 20
    private static let answerBytes = 8 << 20

    /// - Parameter authorities: the only certificate authorities to trust, as PEM; nil: those of the system.
    public init(
        _ repository: ImageRepository, credentials: RegistryCredentials = .none, authorities: [UInt8]? = nil, transport: HTTPTransport = .shared
    ) {
        self.repository = repository
        self.credentials = credentials
        tls = TLSOptions(authorities: authorities.map { .data($0) })
        self.transport = transport
    }

    /// The kinds of manifest that are asked for.
    private static let manifestTypes =
        "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.index.v1+json"

    // MARK: Reading

    /// The digest of a tag's manifest; nil when there is none.
    ///
    /// - Throws: `RegistryError`. Some registries refuse to tell a stranger that a repository does not exist: that is `denied`.
    public func digest(ofTag tag: String) async throws(RegistryError) -> String? {
        let answer = try await send("HEAD", repository.url("manifests/\(tag)"), headers: ["Accept": Self.manifestTypes], scope: "pull")
        if answer.status == 404 { return nil }
        try check(answer, [200], "look for \(repository):\(tag)")
        guard let digest = answer.headers["Docker-Content-Digest"], Self.isDigest(digest) else {
            throw RegistryError(.refused, "\(repository.host) names no digest of \(repository):\(tag); it may be no registry")
        }
        return digest
    }

    /// The manifest of a tag; nil when there is none.
    public func manifest(ofTag tag: String) async throws(RegistryError) -> [UInt8]? {
        let answer = try await send("GET", repository.url("manifests/\(tag)"), headers: ["Accept": Self.manifestTypes], scope: "pull")
        if answer.status == 404 { return nil }
        try check(answer, [200], "read \(repository):\(tag)")
        return answer.body
    }

    /// A small blob, checked against its digest.
    public func blob(_ digest: String) async throws(RegistryError) -> [UInt8] {
        var answer = try await send("GET", repository.url("blobs/\(digest)"), scope: "pull")
        if [302, 303, 307].contains(answer.status), let location = answer.headers["Location"] {
            // Large registries keep blobs elsewhere, under signed addresses.
            answer = try await once("GET", Self.absolute(location, repository.origin), [:], nil)
        }
        try check(answer, [200], "read a blob of \(repository)")
        guard "sha256:" + SHA256.hex(of: answer.body) == digest else {
            throw RegistryError(.refused, "\(repository.host): a blob of \(repository) has another content than its digest says")
        }
        return answer.body
    }

    func hasBlob(_ digest: String) async throws(RegistryError) -> Bool {
        let answer = try await send("HEAD", repository.url("blobs/\(digest)"), scope: "pull,push")
        if answer.status == 404 { return false }
        try check(answer, [200, 307, 302], "look for a blob of \(repository)")
        return true
    }

    // MARK: Writing

    /// Stores a blob in pieces, unless the registry has it.
    ///
    /// - Parameter read: returns the bytes of a range of the blob.
    func put(_ digest: String, bytes: Int, read: (Range<Int>) throws(RegistryError) -> [UInt8]) async throws(RegistryError) {
        if try await hasBlob(digest) { return }
        let what = "store a blob in \(repository)"
        var answer = try await send("POST", repository.url("blobs/uploads/"), body: [], scope: "pull,push")
        try check(answer, [202], what)
        var sent = 0
        while bytes - sent > Self.pieceBytes {
            let range = sent..<(sent + Self.pieceBytes)
            let headers: HTTPHeaders = [
                "Content-Type": "application/octet-stream", "Content-Range": "\(range.lowerBound)-\(range.upperBound - 1)",
            ]
            answer = try await send("PATCH", try location(of: answer), headers: headers, body: try read(range), scope: "pull,push")
            try check(answer, [202], what)
            sent = range.upperBound
        }
        let place = try location(of: answer)
        let last = "\(place)\(place.contains("?") ? "&" : "?")digest=\(digest.replacing(":", with: "%3A"))"
        var headers: HTTPHeaders = ["Content-Type": "application/octet-stream"]
        if sent > 0 { headers["Content-Range"] = "\(sent)-\(bytes - 1)" }
        answer = try await send("PUT", last, headers: headers, body: try read(sent..<bytes), scope: "pull,push")
        try check(answer, [201, 204], what)
    }

    /// Stores a manifest under a tag.
    /// - Returns: its digest.
    func putManifest(_ manifest: [UInt8], type: String, tag: String) async throws(RegistryError) -> String {
        let answer = try await send(
            "PUT", repository.url("manifests/\(tag)"), headers: ["Content-Type": type], body: manifest, scope: "pull,push")
        try check(answer, [201, 200], "store \(repository):\(tag)")
        return "sha256:" + SHA256.hex(of: manifest)
    }

    private func location(of answer: Answer) throws(RegistryError) -> String {
        guard let location = answer.headers["Location"] else {
            throw RegistryError(.refused, "\(repository.host) begins an upload and does not say where; it may be no registry")
        }
        return Self.absolute(location, repository.origin)
    }

    private static func absolute(_ location: String, _ origin: String) -> String { location.hasPrefix("/") ? origin + location : location }

    static func isDigest(_ text: String) -> Bool { text.hasPrefix("sha256:") && text.utf8.count == 71 }

    // MARK: Requests

    private struct Answer {
        let status: Int
        let headers: HTTPHeaders
        let body: [UInt8]
    }

    /// Sends a request, with a login when the registry asks for one.
    private func send(
        _ method: String, _ url: String, headers: HTTPHeaders = [:], body: [UInt8]? = nil, scope: String
    ) async throws(RegistryError) -> Answer {
        var headers = headers
        // Uploads may be on another host, which gets no login.
        let isOwn = url.hasPrefix(repository.origin + "/")
        if isOwn, let known = authorization.withLock({ $0 }) { headers["Authorization"] = known }
        let first = try await once(method, url, headers, body)
        guard first.status == 401, isOwn, let challenge = AuthChallenge(first.headers.all("WWW-Authenticate"), usesTLS: repository.usesTLS) else {
            return first
        }
        guard let value = try await authorize(challenge, scope) else { return first }
        authorization.withLock { $0 = value }
        headers["Authorization"] = value
        return try await once(method, url, headers, body)
    }

    private func once(_ method: String, _ url: String, _ headers: HTTPHeaders, _ body: [UInt8]?) async throws(RegistryError) -> Answer {
        do {
            let timeouts = HTTPTimeouts(connect: 10, total: body.map { 60 + Double($0.count) / 100_000 } ?? 60)
            let response = try await transport.send(
                HTTPRequest(
                    method: method, url: url, headers: headers, body: body, timeouts: timeouts, tls: tls, reading: .whole(limit: Self.answerBytes)))
            return Answer(status: response.status, headers: response.headers, body: try await response.body.collect(upTo: Self.answerBytes))
        } catch {
            throw RegistryError(.unavailable, "the registry \(repository.host) cannot be reached: \(error)")
        }
    }

    /// The value of `Authorization`; nil when there is no login for the registry.
    private func authorize(_ challenge: AuthChallenge, _ actions: String) async throws(RegistryError) -> String? {
        let login = credentials.login(for: repository.host)
        switch challenge {
        case .basic: return login.map(Self.basic)
        case .bearer(let realm, let service, let scope):
            var query = ["scope=\(Self.escape(scope ?? "repository:\(repository.path):\(actions)"))"]
            if let service { query.append("service=\(Self.escape(service))") }
            let answer: Answer
            if let token = login?.identityToken {
                let form = query + ["grant_type=refresh_token", "client_id=assay", "refresh_token=\(Self.escape(token))"]
                let headers: HTTPHeaders = ["Content-Type": "application/x-www-form-urlencoded"]
                answer = try await once("POST", realm, headers, Array(form.joined(separator: "&").utf8))
            } else {
                let address = "\(realm)\(realm.contains("?") ? "&" : "?")\(query.joined(separator: "&"))"
                answer = try await once("GET", address, login.map { ["Authorization": Self.basic($0)] } ?? [:], nil)
            }
            guard answer.status == 200 else {
                let kind: RegistryError.Kind = answer.status >= 500 || answer.status == 429 ? .unavailable : .denied
                throw RegistryError(kind, "\(repository.host) gives no token for \(repository): \(Self.words(answer))")
            }
            let value = try? JSONValue(parsing: answer.body)
            guard let token = value?["token"]?.string ?? value?["access_token"]?.string else {
                throw RegistryError(.refused, "\(repository.host): the answer of \(realm) has no token")
            }
            return "Bearer \(token)"
        }
    }

    private static func basic(_ login: RegistryCredentials.Login) -> String {
        "Basic \(Base64.encode(Array("\(login.user):\(login.password)".utf8)))"
    }

    private static func escape(_ text: String) -> String {
        var escaped = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
                escaped.unicodeScalars.append(Unicode.Scalar(byte))
            default: escaped += "%" + hex([byte]).uppercased()
            }
        }
        return escaped
    }

    private func check(_ answer: Answer, _ expected: [Int], _ what: String) throws(RegistryError) {
        guard !expected.contains(answer.status) else { return }
        let kind: RegistryError.Kind =
            switch answer.status {
            case 401, 403: .denied
            case 404: .notFound
            case 408, 429, 500...: .unavailable
            default: .refused
            }
        let login = credentials.login(for: repository.host) == nil ? " (there is no login for \(repository.host))" : ""
        throw RegistryError(kind, "cannot \(what): \(Self.words(answer))\(kind == .denied ? login : "")")
    }

    /// The status, and the registry's own words if it has some.
    private static func words(_ answer: Answer) -> String {
        let errors = (try? JSONValue(parsing: answer.body))?["errors"]?.array ?? []
        let text = errors.compactMap { error in
            error["code"]?.string.map { code in "\(code)\(error["message"]?.string.map { ": \($0)" } ?? "")" }
        }.joined(separator: "; ")
        // The answer to HEAD has no body.
        let meaning = [401: " (unauthorized)", 403: " (forbidden)"][answer.status] ?? ""
        return text.isEmpty ? "HTTP \(answer.status)\(meaning)" : "HTTP \(answer.status), \(text)".replacingControls
    }
}
