import Base
import Glibc
import Subprocess

/// nginx with TLS, and optionally HTTP/2, in front of a local HTTP server. To clients it looks like a real API server. On
/// loopback, for tests and benchmarks.
public final class TLSFront: Sendable {
    /// The behaviour of the front.
    public struct Settings: Sendable {
        public var speaksHTTP2 = true
        /// The number of concurrent streams on one HTTP/2 connection.
        public var streams = 128
        /// The number of requests after which a connection is closed (GOAWAY over HTTP/2).
        public var requestsPerConnection = 1_000_000
        /// The seconds after which a connection without requests is closed.
        public var idleSeconds = 300
        /// Whether clients are asked for a certificate of this server's own authority.
        public var asksForCertificate = false
        /// The seconds by which each request is delayed, to simulate a slower network than loopback.
        public var latency = 0.0

        public init() {}
    }

    /// A request that was answered.
    public struct Request: Sendable, Hashable {
        /// The same for all requests of one connection.
        public var connection: Int
        /// `HTTP/1.1` or `HTTP/2.0`.
        public var httpVersion: String
        /// When the answer was complete, in seconds since 1970.
        public var end: Double
        /// The seconds from the first byte of the request to the end of the answer.
        public var seconds: Double
        /// The method and the target.
        public var line: String
    }

    public let port: Int
    /// The authority that signed the certificates of the server and of the client, as PEM.
    public let authority: [UInt8]
    public let clientCertificate: [UInt8]
    public let clientKey: [UInt8]
    private let directory: String
    private let process = Locked<RunningCommand?>(nil)

    /// - Parameters:
    ///   - backend: the port of the HTTP server behind it.
    ///   - directory: for its files; created when missing. The caller must remove it.
    public init(before backend: Int, directory: String, settings: Settings = Settings()) async throws {
        self.directory = directory
        port = try freePorts(1)[0]
        try Directory.make(directory)
        let made = try await Command("sh", ["-c", Self.certificates], workingDirectory: directory, deadlineSeconds: 60).run()
        guard made.succeeded else { throw ServerFailure("openssl: \(made.stderrText)") }
        func bytes(_ name: String) throws -> [UInt8] { try FileReading.bytes("\(directory)/\(name)") }
        authority = try bytes("ca.pem")
        clientCertificate = try bytes("client.pem")
        clientKey = try bytes("client.key")
        let text = Self.configuration(directory: directory, port: port, backend: backend, settings)
        try FileWriting.write(text.utf8, to: "\(directory)/nginx.conf")
        try await start()
    }

    deinit { process.withLock { $0 }?.signal(SIGKILL) }

    /// The file with `authority`.
    public var authorityFile: String { "\(directory)/ca.pem" }
    /// Of nginx; nil while it does not run.
    public var pid: Int32? { process.withLock { $0?.pid } }
    public var url: String { "https://127.0.0.1:\(port)" }

    /// Starts nginx again, on the same port.
    public func start() async throws {
        let nginx = try Nginx.start(directory)
        process.withLock { $0 = nginx }
        try await waitForListener(on: port, log: "\(directory)/error.log")
    }

    /// Kills nginx; every connection is reset.
    public func kill() async {
        guard let nginx = process.withLock({ $0 }) else { return }
        nginx.signal(SIGKILL)
        _ = await nginx.wait()
    }

    /// Stops nginx from answering while its connections stay open, or lets it continue.
    public func pause(_ pauses: Bool) { process.withLock { $0 }?.signal(pauses ? SIGSTOP : SIGCONT) }

    /// The requests that were answered so far.
    public func requests() -> [Request] {
        guard let data = FileReading.whole("\(directory)/access.log") else { return [] }
        return String(decoding: data, as: UTF8.self).split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ", maxSplits: 4).map(String.init)
            guard words.count == 5, let connection = Int(words[0]), let end = Double(words[2]), let seconds = Double(words[3]) else { return nil }
            return Request(connection: connection, httpVersion: words[1], end: end, seconds: seconds, line: words[4])
        }
    }

    private static let certificates = """
        set -e
        new() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key" 2>> openssl.log; }
        new ca
        openssl req -x509 -new -key ca.key -subj /CN=assay-test -days 2 -out ca.pem -addext basicConstraints=critical,CA:TRUE
        sign() {
          new "$1"
          openssl req -new -key "$1.key" -subj "/CN=$1" -out "$1.csr"
          printf 'subjectAltName=%s' "$2" > "$1.ext"
          openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -set_serial "$3" -days 2 -extfile "$1.ext" -out "$1.pem"
        }
        sign server IP:127.0.0.1 2
        sign client DNS:client 3
        """

    private static func configuration(directory: String, port: Int, backend: Int, _ settings: Settings) -> String {
        // Debian's nginx-light contains the echo module, which can delay a request.
        let (module, place) =
            settings.latency > 0
            ? (
                "load_module /usr/lib/nginx/modules/ngx_http_echo_module.so;",
                "location / { echo_sleep \(settings.latency); echo_exec @backend; }\n        location @backend"
            )
            : ("", "location /")
        return """
            \(module)
            \(Nginx.root(directory))
            worker_rlimit_nofile 8192;
            events { worker_connections 4096; }
            http {
                \(Nginx.temporaryFolders(directory))
                log_format brief '$connection $server_protocol $msec $request_time $request_method $request_uri';
                upstream backend { server 127.0.0.1:\(backend); keepalive 256; keepalive_requests 1000000; }
                server {
                    listen 127.0.0.1:\(port) ssl\(settings.speaksHTTP2 ? " http2" : "") backlog=4096;
                    ssl_certificate \(directory)/server.pem;
                    ssl_certificate_key \(directory)/server.key;
                    \(settings.asksForCertificate ? "ssl_client_certificate \(directory)/ca.pem; ssl_verify_client on;" : "")
                    http2_max_concurrent_streams \(settings.streams);
                    keepalive_requests \(settings.requestsPerConnection);
                    keepalive_timeout \(settings.idleSeconds)s;
                    access_log \(directory)/access.log brief;
                    client_max_body_size 0;
                    \(place) {
                        proxy_pass http://backend;
                        proxy_http_version 1.1;
                        proxy_set_header Connection "";
                        proxy_set_header Host $http_host;
                        proxy_buffering off;
                        proxy_request_buffering off;
                        proxy_read_timeout 3600s;
                    }
                }
            }

            """
    }
}
