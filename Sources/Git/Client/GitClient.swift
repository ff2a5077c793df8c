import Base
import Glibc
import Subprocess

/// Runs git independently of the machine's configuration: no system or user configuration, no hooks, no prompts, no monitors, no
/// submodules, no redirects, one transport, one credential.
///
/// Every call describes its action and place for error messages. A repository is always a bare one made by Assay, and git runs
/// with it as the working directory, so that renaming the directory does not disturb a running call.
public struct GitClient: Sendable {
    public struct Settings: Sendable {
        /// The git program.
        public var executable = "git"
        /// Seconds for a call that contacts a remote.
        public var networkDeadline = 900.0
        /// Seconds for a call that fetches a whole repository into a mirror.
        public var cloneDeadline = 1800.0
        /// Seconds without progress after which a fetch into a mirror is aborted.
        public var stallSeconds = 60.0
        /// Bytes per second, as a mean over `stallSeconds`. A remote that sends less makes no progress.
        public var stallBytesPerSecond = 1024.0
        /// Seconds for a call that does not contact a remote.
        public var localDeadline = 600.0
        /// A transfer slower than this many bytes per second for `lowSpeedSeconds` is aborted. That time is long, because a healthy server sends
        /// nothing while it counts or checks objects or runs its hooks.
        public var lowSpeedLimit = 1
        public var lowSpeedSeconds = 300
        public init() {}
    }

    public let settings: Settings

    public init(settings: Settings = Settings()) { self.settings = settings }

    /// A remote repository and the credential for it.
    public struct Remote: Sendable, Hashable {
        public let url: GitURL
        public let credentials: GitCredentials
        /// What its mirror has of it.
        public let extent: MirrorExtent

        public init(_ url: GitURL, credentials: GitCredentials = .none, extent: MirrorExtent = .full) {
            self.url = url
            self.credentials = credentials
            self.extent = extent
        }
    }

    /// One invocation of git.
    struct Call: Sendable {
        var arguments: [String]
        /// The bare repository to run in; nil means none.
        var repository: String?
        var remote: Remote?
        var input: Command.Input = .none
        var configuration: [(String, String)] = []
        var environment: [String: String] = [:]
        /// Seconds; nil means the default for a call with or without a remote.
        var deadline: Double?
        var outputLimit = 256 << 20
        /// Describes the action in error messages: "cannot <doing> <place>".
        var doing: String
        var place: String?
    }

    /// Runs git and returns its result, whatever the exit status.
    func result(_ call: Call) async throws(GitError) -> CommandResult {
        let command = command(call)
        do {
            return try await command.run()
        } catch {
            throw Self.startFailure(error, call)
        }
    }

    /// Runs git and returns its standard output. When git fails, throws an error that is classified by git's standard error.
    @discardableResult
    func run(_ call: Call) async throws(GitError) -> [UInt8] {
        let result = try await result(call)
        guard result.succeeded else { throw failure(call, result) }
        guard !result.truncated else {
            throw GitError(.tooLarge, "cannot \(call.doing): git's answer is larger than \(call.outputLimit) bytes")
        }
        return result.stdout
    }

    func failure(_ call: Call, _ result: CommandResult) -> GitError {
        let error = GitFailure.classify(
            stderr: result.stderrText, exit: "\(result.exit)", timedOut: result.timedOut, doing: call.doing,
            place: call.place ?? call.remote?.url.text ?? call.repository ?? "")
        // A call without a remote uses no transport: git wanted to fetch an object that is missing here.
        if call.remote == nil, result.stderrText.contains("' not allowed") { return GitError(.corrupt, error.message) }
        return error
    }

    static func startFailure(_ error: any Error, _ call: Call) -> GitError {
        switch error {
        case is CancellationError: GitError(.cancelled, "cannot \(call.doing): cancelled")
        case SubprocessError.notFound(let name):
            GitError(.gitMissing, "cannot \(call.doing): there is no \(name) on PATH; install git 2.39 or newer")
        default:
            // The process could not start because its working directory does not exist.
            if let repository = call.repository, !FileEntry.isDirectory(repository) {
                GitError(.corrupt, "cannot \(call.doing): the repository \(repository) is gone")
            } else {
                GitError(.gitMissing, "cannot \(call.doing): \(error)")
            }
        }
    }

