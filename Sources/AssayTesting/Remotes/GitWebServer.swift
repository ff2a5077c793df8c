import Base
import Glibc
import Subprocess

/// Bare repositories over HTTPS with a password, for one test: nginx in front of `git http-backend`, on loopback.
///
/// `/<name>.git` is the repository `<root>/<name>.git`. The same repositories are available under `/moved/` (a redirect to
/// another host, which records the headers it receives), `/small/` (refuses requests over 16 KB), `/stalls/` (accepts a push and
/// never answers) and `/forgets/` (accepts and stores a push, then closes the connection without an answer).
public final class GitWebServer: Sendable {
    /// The directory of the repositories.
    public let root: String
    public let port: Int
    /// The authority that signed the server's certificate, as PEM.
    public let authority: [UInt8]
    private let directory: String
    private let processes: [RunningCommand]

    /// - Parameters:
    ///   - directory: for its files; created when missing. The caller must remove it.
    ///   - users: names and passwords; git uses the name `x-access-token` for a token without a name.
    public init(directory: String, root: String, users: [String: String]) async throws {
        self.directory = directory
        self.root = root
        let ports = try freePorts(2)
        port = ports[0]
        try Directory.make(directory)
        let made = try await Command(
            "openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=assay-test",
                "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "\(directory)/key.pem", "-out", "\(directory)/cert.pem",
            ], deadlineSeconds: 30
        ).run()
        guard made.succeeded else { throw ServerFailure("openssl: \(made.stderrText)") }
        authority = try FileReading.bytes("\(directory)/cert.pem")
        try Self.write(Self.users(users), to: "\(directory)/users")
        try Self.write(Self.configuration(directory: directory, root: root, port: ports[0], thief: ports[1]), to: "\(directory)/nginx.conf")
        for (name, script) in Self.scripts {
            try Self.write("#!/bin/sh\n\(script)\n", to: "\(directory)/\(name)")
            chmod("\(directory)/\(name)", 0o755)
        }
        let gateway = try RunningCommand.start(Command("fcgiwrap", ["-c", "6", "-s", "unix:\(directory)/cgi.sock"]))
        let nginx: RunningCommand
        do {
            nginx = try Nginx.start(directory)
        } catch {
            gateway.signal(SIGKILL)
            throw error
        }
        processes = [nginx, gateway]
        for port in ports { try await waitForListener(on: port, log: "\(directory)/error.log") }
    }

    deinit { processes.forEach { $0.signal(SIGKILL) } }

    public func url(_ path: String) -> String { "https://127.0.0.1:\(port)/\(path)" }

    /// Changes the users and passwords, from the next request on.
    public func setUsers(_ users: [String: String]) throws { try Self.write(Self.users(users), to: "\(directory)/users") }

    /// What the target of the redirect received: one line per request, with its Authorization header.
    public func requestsToOtherHost() -> [String] {
        guard let data = FileReading.whole("\(directory)/thief.log") else { return [] }
        return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// One line per request: the user, the request and the status.
    public func requests() -> [String] {
        guard let data = FileReading.whole("\(directory)/access.log") else { return [] }
        return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// What was sent so far, with the heads of the answers: the bytes of each answer, and its request.
    public func traffic() -> [(bytes: Int, request: String)] {
        String(decoding: FileReading.whole("\(directory)/traffic.log") ?? [], as: UTF8.self).split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ", maxSplits: 1)
            guard words.count == 2, let bytes = Int(words[0]) else { return nil }
            return (bytes, String(words[1]))
        }
    }

    // MARK: Files

    private static func write(_ text: String, to file: String) throws { try FileWriting.replace(file, with: text.utf8, durable: false) }

    private static func users(_ users: [String: String]) -> String { users.map { "\($0.key):{PLAIN}\($0.value)\n" }.joined() }

    private static let scripts = [
        "stalls.sh": #"[ "$REQUEST_METHOD" = POST ] && exec sleep 600; exec git http-backend"#,
        // The answer is discarded after git has written the ref; nginx reports an empty answer as 502.
        "forgets.sh": #"case "$PATH_INFO" in */git-receive-pack) git http-backend > /dev/null; exit 1;; esac; exec git http-backend"#,
    ]

    private static func configuration(directory: String, root: String, port: Int, thief: Int) -> String {
        func backend(_ program: String) -> String {
            """
            fastcgi_pass unix:\(directory)/cgi.sock;
                        fastcgi_read_timeout 600s;
                        fastcgi_param SCRIPT_FILENAME \(program);
                        fastcgi_param GIT_PROJECT_ROOT \(root);
                        fastcgi_param GIT_HTTP_EXPORT_ALL "";
                        fastcgi_param PATH_INFO $uri;
                        fastcgi_param QUERY_STRING $query_string;
                        fastcgi_param REQUEST_METHOD $request_method;
                        fastcgi_param CONTENT_TYPE $content_type;
                        fastcgi_param CONTENT_LENGTH $content_length;
                        fastcgi_param REMOTE_USER $remote_user;
                        fastcgi_param REMOTE_ADDR $remote_addr;
            """
        }
        func place(_ name: String, _ program: String, _ more: String = "") -> String {
            """
                    location /\(name)/ {
                        rewrite ^/\(name)(/.*)$ $1 break;
                        \(more)
                        \(backend(program))
                    }

            """
        }
        let git = "/usr/lib/git-core/git-http-backend"
        return """
            \(Nginx.root(directory))
            events {}
            http {
                \(Nginx.temporaryFolders(directory))
                log_format shown '$request "$http_authorization"';
                log_format brief '$remote_user "$request" $status';
                log_format sizes '$bytes_sent $request';
                server {
                    listen 127.0.0.1:\(port) ssl;
                    ssl_certificate \(directory)/cert.pem;
                    ssl_certificate_key \(directory)/key.pem;
                    access_log \(directory)/access.log brief;
                    access_log \(directory)/traffic.log sizes;
                    auth_basic git;
                    auth_basic_user_file \(directory)/users;
                    client_max_body_size 0;
                    location / {
                        \(backend(git))
                    }
            \(place("small", git, "client_max_body_size 16k;"))\(place("stalls", "\(directory)/stalls.sh"))\(place("forgets", "\(directory)/forgets.sh"))
                    # Not at once, which would be before anybody is asked for a password.
                    location /moved/ { root \(directory)/nothing; try_files /nothing @moved; }
                    location @moved { rewrite ^/moved(/.*)$ https://127.0.0.1:\(thief)$1 redirect; }
                }
                server {
                    listen 127.0.0.1:\(thief) ssl;
                    ssl_certificate \(directory)/cert.pem;
                    ssl_certificate_key \(directory)/key.pem;
                    access_log \(directory)/thief.log shown;
                    location / { add_header WWW-Authenticate 'Basic realm="git"' always; return 401; }
                }
            }

            """
    }
}

