import Base
import Subprocess

/// Finds out whether trials can run on the host of a vm target, by a short session there. What is left of earlier trials is removed, as with each
/// contact.
public enum HostCheck {
    /// Why no trial can run there.
    public enum Problem: Error, Sendable, Hashable {
        /// The host does not answer, or not as a host that runs trials.
        case unreachable(String)
        /// The host's key is not the one that is expected, or none is known for it.
        case unknownKey(String)
        case loginRefused(String)
        /// Programs that the host lacks, with how to install them.
        case missingPrograms(String)
        /// The host is reached and cannot run trials.
        case unfit(String)

        /// What is wrong, and what to do.
        public var message: String {
            switch self {
            case .unreachable(let text), .unknownKey(let text), .loginRefused(let text), .missingPrograms(let text), .unfit(let text): text
            }
        }
    }

    private static let timeoutSeconds = 90.0

    /// - Returns: the program that runs images there, podman or docker; nil when there is none.
    /// - Throws: `Problem`; also when this machine has no ssh.
    public static func run(_ login: HostLogin, _ keys: HostKeys) async throws(Problem) -> String? {
        let result: CommandResult
        do {
            let connection = try RemoteConnection(login, keys)
            defer { connection.remove() }
            result = try await Command(
                "ssh", connection.words(RemoteConnection.call(.check, []), isMaster: false), environment: connection.environment,
                deadlineSeconds: timeoutSeconds, outputLimit: 64 << 10
            ).run()
        } catch {
            throw .unreachable("\(error)")
        }
        guard !result.timedOut else { throw .unreachable("\(login.name) did not answer within \(Int(timeoutSeconds)) seconds") }
        if let problem = problem(of: result.exit, result.stdoutText, result.stderrText, login) { throw problem }
        return engine(in: result.stdoutText)
    }

    /// The program for images that the session has told.
    static func engine(in output: String) -> String? { words(after: "engine", in: output)?.first }

    /// The rest of the line that begins with a keyword.
    private static func words(after keyword: String, in output: String) -> [String]? {
        for line in output.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            if words.first == keyword { return Array(words.dropFirst()) }
        }
        return nil
    }

    /// What the end of the session tells; nil when trials can run.
    static func problem(of exit: Exit, _ output: String, _ errors: String, _ login: HostLogin) -> Problem? {
        let said = String(errors.trimmed.suffix(300)).replacingControls
        // ssh's own failures have this exit status.
        if exit == .code(255) {
            if errors.contains("Host key verification failed") || errors.contains("host key is known")
                || errors.contains("IDENTIFICATION HAS CHANGED")
            {
                return .unknownKey(
                    "the key of \(login.address) is not the one in \(HostKeys.knownHosts); if the host's key was changed on purpose, replace it there by "
                        + "what ssh-keyscan prints, after comparing it with the host's own (\(said))")
            }
            if errors.contains("Permission denied") || errors.contains("Too many authentication failures") {
                return .loginRefused(
                    "\(login.name) refuses the key of host.sshSecretRef; add its public part to \(login.user)'s authorized_keys there (\(said))")
            }
            return .unreachable("no connection to \(login.name): \(said)")
        }
        guard words(after: "checked", in: output) != nil else {
            if exit == .code(127) || errors.contains("bash") {
                return .missingPrograms("\(login.address) lacks bash; install it there, for example with: apt-get install bash")
            }
            return .unreachable("\(login.name) did not answer as expected (\(exit)): \(said)")
        }
        if let missing = words(after: "missing", in: output) { return .missingPrograms(Self.missing(missing, on: login)) }
        if let user = words(after: "user", in: output)?.first, user != "root" {
            return .unfit("host.user is \(user) there, but must be root, who gives each trial a user of its own; change spec.host.user")
        }
        if let refused = words(after: "refused", in: output) {
            return .unfit(
                "\(login.address) cannot run trials: \(refused.joined(separator: " ").prefix(300)); it must be a machine, or a container with all privileges"
            )
        }
        if words(after: "unlimited", in: output) != nil {
            return .unfit(
                "\(login.address) cannot limit the CPUs and the memory of trials: no control groups can be made in /sys/fs/cgroup; mount cgroup2 there"
            )
        }
        if let free = words(after: "free", in: output)?.compactMap({ Int($0) }), free.count == 2, free[0] < free[1] {
            return .unfit("\(login.address) has only \(free[0]) MiB free in /var/lib/assay, and a trial needs \(free[1]); remove files there")
        }
        return nil
    }

    private static func missing(_ programs: [String], on login: HostLogin) -> String {
        let owners = ["flock": "util-linux", "mount": "util-linux", "setpriv": "util-linux", "unshare": "util-linux", "tar": "tar", "ip": "iproute2"]
        let packages = Set(programs.map { owners[$0] ?? "coreutils" }).sorted()
        return "\(login.address) lacks \(programs.joined(separator: ", ")); install \(packages.joined(separator: " and ")) there, for example with: "
            + "apt-get install \(packages.joined(separator: " "))"
    }
}
