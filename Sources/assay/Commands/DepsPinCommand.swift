import Dependencies

/// `assay deps pin`: records the checksums of a release.
enum DepsPinCommand: Subcommand {
    static let syntax = CommandSyntax(
        name: "deps pin", summary: "Record the checksums of a program's release, so that it can be installed.",
        details: """
            Downloads the release's file for every platform and writes version, address and SHA-256 into ~/.assay/deps.json, or
            into --file. The checksums are those of what the address sends now: compare them with those that the project publishes.

            Exit status: 0 recorded; 1 it could not be downloaded or written; 2 bad input.
            """,
        positionals: [.init(name: "NAME", help: "The program, such as git-sync.")],
        options: [
            .init(name: "version", value: "V", help: "The release, such as v1.2.3; never \"latest\"."),
            .init(name: "url", value: "URL", help: "Where it is, with {version} and {platform}; default: as before."),
            .init(name: "file", value: "PATH", help: "The deps.json to change."),
        ])

    static func run(_ arguments: Arguments) async throws -> Int32 {
        let programs = try UserPrograms.forCommand()
        guard let version = arguments.value("version") else { throw UsageError("--version is missing (see: assay deps pin --help)") }
        let file = arguments.value("file") ?? programs.list
        do throws(DependencyError) {
            let known = try programs.dependencies().entry(arguments.positionals[0])
            let entry = try known.with(url: arguments.value("url") ?? known.url)
            let pin = try await Installer(programs).pin(entry, version: version)
            try Installer.record(pin.entry, in: file)
            for platform in Platform.known {
                Output.write("\(platform)  \(pin.entry.sha256[platform] ?? "absent: \(pin.missing[platform] ?? "")")\n")
            }
            Output.write("recorded \(entry.name) \(version) in \(file)\n")
        } catch {
            return report(error)
        }
        return ExitStatus.success
    }

    /// Prints the error; the exit status that belongs to it.
    static func report(_ error: DependencyError) -> Int32 {
        Assay.printError(error.description)
        switch error.kind {
        case .badInput, .notPinned: return ExitStatus.badInput
        case .download, .mismatch, .disk: return ExitStatus.belowBar
        }
    }
}