struct ServerFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Parallel tests must not get the same port: a port stays free until its server listens.
private let portsGiven = Locked(Set<Int>())

/// Ports of this machine on which nobody listens: all different, and none returned before in this process.
public func freePorts(_ count: Int) throws -> [Int] {
    var sockets: [Int32] = []
    defer { sockets.forEach { close($0) } }
    return try (0..<count).map { _ in
        for _ in 0..<1000 {
            let port = try freePort(&sockets)
            if portsGiven.withLock({ $0.insert(port).inserted }) { return port }
        }
        throw ServerFailure("no port is free that was not given before")
    }
}

/// The first port that the kernel gives by itself to connections and to servers that ask for any port.
private let firstEphemeralPort: UInt16 = {
    let text = FileReading.text("/proc/sys/net/ipv4/ip_local_port_range") ?? ""
    return text.split(whereSeparator: \.isWhitespace).first.flatMap { UInt16($0) } ?? 32_768
}()

/// The socket stays open, so that the same port is not returned again.
private func freePort(_ sockets: inout [Int32]) throws -> Int {
    // Between this look and the start of its server, a port that the kernel gives by itself can go to anybody: one below those stays free.
    for attempt in 0..<100 {
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard fd >= 0 else { break }
        sockets.append(fd)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        let isBelow = firstEphemeralPort > 12_000 && attempt < 99
        address.sin_port = isBelow ? UInt16.random(in: 10_000..<firstEphemeralPort).bigEndian : 0
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(fd, $0, length) == 0 && getsockname(fd, $0, &length) == 0 }
        }
        if bound { return Int(UInt16(bigEndian: address.sin_port)) }
    }
    throw ServerFailure("no port is free")
}

/// Returns when a server listens on the port on loopback.
func waitForListener(on port: Int, log: String) async throws {
    let end = SystemTime().monotonic() + 120
    while true {
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(fd) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0 }
        }
        if connected { return }
        guard SystemTime().monotonic() < end else {
            let output = FileReading.end(of: log, bytes: 2000).map { String(decoding: $0, as: UTF8.self) } ?? ""
            throw ServerFailure("nobody listens on port \(port): \(output)")
        }
        try await Task.sleep(for: .milliseconds(20))
    }
}
