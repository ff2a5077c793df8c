import Base
import Git
import Glibc
import HTTPServing

/// The address to listen on.
public struct ListenAddress: Sendable, Hashable {
    /// An IPv4 address of this machine.
    public let host: String
    public let port: UInt16
    let ip: (UInt8, UInt8, UInt8, UInt8)

    /// Reads `ADDR:PORT`, `:PORT`, `PORT` and `ADDR`. The default is loopback and a free port.
    public init(parsing text: String) throws(DashboardError) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let isNumber = !text.isEmpty && text.utf8.allSatisfy { (48...57).contains($0) }
        let wrong = DashboardError("--serve takes ADDR:PORT with an IPv4 address, as 127.0.0.1:8080, not \"\(text.replacingControls)\"")
        guard !text.isEmpty, parts.count <= 2 else { throw wrong }
        let address = isNumber ? "" : parts[0]
        let number = isNumber ? text : parts.count == 2 ? parts[1] : "0"
        guard !number.isEmpty, number.utf8.allSatisfy({ (48...57).contains($0) }), let port = UInt16(number) else { throw wrong }
        let named = address.isEmpty || address == "localhost" ? "127.0.0.1" : address
        let numbers = named.split(separator: ".", omittingEmptySubsequences: false).map { part in
            part.utf8.count <= 3 && part.utf8.allSatisfy { (48...57).contains($0) } ? UInt8(part) : nil
        }
        guard numbers.count == 4, let a = numbers[0], let b = numbers[1], let c = numbers[2], let d = numbers[3] else { throw wrong }
        host = "\(a).\(b).\(c).\(d)"
        ip = (a, b, c, d)
        self.port = port
    }

    public static func == (a: ListenAddress, b: ListenAddress) -> Bool { a.host == b.host && a.port == b.port }
    public func hash(into hasher: inout Hasher) {
        hasher.combine(host)
        hasher.combine(port)
    }

    var isLoopback: Bool { ip.0 == 127 }
}

/// Serves the folder of a site while a generator updates it.
///
/// Guarantees: only files with names that a site uses are served, byte for byte; everything is read-only; on loopback,
/// requests for another host name are refused (otherwise another web site could read the pages by DNS rebinding).
public final class DashboardServer: Sendable {
    private let directory: String
    private let http = Locked<HTTPServer?>(nil)

    public init(directory: String) { self.directory = directory }

    /// - Returns: the port that was bound.
    public func start(_ address: ListenAddress) throws -> UInt16 {
        let directory = directory
        let server = HTTPServer(
            refusal: { Self.plain($0.status, $0.message) }, handler: { Self.answer($0, directory, isLoopback: address.isLoopback) })
        let port = try server.start(address: address.ip, port: address.port)
        http.withLock { $0 = server }
        return port
    }

    /// Closes every connection.
    public func stop() {
        http.withLock { server in
            defer { server = nil }
            return server
        }?.stop()
    }

    // MARK: Requests

    static func answer(_ request: ServerRequest, _ directory: String, isLoopback: Bool) -> ServerResponse {
        guard request.method == "GET" || request.method == "HEAD" else {
            var response = plain(405, "this server is read-only: use GET or HEAD")
            response.headers.append(("Allow", "GET, HEAD"))
            return response
        }
        guard !isLoopback || isLocal(request.header("host")) else {
            return plain(421, "this server answers only requests from this machine: use http://127.0.0.1 or http://localhost")
        }
        // Browsers ask for it when they show a raw file.
        if request.rawPath == "/favicon.ico" { return ServerResponse(status: 204, contentType: "text/plain", parts: []) }
        let name = request.segments.isEmpty ? SitePath.index.text : request.segments.joined(separator: "/")
        // Checked on the decoded path. A name with `..`, a backslash or a NUL is never a name of ours.
        guard let file = SitePath(found: name), request.rawPath == "/" || request.rawPath == "/\(file.text)" else {
            return plain(404, "there is no such page")
        }
        return give(file, "\(directory)/\(file.text)", ifNot: request.header("if-none-match"))
    }

    private static func isLocal(_ host: String?) -> Bool {
        guard let host else { return true }
        let name = host.split(separator: ":", omittingEmptySubsequences: false)
        return name.count <= 2
            && (name[0] == "localhost" || name[0].hasPrefix("127.") && name[0].utf8.allSatisfy { (48...57).contains($0) || $0 == 46 })
    }

    private static func give(_ file: SitePath, _ path: String, ifNot known: String?) -> ServerResponse {
        let fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard fd >= 0 else { return plain(404, "there is no such page") }
        defer { close(fd) }
        var info = stat()
        guard fstat(fd, &info) == 0, info.st_mode & S_IFMT == S_IFREG else { return plain(404, "there is no such page") }
        // Files are replaced, never changed in place, and only when the bytes differ: time and inode identify the content.
        let version = "\(info.st_ino)-\(info.st_mtim.tv_sec)-\(info.st_mtim.tv_nsec)"
        guard known != "\"\(version)\"" else { return protected(ServerResponse(status: 304, contentType: type(file), parts: []), version) }
        var bytes = [UInt8](repeating: 0, count: Int(info.st_size))
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeMutableBytes { read(fd, $0.baseAddress?.advanced(by: done), $0.count - done) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return plain(500, "cannot read the page") }
            done += count
        }
        return protected(ServerResponse(status: 200, contentType: type(file), parts: [bytes]), version)
    }

    private static func type(_ file: SitePath) -> String {
        switch file.text.split(separator: ".").last {
        case "html": "text/html; charset=utf-8"
        case "css": "text/css; charset=utf-8"
        case "js": "text/javascript; charset=utf-8"
        case "svg": "image/svg+xml"
        default: "text/plain; charset=utf-8"
        }
    }

    private static func plain(_ status: Int, _ text: String) -> ServerResponse { protected(.text(status, text + "\n"), nil) }

    private static func protected(_ response: ServerResponse, _ version: String?) -> ServerResponse {
        var response = response
        response.headers += [
            ("Content-Security-Policy", SiteFrame(title: "", isLive: true).policy + "; frame-ancestors 'none'"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"), ("Referrer-Policy", "no-referrer"), ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Cross-Origin-Opener-Policy", "same-origin"), ("Cache-Control", "no-cache"),
        ]
        if let version { response.headers += [("ETag", "\"\(version)\""), ("Server-Timing", "version;desc=\"\(version)\"")] }
        return response
    }
}
