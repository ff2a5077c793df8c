import Base
import Glibc
import Subprocess

/// An sshd on loopback that accepts one key, for one test. Bare repositories are addressed by their paths.
public final class SSHServer: Sendable {
    public let port: Int
    /// The accepted private key, as a Secret's `identity`.
    public let identity: [UInt8]
    /// The line with the server's public key, as a Secret's `known_hosts`.
    public let knownHosts: [UInt8]
    private let process: RunningCommand

    /// - Parameter directory: for its files; created when missing. The caller must remove it.
    public init(directory: String) async throws {
        port = try freePorts(1)[0]
        try Directory.make(directory, mode: 0o700)
        for name in ["host", "user"] {
            let made = try await Command(
                "ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", "\(directory)/\(name)"], deadlineSeconds: 30
            ).run()
            guard made.succeeded else { throw ServerFailure("ssh-keygen: \(made.stderrText)") }
        }
        identity = try FileReading.bytes("\(directory)/user")
        let key = String(decoding: try FileReading.bytes("\(directory)/host.pub"), as: UTF8.self).split(separator: " ").prefix(2).joined(
            separator: " ")
        knownHosts = Array("[127.0.0.1]:\(port) \(key)\n".utf8)
        let configuration = """
            Port \(port)
            ListenAddress 127.0.0.1
            HostKey \(directory)/host
            PidFile \(directory)/sshd.pid
            AuthorizedKeysFile \(directory)/user.pub
            StrictModes no
            UsePAM no
            PasswordAuthentication no
            KbdInteractiveAuthentication no
            PermitRootLogin yes
            MaxStartups 100

            """
        try FileWriting.write(configuration.utf8, to: "\(directory)/sshd_config")
        // The directory for sshd's privilege separation when it runs as root; the package creates it only at boot.
        if geteuid() == 0 { mkdir("/run/sshd", 0o755) }
        process = try RunningCommand.start(Command("/usr/sbin/sshd", ["-D", "-f", "\(directory)/sshd_config", "-E", "\(directory)/sshd.log"]))
        try await waitForListener(on: port, log: "\(directory)/sshd.log")
    }

    deinit { process.signal(SIGKILL) }

    public func url(_ path: String) -> String {
        let user = getpwuid(geteuid()).map { String(cString: $0.pointee.pw_name) } ?? "root"
        return "ssh://\(user)@127.0.0.1:\(port)\(path)"
    }
}
