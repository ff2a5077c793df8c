import Base
import Glibc
import Subprocess

/// A registry of images for one test: Debian's docker-registry, on every address of this machine, so that pods reach it.
public final class ImageRegistry: Sendable {
    public struct Settings: Sendable {
        /// Asks for the login `user` with the password `open-sesame`.
        public var login = false
        public var tls = false
        public var port: Int?

        public init(login: Bool = false, tls: Bool = false, port: Int? = nil) {
            self.login = login
            self.tls = tls
            self.port = port
        }
    }

    public let port: Int
    /// This machine's address that containers reach.
    public let address: String
    /// The authority of its certificate, as PEM; empty without TLS.
    public let authority: [UInt8]
    private let directory: String
    private let process: RunningCommand

    /// What a Secret of type `kubernetes.io/dockerconfigjson` has as its value.
    public func dockerConfig(password: String = "open-sesame") -> String {
        // podman and buildah read only this form of a login.
        "{\"auths\": {\"\(address):\(port)\": {\"auth\": \"\(Base64.encode(Array("user:\(password)".utf8)))\"}}}"
    }

    /// The repository as a target names it.
    public func repository(_ path: String) -> String { "\(authority.isEmpty ? "http://" : "")\(address):\(port)/\(path)" }

    /// - Parameter directory: for its files; what an earlier registry stored there is found. The caller removes it.
    public init(directory: String, _ settings: Settings = Settings()) async throws {
        self.directory = directory
        try Directory.make(directory)
        address = try await Self.ownAddress()
        port = try settings.port ?? freePorts(1)[0]
        var configuration = """
            version: 0.1
            log: {level: info}
            storage: {filesystem: {rootdirectory: "\(directory)/storage"}}
            http:
              addr: "0.0.0.0:\(port)"

            """
        if settings.tls {
            let made = try await Command(
                "openssl",
                [
                    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=assay-test",
                    "-addext", "subjectAltName=IP:\(address)", "-keyout", "\(directory)/key.pem", "-out", "\(directory)/cert.pem",
                ], deadlineSeconds: 30
            ).run()
            guard made.succeeded else { throw ServerFailure("openssl: \(made.stderrText)") }
            configuration += "  tls: {certificate: \"\(directory)/cert.pem\", key: \"\(directory)/key.pem\"}\n"
            authority = try FileReading.bytes("\(directory)/cert.pem")
        } else {
            authority = []
        }
        if settings.login {
            // bcrypt of the password.
            let line = "user:$2y$05$T3VKkuwKVoDYfqqvhRc9weicEGBfssThzqwn/oPlNaizNpLiK1tIC\n"
            try FileWriting.replace("\(directory)/htpasswd", with: line.utf8, durable: false)
            configuration += "auth: {htpasswd: {realm: test, path: \"\(directory)/htpasswd\"}}\n"
        }
        try FileWriting.replace("\(directory)/config.yml", with: configuration.utf8, durable: false)
        let log = Locked<[UInt8]>([])
        self.log = log
        let keep: RunningCommand.OutputHandler = { chunk in log.withLock { $0 += chunk } }
        process = try RunningCommand.start(
            Command("docker-registry", ["serve", "\(directory)/config.yml"]), onStdout: keep, onStderr: keep)
        try await waitForListener(on: port, log: "\(directory)/config.yml")
    }

    deinit { process.signal(SIGKILL) }

    private let log: Locked<[UInt8]>

    /// What the registry has logged: a line for each request.
    public var requests: [String] { log.withLock { String(decoding: $0, as: UTF8.self).split(separator: "\n").map(String.init) } }

    public func stop() async {
        process.signal(SIGKILL)
        _ = await process.wait()
    }

    private static func ownAddress() async throws -> String {
        let text = try await Command("hostname", ["-I"], deadlineSeconds: 10).run().stdoutText
        guard let first = text.split(whereSeparator: \.isWhitespace).first(where: { $0.contains(".") }) else {
            throw ServerFailure("this machine has no address but loopback")
        }
        return String(first)
    }
}
