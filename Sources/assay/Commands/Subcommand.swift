/// One of the executable's commands: its syntax and its code. It returns the exit status of the process.
protocol Subcommand: Sendable {
    static var syntax: CommandSyntax { get }
    /// True for commands that only programs call: they are not in the list of commands.
    static var hidden: Bool { get }
    static func run(_ arguments: Arguments) async throws -> Int32
}

extension Subcommand {
    static var hidden: Bool { false }
}

/// Exit statuses that scripts may rely on.
enum ExitStatus {
    static let success: Int32 = 0
    /// Some trials failed, or the pass rate is below the required one.
    static let belowBar: Int32 = 1
    /// Bad input: nothing ran, or the job cannot run as written.
    static let badInput: Int32 = 2
    /// All failures are infrastructure failures.
    static let infrastructure: Int32 = 3
    /// All is well, but results wait on this machine instead of being on the remote that was asked for.
    static let unpushed: Int32 = 4
    /// Stopped by Ctrl-C; the number that shells report for it.
    static let interrupted: Int32 = 130
}
