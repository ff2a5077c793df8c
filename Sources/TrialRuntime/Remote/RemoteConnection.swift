import Base
import Glibc
import Subprocess

/// The ssh connection of one trial to its host: a session that runs `host.sh`, and copies of files over the same connection.
///
/// The host's key must be in `known_hosts`. The key of the user is a file that only this process's user can read; no argument and no variable
/// has it.
struct RemoteConnection: Sendable {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    let host: RemoteHost
    /// The private directory with the key, the known hosts and the socket of the connection.
    private let directory: String
    /// For files of the trial that must not stay.
    var scratch: String { "\(directory)/files" }

    /// - Throws: `Failure` when the key or the known hosts are missing.
    init(_ host: RemoteHost, paths: TrialPaths) throws {
        self.host = host
        var template = Array("/tmp/assay-ssh-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw FileError("make a private directory", "/tmp") }
        directory = template.withUnsafeBufferPointer { String(decoding: UnsafeRawBufferPointer($0).dropLast(), as: UTF8.self) }
        do {
            guard let key = Self.first(HostKeys.privateKeys.map { "\(paths.hostKey)/\($0)" }) else {
                throw Failure(description: "the Secret of host.sshSecretRef has no key \"\(HostKeys.privateKeys[0])\"")
            }
            guard let known = Self.first([paths.knownHosts, paths.hostKey].map { "\($0)/\(HostKeys.knownHosts)" }) else {
                throw Failure(
                    description:
                        "no \(HostKeys.knownHosts) in the ConfigMap of host.knownHostsRef or the Secret of host.sshSecretRef: no host is trusted")
            }
            // ssh refuses a key whose last line does not end.
            try FileWriting.create(keyFile, with: key.last == UInt8(ascii: "\n") ? key : key + [UInt8(ascii: "\n")], mode: 0o600)
            try FileWriting.create(knownHostsFile, with: known, mode: 0o600)
        } catch {
            Directory.removeTree(directory)
            throw error
        }
    }

    private var keyFile: String { "\(directory)/key" }
    private var knownHostsFile: String { "\(directory)/known_hosts" }

    private static func first(_ files: [String]) -> [UInt8]? {
        files.lazy.compactMap { FileReading.whole($0, limit: 1 << 20) }.first { !$0.isEmpty }
    }

    /// Removes the key.
    func remove() { Directory.removeTree(directory) }

    // MARK: Commands

    /// Nothing of the trial's environment, and no configuration of a user or of the machine.
    private var environment: Command.Environment {
        .exact(["PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": directory, "LC_ALL": "C.UTF-8"])
    }

    private func words(_ remote: String, isMaster: Bool) -> [String] {
        let options = [
            "BatchMode=yes", "StrictHostKeyChecking=yes", "UserKnownHostsFile=\(knownHostsFile)", "GlobalKnownHostsFile=/dev/null",
            "UpdateHostKeys=no", "IdentityFile=\(keyFile)", "IdentitiesOnly=yes", "IdentityAgent=none", "PreferredAuthentications=publickey",
            "ClearAllForwardings=yes", "ConnectTimeout=20", "ServerAliveInterval=10", "ServerAliveCountMax=3", "LogLevel=ERROR",
            "ControlPath=\(directory)/socket", "ControlMaster=\(isMaster ? "yes" : "no")",
        ]
        return ["-F", "/dev/null", "-T", "-p", String(host.port)] + options.flatMap { ["-o", $0] } + ["--", host.destination, remote]
    }

    /// Starts `host.sh` on the host. The session is the connection that copies use.
    func start(onStdout: @escaping RunningCommand.OutputHandler, onStderr: @escaping RunningCommand.OutputHandler) throws -> RunningCommand {
        let script = HostScriptText.script + "\nassay_host \"$@\""
        let remote = (["exec", "bash", "-p", "-c"] + [script, "assay", host.trial, host.workdir].map(RunnerProgram.quoted)).joined(separator: " ")
        return try RunningCommand.start(
            Command("ssh", words(remote, isMaster: true), environment: environment), keepInputOpen: true, onStdout: onStdout, onStderr: onStderr)
    }

    /// Copies files of this container into the trial's root directory.
    ///
    /// - Parameters:
    ///   - files: pairs of a folder here and a path below it, which is the path below the root there, too.
    ///   - asTrial: whether the files are written with the rights of the trial, in folders that it can change.
    func upload(_ files: [(folder: String, path: String)], asTrial: Bool) async throws {
        guard !files.isEmpty else { return }
        let archive = ["tar", "-cf", "-"] + files.flatMap { ["-C", $0.folder, $0.path] }
        // As root it writes only where the trial cannot put links.
        let become =
            asTrial
            ? "user=$(stat -c %u \(host.root)/home/assay) && exec setpriv --reuid=\"$user\" --regid=\"$user\" --clear-groups " : "exec "
        let remote = "umask 0; \(become)tar -x -p --no-same-owner --no-overwrite-dir -C \(host.root) -f -"
        try await pipe(archive, ["ssh"] + words(remote, isMaster: false), doing: "copy the trial's files to \(host.name)")
    }

    /// Copies folders of the trial's root directory to the same places here, as files that this container's user can read.
    func download(_ folders: [String], to root: String) async throws {
        let archive = "exec tar -c --mode=u+rwX,a+rX --ignore-failed-read -C \(host.root) -f - \(folders.joined(separator: " "))"
        // 1: a file changed while it was read.
        let remote = "(\(archive)); status=$?; [ \"$status\" -le 1 ]"
        try await pipe(
            ["ssh"] + words(remote, isMaster: false), ["tar", "-x", "--no-same-owner", "--no-overwrite-dir", "-C", root, "-f", "-"],
            doing: "copy the trial's outputs from \(host.name)")
    }

    private func pipe(_ from: [String], _ to: [String], doing what: String) async throws {
        func shell(_ words: [String]) -> String { words.map(RunnerProgram.quoted).joined(separator: " ") }
        let command = Command(
            "bash", ["-p", "-c", "set -o pipefail; \(shell(from)) | \(shell(to))"], environment: environment, deadlineSeconds: 1800,
            outputLimit: 64 << 10)
        let result = try await command.run()
        guard !result.succeeded else { return }
        let reason = result.timedOut ? "it took more than half an hour" : String(result.stderrText.trimmed.suffix(300)).replacingControls
        throw Failure(description: "cannot \(what): \(reason.isEmpty ? "\(result.exit)" : reason)")
    }
}

/// The keys of a vm target's Secret and ConfigMap.
public enum HostKeys {
    /// The first that exists is used.
    public static let privateKeys = ["ssh-privatekey", "identity"]
    public static let knownHosts = "known_hosts"
}
