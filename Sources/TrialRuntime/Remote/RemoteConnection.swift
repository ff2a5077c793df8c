import Base
import Glibc
import Subprocess

/// An ssh connection to the host of a vm target: a session that runs the host script, and others over the same connection.
///
/// The host's key must be in `known_hosts`. The key of the user is a file that only this process's user can read; no argument and no variable
/// has it.
struct RemoteConnection: Sendable {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    let login: HostLogin
    /// The private directory with the key, the known hosts and the socket of the connection.
    private let directory: String
    /// For files of the trial that must not stay.
    var scratch: String { "\(directory)/files" }

    /// - Throws: `FileError` when the key cannot be written to a file.
    init(_ login: HostLogin, _ keys: HostKeys) throws(FileError) {
        self.login = login
        var template = Array("/tmp/assay-ssh-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw FileError("make a private directory", "/tmp") }
        directory = template.withUnsafeBufferPointer { String(decoding: UnsafeRawBufferPointer($0).dropLast(), as: UTF8.self) }
        do throws(FileError) {
            // ssh refuses a key whose last line does not end.
            let end = UInt8(ascii: "\n")
            try FileWriting.create(keyFile, with: keys.key.last == end ? keys.key : keys.key + [end], mode: 0o600)
            try FileWriting.create(knownHostsFile, with: keys.knownHosts, mode: 0o600)
        } catch {
            Directory.removeTree(directory)
            throw error
        }
    }

    private var keyFile: String { "\(directory)/key" }
    private var knownHostsFile: String { "\(directory)/known_hosts" }

    /// Removes the key.
    func remove() { Directory.removeTree(directory) }

    /// Nothing of this process's environment, and no configuration of a user or of the machine.
    var environment: Command.Environment {
        .exact(["PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": directory, "LC_ALL": "C.UTF-8"])
    }

    /// The words of ssh that run a shell command on the host.
    ///
    /// - Parameter isMaster: whether the others use this one's connection.
    func words(_ remote: String, isMaster: Bool) -> [String] {
        let options = [
            "BatchMode=yes", "StrictHostKeyChecking=yes", "UserKnownHostsFile=\(knownHostsFile)", "GlobalKnownHostsFile=/dev/null",
            "UpdateHostKeys=no", "IdentityFile=\(keyFile)", "IdentitiesOnly=yes", "IdentityAgent=none", "PreferredAuthentications=publickey",
            "ClearAllForwardings=yes", "ConnectTimeout=20", "ServerAliveInterval=10", "ServerAliveCountMax=3", "LogLevel=ERROR",
            "ControlPath=\(directory)/socket", "ControlMaster=\(isMaster ? "yes" : "no")",
        ]
        return ["-F", "/dev/null", "-T", "-p", String(login.port)] + options.flatMap { ["-o", $0] } + ["--", login.destination, remote]
    }

    /// What the host script does, by the name of the function.
    enum Function: String {
        case host, check, receive
    }

    /// The shell command that calls a function of the host script.
    static func call(_ function: Function, _ arguments: [String]) -> String {
        let script = HostScriptText.script + "\nassay_\(function.rawValue) \"$@\""
        return (["exec", "bash", "-p", "-c"] + ([script, "assay"] + arguments).map(RunnerProgram.quoted)).joined(separator: " ")
    }
}

/// The connection of one trial: files go over it to the trial's root directory and back.
extension RemoteConnection {
    /// Starts the trial's session on the host. It is the connection that copies use.
    func start(
        _ host: RemoteHost, onStdout: @escaping RunningCommand.OutputHandler, onStderr: @escaping RunningCommand.OutputHandler
    ) throws -> RunningCommand {
        let remote = Self.call(.host, host.words)
        return try RunningCommand.start(
            Command("ssh", words(remote, isMaster: true), environment: environment), keepInputOpen: true, onStdout: onStdout, onStderr: onStderr)
    }

    /// Copies files of this container into the trial's root directory.
    ///
    /// - Parameters:
    ///   - files: pairs of a folder here and a path below it, which is the path below the root there, too.
    ///   - asTrial: whether the files are written with the rights of the trial, in folders that it can change.
    func upload(_ files: [(folder: String, path: String)], to host: RemoteHost, asTrial: Bool) async throws {
        guard !files.isEmpty else { return }
        let archive = ["tar", "-cf", "-"] + files.flatMap { ["-C", $0.folder, $0.path] }
        let extract = "tar -x -p --no-same-owner --no-overwrite-dir -C \(host.root) -f -"
        let remote =
            switch (asTrial, host.image) {
            // As root it writes only where the trial cannot put links.
            case (false, _): "umask 0; exec \(extract)"
            case (true, nil):
                "umask 0; user=$(stat -c %u \(host.root)/home/assay) && exec setpriv --reuid=\"$user\" --regid=\"$user\" --clear-groups \(extract)"
            case (true, _?): Self.call(.receive, [host.root])
            }
        try await pipe(archive, ["ssh"] + words(remote, isMaster: false), doing: "copy the trial's files to \(login.name)")
    }

    /// Copies folders of the trial's root directory to the same places below `local`, as files that this container's user can read.
    func download(_ folders: [String], of root: String, to local: String) async throws {
        // -S: a file of nothing but a hole costs the trial no disk, and would otherwise be sent as zeros until this container is out of disk or time.
        let archive = "exec tar -c -S --mode=u+rwX,a+rX --ignore-failed-read -C \(root) -f - \(folders.joined(separator: " "))"
        // 1: a file changed while it was read.
        let remote = "(\(archive)); status=$?; [ \"$status\" -le 1 ]"
        try await pipe(
            ["ssh"] + words(remote, isMaster: false), ["tar", "-x", "--no-same-owner", "--no-overwrite-dir", "-C", local, "-f", "-"],
            doing: "copy the trial's outputs from \(login.name)")
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