    func command(_ call: Call) -> Command {
        var arguments: [String] = []
        if call.repository != nil { arguments.append("--git-dir=.") }
        arguments += call.arguments
        return Command(
            settings.executable, arguments, environment: .exact(environment(call)), workingDirectory: call.repository ?? "/",
            standardInput: call.input,
            deadlineSeconds: call.deadline ?? (call.remote == nil ? settings.localDeadline : settings.networkDeadline),
            outputLimit: call.outputLimit)
    }

    // MARK: Surroundings

    private func environment(_ call: Call) -> [String: String] {
        let credentials = call.remote?.credentials ?? .none
        var result: [String: String]
        let inherited = currentEnvironment()
        if credentials.isUser {
            // The user's credential helpers may need any variable (agents, tokens, a session bus). git's own variables are not inherited,
            // because they can redirect everything (GIT_DIR, GIT_CONFIG_*, GIT_EXEC_PATH).
            result = inherited.filter { !$0.key.hasPrefix("GIT_") || $0.key.hasPrefix("GIT_SSL_") || $0.key == "GIT_SSH_COMMAND" }
        } else {
            let kept: Set = [
                "PATH", "HOME", "TMPDIR", "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy",
                "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "LD_LIBRARY_PATH",
            ]
            result = inherited.filter { kept.contains($0.key) }
            result["GIT_CONFIG_NOSYSTEM"] = "1"
            result["GIT_CONFIG_GLOBAL"] = "/dev/null"
        }
        // Otherwise this variable would take precedence over the certificates from the Secret.
        if credentials.authorities != nil { result["GIT_SSL_CAINFO"] = nil }
        result["LC_ALL"] = "C"
        result["GIT_TERMINAL_PROMPT"] = "0"
        result["GIT_ASKPASS"] = ""
        result["GIT_LITERAL_PATHSPECS"] = "1"
        result["GIT_OPTIONAL_LOCKS"] = "0"
        result["GIT_LFS_SKIP_SMUDGE"] = "1"
        result["GIT_ATTR_NOSYSTEM"] = "1"
        // Allows only the transport of the address. A call without a remote may use none.
        result["GIT_ALLOW_PROTOCOL"] = call.remote?.url.transport.rawValue ?? "none"
        if let ssh = credentials.sshCommand {
            result["GIT_SSH_COMMAND"] = ssh
        } else if result["GIT_SSH_COMMAND"] == nil {
            result["GIT_SSH_COMMAND"] = "ssh -o BatchMode=yes -o ConnectTimeout=20"
        }
        var configuration =
            Self.hardening + [
                ("http.lowSpeedLimit", String(settings.lowSpeedLimit)), ("http.lowSpeedTime", String(settings.lowSpeedSeconds)),
            ]
        configuration += credentials.configuration + call.configuration
        // Only the repository that is used, never "*" (CVE-2022-24765).
        if let repository = call.repository { configuration.append(("safe.directory", repository)) }
        result["GIT_CONFIG_COUNT"] = String(configuration.count)
        for (index, (key, value)) in configuration.enumerated() {
            result["GIT_CONFIG_KEY_\(index)"] = key
            result["GIT_CONFIG_VALUE_\(index)"] = value
        }
        result.merge(call.environment) { $1 }
        return result
    }

    private static let hardening: [(String, String)] = [
        ("core.fsmonitor", "false"), ("core.hooksPath", "/dev/null"), ("core.askPass", ""), ("core.protectHFS", "true"),
        ("core.protectNTFS", "true"), ("core.attributesFile", "/dev/null"), ("core.excludesFile", "/dev/null"),
        ("http.followRedirects", "false"), ("submodule.recurse", "false"),
        ("fetch.recurseSubmodules", "false"), ("push.recurseSubmodules", "no"), ("push.followTags", "false"),
        ("push.gpgSign", "false"), ("commit.gpgSign", "false"), ("gc.auto", "0"), ("maintenance.auto", "false"),
        ("fetch.writeCommitGraph", "false"), ("filter.lfs.process", ""), ("filter.lfs.smudge", ""), ("filter.lfs.required", "false"),
        ("advice.detachedHead", "false"), ("advice.pushUpdateRejected", "false"), ("init.defaultBranch", unknownDefaultBranch),
        ("init.templateDir", ""), ("uploadpack.packObjectsHook", ""),
    ]

    /// The branch name in HEAD of a new repository until the remote's default branch is known.
    static let unknownDefaultBranch = "assay-unknown-default"
}
