/// A program to run, with its arguments, its environment and its deadline.
///
/// No shell is involved: arguments reach the program unchanged. The child gets its own process group, the default action for
/// every signal, and only the three standard descriptors.
public struct Command: Sendable {
    public enum Environment: Sendable {
        /// This process's environment.
        case inherit
        /// This process's environment with changes.
        case inheriting(adding: [String: String], removing: Set<String> = [])
        /// Exactly these variables.
        case exact([String: String])
    }

    public enum Input: Sendable {
        case none
        case bytes([UInt8])
        case file(path: String)
    }

    /// A path, or a name that is searched on the PATH of this process.
    public var executable: String
    public var arguments: [String]
    public var environment: Environment
    public var workingDirectory: String?
    public var standardInput: Input
    /// The seconds after which the whole process group is killed; nil means never.
    public var deadlineSeconds: Double?
    /// The number of bytes kept of standard output and of standard error. Further output is read and dropped, so that the child
    /// never blocks, and `CommandResult.truncated` is set.
    public var outputLimit: Int

    public init(
        _ executable: String, _ arguments: [String] = [], environment: Environment = .inherit,
        workingDirectory: String? = nil, standardInput: Input = .none, deadlineSeconds: Double? = nil,
        outputLimit: Int = 64 << 20
    ) {
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.standardInput = standardInput
        self.deadlineSeconds = deadlineSeconds
        self.outputLimit = outputLimit
    }
}

/// How a process ended.
public enum Exit: Sendable, Hashable, CustomStringConvertible {
    case code(Int32)
    case signal(Int32)
    /// The process ended, but its status is unknown: another part of this process has reaped it.
    case unknown

    public var isSuccess: Bool { self == .code(0) }
    public var description: String {
        switch self {
        case .code(let code): "exit status \(code)"
        case .signal(let number): "signal \(number)"
        case .unknown: "an unknown status"
        }
    }
}

public struct CommandResult: Sendable {
    public var exit: Exit
    public var stdout: [UInt8]
    public var stderr: [UInt8]
    /// The deadline passed and the group was killed.
    public var timedOut: Bool
    /// The output was longer than `Command.outputLimit`.
    public var truncated: Bool

    public var succeeded: Bool { exit.isSuccess && !timedOut }
    public var stdoutText: String { String(decoding: stdout, as: UTF8.self) }
    public var stderrText: String { String(decoding: stderr, as: UTF8.self) }
}

public enum SubprocessError: Error, Sendable, Equatable, CustomStringConvertible {
    /// No such program on PATH or at the path.
    case notFound(String)
    case spawnFailed(String, errno: Int32)

    public var description: String {
        switch self {
        case .notFound(let name): "the program \"\(name)\" was not found; install it or put it on PATH"
        case .spawnFailed(let name, let number): "cannot start \"\(name)\": \(errorText(number))"
        }
    }
}
