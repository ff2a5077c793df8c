import Artifacts
import Base
import Dependencies
import Glibc

/// Finds and runs the subcommand; turns errors into messages and exit statuses.
@main
enum Assay {
    /// The version in the file VERSION.
    static let version = String(EmbeddedVersion.text.prefix { !$0.isNewline })

    static let subcommands: [any Subcommand.Type] = [
        RunCommand.self, PlanCommand.self, ConvertCommand.self, DoctorCommand.self, InstallCommand.self, DepsPinCommand.self,
        FixturesLockCommand.self, ResultsListCommand.self,
        ResultsShowCommand.self, ResultsCompareCommand.self,
        ResultsGateCommand.self,
        ResultsExportCommand.self,
        ResultsVerifyCommand.self, ResultsPruneCommand.self, DashboardCommand.self, OperatorCommand.self, APIServerCommand.self, EgressCommand.self,
        RepoCacheServeCommand.self,
        DeliverSubcommand.self, CollectSubcommand.self, RemoteTrialSubcommand.self, RelaySubcommand.self, BuildContextSubcommand.self,
        PushImageSubcommand.self,
        CheckNetworkSubcommand.self, ReadClaimSubcommand.self,
    ]

    static func main() async {
        let words = Array(CommandLine.arguments.dropFirst())
        // Inside a trial's containers HOME may be a directory that the task's image has filled.
        if let command = command(of: words), !command.hidden { UserPrograms.ofThisUser?.putOnPath() }
        let status = await status(of: words)
        if let failure = Output.failure {
            printError("\(failure)")
            exit(status == ExitStatus.success ? ExitStatus.badInput : status)
        }
        exit(status)
    }

    private static func status(of words: [String]) async -> Int32 {
        guard let first = words.first, first != "--help", first != "-h", first != "help" else {
            Output.write(overview(subcommands) + "\n")
            return words.isEmpty ? ExitStatus.badInput : ExitStatus.success
        }
        if first == "--version" || first == "version" {
            Output.write("assay \(version)\n")
            return ExitStatus.success
        }
        guard let command = command(of: words) else {
            let family = subcommands.filter { $0.syntax.name.hasPrefix(first + " ") }
            if !family.isEmpty {
                let second = words.dropFirst().first
                if second == "--help" || second == "-h" || second == nil {
                    Output.write(overview(family) + "\n")
                    return second == nil ? ExitStatus.badInput : ExitStatus.success
                }
                printError("there is no command \"\(first) \(second?.replacingControls ?? "")\" (see: assay \(first) --help)")
                return ExitStatus.badInput
            }
            printError("there is no command \"\(first)\" (see: assay --help)")
            return ExitStatus.badInput
        }
        do {
            let rest = Array(words.dropFirst(command.syntax.name.split(separator: " ").count))
            let arguments = try Arguments(rest, syntax: command.syntax)
            if arguments.wantsHelp {
                Output.write(command.syntax.help)
                return ExitStatus.success
            }
            return try await command.run(arguments)
        } catch {
            printError("\(error)")
            return error is UsageError || (error as? ArtifactError)?.kind == .invalid ? ExitStatus.badInput : ExitStatus.belowBar
        }
    }

    /// The command whose name the words begin with. The longest name wins: `results list` is a separate command.
    static func command(of words: [String]) -> (any Subcommand.Type)? {
        subcommands.filter { words.starts(with: $0.syntax.name.split(separator: " ").map(String.init)) }
            .max { $0.syntax.name.count < $1.syntax.name.count }
    }

    static func printError(_ text: String) { try? FileWriting.write("assay: \(text)\n".utf8, to: STDERR_FILENO, path: "standard error") }

    /// The help text of several commands.
    static func overview(_ commands: [any Subcommand.Type]) -> String {
        let rows = commands.filter { !$0.hidden }.map { ($0.syntax.name, $0.syntax.summary) }
        return "Assay evaluates AI agents on Kubernetes, or on this machine.\n\nUsage: assay COMMAND [arguments]\n\nCommands:\n"
            + CommandSyntax.table(rows) + "\n`assay COMMAND --help` explains one of them."
    }
}
