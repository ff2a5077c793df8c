import Dependencies

/// `assay install`: downloads a pinned program.
enum InstallCommand: Subcommand {
    static let syntax = CommandSyntax(
        name: "install", summary: "Install a program that a target needs into ~/.assay/bin.",
        details: """
            Downloads the pinned version, verifies its SHA-256 and puts it into ~/.assay/bin, which comes first on the PATH of
            programs that assay starts. Nothing is ever downloaded without this command. A download that stopped goes on where it
            stopped. Proxies: https_proxy, all_proxy and no_proxy. Pins of ~/.assay/deps.json come before those of this assay.

            Exit status: 0 it is installed; 1 it could not be downloaded or written; 2 it is not known or has no pinned checksum.
            """,
        positionals: [.init(name: "NAME", help: "The program, such as git-sync.")],
        options: [.init(name: "file", value: "PATH", help: "A deps.json to use instead.")])

    static func run(_ arguments: Arguments) async throws -> Int32 {
        let programs = try UserPrograms.forCommand()
        do throws(DependencyError) {
            let entry = try programs.dependencies(file: arguments.value("file")).entry(arguments.positionals[0])
            switch try await Installer(programs).install(entry) {
            case .installed(let path): Output.write("installed \(entry.name) \(entry.version): \(path)\n")
            case .present(let path): Output.write("\(entry.name) \(entry.version) is installed already: \(path)\n")
            }
        } catch {
            return DepsPinCommand.report(error)
        }
        return ExitStatus.success
    }
}

extension UserPrograms {
    /// The directory of the user, or a `UsageError`.
    static func forCommand() throws(UsageError) -> UserPrograms {
        guard let programs = UserPrograms.ofThisUser else {
            throw UsageError("HOME is not set to an absolute path, so there is no place for programs; set it")
        }
        return programs
    }
}
