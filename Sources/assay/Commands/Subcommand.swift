/// One of the executable's commands: its syntax, and what it does. Returns the process's exit status.
protocol Subcommand: Sendable {
    static var syntax: CommandSyntax { get }
    /// Not for people: left out of the list of commands.
    static var hidden: Bool { get }
    static func run(_ arguments: Arguments) async throws -> Int32
}

extension Subcommand {
    static var hidden: Bool { false }
}

/// Exit statuses that scripts may rely on.
enum ExitStatus {
    static let success: Int32 = 0
    /// Some trials failed, or the pass rate is below what was asked for.
    static let belowBar: Int32 = 1
    /// Bad input: nothing ran, or the job can't run as written.
    static let badInput: Int32 = 2
    /// Only infrastructure failed.
    static let infrastructure: Int32 = 3
    /// By Ctrl-C, as a shell reports it.
    static let interrupted: Int32 = 130
}
